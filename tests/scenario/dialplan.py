"""Numbers on their way: taken where the ingress says, through its dial plans, through those of the chosen gateway, and both ends in
the record."""
from lib import Dialog, check, equal, shows, token


def invite(agent, switch, to, uri=None, display="Alice", user="15550001", headers=()):
    """An INVITE whose To, Request-URI and From are told apart."""
    d = Dialog(agent, switch)
    d.call_id, d.local_tag = agent.secret(token("c")) + "@" + agent.host, agent.secret(token("t"))
    d.local = (f'"{display}" ' if display else "") + f"<sip:{user}@{agent.host}>"
    here = f"{switch[0]}:{switch[1]}"
    d.remote, d.target = f"<sip:{to}@{here}>", f"sip:{uri or to}@{here}"
    d.invite = d.send("INVITE", body=agent.offer(), headers=headers)
    return d


def shown(b):
    """(Request-URI, To, From) of an INVITE: user parts."""
    return b.invite.uri.partition(":")[2].partition("@")[0], b.invite.user("to"), b.invite.user("from")


def numbers(record):
    return tuple(record.get(k) for k in ("callee_in", "callee_out", "caller_in", "caller_out"))


PLANS = {
    "to-e164": [{"match": "00*", "rewrite": "*"}, {"match": "0*", "rewrite": "880*"}],
    "exact": [{"match": "00*E13", "rewrite": "*"}],
    "national": [{"match": "880*", "rewrite": "0*"}],
    "plus": [{"match": "", "rewrite": "+"}],
    "sets": [{"match": "1[2-4]?*", "rewrite": "9$$*"}, {"match": "1*", "rewrite": "7*"}],
    "turns": [{"match": "*", "rewrite": ["111", "222", "333"], "poll": True}],
    "draw": [{"match": "*", "rewrite": ["41??", "42??"]}],
}


@shows("mapping_gateways.callee_dial_plan", "mapping_gateways.caller_dial_plan", "routing_gateways.callee_dial_plan",
       "routing_gateways.caller_dial_plan", "dial_plans")
