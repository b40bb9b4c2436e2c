"""Time limits of call set-up, resend lists and limits of calls, measured on the wire: each within 50 ms of what is configured."""
import time

from lib import alone, check, equal, limit, long_only, release_only, shows

MARGIN = 0.05
STAGES = {"invite": 1, "trying": 2, "session_progress": 1, "session_progress_sdp": 2, "ringing": 1}
LIST = [0.2, 0.4, 0.1]


def near(got, wanted, what):
    check(abs(got - wanted) <= MARGIN, f"{what}: {got:.3f} s instead of {wanted} s")


def many(agent, what, n, timeout=3.0):
    """The times of n messages that are `what`, the first and its repetitions."""
    return [agent.expect(what, timeout, again=True, skip=(100, 180)).time for _ in range(n)]


def spaced(at, wanted, what):
    for i, w in enumerate(wanted):
        near(at[i + 1] - at[i], w, f"{what}, resend {i + 1}")


def call(s, caller, gw, callee="15551234"):
    a = caller.call(s, callee)
    return a, gw.take()


def stages(t, s, limits):
    """Every stage runs into its limit; the caller hears what behaviour says."""
    caller, gw = t.caller(), t.gateway()
    a, b = call(s, caller, gw)
    near(a.expect(408, timeout=limits["invite"] + 2).time - b.invite.time, limits["invite"], "nothing at all")
    gw.quiet(0.1)   # no CANCEL before a provisional response
    for name, code, body, told in (("trying", 100, "", 408), ("session_progress", 183, "", 408), ("session_progress", 181, "", 408),
                                   ("session_progress_sdp", 183, gw.answer(), 480), ("ringing", 180, "", 480)):
        a, b = call(s, caller, gw)
        t0 = time.monotonic()
        b.reply(code, body=body)
        m = b.expect("CANCEL", timeout=limits[name] + 2)
        near(m.time - t0, limits[name], f"CANCEL after {code} {'with' if body else 'without'} SDP")
        b.reply_to(m, 200)
        b.fail(487)
        a.expect(told, skip=(100, code))


@alone
@release_only
@shows("SS_SIP_TIMEOUT_INVITE", "SS_SIP_TIMEOUT_TRYING", "SS_SIP_TIMEOUT_SESSION_PROGRESS", "SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP",
       "SS_SIP_TIMEOUT_RINGING")
def case_stages(t):
    """Each stage's time, from the response that begins it to our CANCEL; 408 or 480 to the caller."""
    stages(t, t.switch(t.config(parameters={"SS_SIP_TIMEOUT_" + k.upper(): v for k, v in STAGES.items()})), STAGES)


@alone
@release_only
@shows(*("routing_gateways.timeouts." + k for k in STAGES))
def case_stages_of_a_gateway(t):
    """The same from the gateway's own limits, which win over the global ones."""
    far = {"SS_SIP_TIMEOUT_" + k.upper(): 9 for k in STAGES}
    stages(t, t.switch(t.config(each={"timeouts": STAGES}, parameters=far)), STAGES)


def resends(t, s, intervals, wait):
    """Every kind of request that a silent gateway gets. wait: from the last resend until it counts as failed."""
    caller, gw = t.caller(), t.gateway()
    n = len(intervals) + 1
    a = caller.call(s, "15551234")
    at = many(gw, "INVITE", n)
    spaced(at, intervals, "INVITE")
    near(a.expect(408).time - at[-1], wait, "408 after the last INVITE")

    a, b = call(s, caller, gw)
    b.reply(180)
    a.expect(180)
    a.cancel()
    spaced(many(gw, "CANCEL", n), intervals, "CANCEL")
    for _ in range(2):
        a.expect((200, 487), skip=(100, 180))
    b.fail(487)

    a, b = t.established(s, caller, gw)
    for method, body, kind in (("INFO", "Signal=5\r\n", "application/dtmf-relay"), ("UPDATE", caller.offer(version=2), "application/sdp"),
                               ("INVITE", caller.offer(version=3), "application/sdp")):
        a.send(method, body=body, content_type=kind)
        at = many(gw, method, n)
        spaced(at, intervals, method)
        near(a.expect(408).time - at[-1], wait, f"408 after the last {method}")
    equal(len(s.calls()), 1, "calls: a time-out of our own ends none")
    a.send("BYE")
    a.expect(200)
    spaced(many(gw, "BYE", n), intervals, "BYE")
    time.sleep(wait + 0.1)
    gw.quiet(0.3)
    s.idle()


@alone
@release_only
@shows("SS_SIP_RESEND_INTERVAL")
def case_resend_list(t):
    """INVITE, CANCEL, INFO, UPDATE, re-INVITE and BYE are sent again by the list; failed one first interval after the last."""
    resends(t, t.switch(t.config(parameters={"SS_SIP_RESEND_INTERVAL": LIST, "SS_SIP_TIMEOUT_INVITE": 20})), LIST, LIST[0])


