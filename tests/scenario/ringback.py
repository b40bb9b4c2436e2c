"""Ring-back: what the caller gets for a gateway's 180 and 183, and the tone that the relay plays until the callee is there."""
import json
import math
import os
import socket
import struct
import subprocess
import time

import tone
from lib import SLOW, check, equal, program, sdp, shows


def start(t, mode, ringback=None, **more):
    c = t.config(media=True, each={"ringback_mode": mode, **more})
    c["media"]["ringback"] = ringback or {"country": "de"}
    return t.switch(c)


def rings(t, s, caller, gw, code=180, body=None, offer=None):
    """(caller's dialog, callee's dialog, what the caller got for the gateway's response)"""
    a = caller.call(s, "15551234", body=offer)
    b = gw.take()
    b.reply(code, body=body or "")
    return a, b, a.expect((180, 183))


def answered(a, b, gw, **more):
    b.reply(200, body=gw.answer(**more))
    m = a.expect(200)
    a.ack()
    b.expect("ACK")
    return m


def over(s, a, b):
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


def hears(caller, seconds=0.9):
    e = tone.Endpoint(caller.ip, caller.rtp, 2000)
    tone.both(e, seconds=seconds)
    return e


@shows("routing_gateways.ringback_mode", "media.ringback.country")
def case_183(t):
    """180 becomes 183 with an answer of the relay's; the caller hears Germany's 425 Hz, 50 packets a second without a gap;
    the 200 is a new answer under its own tag and the tone ends."""
    s = start(t, "183-sdp")
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw)
    equal(m.code, 183, "180 became")
    check(m.media and m.media[0] == t.ip(1) and "m=audio %d RTP/AVP 8\r" % m.media[1] in m.body, f"answer {m.body}")
    e = hears(caller)
    r = e.report(425)
    check(r["ok"], f"heard {r}")
    check(40 <= r["received"] <= 48 + 5 * SLOW, f"{r['received']} packets in 0.9 s")
    equal((r["lost"], r["ssrcs"], r["sources"]), (0, 1, ["%s:%d" % m.media]), "stream")
    ok = answered(a, b, gw)
    check(ok.tag("to") != m.tag("to"), "the answer has the tag of the ring-back")
    equal(ok.media, m.media, "port of the relay")
    e.run(0.1)
    before = e.received
    e.run(0.5)
    equal(e.received, before, "packets of the tone after the answer")
    e.ssrcs.clear()
    e.payload.clear()
    right = tone.Endpoint(gw.ip, gw.rtp, 1000)
    e.to, right.to = ok.media, b.invite.media
    tone.both(e, right, seconds=0.6)
    check(e.report(1000)["ok"], f"heard after the answer {e.report(1000)}")
    over(s, a, b)


@shows("routing_gateways.ringback_mode")
def case_180(t):
    """183 without SDP becomes 180 with SDP; repeated it is the same answer under the same tag."""
    s = start(t, "180-sdp")
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw, 183)
    equal(m.code, 180, "183 became")
    b.reply(180)
    n = a.expect(180, again=True)
    equal((n.body, n.tag("to")), (m.body, m.tag("to")), "the second one")
    check(hears(caller).report(425)["ok"], "no tone")
    answered(a, b, gw)
    over(s, a, b)


def case_gateway_has_media(t):
    """A gateway that sends SDP itself is heard: its 183 becomes 180 with its SDP, a later 180 gets the same, and nothing plays."""
    s = start(t, "180-sdp")
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw, 183, gw.answer())
    equal(m.code, 180, "183 became")
    check("telephone-event" in m.body, "the gateway's answer")
    equal(hears(caller, 0.4).received, 0, "packets of a tone")
    b.reply(180)
    equal(a.expect(180, again=True).body, m.body, "SDP of the next 180")
    answered(a, b, gw)
    over(s, a, b)


def case_media_after_tone(t):
    """Early media of the gateway takes the tone's place, under a tag of its own."""
    s = start(t, "183-sdp")
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw)
    b.reply(183, body=gw.answer())
    n = a.expect(183)
    check(n.tag("to") != m.tag("to"), "the gateway's answer has the tag of the ring-back")
    e, right = tone.Endpoint(caller.ip, caller.rtp, 2000), tone.Endpoint(gw.ip, gw.rtp, 1000)
    right.to = b.invite.media
    tone.both(e, right, seconds=0.8)
    r = e.report(1000)
    check(r["ok"] and r["ssrcs"] == 1, f"heard {r}")
    answered(a, b, gw)
    over(s, a, b)


def case_not_possible(t):
    """Without an offer, without a common law, or without the relay the response passes as it is; nothing is made up."""
    s = start(t, "183-sdp")
    caller, gw = t.caller(), t.gateway()
    for offer in ("", sdp(caller.ip, caller.rtp, codecs=(18, 101)), sdp(caller.ip, caller.rtp, direction="sendonly")):
        a, b, m = rings(t, s, caller, gw, offer=offer)
        equal((m.code, m.body), (180, ""), "the response")
        a.cancel()
        for _ in range(2):
            a.expect((200, 487))
        b.reply_to(b.expect("CANCEL"), 200)
        b.fail(487)
    s.idle()


