"""Reliable provisional responses (RFC 3262), on one leg or on both."""
from lib import check, equal, limit, shows

REL = [("Supported", "100rel")]


def reliably(n):
    return [("Require", "100rel"), ("RSeq", str(n))]


def prack(d, m, body=""):
    return d.send("PRACK", body=body, headers=[("RAck", f"{m.get('rseq')} {m.cseq[0]} INVITE")])


def answered(d):
    return d.expect(200, test=lambda x: x.cseq[1] == "PRACK")


def over(s, a, b, body=None):
    b.reply(200, body=b.agent.answer() if body is None else body)
    m = a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    return m


def case_prack(t):
    """Both sides know 100rel: a reliable 183 is acknowledged with PRACK, and the call is answered."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=REL)
    b = gw.take()
    check("100rel" in ", ".join(b.invite.all("supported")) and b.invite.get("require") is None, f"INVITE: {b.invite.headers}")
    first = b.reply(183, body=gw.answer(), headers=reliably(7001))
    m = a.expect(183)
    check("100rel" in (m.get("require") or "") and m.get("rseq"), f"183: {m.headers}")
    gw.transmit(first.raw, b.invite.source)   # again, before the PRACK: not shown twice
    prack(a, m)
    p = b.expect("PRACK")
    equal(p.get("rack"), f"7001 {b.invite.cseq[0]} INVITE", "RAck shown to the gateway")
    b.reply_to(p, 200)
    answered(a)
    b.reply(180, headers=reliably(7002))
    n = a.expect(180)
    equal(int(n.get("rseq")), int(m.get("rseq")) + 1, "RSeq")
    prack(a, n)
    p = b.expect("PRACK")
    equal(p.get("rack"), f"7002 {b.invite.cseq[0]} INVITE", "second RAck")
    b.reply_to(p, 200)
    answered(a)
    a.send("PRACK", headers=[("RAck", f"{n.get('rseq')} {n.cseq[0]} INVITE")])
    a.expect(481)
    equal(over(s, a, b, body="").body, "", "body of the 200: the answer has come reliably")


def case_offer_in_prack(t):
    """A second offer in the PRACK and its answer in the PRACK's 200; then an UPDATE before the answer."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=REL)
    b = gw.take()
    b.reply(183, body=gw.answer(), headers=reliably(1))
    m = a.expect(183)
    prack(a, m, caller.offer(version=2, codecs=(0,)))
    p = b.expect("PRACK")
    check("RTP/AVP 0\r" in p.body and caller.ip not in p.body, p.body)
    b.reply_to(p, 200, body=gw.answer(version=2, codecs=(0,)))
    check("RTP/AVP 0\r" in answered(a).body, "answer in the 200 of the PRACK")
    a.send("UPDATE", body=caller.offer(version=3, direction="sendonly"))
    u = b.expect("UPDATE")
    check("a=sendonly" in u.body, u.body)
    b.reply_to(u, 200, body=gw.answer(version=3, direction="recvonly"))
    a.expect(200, test=lambda x: x.cseq[1] == "UPDATE")
    over(s, a, b, body="")


def case_answer_in_prack(t):
    """No offer in the INVITE: the offer comes in the reliable 183, the answer goes in the PRACK."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", body="", headers=REL)
    b = gw.take()
    equal(b.invite.body, "", "INVITE")
    b.reply(183, body=gw.offer(), headers=reliably(5))
    m = a.expect(183)
    check("m=audio" in m.body and gw.ip not in m.body, m.body)
    prack(a, m, caller.answer(codecs=(8,)))
    p = b.expect("PRACK")
    check("RTP/AVP 8\r" in p.body and caller.ip not in p.body, p.body)
    b.reply_to(p, 200)
    answered(a)
    equal(over(s, a, b, body="").body, "", "200")


def case_not_asked_for(t):
    """The caller does not know 100rel: the gateway is not told that we do."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    check("100rel" not in (b.invite.get("supported") or "") and "100rel" not in (b.invite.get("require") or ""), f"INVITE: {b.invite.headers}")
    b.fail(486)
    a.expect(486)


def case_gateway_insists(t):
    """The gateway requires 100rel (421), the caller does not know it: reliable on the gateway's leg alone, one attempt."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    first = gw.take()
    first.fail(421, headers=[("Require", "100rel")])
    b = gw.take()
    equal((b.call_id, b.invite.cseq[0]), (first.call_id, first.invite.cseq[0] + 1), "Call-ID and CSeq of the repetition")
    check("100rel" in ", ".join(b.invite.all("supported")), "Supported")
    b.reply(183, body=gw.answer(), headers=reliably(9))
    m = a.expect(183)
    equal((m.get("require"), m.get("rseq")), (None, None), "183")
    p = b.expect("PRACK")
    equal(p.get("rack"), f"9 {b.invite.cseq[0]} INVITE", "RAck")
    b.reply_to(p, 200)
    check("m=audio" in over(s, a, b, body="").body, "the 200 brings the answer that only came unreliably")
    equal([(c["attempt"], c["final"]) for c in s.cdrs(1)], [(1, True)], "records")


def case_caller_insists(t):
    """The caller requires 100rel, the gateway's responses are plain: reliable on the caller's leg alone, one after the other."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=[("Require", "100rel")])
    b = gw.take()
    b.reply(180)
    b.reply(183, body=gw.answer())
    m = a.expect(180)
    check("100rel" in (m.get("require") or ""), "Require of the 180")
    caller.quiet(0.2)
    prack(a, m)
    seen = sorted((a.expect((183, 200)) for _ in range(2)), key=lambda x: x.code)
    equal([x.code for x in seen], [183, 200], "after the PRACK")
    n = seen[0]
    check(int(n.get("rseq")) == int(m.get("rseq")) + 1 and "m=audio" in n.body, f"183: {n.headers}")
    prack(a, n)
    answered(a)
    gw.quiet(0.2)
    over(s, a, b)


@limit(60)
@shows("SS_SIP_RESEND_INTERVAL")
def case_resent(t):
    """A reliable response is resent by the list, its last interval repeated, until 64*T1 are over; then 504 and CANCEL."""
    s = t.switch(t.config(parameters={"SS_SIP_RESEND_INTERVAL": "0.5,1,4", "SS_SIP_TIMEOUT_SESSION_PROGRESS_SDP": 60}))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=REL)
    b = gw.take()
    b.reply(183, body=gw.answer(), headers=reliably(1))
    times = [a.expect(183).time]
    for gap in (0.5, 1, 4, 4):
        times.append(a.expect(183, timeout=5, again=True).time)
        check(abs(times[-1] - times[-2] - gap) < 0.05, f"resent after {times[-1] - times[-2]:.3f} s instead of {gap}")
    m = a.expect(504, timeout=25)
    check(abs(m.time - times[0] - 32) < 0.05, f"given up after {m.time - times[0]:.3f} s")
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)
