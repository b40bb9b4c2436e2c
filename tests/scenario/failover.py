"""Which failure goes on to the next gateway and which ends the call; what comes late from a gateway that was given up."""
import time

from lib import check, equal, shows


def start(t, n=2, each=None, config=None, **more):
    s = t.switch(config or t.config(gateways=n, each=each, **more))
    caller = t.caller()
    gws = [t.gateway(i) for i in range(n)]
    return s, caller, gws, caller.call(s, "15551234")


def through(s, a, b, gw):
    """The rest of a call whose INVITE is at `b`. The 180 may be the same bytes as one of an earlier attempt."""
    b.reply(180)
    a.expect(180, again=True)
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


def attempts(s, n):
    return [(c["attempt"], c["egress"], c["code"], c["final"]) for c in sorted(s.cdrs(n), key=lambda c: c["attempt"])]


def case_on_503(t):
    """503 of the first gateway: the second gets the call, the caller hears nothing of it; one record for each attempt."""
    s, caller, (one, two), a = start(t)
    x = one.take()
    x.fail(503, headers=[("Retry-After", "30")])
    y = two.take()
    check(x.call_id != y.call_id and x.invite.tag("from") != y.invite.tag("from"), "each attempt is a dialog of its own")
    through(s, a, y, two)
    equal(attempts(s, 2), [(1, "gw-a", 503, False), (2, "gw-b", 200, True)], "records")
    equal(len({c["call_id"] for c in s.cdrs(2)}), 1, "both records name one call")


def case_on_each_code(t):
    """What a gateway may answer and still be followed by another."""
    s = t.switch(t.config(gateways=2))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    for code in (400, 403, 404, 408, 480, 488, 500, 302, 401):
        a = caller.call(s, "15551234")
        one.take().fail(code)
        b = two.take()
        b.reply(180)
        a.expect(180)
        b.reply(200, body=two.answer())
        a.expect(200)
        a.ack()
        b.expect("ACK")
        a.send("BYE")
        b.byed()
        a.expect(200)


def case_on_invite_timeout(t):
    """Silence of the first gateway for timeouts.invite: the second gets the call, within a quarter of a second."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"invite": 1}})
    x = one.take()
    y = two.take()
    check(0.9 < y.invite.time - x.invite.time < 1.3, f"the second INVITE came {y.invite.time - x.invite.time:.2f} s after the first")
    equal([m for m in one.inbox if m.method == "CANCEL"], [], "CANCEL before any response")
    through(s, a, y, two)
    rows = sorted(s.cdrs(2), key=lambda c: c["attempt"])
    equal([(c["code"], c["reason"], c["final"]) for c in rows], [(408, "invite timeout", False), (200, "normal", True)], "records")


def case_on_trying_timeout(t):
    """100 and then nothing for timeouts.trying: CANCEL, and the second gateway gets the call."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"trying": 1}})
    x = one.take()
    x.reply(100)
    y = two.take()
    x.reply_to(x.expect("CANCEL"), 200)
    x.fail(487)
    through(s, a, y, two)
    equal([c["reason"] for c in sorted(s.cdrs(2), key=lambda c: c["attempt"])], ["trying timeout", "normal"], "records")


def case_ringing_timeout(t):
    """180 and nothing for timeouts.ringing: CANCEL and 480 to the caller; no further gateway, since the callee has rung."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"ringing": 1}})
    x = one.take()
    x.reply(180)
    a.expect(180)
    x.reply_to(x.expect("CANCEL"), 200)
    x.fail(487)
    check("cause=19" in (a.expect(480).get("reason") or ""), "Reason of the 480")
    two.quiet(0.2)
    c, = s.cdrs(1)
    equal((c["code"], c["reason"], c["ended_by"]), (480, "no answer", "system"), "record")


def case_ringing_is_not_prolonged(t):
    """180 again and again, or 181 and 182 after it, do not change the ringing timer."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"ringing": 1, "session_progress": 5}})
    x = one.take()
    x.reply(180)
    t0 = a.expect(180).time
    for code in (181, 180, 182, 180):
        time.sleep(0.2)
        x.reply(code)
    m = x.expect("CANCEL", timeout=2)
    check(0.9 < m.time - t0 < 1.35, f"CANCEL {m.time - t0:.2f} s after the first 180")
    x.reply_to(m, 200)
    x.fail(487)
    a.expect(480, skip=(100, 180, 181, 182, 183))


