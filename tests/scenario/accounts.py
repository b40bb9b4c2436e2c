"""Calls to and from accounts, the endpoints that register with us: several contacts at once, forwarding, limits and locks."""
import re

from lib import check, equal, shows
from lib.phone import Phone, challenge_of, credentials

NUMBER = "15557777"   # gw-a's


def config(t, *accounts, parameters=None, media=False, **more):
    """The first is account 1001, the second 1002 ..."""
    c = t.config(media=media, **more)
    c["accounts"] = [dict({"id": f"100{n + 1}", "password": "secret", "max_contacts": 5}, **a) for n, a in enumerate(accounts or ({},))]
    c["parameters"] = parameters or {}
    c["system"]["limits"] = {"calls": 100, "endpoints": 200}
    return c


def phone(t, host=40, account="1001", side="callee"):
    return Phone(t.agent(f"phone{host}", t.ip(host), 5060, side, 43000 + 2 * host), account)


def registered(t, s, n=1, account="1001"):
    """n phones of the account."""
    out = []
    for i in range(n):
        p = phone(t, 20 + i + 10 * int(account[-1]), account)
        p.register(s, contacts=[p.contact(f";q=0.{9 - i}")])
        out.append(p.agent)
    return out


def called(t, s, phones, callee="1001", caller=None):
    caller = caller or t.caller()
    a = caller.call(s, callee)
    return a, [p.take() for p in phones]


def answer(a, b):
    b.reply(200, body=b.agent.answer())
    a.expect(200, skip=(100, 180))
    a.ack()
    b.expect("ACK")


def cancelled(b):
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)


def at_gateway(t, a, gw, reason, by="1001"):
    """The call is forwarded: taken there and ended."""
    b = gw.take()
    equal(re.match(r"sip:(\d+)@", b.invite.uri).group(1), NUMBER, "callee")
    d = b.invite.get("diversion")
    check(d and re.match(rf'<sip:{by}@{re.escape(t.ip(1))}(:5060)?>;reason={reason};counter=1$', d), f"Diversion: {d}")
    check("sip:15550001@" in b.invite.get("from"), "the caller is another")
    answer(a, b)
    a.send("BYE")
    b.byed()
    a.expect(200)


def record(s, n=1):
    return [(c["attempt"], c["final"], c.get("egress"), c.get("account"), c["code"], c["reason"]) for c in s.cdrs(n)]


# --- all contacts at once ---

@shows("accounts.max_contacts")
def case_first_answer_wins(t):
    """Three phones ring at once; who answers first has the call, the others are cancelled."""
    s = t.switch(config(t))
    phones = registered(t, s, 3)
    a, bs = called(t, s, phones)
    for b in bs:
        equal(b.invite.uri, f"sip:1001@{b.agent.ip}:5060", "Request-URI")
        b.reply(180)
    equal(len({b.invite.call_id for b in bs}), 1, "one dialog to be")
    a.expect(180)
    answer(a, bs[1])
    cancelled(bs[0])
    cancelled(bs[2])
    a.send("BYE")
    bs[1].byed()
    a.expect(200)
    equal(record(s), [(1, True, "1001", "1001", 200, "normal")], "records")


def case_all_busy(t):
    """The caller hears of it when the last one has refused, and the best of the answers (RFC 3261 section 16.7)."""
    s = t.switch(config(t))
    a, bs = called(t, s, registered(t, s, 3))
    bs[0].fail(480)
    bs[2].fail(486)
    a.agent.quiet(0.2, but=(100,))
    bs[1].fail(500)
    a.expect(486)
    equal(record(s), [(1, True, "1001", "1001", 486, "busy")], "records")


def case_caller_gives_up(t):
    """CANCEL reaches all that have rung."""
    s = t.switch(config(t))
    a, bs = called(t, s, registered(t, s, 2))
    for b in bs:
        b.reply(180)
    a.expect(180)
    a.expect(180, again=True)
    a.cancel()
    a.expect(200)
    a.expect(487)
    for b in bs:
        cancelled(b)
    equal(record(s), [(1, True, "1001", "1001", 487, "cancelled")], "records")


def case_worker_dies(t):
    """The worker dies while two phones ring: its successor goes on with both."""
    s = t.switch(config(t))
    a, bs = called(t, s, registered(t, s, 2))
    for b in bs:
        b.reply(180)
    a.expect(180)
    s.kill_worker("signaling")
    bs[0].fail(486)
    answer(a, bs[1])
    a.send("BYE")
    bs[1].byed()
    a.expect(200)
    [c] = s.cdrs(1)
    check(c["recovered"] and c["code"] == 200 and c["account"] == "1001", c)


def case_not_registered(t):
    """480 with cause 20."""
    s = t.switch(config(t))
    a = t.caller().call(s, "1001")
    check("cause=20" in a.expect(480).get("reason"), "cause")


