"""Session timers (RFC 4028): what each leg agrees on, who refreshes when, and what ends a call that nobody confirms."""
import time

from lib import check, equal, limit, long_only, release_only, shows

TIMER = ("Supported", "timer")
TENTH = {"SS_SIP_SESSION_TTL": 90, "SS_SIP_SESSION_UPDATE_SEGMENT": 10}
MARGIN = 0.05


def near(got, wanted, what):
    check(abs(got - wanted) <= MARGIN, f"{what}: {got:.3f} s instead of {wanted} s")


def expires(n, refresher=None):
    return ("Session-Expires", f"{n};refresher={refresher}" if refresher else str(n))


def up(s, caller, gw, ask=(), answer=()):
    """An answered call; header lines of the INVITE and of the 200."""
    a = caller.call(s, "15551234", headers=ask, drop=("Allow",))
    b = gw.take()
    b.reply(200, body=gw.answer(), headers=answer)
    a.expect(200)
    a.ack()
    b.expect("ACK")
    return a, b


def over(a, b, s):
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


@shows("SS_SIP_SESSION_TTL")
def case_terms(t):
    """The smaller of the parameter and what the caller asks, never below its Min-SE; whoever it names refreshes; the gateway is
    offered the parameter, and nothing when the caller does not support timer."""
    s = t.switch(t.config(parameters={"SS_SIP_SESSION_TTL": 300}))
    caller, gw = t.caller(), t.gateway()
    for ask, want in (((TIMER,), "300;refresher=uas"),
                      ((TIMER, expires(1800)), "300;refresher=uas"),
                      ((TIMER, expires(120, "uac")), "120;refresher=uac"),
                      ((("Require", "timer"), expires(120, "uas")), "120;refresher=uas"),
                      ((TIMER, expires(1800), ("Min-SE", "900")), "900;refresher=uas"),
                      ((), None)):
        a, b = up(s, caller, gw, ask)
        equal(a.answer.get("session-expires"), want, f"Session-Expires of the answer to {ask}")
        equal(a.answer.get("require"), want and "timer", "Require of the answer")
        equal(b.invite.get("session-expires"), want and "300", "Session-Expires towards the gateway")
        equal(b.invite.get("supported"), want and "timer", "Supported towards the gateway")
        over(a, b, s)


def case_too_small(t):
    """Less than 90 s is refused with 422 and Min-SE, in an INVITE, a re-INVITE and an UPDATE; the call goes on."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    equal(caller.call(s, "15551234", headers=[TIMER, expires(89)]).expect(422).get("min-se"), "90", "Min-SE")
    a, b = up(s, caller, gw, [TIMER, expires(90)])
    for method, body in (("INVITE", caller.offer(version=2)), ("UPDATE", "")):
        a.send(method, body=body, headers=[TIMER, expires(60)])
        equal(a.expect(422).get("min-se"), "90", f"Min-SE for {method}")
    over(a, b, s)
    equal(sorted(c["reason"] for c in s.cdrs(2)), ["normal", "session interval too small"], "records")


def case_gateway_wants_more(t):
    """A gateway's 422 is retried there with its Min-SE: the same call, no failed attempt, nothing for the caller."""
    s = t.switch(t.config(gateways=2))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234", headers=[TIMER])
    b = one.take()
    b.fail(422, headers=[("Min-SE", "1200")])
    c = one.take()
    equal((c.call_id, c.invite.body), (b.call_id, b.invite.body), "dialog and body of the second INVITE")
    equal((c.invite.get("session-expires"), c.invite.get("min-se"), c.invite.cseq[0]), ("1200", "1200", 2), "second INVITE")
    c.reply(200, body=one.answer(), headers=[TIMER, expires(1200, "uac")])
    a.expect(200)
    a.ack()
    c.expect("ACK")
    two.quiet(0.1)
    over(a, c, s)
    equal([(x["attempt"], x["code"]) for x in s.cdrs(1)], [(1, 200)], "records")


@limit(60)
@release_only
@shows("SS_SIP_SESSION_UPDATE_SEGMENT")
def case_refresh(t):
    """90 s in 10 segments: a refresh of each leg every 9 s, by re-INVITE with the SDP sent last, by UPDATE where it is allowed."""
    s = t.switch(t.config(parameters=TENTH))
    caller, gw = t.caller(), t.gateway()
    a, b = up(s, caller, gw, [TIMER, expires(90)], [TIMER, expires(90, "uac"), ("Allow", "INVITE, ACK, BYE, CANCEL, UPDATE")])
    at = [a.answer.time, a.answer.time]
    for _ in range(2):
        for i, (d, agent, method, sdp) in enumerate(((b, gw, "UPDATE", ""), (a, caller, "INVITE", a.answer.body))):
            m = d.expect(method, timeout=11)
            near(m.time - at[i], 9, f"{method} after the confirmation")
            equal((m.get("session-expires"), m.body), ("90;refresher=uac", sdp), method)
            at[i] = time.monotonic()
            d.reply_to(m, 200, body=sdp and agent.answer(), headers=[TIMER, expires(90, "uac")])
            if method == "INVITE":
                d.expect("ACK")
    over(a, b, s)