def case_stop_on_busy(t):
    """486 and 600 end the call."""
    s = t.switch(t.config(gateways=2))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    for code in (486, 600):
        a = caller.call(s, "15551234")
        one.take().fail(code)
        a.expect(code)
    two.quiet(0.2)


@shows("routing_gateways.stop_switch.after_user_busy")
def case_busy_goes_on_when_asked(t):
    """stop_switch.after_user_busy: off lets 486 go on to the next gateway."""
    s, caller, (one, two), a = start(t, each={"stop_switch": {"after_user_busy": False}})
    one.take().fail(486)
    through(s, a, two.take(), two)


@shows("routing_gateways.stop_switch.response_codes")
def case_stop_on_code_of_the_list(t):
    """A code of stop_switch.response_codes ends the call."""
    s, caller, (one, two), a = start(t, each={"stop_switch": {"response_codes": [404]}})
    one.take().fail(404)
    a.expect(404)
    two.quiet(0.2)


def case_stop_after_180(t):
    """A callee that has rung is not rung again through another gateway."""
    s, caller, (one, two), a = start(t)
    x = one.take()
    x.reply(180)
    a.expect(180)
    x.fail(503)
    a.expect(503)
    two.quiet(0.2)
    equal(attempts(s, 1), [(1, "gw-a", 503, True)], "records")


@shows("routing_gateways.switch_until_connect")
def case_until_connect(t):
    """switch_until_connect: on lifts that rule."""
    s, caller, (one, two), a = start(t, each={"switch_until_connect": True})
    x = one.take()
    x.reply(180)
    a.expect(180)
    x.fail(503)
    through(s, a, two.take(), two)


def case_stop_after_sdp(t):
    """183 with SDP commits the call to its gateway; with after_sdp: off it does not."""
    s, caller, (one, two), a = start(t)
    x = one.take()
    x.reply(183, body=one.answer())
    a.expect(183)
    x.fail(503)
    a.expect(503)
    two.quiet(0.2)


@shows("routing_gateways.stop_switch.after_sdp")
def case_after_sdp_off(t):
    """stop_switch.after_sdp: off: a failure after 183 with SDP goes on; the new answer has a To tag of its own."""
    s, caller, (one, two), a = start(t, each={"stop_switch": {"after_sdp": False}})
    x = one.take()
    x.reply(183, body=one.answer())
    first = a.expect(183).tag("to")
    x.fail(503)
    y = two.take()
    y.reply(183, body=two.answer())
    check(a.expect(183).tag("to") != first, "the second answer came in the dialog of the first")
    y.reply(200, body=two.answer())
    a.expect(200)
    a.ack()
    y.expect("ACK")
    a.send("BYE")
    y.byed()
    a.expect(200)


def case_late_200(t):
    """A 200 of a gateway that was given up before it said anything: ACK, then BYE; the caller hears nothing of it."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"invite": 1}})
    x = one.take()
    y = two.take()
    y.reply(180)
    a.expect(180)
    x.reply(200, body=one.answer())
    x.expect("ACK", skip=(100, "INVITE"))
    x.byed()
    caller.quiet(0.2)
    y.reply(200, body=two.answer())
    a.expect(200)
    a.ack()
    y.expect("ACK")
    a.send("BYE")
    y.byed()
    a.expect(200)
    s.idle()
    s.cdrs(2)


def case_late_18x(t):
    """A 180 of a gateway that was given up before it said anything: CANCEL."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"invite": 1}})
    x = one.take()
    y = two.take()
    x.reply(180)
    x.reply_to(x.expect("CANCEL", skip=(100, "INVITE")), 200)
    x.fail(487)
    caller.quiet(0.2, but=(100,))
    through(s, a, y, two)
    s.cdrs(2)


def case_late_200_after_the_call(t):
    """The same when the whole call is over."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"invite": 1}})
    x = one.take()
    y = two.take()
    through(s, a, y, two)
    x.reply(200, body=one.answer())
    x.expect("ACK", skip=(100, "INVITE"))
    x.byed()
    s.cdrs(2)


def case_what_ends_a_late_answer_is_repeated(t):
    """The call is over; a late 180 of a gateway that was given up gets CANCEL until it is answered, a late 200 one ACK for each and
    BYE until it is answered."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"invite": 1}}, parameters={"SS_SIP_RESEND_INTERVAL": [0.3, 0.3, 0.3]})
    x = one.take()
    through(s, a, two.take(), two)
    x.reply(180)
    m = x.expect("CANCEL", skip=(100, "INVITE"))
    for _ in range(2):
        m = x.expect("CANCEL", again=True)
    x.reply_to(m, 200)
    one.quiet(0.5)
    x.reply(200, body=one.answer())   # crossing
    x.expect("ACK")
    m = x.expect("BYE")
    x.repeat(x.reply(200, body=one.answer()))
    x.expect("ACK", again=True)
    check(abs(x.expect("BYE", again=True, skip=("ACK",)).time - m.time - 0.3) < 0.05, "BYE again after 0.3 s")
    x.reply_to(m, 200)
    one.quiet(0.5, but=("ACK",))
    equal(s.calls(), [], "calls")
    s.cdrs(2)


