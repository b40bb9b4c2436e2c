"""Calls over IPv6, and between IPv6 and IPv4."""
import tone
from lib import check, equal


def config(t, mixed):
    """The switch on [::1]; the gateway on [::1], or on IPv4."""
    base = 20000 + (t.options.block * 17 + t.net) % 1000 * 40
    c = t.config(media=True)
    c["sip"]["listen"] = [f"udp:[::1]:{base}", f"udp:{t.ip(1)}:5060"]
    c["media"].update(address=["::1", t.ip(1)], ports=f"{base + 4}-{base + 19}")
    c["mapping_gateways"][0]["addresses"] = [f"[::1]:{base + 20}"]
    c["routing_gateways"][0]["address"] = f"{t.ip(10)}:5080" if mixed else f"[::1]:{base + 22}"
    return c, base


def talk(t, mixed):
    c, base = config(t, mixed)
    s = t.switch(c)
    caller = t.agent("caller6", "::1", base + 20, "caller", rtp=base + 30)
    gw = t.gateway() if mixed else t.agent("carrier6", "::1", base + 22, "callee", rtp=base + 32)
    a, b = t.established(s, caller, gw)
    left, right = tone.Endpoint("::1", caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = a.answer.media, b.invite.media
    equal((left.to[0], right.to[0]), ("::1", t.ip(1) if mixed else "::1"), "addresses of the relay")
    tone.both(left, right, seconds=1.2)
    check(left.report(1000)["ok"] and right.report(425)["ok"], f"heard {left.report(1000)} {right.report(425)}")
    b.send("BYE")
    a.byed()
    b.expect(200)
    s.cdrs(1)


def case_both_sides(t):
    """A relayed call between two IPv6 peers."""
    talk(t, False)


def case_six_to_four(t):
    """The caller has IPv6, the callee IPv4: signalling and media cross."""
    talk(t, True)
