"""Relayed media: tones reach the other end, strangers do not, silence ends a call, ports come back."""
import socket
import time

import tone
from lib import check, equal, limit, release_only, sdp, shows, wait_for


def talking(t, s, caller, gw, **more):
    """An established call with an RTP endpoint on each side, sending to what signalling said."""
    a, b = t.established(s, caller, gw, **more)
    left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = a.answer.media, b.invite.media
    return a, b, left, right


def over(s, a, b):
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


def hear(t, env):
    s = t.switch(t.config(media=True), env=env)
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    tone.both(left, right, seconds=2)
    left.to = right.to = None
    tone.both(left, right, seconds=0.2)
    l, r = left.report(1000), right.report(425)
    check(l["ok"] and r["ok"], f"heard: {l} {r}")
    check(l["received"] >= right.sent - 2 and r["received"] >= left.sent - 2, f"packets: {l} {r}")
    equal(l["sources"], ["%s:%d" % a.answer.media], "where the caller's packets came from")
    over(s, a, b)
    c, = s.cdrs(1)
    ab, ba = c["rtp"]["a_to_b"], c["rtp"]["b_to_a"]
    check(abs(ab["packets"] - left.sent) <= 2 and abs(ba["packets"] - right.sent) <= 2, f"sent {left.sent} and {right.sent}, record {c['rtp']}")
    equal((ab["lost"], ba["lost"]), (0, 0), "lost")
    equal(c["codec"].upper().split("/")[0], "PCMA", "codec")


def case_tones(t):
    """Each end hears the other's tone, without loss; the record counts the packets of both directions."""
    hear(t, {})


def case_tones_one_socket_per_port(t):
    """The same without the kernel program that leads the port range to one socket."""
    hear(t, {"TANDEM_RELAY": "sockets"})


def case_stranger(t):
    """Packets from another address than the signalled one go nowhere and do not disturb the stream."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    tone.both(left, right, seconds=0.4)
    thief = tone.Endpoint(t.ip(66), 5555, 2000)
    thief.to = a.answer.media
    tone.both(left, right, thief, seconds=1.3)
    r, l = right.report(425), left.report(1000)
    check(r["ok"] and l["ok"] and r["ssrcs"] == 1, f"callee heard {r}, caller {l}")
    equal(thief.report()["received"], 0, "packets to the stranger")
    over(s, a, b)


def case_early_media(t):
    """Audio of the callee reaches the caller before the answer."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(183, body=gw.answer())
    early = a.expect(183)
    left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = early.media, b.invite.media
    tone.both(left, right, seconds=1.2)
    check(left.report(1000)["ok"], f"caller heard {left.report(1000)}")
    a.cancel()
    for _ in range(2):
        a.expect((200, 487))
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)


def case_new_address(t):
    """A re-INVITE moves the caller's media to another port: the stream follows."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    tone.both(left, right, seconds=0.3)
    moved = tone.Endpoint(caller.ip, caller.rtp + 100, 600)
    a.send("INVITE", body=sdp(caller.ip, caller.rtp + 100, version=2))
    m = b.expect("INVITE")
    b.reply_to(m, 200, body=gw.answer())
    moved.to = a.expect(200).media
    a.ack()
    b.expect("ACK")
    left.to = None
    right.payload.clear()
    tone.both(moved, right, seconds=1.3)
    check(moved.report(1000)["ok"] and right.report(600)["ok"], f"after the move: {moved.report(1000)} {right.report(600)}")
    over(s, a, b)


def case_timeout(t):
    """No RTP for media.timeout: BYE on both legs, and the record says why. A call with RTP is not touched."""
    s = t.switch(t.config(media=True) | {"media": {"address": t.ip(1), "ports": "30000-30199", "proxy": True, "timeout": 2}})
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    tone.both(left, right, seconds=3.5)
    equal(len(s.calls()), 1, "calls while RTP flows")
    left.to = right.to = None
    t0 = time.monotonic()
    a.byed(timeout=6)
    b.byed(timeout=2)
    check(1.5 < time.monotonic() - t0 < 5, f"ended {time.monotonic() - t0:.1f} s after the last packet")
    c, = s.cdrs(1)
    equal((c["reason"], c["ended_by"], c["code"]), ("media timeout", "system", 200), "record")


def case_no_timeout_on_hold(t):
    """On hold silence is no fault."""
    s = t.switch(t.config(media=True) | {"media": {"address": t.ip(1), "ports": "30000-30199", "proxy": True, "timeout": 2}})
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    tone.both(left, right, seconds=0.3)
    a.send("INVITE", body=caller.offer(direction="inactive", version=2))
    b.reply_to(b.expect("INVITE"), 200, body=gw.answer(direction="inactive", version=2))
    a.expect(200)
    a.ack()
    b.expect("ACK")
    time.sleep(4.5)
    equal(len(s.calls()), 1, "calls on hold")
    over(s, a, b)


@limit(90)
def case_ports_come_back(t):
    """Ports for four calls: the fifth is refused, and after the calls ended (and the 10 s in which a port rests) four more fit."""
    s = t.switch(t.config(media=True) | {"media": {"address": t.ip(1), "ports": "30000-30015", "proxy": True}})
    caller, gw = t.caller(), t.gateway()
    for again in range(2):
        calls = [t.established(s, caller, gw, f"1555000{i}") for i in range(4)]
        ports = [m.media[1] for a, b in calls for m in (a.answer, b.invite)]
        equal(len(set(ports)), 8, "different ports")
        caller.call(s, "15559999").expect((503, 500))
        for a, b in calls:
            a.send("BYE")
            b.byed()
            a.expect(200)
        s.idle()
        if not again:
            time.sleep(11)


def case_rtcp(t):
    """RTCP goes across on the odd ports."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    tone.both(left, right, seconds=0.3)
    one, two = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    one.bind((caller.ip, caller.rtp + 1))
    two.bind((gw.ip, gw.rtp + 1))
    two.settimeout(1)
    report = bytes([0x80, 201, 0, 1]) + b"\1\2\3\4"
    one.sendto(report, (a.answer.media[0], a.answer.media[1] + 1))
    equal(two.recv(100), report, "RTCP at the callee")
    over(s, a, b)