def case_cancel_outlives_the_call(t):
    """The CANCEL of an attempt is repeated though the call was answered by the next gateway and is over by now."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"trying": 1}}, parameters={"SS_SIP_RESEND_INTERVAL": [0.5, 0.5]})
    x = one.take()
    x.reply(100)
    y = two.take()
    first = x.expect("CANCEL")
    y.reply(200, body=two.answer())
    a.expect(200)
    a.ack()
    y.expect("ACK")
    a.send("BYE")
    y.byed()
    a.expect(200)
    m = x.expect("CANCEL", again=True)
    check(abs(m.time - first.time - 0.5) < 0.05, "CANCEL again after 0.5 s")
    x.reply_to(m, 200)
    x.fail(487)


def case_200_crossing_our_cancel(t):
    """Given up after 100, the gateway's 200 crosses our CANCEL: ACK, then BYE."""
    s, caller, (one, two), a = start(t, each={"timeouts": {"trying": 1}})
    x = one.take()
    x.reply(100)
    y = two.take()
    m = x.expect("CANCEL")
    x.reply(200, body=one.answer())
    x.reply_to(m, 200)
    x.expect("ACK")
    x.byed()
    through(s, a, y, two)


@shows("SS_GATEWAY_SWITCH_LIMIT")
def case_switch_limit(t):
    """SS_GATEWAY_SWITCH_LIMIT 1: two gateways are tried, not the third; the record says why."""
    s, caller, gws, a = start(t, 3, parameters={"SS_GATEWAY_SWITCH_LIMIT": 1})
    gws[0].take().fail(503)
    gws[1].take().fail(500)
    a.expect(500)
    gws[2].quiet(0.2)
    rows = sorted(s.cdrs(2), key=lambda c: c["attempt"])
    equal((rows[-1]["final"], rows[-1]["reason"]), (True, "switch limit"), "record")


def case_all_fail(t):
    """The caller gets the last gateway's code, never its Retry-After; 3xx and 401 of the last become 503."""
    s = t.switch(t.config(gateways=2))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    for last, told in ((503, 503), (488, 488), (401, 503), (407, 503), (302, 503)):
        a = caller.call(s, "15551234")
        one.take().fail(500)
        two.take().fail(last, headers=[("Retry-After", "60")])
        m = a.expect(told)
        equal(m.get("retry-after"), None, "Retry-After")
        check("Q.850" in (m.get("reason") or ""), f"Reason: {m.get('reason')}")


@shows("routing_gateways.response_map")
def case_response_map(t):
    """response_map: what the caller is told instead."""
    s, caller, (one,), a = start(t, 1, each={"response_map": {"488": 503}})
    one.take().fail(488)
    a.expect(503)


def case_caller_leaves_between_attempts(t):
    """CANCEL after the first attempt failed: only the second is cancelled."""
    s, caller, (one, two), a = start(t)
    one.take().fail(503)
    y = two.take()
    y.reply(180)
    a.expect(180)
    a.cancel()
    for _ in range(2):
        a.expect((200, 487))
    y.reply_to(y.expect("CANCEL"), 200)
    y.fail(487)
    one.quiet(0.2)
    equal([c["final"] for c in sorted(s.cdrs(2), key=lambda c: c["attempt"])], [False, True], "records")


def case_resend_list(t):
    """resend_interval [0.2, 0.4]: exactly two resends at these times, then the next gateway one first interval later."""
    s, caller, (one, two), a = start(t, each={"resend_interval": [0.2, 0.4], "timeouts": {"invite": 20}})
    at = [one.expect("INVITE", again=True).time for _ in range(3)]
    y = two.take()
    check(abs(at[1] - at[0] - 0.2) < 0.06 and abs(at[2] - at[1] - 0.4) < 0.06 and abs(y.invite.time - at[2] - 0.2) < 0.08, f"times {at} {y.invite.time}")
    through(s, a, y, two)
