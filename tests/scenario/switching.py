"""The rule of the next gateway, by its parameters: what commits a call to the gateway that has it, for all gateways at once."""
import tone
from lib import check, equal, shows


def two(t, parameters, media=False, **more):
    s = t.switch(t.config(gateways=2, parameters=parameters, media=media, **more))
    caller = t.caller()
    return s, caller, t.gateway(0), t.gateway(1), caller.call(s, "15551234")


def goes_on(s, a, gw):
    """The second gateway gets the call, and it is an ordinary one."""
    b = gw.take()
    b.reply(200, body=gw.answer())
    a.expect(200, skip=(100, 180, 183))
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


@shows("SS_SIP_STOP_SWITCH_AFTER_SDP")
def case_after_sdp(t):
    """off: a failure after 183 with SDP goes on to the next gateway."""
    s, _, one, other, a = two(t, {"SS_SIP_STOP_SWITCH_AFTER_SDP": False})
    x = one.take()
    x.reply(183, body=one.answer())
    a.expect(183)
    x.fail(503)
    goes_on(s, a, other)


@shows("SS_SIP_USER_AGENT_STOP_SWITCH_AFTER_INVITE_TIMEOUT")
def case_after_invite_timeout(t):
    """on: silence of the first gateway ends the call with 408."""
    s, _, one, other, a = two(t, {"SS_SIP_USER_AGENT_STOP_SWITCH_AFTER_INVITE_TIMEOUT": True, "SS_SIP_TIMEOUT_INVITE": 1})
    x = one.take()
    check(0.95 < a.expect(408).time - x.invite.time < 1.05, "408 after one second")
    other.quiet(0.2)
    equal([c["reason"] for c in s.cdrs(1)], ["invite timeout"], "records")


@shows("routing_gateways.stop_switch.after_invite_timeout")
def case_after_invite_timeout_of_a_gateway(t):
    """The same for one gateway."""
    _, _, one, other, a = two(t, {"SS_SIP_TIMEOUT_INVITE": 1}, routing=[{"stop_switch": {"after_invite_timeout": True}}, {}])
    one.take()
    a.expect(408)
    other.quiet(0.2)


@shows("SS_GATEWAY_SWITCH_UNTIL_CONNECT")
def case_until_connect(t):
    """on: a callee that has rung and then failed is tried through the next gateway."""
    s, _, one, other, a = two(t, {"SS_GATEWAY_SWITCH_UNTIL_CONNECT": True})
    x = one.take()
    x.reply(180)
    a.expect(180)
    x.fail(503)
    goes_on(s, a, other)


@shows("SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY")
def case_after_user_busy(t):
    """off: 486 goes on to the next gateway."""
    s, _, one, other, a = two(t, {"SS_GATEWAY_SWITCH_STOP_AFTER_USER_BUSY": False})
    one.take().fail(486)
    goes_on(s, a, other)


def heard(one, x, a):
    """Early media: the gateway answers with SDP and is heard."""
    x.reply(183, body=one.answer())
    a.expect(183, again=True)
    voice = tone.Endpoint(one.ip, one.rtp)
    voice.to = x.invite.media
    voice.run(0.3)
    voice.close()
    x.fail(503)


@shows("SS_GATEWAY_SWITCH_STOP_AFTER_RTP_START")
def case_after_rtp_start(t):
    """off: a gateway that was heard and failed is followed by the next."""
    s, _, one, other, a = two(t, {"SS_SIP_STOP_SWITCH_AFTER_SDP": False, "SS_GATEWAY_SWITCH_STOP_AFTER_RTP_START": False}, media=True)
    heard(one, one.take(), a)
    goes_on(s, a, other)


@shows("routing_gateways.stop_switch.after_rtp_start")
def case_after_rtp_start_of_a_gateway(t):
    """The same for one gateway; where it is on, the call ends."""
    s, caller, one, other, a = two(t, {"SS_SIP_STOP_SWITCH_AFTER_SDP": False}, media=True, routing=[{"stop_switch": {"after_rtp_start": False}}, {}])
    heard(one, one.take(), a)
    b = other.take()
    heard(other, b, a)
    a.expect(503)


@shows("SS_CDR_RECORD_NONCONNECT")
def case_records_of_failures(t):
    """off: only the attempt that was answered has a record; a call that failed has none."""
    s, caller, one, other, a = two(t, {"SS_CDR_RECORD_NONCONNECT": False})
    one.take().fail(503)
    goes_on(s, a, other)
    b = caller.call(s, "15551234")
    one.take().fail(486)
    b.expect(486)
    equal([(c["attempt"], c["code"]) for c in s.cdrs(1)], [(2, 200)], "records")