@release_only
@shows("media.timeout", "media.check", "routing_gateways.media_check")
def case_media_check(t):
    """Which silence ends a call: towards the gateway (to-peer), from it (from-peer), both ways (both), or none; per gateway, and
    for the last one by media.check."""
    ends = {"to-peer": ("caller", "both"), "from-peer": ("callee", "both"), "both": ("both",), "none": ()}
    checks = list(ends)
    s = t.switch(t.config(gateways=4, routing=[{"prefixes": [f"1{i}"]} | ({"media_check": c} if c != "none" else {}) for i, c in enumerate(checks)],
                          media=True) | {"media": {"address": t.ip(1), "ports": "30000-30199", "proxy": True, "timeout": 2, "check": "none"}})
    caller, gws = t.caller(), [t.gateway(i) for i in range(4)]
    for silent in ("caller", "callee", "both"):
        calls = []
        for i, gw in enumerate(gws):
            caller.rtp = 41000 + 2 * i
            a, b, left, right = talking(t, s, caller, gw, callee=f"1{i}555")
            calls.append((checks[i], a, b, left, right))
        tone.both(*[x for c in calls for x in c[3:]], seconds=0.5)
        for c in calls:
            for side, stream in (("caller", c[3]), ("callee", c[4])):
                if silent in (side, "both"):
                    stream.to = None
        tone.both(*[x for c in calls for x in c[3:]], seconds=3)
        for check_, a, b, left, right in calls:
            left.close()
            right.close()
            if silent in ends[check_]:
                a.byed()
                b.byed()
        left_over = sum(silent not in x for x in ends.values())
        wait_for(lambda: len(s.calls()) == left_over, 2, f"{left_over} calls left when silent: {silent}")
        for check_, a, b, left, right in calls:
            if silent not in ends[check_]:
                a.send("BYE")
                b.byed()
                a.expect(200)
        s.idle()
    rows = s.cdrs(12)
    equal(sorted(c["egress"] for c in rows if c["reason"] == "media timeout"), ["gw-a", "gw-a", "gw-b", "gw-b", "gw-c"],
          "calls ended by silence")


@release_only
@shows("media.timeout")
def case_hold_ends(t):
    """The silence of a hold does not count when the hold is over: the time starts anew."""
    s = t.switch(t.config(media=True) | {"media": {"address": t.ip(1), "ports": "30000-30199", "proxy": True, "timeout": 2}})
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    for n, direction in ((2, "inactive"), (3, "sendrecv")):
        time.sleep((n - 2) * 3.5)
        a.send("INVITE", body=caller.offer(direction=direction, version=n))
        b.reply_to(b.expect("INVITE"), 200, body=gw.answer(direction=direction, version=n))
        t0 = a.expect(200).time
        a.ack()
        b.expect("ACK")
    m = a.expect("BYE", timeout=4)
    check(abs(m.time - t0 - 2) < 0.05, f"BYE {m.time - t0:.2f} s after the end of the hold")
    a.reply_to(m, 200)
    b.byed()


@shows("media.timeout", default_differs=False, reason="nothing happens, and that is shown")
def case_not_relayed_is_not_watched(t):
    """Media that passes by is not seen, and its absence is no fault."""
    s = t.switch(t.config() | {"media": {"address": t.ip(1), "ports": "30000-30199", "proxy": False, "timeout": 1}})
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    time.sleep(2.5)
    equal(len(s.calls()), 1, "calls")
    over(s, a, b)