@shows("accounts.media")
def case_media(t):
    """must relays, also a phone behind NAT, which is reached where its packets come from; off leaves the bodies alone."""
    s = t.switch(config(t, {"media": "must"}, {"media": "off"}, mapping={"media": "on"}))
    near, far, caller = phone(t, 40, "1001"), phone(t, 41, "1002"), t.caller()
    near.register(s, contacts=["<sip:1001@10.9.8.7:5099>"])
    far.register(s)
    t.media_passes = True   # of the second
    for p, callee, relayed in ((near, "1001", True), (far, "1002", False)):
        a = caller.call(s, callee)
        b = p.agent.take()
        equal(b.invite.uri, "sip:1001@10.9.8.7:5099" if relayed else f"sip:1002@{p.agent.ip}:5060", "Request-URI")
        port = int(re.search(r"m=audio (\d+)", b.invite.body).group(1))
        equal(30000 <= port <= 30199, relayed, f"relayed, port {port}")
        answer(a, b)
        a.send("BYE")
        b.byed()
        a.expect(200)


# --- limits and locks ---

@shows("accounts.line_limit")
def case_line_limit(t):
    """line_limit 1: a second call to the account is refused with 503 while the first lasts; so is one from it."""
    s = t.switch(config(t, {"line_limit": 1}))
    [p] = registered(t, s)
    caller = t.caller()
    a, [b] = called(t, s, [p], caller=caller)
    answer(a, b)
    m = caller.call(s, "1001").expect(503)
    equal(m.get("retry-after"), None, "Retry-After")
    equal(from_account(t, s, p, "15551234").expect(503).get("retry-after"), None, "Retry-After")
    a.send("BYE")
    b.byed()
    a.expect(200)
    a, [b] = called(t, s, [p], caller=caller)
    b.fail(486)
    a.expect(486)


def from_account(t, s, agent, callee, account="1001"):
    """An INVITE of the account, the challenge answered."""
    d = agent.call(s, callee, account)
    m = d.expect(401)
    d.remote_tag = ""
    d.send("INVITE", body=agent.offer(), headers=[("Authorization", credentials(challenge_of(m), account, "secret", "INVITE", d.target))])
    return d


@shows("accounts.callee_dial_plan", "accounts.caller_dial_plan")
def case_from_account(t):
    """A call of an account: challenged, through its dial plans, in the record by its name."""
    c = config(t, {"callee_dial_plan": "out", "caller_dial_plan": "who"})
    c["dial_plans"] = {"out": [{"match": "0*", "rewrite": "1*"}], "who": [{"match": "1001", "rewrite": "15550001"}]}
    s = t.switch(c)
    p, gw = phone(t, side="caller").agent, t.gateway()
    a = from_account(t, s, p, "05557777")
    b = gw.take()
    equal(re.match(r"sip:(\d+)@", b.invite.uri).group(1), NUMBER, "callee")
    check("<sip:15550001@" in b.invite.get("from"), b.invite.get("from"))
    answer(a, b)
    a.send("BYE")
    b.byed()
    a.expect(200)
    [c] = s.cdrs(1)
    equal((c["ingress"], c["account"], c["egress"], c["caller_in"], c["callee_in"], c["callee_out"]),
          ("1001", "1001", "gw-a", "1001", "05557777", NUMBER), "record")


def case_account_to_account(t):
    """From one phone to another; the record names who calls."""
    s = t.switch(config(t, {}, {}))
    a_phone = phone(t, 60, "1001", "caller")
    [b_phone] = registered(t, s, 1, "1002")
    a = from_account(t, s, a_phone.agent, "1002")
    b = b_phone.take()
    check("<sip:1001@" in b.invite.get("from"), b.invite.get("from"))
    answer(a, b)
    b.send("BYE")
    a.byed()
    b.expect(200)
    [c] = s.cdrs(1)
    equal((c["ingress"], c["egress"], c["account"]), ("1001", "1002", "1001"), "record")


@shows("mapping_gateways.authentication")
def case_gateway_with_credentials(t):
    """authentication: digest: the gateway's calls need an account's credentials; its own settings count, the record names both."""
    s = t.switch(config(t, {"callee_dial_plan": None}, mapping={"authentication": "digest"}))
    caller, gw = t.caller(), t.gateway()
    a = from_account(t, s, caller, "15551234")
    b = gw.take()
    answer(a, b)
    a.send("BYE")
    b.byed()
    a.expect(200)
    [c] = s.cdrs(1)
    equal((c["ingress"], c["account"], c["egress"]), ("customer", "1001", "gw-a"), "record")


