"""CANCEL in every order: before a provisional response, after one, against one that is on its way, crossing the 200."""
from lib import check, equal


def start(t, **more):
    s = t.switch(t.config(**more))
    caller, gw = t.caller(), t.gateway()
    return s, caller, gw, caller.call(s, "15551234")


def cancelled(s, a):
    a.cancel()
    got = {}
    for _ in range(2):
        m = a.expect((200, 487))
        got[m.cseq[1]] = m.code
    equal(got, {"CANCEL": 200, "INVITE": 487}, "answers to the caller")


def record(s):
    s.idle()
    c, = s.cdrs(1)
    equal((c["code"], c["reason"], c["ended_by"], c["final"]), (487, "cancelled", "caller", True), "record")
    check("answer" not in c, f"a cancelled call has no answer time: {c}")


def case_after_18x(t):
    """CANCEL after 180: the callee gets it at once, both sides end with 487."""
    s, caller, gw, a = start(t)
    b = gw.take()
    b.reply(180)
    a.expect(180)
    cancelled(s, a)
    m = b.expect("CANCEL")
    equal((m.branch, m.cseq[0]), (b.invite.branch, b.invite.cseq[0]), "the CANCEL's branch and number are the INVITE's")
    b.reply_to(m, 200)
    b.fail(487)
    record(s)


def case_before_any_response(t):
    """CANCEL while the gateway has not said a word: nothing goes there until a provisional response comes (RFC 3261 9.1)."""
    s, caller, gw, a = start(t)
    b = gw.take()
    cancelled(s, a)
    gw.quiet(0.3, but=("INVITE",))
    b.reply(100)
    m = b.expect("CANCEL", skip=(100, "INVITE"))
    b.reply_to(m, 200)
    b.fail(487)
    record(s)


def case_after_100(t):
    """CANCEL after the gateway's 100."""
    s, caller, gw, a = start(t)
    b = gw.take()
    b.reply(100)
    gw.quiet(0.1)
    cancelled(s, a)
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)
    record(s)


def case_crossing_200_at_the_gateway(t):
    """Our CANCEL crosses the gateway's 200: the 200 is acknowledged and ended with BYE, the caller has its 487."""
    s, caller, gw, a = start(t)
    b = gw.take()
    b.reply(180)
    a.expect(180)
    cancelled(s, a)
    m = b.expect("CANCEL")
    b.reply(200, body=gw.answer())
    b.reply_to(m, 200)
    b.expect("ACK")
    b.byed()
    caller.quiet(0.3)
    record(s)


def case_late_200_without_provisional(t):
    """Cancelled before any response, then a 200 out of nothing: ACK, then BYE."""
    s, caller, gw, a = start(t)
    b = gw.take()
    cancelled(s, a)
    b.reply(200, body=gw.answer())
    b.expect("ACK", skip=(100, "INVITE"))
    b.byed()
    record(s)


def case_crossing_200_at_the_caller(t):
    """The caller's CANCEL crosses our 200: it is answered 200 and changes nothing; the call is ended by BYE as any other."""
    s, caller, gw, a = start(t)
    b = gw.take()
    b.reply(180)
    a.expect(180)
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.cancel()
    m = a.expect((200, 481), test=lambda x: x.cseq[1] == "CANCEL")
    a.ack()
    b.expect("ACK")
    equal(len(s.calls()), 1, "the call is up")
    a.send("BYE")
    b.byed()
    a.expect(200)
    c, = s.cdrs(1)
    equal((c["code"], c["reason"]), (200, "normal"), f"record after {m}")


def case_repeated_cancel(t):
    """A CANCEL sent again gets the same answer again, and the gateway sees one."""
    s, caller, gw, a = start(t)
    b = gw.take()
    b.reply(180)
    a.expect(180)
    cancelled(s, a)
    m = b.expect("CANCEL")
    a.cancel()
    a.expect(200, again=True)
    b.reply_to(m, 200)
    b.fail(487)
    gw.quiet(0.3)
    record(s)


def case_of_nothing(t):
    """A CANCEL that belongs to no transaction gets 481."""
    s = t.switch()
    caller = t.caller()
    caller.request(s, "CANCEL", "15551234")
    caller.expect(481)
