"""Relayed media: tones reach the other end, strangers do not, silence ends a call, ports come back."""
import socket
import time

import tone
from lib import check, equal, limit, release_only, sdp, shows, wait_for

IP_RECVTOS = 13   # Linux; Python has no name for it


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


def private(t, s, caller, gw, offered, answered):
    """An established call whose ends name `offered` and `answered` as the addresses of their media."""
    a = caller.call(s, "15551234", body=sdp(offered, caller.rtp))
    b = gw.take()
    b.reply(200, body=sdp(answered, gw.rtp))
    a.expect(200)
    a.ack()
    b.expect("ACK")
    return a, b


def play_until(test, *endpoints):
    """They play until the test holds."""
    end = time.monotonic() + 4
    while not test() and time.monotonic() < end:
        tone.both(*endpoints, seconds=0.1)
    return test()


def latch(t, value):
    return t.config(media=True) | {"media": {"address": t.ip(1), "ports": "30000-30199", "proxy": True, "latch": value}}


@shows("media.latch", default_differs=False, reason="what auto does")
def case_latch_auto(t):
    """A caller whose SDP has an address of its own network is heard from where its signalling comes from, and gets its audio there."""
    s = t.switch(latch(t, "auto"))
    caller, gw = t.caller(), t.gateway()
    a, b = private(t, s, caller, gw, t.ip(67), gw.ip)
    left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = a.answer.media, b.invite.media
    check(play_until(lambda: left.received > 5 and right.received > 5, left, right), f"heard {left.report()} {right.report()}")
    over(s, a, b)


@shows("media.latch")
def case_latch_off(t):
    """off: only the SDP's address counts, to send to and to hear from."""
    s = t.switch(latch(t, "off"))
    caller, gw = t.caller(), t.gateway()
    a, b = private(t, s, caller, gw, t.ip(67), gw.ip)
    left, right, inside = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000), tone.Endpoint(t.ip(67), caller.rtp, 600)
    left.to, right.to = a.answer.media, b.invite.media
    tone.both(left, right, inside, seconds=0.3)
    left.to, inside.to, heard = None, a.answer.media, right.received
    check(play_until(lambda: right.received > 5, right, inside), f"from the SDP's address: {right.report()}")
    equal((heard, left.received), (0, 0), "packets from and to the address of the signalling")
    check(inside.received > 5, f"to the SDP's address: {inside.report()}")
    over(s, a, b)


@shows("mapping_gateways.latch")
def case_latch_of_customer(t):
    """any at the customer: its media may come from anywhere, and goes there; the gateway's may not."""
    s = t.switch(t.config(media=True, mapping={"latch": "any"}))
    caller, gw = t.caller(), t.gateway()
    a, b = private(t, s, caller, gw, t.ip(67), t.ip(68))
    left, right, other = tone.Endpoint(t.ip(66), 5555, 425), tone.Endpoint(t.ip(68), gw.rtp, 1000), tone.Endpoint(t.ip(69), 5555, 600)
    left.to, right.to, other.to = a.answer.media, b.invite.media, b.invite.media
    check(play_until(lambda: left.received > 5 and right.received > 5, left, right, other), f"heard {left.report()} {right.report()}")
    equal(other.received, 0, "packets to a stranger at the gateway's side")
    over(s, a, b)


@shows("routing_gateways.latch")
def case_latch_of_gateway(t):
    """any at the gateway: its media may come from anywhere, and goes there; the customer's may not."""
    s = t.switch(t.config(media=True, each={"latch": "any"}))
    caller, gw = t.caller(), t.gateway()
    a, b = private(t, s, caller, gw, t.ip(67), t.ip(68))
    left, right, other = tone.Endpoint(t.ip(67), caller.rtp, 425), tone.Endpoint(t.ip(66), 5555, 1000), tone.Endpoint(t.ip(69), 5555, 600)
    left.to, right.to, other.to = a.answer.media, b.invite.media, a.answer.media
    check(play_until(lambda: left.received > 5 and right.received > 5, left, right, other), f"heard {left.report()} {right.report()}")
    equal(other.received, 0, "packets to a stranger at the customer's side")
    over(s, a, b)


def behind_nat(t, **parameters):
    """Whether the media of a caller is relayed whose Contact has an address of its own network, in the mode auto."""
    c = t.config(media=True, parameters=parameters)
    c["media"]["proxy"] = "auto"
    s = t.switch(c)
    t.media_passes = True
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", drop=("Contact",), headers=[("Contact", f"<sip:phone@{t.ip(67)}:5070>")])
    b = gw.take()
    b.fail(486)
    a.expect(486)
    s.idle()
    return b.invite.media[0] == t.ip(1)


@shows("SS_MEDIA_PROXY_BEHIND_NAT", default_differs=False, reason="what on does")
def case_behind_nat(t):
    """auto: the media of a caller behind NAT is relayed."""
    check(behind_nat(t, SS_MEDIA_PROXY_BEHIND_NAT=True), "not relayed")


@shows("SS_MEDIA_PROXY_BEHIND_NAT")
def case_behind_nat_off(t):
    """auto, and NAT is no reason: its SDP passes as it is."""
    check(not behind_nat(t, SS_MEDIA_PROXY_BEHIND_NAT=False), "relayed")


def rtp_tos(t, env):
    s = t.switch(t.config(media=True, parameters={"SS_QOS_RTP": "0x88"}), env=env)
    caller, gw = t.caller(), t.gateway()
    a, b, left, right = talking(t, s, caller, gw)
    for e in (left, right):
        e.sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    end = time.monotonic() + 4
    seen = {}
    while len(seen) < 2 and time.monotonic() < end:
        for e in (left, right):
            e._send(time.monotonic())
            try:
                seen[e] = [data[0] for level, kind, data in e.sock.recvmsg(2048, 64)[1] if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS)]
            except (BlockingIOError, ConnectionRefusedError):
                pass
        time.sleep(0.02)
    equal([seen.get(e) for e in (left, right)], [[0x88], [0x88]], "ToS of RTP to the caller and to the callee")
    over(s, a, b)


@shows("SS_QOS_RTP")
def case_tos(t):
    """The ToS byte of relayed RTP."""
    rtp_tos(t, {})


@shows("SS_QOS_RTP")
def case_tos_one_socket_per_port(t):
    """The same without the kernel program that leads the port range to one socket."""
    rtp_tos(t, {"TANDEM_RELAY": "sockets"})
