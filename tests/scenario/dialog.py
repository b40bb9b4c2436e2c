"""Requests inside a call: re-INVITE in both directions, hold, glare, UPDATE, INFO, MESSAGE, REFER, sequence numbers."""
from lib import check, equal, sdp


def start(t, **more):
    s = t.switch(t.config(**more))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    return s, caller, gw, a, b


def over(s, a, b):
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    equal([c["reason"] for c in s.cdrs(1)], ["normal"], "records")


def reinvite(x, y, direction, version):
    """x asks, y answers."""
    x.send("INVITE", body=x.agent.offer(direction=direction, version=version))
    m = y.expect("INVITE")
    check(f"a={direction}" in m.body, f"{direction} goes across: {m.body}")
    y.reply_to(m, 200, body=y.agent.answer(direction={"sendonly": "recvonly", "sendrecv": "sendrecv", "inactive": "inactive"}[direction], version=version))
    ok = x.expect(200)
    x.ack()
    y.expect("ACK")
    return m, ok


def case_hold_by_caller(t):
    """The caller holds and takes back; the version in o= grows by one with each change of what we send."""
    s, caller, gw, a, b = start(t, media=True)
    first = b.invite
    one, _ = reinvite(a, b, "sendonly", 2)
    two, _ = reinvite(a, b, "sendrecv", 3)
    versions = [int(m.body.split("\r\n")[1].split()[2]) for m in (first, one, two)]
    equal(versions, [versions[0], versions[0] + 1, versions[0] + 2], "versions of o= shown to the callee")
    equal(len({m.body.split("\r\n")[1].split()[1] for m in (first, one, two)}), 1, "session ids of o= shown to the callee")
    equal({m.media for m in (first, one, two)}, {first.media}, "media address shown to the callee")
    over(s, a, b)


def case_hold_by_callee(t):
    """The callee holds and takes back."""
    s, caller, gw, a, b = start(t, media=True)
    reinvite(b, a, "sendonly", 2)
    reinvite(b, a, "sendrecv", 3)
    over(s, a, b)


def case_hold_without_relay(t):
    """Hold while the media passes by: the bodies cross untouched."""
    s, caller, gw, a, b = start(t)
    m, _ = reinvite(a, b, "inactive", 2)
    equal(m.media, (caller.ip, caller.rtp), "media address")
    reinvite(b, a, "sendrecv", 2)
    over(s, a, b)


def case_refused(t):
    """A re-INVITE that is refused with 488 changes nothing, the call goes on."""
    s, caller, gw, a, b = start(t)
    a.send("INVITE", body=caller.offer(version=2))
    m = b.expect("INVITE")
    b.reply_to(m, 488)
    b.expect("ACK")
    a.expect(488)
    reinvite(a, b, "sendonly", 3)
    over(s, a, b)


def case_glare(t):
    """Both sides re-INVITE at once: the one that meets ours gets 491, the other goes through."""
    s, caller, gw, a, b = start(t)
    a.send("INVITE", body=caller.offer(version=2))
    m = b.expect("INVITE")
    b.send("INVITE", body=gw.offer(version=2))
    b.expect(491)
    b.reply_to(m, 200, body=gw.answer(version=2))
    a.expect(200)
    a.ack()
    b.expect("ACK")
    reinvite(b, a, "sendonly", 3)
    over(s, a, b)


def case_glare_answered_by_both(t):
    """491 of one side to a re-INVITE of ours reaches the other side, which may try again."""
    s, caller, gw, a, b = start(t)
    a.send("INVITE", body=caller.offer(version=2))
    m = b.expect("INVITE")
    b.reply_to(m, 491)
    b.expect("ACK")
    a.expect(491)
    reinvite(a, b, "sendonly", 3)
    over(s, a, b)


def case_bye_during_reinvite(t):
    """BYE while a re-INVITE is open: both sides end, the re-INVITE is answered."""
    s, caller, gw, a, b = start(t)
    a.send("INVITE", body=caller.offer(version=2))
    m = b.expect("INVITE")
    b.send("BYE")
    seen = sorted(_take_bye_and_answer(a))
    check("BYE" in seen, f"the caller saw {seen}")
    b.reply_to(m, 487)
    b.expect("ACK", skip=(100, 200))
    s.idle()
    equal([c["ended_by"] for c in s.cdrs(1)], ["callee"], "records")