@shows("routing_gateways.codecs")
def case_codecs(t):
    """The tone keeps to the gateway's codec list, in the answer and in the packets: PCMU, although the caller offers PCMA first."""
    s = start(t, "183-sdp", codecs=["PCMU"])
    caller, gw = t.caller(), t.gateway()
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((caller.ip, caller.rtp))
    sock.settimeout(3)
    a, b, m = rings(t, s, caller, gw)
    check("m=audio %d RTP/AVP 0\r" % m.media[1] in m.body, f"answer {m.body}")
    equal(sock.recv(2048)[1] & 0x7f, 0, "payload type")
    sock.close()
    answered(a, b, gw, codecs=(0,))
    over(s, a, b)


@shows("routing_gateways.ringback_mode")
def case_timer(t):
    """The time that runs is that of what the caller got: 180 sent as 183 with SDP ends after session_progress_sdp, not ringing."""
    s = start(t, "183-sdp", timeouts={"ringing": 30, "session_progress_sdp": 1})
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw)
    b.reply_to(b.expect("CANCEL"), 200)
    took = time.monotonic() - m.time
    check(0.95 < took < 1.05 + 0.3 * (SLOW - 1), f"after {took:.3f} s")
    b.fail(487)
    a.expect(480)
    s.idle()


def case_not_seen(t):
    """The answer of ours is no SDP of the gateway's: stop-after-SDP does not keep the call from the next gateway."""
    s = t.switch(t.config(gateways=2, media=True, each={"ringback_mode": "183-sdp", "stop_switch": {"after_sdp": True}}))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a, b, m = rings(t, s, caller, one, 183)
    b.fail(503)
    c = two.take()
    c.reply(183)
    n = a.expect(183, again=True)
    equal(n.body, m.body, "the answer at the second gateway")
    answered(a, c, two)
    over(s, a, c)


def wav(path, hz, seconds):
    pcm = b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * hz * i / 8000))) for i in range(int(8000 * seconds)))
    with open(path, "wb") as f:
        f.write(b"RIFF" + struct.pack("<I", 36 + len(pcm)) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16))
        f.write(b"data" + struct.pack("<I", len(pcm)) + pcm)


@shows("media.ringback.file")
def case_file(t):
    """A file of 16-bit PCM is played instead of the country's tone, again and again, in the law of the offer."""
    path = os.path.join(t.dir, "ring.wav")
    wav(path, 700, 0.25)
    s = start(t, "183-sdp", {"file": path})
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw)
    r = hears(caller).report(700)
    check(r["ok"], f"heard {r}")
    answered(a, b, gw)
    over(s, a, b)


def case_cancel_ends_it(t):
    """The caller gives up: the tone ends."""
    s = start(t, "183-sdp")
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw)
    e = hears(caller, 0.3)
    check(e.received > 10, f"{e.received} packets")
    a.cancel()
    for _ in range(2):
        a.expect((200, 487))
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)
    e.run(0.1)
    before = e.received
    e.run(0.4)
    equal(e.received, before, "packets after the end")


def goes_on(t, role):
    s = start(t, "183-sdp", {"country": "us"})
    caller, gw = t.caller(), t.gateway()
    a, b, m = rings(t, s, caller, gw)
    e = hears(caller, 0.4)
    s.kill_worker(role)
    e.run(0.1)
    before = e.received
    e.run(1)
    check(e.received - before >= 40, f"{e.received - before} packets in the second after the death")
    r = e.report()
    equal((r["ssrcs"], r["refused"]), (1, 0), "streams, ICMP errors")
    heard = tone.judge(e.payload, 440, 2000)
    check(heard["heard_hz"] in (440, 480), f"heard {heard}")
    ok = answered(a, b, gw)
    e.run(0.1)
    before = e.received
    e.run(0.4)
    equal(e.received, before, "packets of the tone after the answer")
    equal(ok.media, m.media, "port")
    over(s, a, b)


def case_media_worker_dies(t):
    """The media worker is killed while the tone plays: its successor goes on with the same stream, and ends it with the answer."""
    goes_on(t, "media")


def case_signaling_worker_dies(t):
    """The signalling worker is killed while the tone plays: the tone goes on, and its successor ends it."""
    goes_on(t, "signaling")


def case_config(t):
    """An unknown country and a file that cannot be played are errors that say what is allowed."""
    for key, value, words in (("country", "xx", ("has no ringing tone here", "gb", "us")), ("file", "/nonexistent.wav", ("cannot read",)),
                              ("file", os.path.abspath(__file__), ("is not a WAV file", "8000 Hz"))):
        c = t.config(media=True)
        c["media"]["ringback"] = {key: value}
        path = os.path.join(t.dir, "bad.yaml")
        with open(path, "w") as f:
            json.dump(c, f)
        r = subprocess.run([program("tandem"), "-c", path, "--check"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        equal(r.returncode, 78, "exit status")
        for w in (f"media.ringback.{key}: ", *words):
            check(w in r.stdout + r.stderr, f"{key}: {value}: {r.stdout} {r.stderr}")