def case_dial_plans(t):
    """The ingress makes numbers international, the first gateway wants them national, the second with a plus."""
    s = t.switch(t.config(gateways=2, dial_plans=PLANS, mapping={"callee_dial_plan": "to-e164", "caller_dial_plan": "to-e164"},
                          each={"prefixes": ["880"]},
                          routing=[{"callee_dial_plan": "national", "caller_dial_plan": "national"}, {"callee_dial_plan": "plus", "caller_dial_plan": "plus"}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "0171234", caller="004930123")
    b = one.take()
    equal(shown(b), ("0171234", "0171234", "4930123"), "numbers at the first gateway")
    b.fail(503)
    b = two.take()
    equal(shown(b), ("+880171234", "+880171234", "+4930123"), "numbers at the second gateway")
    b.fail(486)
    a.expect(486)
    first, last = s.cdrs(2)
    equal(numbers(first), ("0171234", "0171234", "004930123", "4930123"), "record of the first attempt")
    equal(numbers(last), ("0171234", "+880171234", "004930123", "+4930123"), "record of the second attempt")


@shows("dial_plans")
def case_patterns(t):
    """Sets, single digits, and the rule with most literal characters."""
    s = t.switch(t.config(dial_plans=PLANS, each={"callee_dial_plan": "sets"}))
    caller, gw = t.caller(), t.gateway()
    for dialled, sent in (("1255", "9255"), ("1512", "7512"), ("14", "74")):
        a = caller.call(s, dialled)
        b = gw.take()
        equal(b.invite.user("to"), sent, f"what becomes of {dialled}")
        b.fail(486)
        a.expect(486)


@shows("dial_plans")
def case_incomplete(t):
    """A number that only lacks digits for a rule: 484, cause 28. One that is longer than the rule wants stays as it is."""
    s = t.switch(t.config(dial_plans=PLANS, mapping={"callee_dial_plan": "exact", "caller_dial_plan": "exact"}, each={"prefixes": [""]}))
    caller, gw = t.caller(), t.gateway()
    m = caller.call(s, "0044123").expect(484)
    check("cause=28" in (m.get("reason") or ""), f"Reason: {m.get('reason')}")
    for dialled, sent in (("0044123456789", "44123456789"), ("00441234567890", "00441234567890"), ("123", "123")):
        a = caller.call(s, dialled, caller="00441")
        b = gw.take()
        equal(shown(b), (sent, sent, "00441"), f"what becomes of {dialled}")
        b.fail(486)
        a.expect(486)
    c = s.cdrs(4)[0]
    equal((c["code"], c["cause"], c["reason"], c["attempt"], c["callee_in"]), (484, 28, "number incomplete", 0, "0044123"), "record")


@shows("dial_plans")
def case_rewrites_in_turn(t):
    """poll: the rewrites take turns, over all workers; without it they are drawn, and ? is a random digit."""
    s = t.switch(t.config(gateways=2, workers=2, dial_plans=PLANS, routing=[{"caller_dial_plan": "turns", "prefixes": ["1"]}, {"caller_dial_plan": "draw", "prefixes": ["2"]}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)

    def sent(gw, callee):
        a = caller.call(s, callee)
        b = gw.take()
        b.fail(486)
        a.expect(486)
        return b.invite.user("from")
    got = [sent(one, "155") for _ in range(9)]
    equal(got, ["111", "222", "333"] * 3, "rewrites in turn")
    got = [sent(two, "255") for _ in range(30)]
    check(all(len(x) == 4 and x.isdigit() and x[:2] in ("41", "42") for x in got), f"drawn: {got}")
    check(len({x[:2] for x in got}) == 2 and len({x[2:] for x in got}) > 5, f"drawn: {got}")


@shows("mapping_gateways.callee_from")
def case_callee_from(t):
    """The callee is the To or the Request-URI, as the ingress says; the gateway sees one number in both."""
    c = t.config()
    rows = [(2, "to", "15551111"), (3, "request-line", "15552222")]
    c["mapping_gateways"] = [{"id": f"m{h}", "addresses": [f"{t.ip(h)}:5070"], "callee_from": mode} for h, mode, _ in rows]
    s, gw = t.switch(c), t.gateway()
    for host, mode, number in rows:
        a = invite(t.caller(host), s, "15551111", "15552222")
        b = gw.take()
        equal(shown(b), (number, number, "15550001"), f"callee_from: {mode}")
        b.fail(486)
        a.expect(486)
    equal([numbers(r) for r in s.cdrs(2)], [(n, n, "15550001", "15550001") for _, _, n in rows], "records")


@shows("SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT")
def case_use_contact(t):
    """On: the Request-URI has the rewritten number, To the one that was received."""
    s = t.switch(t.config(dial_plans=PLANS, parameters={"SS_SIP_ROUTING_GATEWAY_INVITE_USE_CONTACT": True}, each={"callee_dial_plan": "plus"},
                          mapping={"callee_from": "request-line"}))
    caller, gw = t.caller(), t.gateway()
    a = invite(caller, s, "15551111", "15552222")
    b = gw.take()
    equal(shown(b), ("+15552222", "15551111", "15550001"), "numbers")
    b.fail(486)
    a.expect(486)


@shows("mapping_gateways.caller_from", "mapping_gateways.trusted")
def case_caller_from(t):
    """The caller is taken from From, its display name, P-Asserted-Identity or Remote-Party-ID; the last two only of an ingress that
    is trusted."""
    c = t.config()
    rows = [(2, "from", True, "15550001"), (3, "display", False, "777"), (4, "p-asserted-identity", True, "15550005"), (5, "p-asserted-identity", False, "15550001"),
            (6, "remote-party-id", True, "15550006"), (7, "remote-party-id", False, "15550001")]
    c["mapping_gateways"] = [{"id": f"m{h}", "addresses": [f"{t.ip(h)}:5070"], "caller_from": mode, "trusted": trusted} for h, mode, trusted, _ in rows]
    s, gw = t.switch(c), t.gateway()
    for host, mode, trusted, number in rows:
        caller = t.caller(host)
        a = invite(caller, s, "15551234", display="777", headers=[("P-Asserted-Identity", f"<sip:15550005@{caller.host}>"),
                                                                     ("Remote-Party-ID", f"<sip:15550006@{caller.ip}>;party=calling")])
        b = gw.take()
        equal(b.invite.user("from"), number, f"caller_from: {mode}, trusted: {trusted}")
        b.fail(486)
        a.expect(486)
    equal([r["caller_in"] for r in s.cdrs(len(rows))], [x[3] for x in rows], "records")


def case_caller_from_missing(t):
    """Where the header is missing the From counts."""
    c = t.config()
    c["mapping_gateways"] = [{"id": f"m{h}", "addresses": [f"{t.ip(h)}:5070"], "caller_from": mode, "trusted": True}
                             for h, mode in ((2, "display"), (3, "p-asserted-identity"), (4, "remote-party-id"))]
    s, gw = t.switch(c), t.gateway()
    for host in (2, 3, 4):
        a = invite(t.caller(host), s, "15551234", display="")
        b = gw.take()
        equal(b.invite.user("from"), "15550001", "caller")
        b.fail(486)
        a.expect(486)


def case_odd_numbers(t):
    """Characters that a URI must not carry bare come back escaped; what has no user part is refused."""
    s = t.switch(t.config(each={"prefixes": [""]}))
    caller, gw = t.caller(), t.gateway()
    a = invite(caller, s, "*21%2312", user="a%20b%22")
    b = gw.take()
    equal(shown(b), ("*21%2312", "*21%2312", "a%20b%22"), "numbers")
    b.fail(486)
    a.expect(486)
    d = Dialog(caller, s)
    d.call_id, d.local_tag = caller.secret(token("c")), caller.secret(token("t"))
    d.local, d.remote, d.target = f"<sip:1@{caller.host}>", f"<sip:{s[0]}>", f"sip:{s[0]}:{s[1]}"
    d.send("INVITE", body=caller.offer())
    d.expect(484)


def case_route_tells(t):
    """tandemctl route says which rules would apply, at the ingress and at each candidate."""
    s = t.switch(t.config(gateways=2, dial_plans=PLANS, mapping={"callee_dial_plan": "to-e164", "caller_dial_plan": "exact"}, each={"prefixes": ["880"]},
                          routing=[{"callee_dial_plan": "national"}, {"callee_dial_plan": "plus", "caller_dial_plan": "sets"}]))
    r = s.ask("route", callee="0171234", caller="1255", **{"from": "customer"})
    steps = {x["step"]: x["result"] for x in r["steps"]}
    equal((steps["callee_dial_plan"], steps["caller_dial_plan"]), ("to-e164: rule 2, 0171234 becomes 880171234", "exact: no rule applies"), "ingress")
    one, two = r["candidates"]
    equal((one["callee_out"], one["caller_out"], two["callee_out"], two["caller_out"]), ("0171234", "1255", "+880171234", "9255"), "numbers")
    check("national: rule 1, 880171234 becomes 0171234" in one["rule"] and "sets: rule 1, 1255 becomes 9255" in two["rule"], f"rules: {r['candidates']}")
    code, out, _ = s.ctl("route", "0171234", "--from", "customer", "--caller", "1255")
    check(code == 0 and "to-e164: rule 2" in out and "+880171234" in out, f"tandemctl route says:\n{out}")


def case_route_tells_incomplete(t):
    """tandemctl route says when a number would be refused for lack of digits."""
    s = t.switch(t.config(dial_plans=PLANS, mapping={"callee_dial_plan": "exact"}))
    r = s.ask("route", callee="0044", **{"from": "customer"})
    check("484" in r["steps"][-1]["result"] and not r["candidates"], f"{r}")