@alone
@release_only
@shows("routing_gateways.resend_interval")
def case_resend_list_of_a_gateway(t):
    """The same from the gateway's own list, which wins over the global one; the caller's leg keeps the global one."""
    s = t.switch(t.config(each={"resend_interval": LIST, "timeouts": {"invite": 20}}, parameters={"SS_SIP_RESEND_INTERVAL": [0.3, 3]}))
    resends(t, s, LIST, LIST[0])
    caller, gw = t.agents
    caller.quiet(0.1, but=(487,))   # the 487 as often as it came before its ACK
    a, b = t.established(s, caller, gw)
    b.send("INFO", body="Signal=5\r\n", content_type="application/dtmf-relay")
    spaced(many(caller, "INFO", 2), [0.3], "INFO to the caller")
    b.send("BYE")
    b.expect(200, skip=(487,))   # the INFO, which has no answer
    a.byed()


@alone
@release_only
@shows("SS_SIP_SEND_RETRY")
def case_send_retry(t):
    """SS_SIP_SEND_RETRY 1: one resend of the list's three; 0: none, failed after the first interval."""
    for retry, intervals in ((1, LIST[:1]), (0, [])):
        s = t.switch(t.config(parameters={"SS_SIP_RESEND_INTERVAL": LIST, "SS_SIP_SEND_RETRY": retry, "SS_SIP_TIMEOUT_INVITE": 20}))
        caller, gw = t.caller(), t.gateway()
        a = caller.call(s, "15551234")
        at = many(gw, "INVITE", len(intervals) + 1)
        spaced(at, intervals, "INVITE")
        near(a.expect(408).time - at[-1], LIST[0], "408 after the last INVITE")
        s.idle()
        s.stop()
        for agent in (caller, gw):
            agent.close()


@alone
@release_only
@shows("SS_SIP_RESEND_INTERVAL")
def case_finals(t):
    """200 and 486 without ACK come again with the list's spacing, its last value repeated; the ACK ends it."""
    s = t.switch(t.config(parameters={"SS_SIP_RESEND_INTERVAL": [0.2, 0.4], "SS_SIP_SEND_RETRY": 0}))
    caller, gw = t.caller(), t.gateway()
    a, b = call(s, caller, gw)
    b.reply(200, body=gw.answer())
    a.expect(200)
    b.expect("ACK")
    caller.inbox.clear()
    at = many(caller, 200, 4)
    spaced(at, [0.4] * 3, "200")
    a.ack()
    time.sleep(0.1)
    caller.quiet(0)
    before = len(caller.log)
    caller.quiet(0.6)
    equal(len(caller.log), before, "messages after the ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    a, b = call(s, caller, gw)
    b.fail(486)
    at = many(caller, 486, 4)
    spaced(at, [0.2, 0.4, 0.4], "486")
    a.expect(486, again=True)   # acknowledges
    s.idle()


@long_only
@limit(60)
@release_only
@shows("SS_SIP_RESEND_INTERVAL")
def case_finals_for_32_seconds(t):
    """A list that is over after 0.3 s: 200 and 486 are kept up for 64*T1 all the same, then the answered call gets its BYEs."""
    s = t.switch(t.config(parameters={"SS_SIP_RESEND_INTERVAL": [0.3, 4], "SS_SIP_SEND_RETRY": 1}))
    caller, gw = t.caller(), t.gateway()
    refused, b = call(s, caller, gw)
    b.fail(486)
    a, b = call(s, caller, gw)
    b.reply(200, body=gw.answer())
    b.expect("ACK")
    t0 = time.monotonic()
    caller.sock.settimeout(1)
    while time.monotonic() - t0 < 34:
        caller._read(0.2)
    times = {code: [m.time - t0 for m in caller.inbox if m.code == code] for code in (200, 486)}
    for code, at in times.items():
        equal(len(at), 9, f"{code}: {[round(x, 1) for x in at]}")
        for i, x in enumerate(at):
            check(abs(x - (0 if i == 0 else 0.3 + 4 * (i - 1))) < 0.15, f"{code} number {i} after {x:.2f} s")
    bye = next(m for m in caller.inbox if m.method == "BYE")
    near(bye.time - t0, 32, "BYE")
    a.reply_to(bye, 200)
    b.byed()
    equal([c["reason"] for c in sorted(s.cdrs(2), key=lambda c: c["start"])], ["busy", "answer not acknowledged"], "records")


@alone
@release_only
@shows("SS_MAX_CALL_DURATION")
def case_longest_call(t):
    """SS_MAX_CALL_DURATION 1: BYE on both legs one second after the answer, whether the caller supports timer or not."""
    s = t.switch(t.config(parameters={"SS_MAX_CALL_DURATION": 1}))
    caller, gw = t.caller(), t.gateway()
    for n, headers in enumerate(((), (("Supported", "timer"),))):
        a, b = t.established(s, caller, gw, headers=headers)
        t0 = a.answer.time
        x, y = a.expect("BYE"), b.expect("BYE")
        near(x.time - t0, 1, "BYE to the caller")
        near(y.time - t0, 1, "BYE to the callee")
        a.reply_to(x, 200)
        b.reply_to(y, 200)
        s.idle()
        c = max(s.cdrs(n + 1), key=lambda c: c["start"])
        equal((c["reason"], c["ended_by"], c["duration_ms"] // 100), ("maximum duration", "system", 10), "record")