@shows("accounts.lock")
def case_locks(t):
    """in: nobody reaches it; out: it reaches nobody; all: both."""
    s = t.switch(config(t, {"lock": "in"}, {"lock": "out"}, {"lock": "all"}))
    caller, gw = t.caller(), t.gateway()
    phones = {f"100{n}": registered(t, s, 1, f"100{n}")[0] for n in (1, 2, 3)}
    for account, reached, reaches in (("1001", False, True), ("1002", True, False), ("1003", False, False)):
        t.leak_check = False   # the phones are callers and callees
        a = caller.call(s, account)
        if reached:
            phones[account].take().fail(486)
            a.expect(486)
        else:
            a.expect(403)
        a = from_account(t, s, phones[account], "15551234", account)
        if reaches:
            gw.take().fail(404)
            a.expect(404)
        else:
            a.expect(403)


# --- forwarding ---

@shows("accounts.forward.unconditional")
def case_forward_unconditional(t):
    """Though a phone is there."""
    s = t.switch(config(t, {"forward": {"unconditional": NUMBER, "offline": "1999"}}))
    [p] = registered(t, s)
    gw = t.gateway()
    at_gateway(t, t.caller().call(s, "1001"), gw, "unconditional")
    p.quiet(0.1)
    equal(record(s), [(1, True, "gw-a", "1001", 200, "normal")], "records")


@shows("accounts.forward.period")
def case_forward_period(t):
    """The row that holds now; none: the phone rings."""
    always = [{"number": "1999", "days": "mon", "from": "00:00", "to": "00:01"}, {"number": NUMBER}]
    never = [{"number": NUMBER, "from": "00:00", "to": "00:01"}]
    s = t.switch(config(t, {"forward": {"period": always}}, {"forward": {"period": never}}))
    [p], caller, gw = registered(t, s, 1, "1002"), t.caller(), t.gateway()
    at_gateway(t, caller.call(s, "1001"), gw, "time-of-day")
    a, [b] = called(t, s, [p], "1002", caller)
    b.fail(486)
    a.expect(486)


@shows("accounts.forward.offline")
def case_forward_offline(t):
    """Not registered; registered it rings."""
    s = t.switch(config(t, {"forward": {"offline": NUMBER}}))
    caller, gw = t.caller(), t.gateway()
    at_gateway(t, caller.call(s, "1001"), gw, "unavailable")
    a, [b] = called(t, s, registered(t, s), caller=caller)
    b.fail(480)
    a.expect(480)
    equal(record(s, 2), [(1, True, "gw-a", "1001", 200, "normal"), (1, True, "1001", "1001", 480, "rejected by gateway")], "records")


@shows("accounts.forward.busy")
def case_forward_busy(t):
    """When the last of two phones is busy."""
    s = t.switch(config(t, {"forward": {"busy": NUMBER}}))
    gw = t.gateway()
    a, bs = called(t, s, registered(t, s, 2))
    bs[0].fail(486)
    gw.quiet(0.1)
    bs[1].fail(486)
    at_gateway(t, a, gw, "user-busy")
    equal(record(s, 2), [(1, False, "1001", "1001", 486, "rejected by gateway"), (2, True, "gw-a", "1001", 200, "normal")], "records")


@shows("accounts.forward.no_answer")
def case_forward_no_answer(t):
    """When it has rung for SS_SIP_TIMEOUT_RINGING; the number is another account, whose phone then rings."""
    s = t.switch(config(t, {"forward": {"no_answer": "1002"}}, {}, parameters={"SS_SIP_TIMEOUT_RINGING": 1}))
    [p], [other] = registered(t, s), registered(t, s, 1, "1002")
    a, [b] = called(t, s, [p])
    b.reply(180)
    a.expect(180)
    cancelled(b)
    d = other.take()
    check("<sip:1001@" in d.invite.get("diversion") and "no-answer" in d.invite.get("diversion"), d.invite.get("diversion"))
    answer(a, d)
    a.send("BYE")
    d.byed()
    a.expect(200)
    equal(record(s, 2), [(1, False, "1001", "1001", 480, "no answer"), (2, True, "1002", "1001", 200, "normal")], "records")


def case_route(t):
    """tandemctl route says which way it would go."""
    s = t.switch(config(t, {"forward": {"offline": "1002"}}, {"forward": {"busy": NUMBER}}, {"lock": "in"}))
    registered(t, s, 2, "1002")

    def steps(callee, **more):
        return [(x["step"], x["result"]) for x in s.ask("route", callee=callee, **more)["steps"]]
    got = steps("1001", **{"from": "customer"})
    check(("forward", "account 1001, offline: to 1002") in got and ("account", "1002 is registered: 2 contacts are called at once") in got, got)
    check(len([1 for x in got if x[0] == "attempt"]) == 2 and ("forward", f"busy: to {NUMBER}") in got, got)
    check(("account", "1003: refused with 403: it is locked") in steps("1003"), "locked")
    got = steps(NUMBER, **{"from": "1001"})
    check(("ingress", "account 1001") in got and ("attempt", "1: gw-a") in got, got)
