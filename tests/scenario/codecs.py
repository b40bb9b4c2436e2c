"""Session descriptions: codec lists of gateways, hold in both spellings, several lines, T.38, delayed offers."""
from lib import check, equal, sdp, shows


def formats(m):
    return [x.split(" ", 3)[3] for x in m.body.split("\r\n") if x.startswith("m=")]


def over(s, a, b):
    a.send("BYE")
    b.byed()
    a.expect(200)


@shows("routing_gateways.codecs")
def case_list(t):
    """codecs: allowed ones in the list's order, telephone-event kept; the lines of the others go."""
    s = t.switch(t.config(each={"codecs": ["PCMU", "PCMA"]}, media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", body=caller.offer(codecs=(18, 8, 0, 101)))
    b = gw.take()
    equal(formats(b.invite), ["0 8 101"], "offer")
    check("G729" not in b.invite.body and "a=fmtp:101 0-15" in b.invite.body and "a=rtpmap:0 PCMU/8000" in b.invite.body, b.invite.body)
    b.reply(200, body=gw.answer(codecs=(0, 101)))
    equal(formats(a.expect(200)), ["0 101"], "answer")
    a.ack()
    b.expect("ACK")
    b.send("INVITE", body=gw.offer(version=2, codecs=(18, 8, 101)))
    m = a.expect("INVITE")
    equal(formats(m), ["8 101"], "offer of the gateway")
    a.reply_to(m, 200, body=caller.answer(version=2, codecs=(8, 101)))
    b.expect(200)
    b.ack()
    a.expect("ACK")
    a.send("INVITE", body=caller.offer(version=3, codecs=(18,)))
    a.expect(488)
    over(s, a, b)


@shows("routing_gateways.codecs")
def case_none_common(t):
    """A gateway without a common codec is passed over; when no other is left, 488."""
    s = t.switch(t.config(gateways=2, routing=[{"codecs": ["G729"]}, {}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234", body=caller.offer(codecs=(8, 101)))
    two.take().fail(486)
    a.expect(486)
    equal([(c["attempt"], c["egress"]) for c in s.cdrs(1)], [(1, "gw-b")], "records")
    one.quiet(0.1)


@shows("routing_gateways.codecs")
def case_none_at_all(t):
    """No gateway with a common codec: 488, cause 88."""
    s = t.switch(t.config(each={"codecs": ["G729"]}))
    caller, gw = t.caller(), t.gateway()
    m = caller.call(s, "15551234", body=caller.offer(codecs=(8, 101))).expect(488)
    check("cause=88" in (m.get("reason") or ""), "Reason")
    gw.quiet(0.1)
    equal([(c["attempt"], c["reason"]) for c in s.cdrs(1)], [(0, "no common codec")], "records")


def case_t38(t):
    """A re-INVITE to T.38: the UDPTL line goes across with a port of the relay, and back to audio."""
    s = t.switch(t.config(each={"codecs": ["PCMA"]}, media=True))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    fax = lambda x: sdp(x.ip, x.rtp, version=2).split("m=")[0] + f"m=image {x.rtp + 100} udptl t38\r\na=T38FaxVersion:0\r\na=T38FaxUdpEC:t38UDPRedundancy\r\n"
    b.send("INVITE", body=fax(gw))
    m = a.expect("INVITE")
    check("m=image " in m.body and " udptl t38\r\n" in m.body and "a=T38FaxUdpEC:t38UDPRedundancy" in m.body, m.body)
    equal(m.media[0], t.ip(1), "address shown to the caller")
    a.reply_to(m, 200, body=fax(caller))
    n = b.expect(200)
    b.ack()
    a.expect("ACK")
    import socket
    x, y = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for sock, agent in ((x, caller), (y, gw)):
        sock.bind((agent.ip, agent.rtp + 100))
        sock.settimeout(2)
    packet = bytes.fromhex("000001060000")   # UDPTL, no RTP header
    for one, to, two in ((x, m.media, y), (y, n.media, x)):
        one.sendto(packet, to)
        equal(two.recv(200), packet, "UDPTL packet")
    x.close()
    y.close()
    b.send("INVITE", body=gw.offer(version=3))
    m = a.expect("INVITE")
    check("m=audio " in m.body, m.body)
    a.reply_to(m, 200, body=caller.answer(version=3))
    b.expect(200)
    b.ack()
    a.expect("ACK")
    over(s, a, b)


def case_hold_by_address(t):
    """The old spelling of hold, c=0.0.0.0, crosses as it is, and what follows takes it back."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    for version, held in ((2, True), (3, False)):
        body = caller.offer(version=version)
        a.send("INVITE", body=body.replace(f"c=IN IP4 {caller.ip}", "c=IN IP4 0.0.0.0") if held else body)
        m = b.expect("INVITE")
        equal(m.media[0], "0.0.0.0" if held else t.ip(1), "c= line")
        b.reply_to(m, 200, body=gw.answer(version=version))
        a.expect(200)
        a.ack()
        b.expect("ACK")
    over(s, a, b)


def case_delayed_offer(t):
    """An INVITE and a re-INVITE without an offer: it comes in the 2xx, filtered, the answer in the ACK."""
    s = t.switch(t.config(each={"codecs": ["PCMU"]}, media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", body="")
    b = gw.take()
    equal(b.invite.body, "", "INVITE")
    for again in (False, True):
        if again:
            a.send("INVITE", body="")
            m = b.expect("INVITE")
            equal(m.body, "", "re-INVITE")
            b.reply_to(m, 200, body=gw.offer(version=2))
        else:
            b.reply(200, body=gw.offer())
        equal(formats(a.expect(200)), ["0 101"], "offer")
        a.ack(body=caller.answer(codecs=(0,)))
        m = b.expect("ACK")
        equal((formats(m), m.media[0]), (["0"], t.ip(1)), "answer")
    over(s, a, b)