@limit(60)
@release_only
@shows("SS_SIP_SESSION_UPDATE_SEGMENT")
def case_refresh_after_a_crash(t):
    """The signalling worker is killed between two refreshes: its successor sends the next when it was due."""
    s = t.switch(t.config(parameters=TENTH))
    caller, gw = t.caller(), t.gateway()
    a, b = up(s, caller, gw, [TIMER, expires(90), ("Allow", "INVITE, ACK, BYE, UPDATE")])
    time.sleep(3)
    s.kill_worker("signaling")
    m = a.expect("UPDATE", timeout=8)
    near(m.time - a.answer.time, 9, "UPDATE after the answer")
    a.reply_to(m, 200)
    over(a, b, s)


@limit(60)
def case_refresh_is_answered_481(t):
    """481 to a refresh: the peer has lost the call, so the other side gets its BYE at once."""
    s = t.switch(t.config(parameters=TENTH))
    caller, gw = t.caller(), t.gateway()
    a, b = up(s, caller, gw, [TIMER, ("Allow", "INVITE, ACK, BYE, UPDATE")])
    a.reply_to(a.expect("UPDATE", timeout=11), 481)
    t0 = time.monotonic()
    check(b.byed().time - t0 < 0.5, "BYE comes at once")
    equal([c["reason"] for c in s.cdrs(1)], ["peer lost the dialog"], "records")


def case_peers_refresh(t):
    """A re-INVITE with the body sent last and an UPDATE without any are answered by us: the other side hears nothing, the
    version stays. A changed body goes through, with the terms of each leg."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = up(s, caller, gw, [TIMER, expires(120, "uac")], [TIMER, expires(600, "uas")])
    body, invite = a.answer.body, a.invite.body
    for _ in range(3):
        a.send("INVITE", body=invite, headers=[TIMER, expires(120, "uac")])
        m = a.expect(200)
        equal((m.body, m.get("session-expires")), (body, "120;refresher=uac"), "answer to the re-INVITE")
        a.ack()
    a.send("UPDATE", headers=[TIMER, expires(120, "uac")])
    equal(a.expect(200).get("session-expires"), "120;refresher=uac", "answer to the UPDATE")
    gw.quiet(0.3)
    a.send("INVITE", body=caller.offer(version=2, direction="sendonly"), headers=[TIMER, expires(120, "uac")])
    m = b.expect("INVITE")
    equal(m.get("session-expires"), "600;refresher=uas", "terms of the other leg")
    b.reply_to(m, 200, body=gw.answer(version=2, direction="recvonly"), headers=[TIMER, expires(600, "uas")])
    b.expect("ACK")
    equal(a.expect(200).get("session-expires"), "120;refresher=uac", "answer to the caller")
    a.ack()
    over(a, b, s)


@long_only
@limit(150)
@release_only
@shows("SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP", "SS_SIP_SESSION_TTL", "SS_SIP_SESSION_UPDATE_SEGMENT")
def case_nobody_confirms(t):
    """The caller is gone: a refresh at 45 s, BYE on both legs 3 s after the 90 s; the gateway, which answers, is refreshed."""
    s = t.switch(t.config(parameters={"SS_SIP_SESSION_TTL": 90, "SS_SIP_SESSION_TIMEOUT_EARLY_HANGUP": 3}))
    caller, gw = t.caller(), t.gateway()
    a, b = up(s, caller, gw, [TIMER, ("Allow", "INVITE, ACK, BYE, UPDATE")],
              [TIMER, expires(90, "uac"), ("Allow", "INVITE, ACK, BYE, UPDATE")])
    m = b.expect("UPDATE", timeout=47)
    b.reply_to(m, 200, headers=[TIMER, expires(90, "uac")])
    near(a.expect("UPDATE").time - a.answer.time, 45, "first try")
    m = b.expect(("UPDATE", "BYE"), timeout=50)
    if m.method == "UPDATE":
        b.reply_to(m, 200, headers=[TIMER, expires(90, "uac")])
        m = b.expect("BYE", timeout=10)
    near(m.time - a.answer.time, 93, "BYE")
    b.reply_to(m, 200)
    a.byed()
    c, = s.cdrs(1)
    equal((c["reason"], c["ended_by"]), ("session expired", "system"), "record")


@long_only
@limit(90)
@release_only
@shows("SS_SIP_NO_TIMER_REINVITE_INTERVAL")
def case_caller_without_timer(t):
    """No refresh at all, and BYE on both legs when the limit for callers without timer is over."""
    s = t.switch(t.config(parameters=dict(TENTH, SS_SIP_NO_TIMER_REINVITE_INTERVAL=60)))
    caller, gw = t.caller(), t.gateway()
    a, b = up(s, caller, gw)
    m = a.expect("BYE", timeout=62)
    near(m.time - a.answer.time, 60, "BYE")
    a.reply_to(m, 200)
    b.byed()
    equal([c["reason"] for c in s.cdrs(1)], ["session limit"], "records")