def _take_bye_and_answer(d):
    """BYE and the final answer of the open re-INVITE, in either order."""
    out = []
    for _ in range(2):
        m = d.expect(("BYE", 487, 481, 500, 491, 408, 503))
        if m.method:
            d.reply_to(m, 200)
        out.append(m.method or str(m.code))
    return out


def case_update(t):
    """UPDATE passes in both directions with its body."""
    s, caller, gw, a, b = start(t)
    for x, y in ((a, b), (b, a)):
        x.send("UPDATE", body=x.agent.offer(version=5, direction="sendonly"))
        m = y.expect("UPDATE")
        check("a=sendonly" in m.body, "body of the UPDATE")
        y.reply_to(m, 200, body=y.agent.answer(version=5, direction="recvonly"))
        check("a=recvonly" in x.expect(200).body, "body of the answer")
    over(s, a, b)


def passes(t, method, kind, body):
    s, caller, gw, a, b = start(t)
    for x, y in ((a, b), (b, a)):
        x.send(method, body=body, content_type=kind)
        m = y.expect(method)
        equal((m.get("content-type"), m.body), (kind, body), method)
        y.reply_to(m, 200)
        x.expect(200)
    a.send(method, body=body, content_type=kind)
    b.reply_to(b.expect(method), 415)
    a.expect(415)
    over(s, a, b)


def case_info(t):
    """INFO with DTMF passes in both directions with type and body; so does its failure."""
    passes(t, "INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")


def case_message(t):
    """MESSAGE inside a call passes in both directions."""
    passes(t, "MESSAGE", "text/plain", "good morning")


def case_refer_refused(t):
    """REFER is refused by default and does not reach the other side."""
    s, caller, gw, a, b = start(t)
    a.send("REFER", headers=[("Refer-To", "<sip:15557777@elsewhere.example>")])
    m = a.expect((403, 405, 501, 603))
    check(m.code, "code")
    gw.quiet(0.2)
    over(s, a, b)


def case_old_sequence_number(t):
    """A request with a CSeq below the last one gets 500 (RFC 3261 12.2.2) and does not go across."""
    s, caller, gw, a, b = start(t)
    a.send("INFO", body="x", content_type="text/plain")
    b.reply_to(b.expect("INFO"), 200)
    a.expect(200)
    a.send("INFO", body="y", content_type="text/plain", cseq=1)
    a.expect(500)
    gw.quiet(0.2)
    over(s, a, b)


def case_bye_from_both(t):
    """BYE from both sides at once: both are answered 200, one record."""
    s, caller, gw, a, b = start(t)
    a.send("BYE")
    b.send("BYE")
    for d in (a, b):
        got = []
        for _ in range(2):
            m = d.expect(("BYE", 200), timeout=1.5) if len(got) < 1 or "BYE" not in got else d.expect(200)
            if m.method:
                d.reply_to(m, 200)
            got.append(m.method or m.code)
            if 200 in got and "BYE" not in got and not d.agent._read(0.3):
                break
        check(200 in got, f"{d.agent.name} saw {got}")
    s.idle()
    s.cdrs(1)


def case_several_media_lines(t):
    """An offer with audio and video: as many m= lines in every body, the video refused by the callee with port 0."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    video = ("m=video 41999 RTP/AVP 96", "a=rtpmap:96 H264/90000")
    a = caller.call(s, "15551234", body=caller.offer(extra=video))
    b = gw.take()
    equal(b.invite.body.count("m="), 2, "m= lines shown to the callee")
    b.reply(200, body=sdp(gw.ip, gw.rtp, extra=("m=video 0 RTP/AVP 96",)))
    m = a.expect(200)
    equal([x.split()[1] == "0" for x in m.body.split("\r\n") if x.startswith("m=")], [False, True], "m= lines shown to the caller")
    a.ack()
    b.expect("ACK")
    over(s, a, b)
