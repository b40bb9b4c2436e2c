"""What comes twice is handled once, and what is lost is sent again (RFC 3261 section 17)."""
import time

from lib import check, equal


def case_invite(t):
    """An INVITE sent again: one call, the last response again."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(180)
    a.expect(180)
    a.repeat(a.sent["INVITE"])
    a.expect(180, again=True)
    gw.quiet(0.3)
    equal(len(s.calls()), 1, "calls")
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(1)


def case_bye(t):
    """A BYE sent again gets its 200 again, also when the call is long gone; the other side sees one."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    m = a.send("BYE")
    a.repeat(m)
    x = b.expect("BYE")
    time.sleep(0.1)
    b.reply_to(x, 200)
    a.expect(200)
    s.idle()
    a.repeat(m)
    a.expect(200, again=True)
    gw.quiet(0.3)
    s.cdrs(1)


def case_200_of_the_gateway(t):
    """The gateway's 200 sent again gets the ACK again; the caller sees one 200."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    ok = b.reply(200, body=gw.answer())
    gw.expect("ACK", again=True)
    b.repeat(ok)
    gw.expect("ACK", again=True)
    caller.quiet(0.3)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(1)


def case_failure_of_the_gateway(t):
    """The gateway's 486 sent again gets the ACK again."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.fail(486)
    a.expect(486)
    b.reply(486)
    gw.expect("ACK", again=True)
    caller.quiet(0.2)
    s.cdrs(1)


def case_lost_ack(t):
    """The caller's ACK is lost: our 200 comes again after T1 and 2*T1; the call ends properly afterwards."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(200, body=gw.answer())
    at = [a.expect(200, again=True).time for _ in range(3)]
    check(0.4 < at[1] - at[0] < 0.7 and 0.85 < at[2] - at[1] < 1.3, f"the 200 came at {[round(x - at[0], 2) for x in at]}")
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    equal([c["reason"] for c in s.cdrs(1)], ["normal"], "records")


def case_bye_waits_for_ack(t):
    """The callee hangs up before the caller's ACK: the 200 is repeated on, and BYE follows the ACK."""
    s = t.switch(t.config())
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(200, body=gw.answer())
    b.expect("ACK")
    a.expect(200)
    b.bye()
    a.expect(200, again=True)
    a.ack()
    a.byed()
    s.idle()
    c, = s.cdrs(1)
    equal((c["code"], c["ended_by"]), (200, "callee"), "record")


def case_ack_never_comes(t):
    """No ACK at all for 64*T1: BYE on both legs, the record says so."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(200, body=gw.answer())
    a.expect(200)
    b.expect("ACK")
    b.byed(timeout=36)
    a.reply_to(a.expect("BYE", skip=(100, 200)), 200)
    equal([c["reason"] for c in s.cdrs(1)], ["answer not acknowledged"], "records")


def case_our_requests(t):
    """A silent gateway gets our INVITE again by the list: the same bytes, 0.5 s and 1 s later; after its 100 no more."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    at = [b.invite.time] + [gw.expect("INVITE", again=True).time for _ in range(2)]
    check(0.4 < at[1] - at[0] < 0.65 and 0.9 < at[2] - at[1] < 1.2, f"INVITE at {[round(x - at[0], 2) for x in at]}")
    b.reply(100)
    gw.inbox.clear()
    before = gw.repeats
    time.sleep(2.3)
    gw.quiet(0.05)
    equal(gw.repeats, before, "repetitions after the 100")
    b.fail(486)
    a.expect(486)


def case_our_bye(t):
    """The gateway does not answer our BYE: it comes again, and the call's record is written at once all the same."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    a.expect(200)
    x = b.expect("BYE")
    s.cdrs(1)
    y = gw.expect("BYE", again=True)
    check(0.4 < y.time - x.time < 0.7, f"the second BYE came {y.time - x.time:.2f} s after the first")
    b.reply_to(y, 200)
    s.idle()


def case_our_final(t):
    """The caller does not acknowledge our 486: it comes again until the ACK."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    gw.take().fail(486)
    m = caller.expect(486)
    n = caller.expect(486, again=True)
    check(0.4 < n.time - m.time < 0.7, f"the second 486 came {n.time - m.time:.2f} s after the first")
    a._ack_failure(n)
    caller.inbox.clear()
    time.sleep(1.2)
    caller.quiet(0.05)
    equal([x for x in caller.inbox], [], "messages after the ACK")
    s.cdrs(1)
