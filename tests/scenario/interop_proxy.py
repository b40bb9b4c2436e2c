"""Kamailio in front of the softswitch and behind it, in the route of every call; with fake agents and with phones at the ends.
What came out, and with which versions, is in docs/interop.md."""
import tone
from interop import CALLEE, CALLER, audio, config, heard, hold
from lib import check, equal, limit, long_only
from lib.baresip import Baresip
from lib.kamailio import Kamailio
from lib.linphone import Linphone


def proxied(t, front):
    """Kamailio in front of the softswitch (the customer) or behind it (gw-a): (softswitch, caller, where the caller's calls go, callee)."""
    c = t.config(media=True)
    caller, callee = t.caller(), t.gateway()
    if front:
        k = Kamailio(t, "front", t.ip(30), (t.ip(1), 5060))
        c["mapping_gateways"][0]["addresses"] = [f"{k.ip}:{k.port}"]
    else:
        k = Kamailio(t, "behind", t.ip(40), (callee.ip, callee.port))
        c["routing_gateways"][0]["address"] = f"{k.ip}:{k.port}"
    (caller if front else callee).secrets |= k.secrets
    s = t.switch(c)
    return s, caller, (k if front else s), callee


def session(t, front):
    s, caller, entry, callee = proxied(t, front)
    for ender in (0, 1):
        d = t.established(entry, caller, callee)
        equal([len(x.routes) for x in d], [1, 0] if front else [0, 1], "routes of the dialogs")
        left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(callee.ip, callee.rtp, 1000)
        left.to, right.to = d[0].answer.media, d[1].invite.media
        tone.both(left, right, seconds=1.2)
        check(left.report(1000)["ok"] and right.report(425)["ok"], f"heard: {left.report(1000)} {right.report(425)}")
        for n, (x, y) in enumerate((d, d[::-1])):
            for direction, back in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
                x.send("INVITE", body=x.agent.offer(direction=direction, version=2 + n))
                m = y.expect("INVITE")
                check(f"a={direction}" in m.body, f"offer {m.body}")
                y.reply_to(m, 200, body=y.agent.answer(direction=back, version=2 + n))
                check(f"a={back}" in x.expect(200).body, "answer")
                x.ack()
                y.expect("ACK")
            for method, kind, body in (("INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), ("UPDATE", "application/sdp", x.agent.offer(version=9))):
                x.send(method, body=body, content_type=kind)
                m = y.expect(method)
                y.reply_to(m, 200, body=y.agent.answer(version=9) if method == "UPDATE" else "")
                x.expect(200)
        d[ender].send("BYE")
        d[1 - ender].byed()
        d[ender].expect(200)
        s.idle()
        left.close()
        right.close()
        c = s.cdrs(ender + 1)[-1]
        equal((c["reason"], c["ended_by"]), ("normal", ("caller", "callee")[ender]), "record")
        audio(c, 50)


@long_only
def case_front_session(t):
    """Kamailio in front, in the route: audio, re-INVITE, INFO, UPDATE and BYE from either side go through it by the route it recorded,
    and the callee sees nothing of it."""
    session(t, True)


@long_only
def case_behind_session(t):
    """The same with Kamailio between the softswitch and the callee."""
    session(t, False)


def refusals(t, front):
    s, caller, entry, callee = proxied(t, front)
    a = caller.call(entry, CALLEE)
    b = callee.take()
    b.reply(183, body=callee.answer())
    check(a.expect(183).media[0] == t.ip(1), "early media of the relay")
    b.reply(180)
    a.expect(180)
    a.cancel()
    a.expect(200, skip=(100,), test=lambda m: m.cseq[1] == "CANCEL")
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)
    a.expect(487)
    s.idle()
    a = caller.call(entry, CALLEE)
    b = callee.take()
    b.fail(486)
    a.expect(486)
    s.idle()
    equal([c["code"] for c in s.cdrs(2)], [487, 486], "records")


@long_only
def case_front_unanswered(t):
    """Early media, CANCEL and busy with Kamailio in front."""
    refusals(t, True)


@long_only
def case_behind_unanswered(t):
    """Early media, CANCEL and busy with Kamailio behind."""
    refusals(t, False)


@long_only
def case_dead_callee(t):
    """The callee behind Kamailio is silent: its 408 leads to the next gateway."""
    c = t.config(gateways=2, media=True)
    k = Kamailio(t, "behind", t.ip(40), (t.ip(99), 5080), answer_ms=1000)
    c["routing_gateways"][0]["address"] = f"{k.ip}:{k.port}"
    s, caller, gw = t.switch(c), t.caller(), t.gateway(1)
    a = caller.call(s, CALLEE)
    b = gw.take(timeout=8)
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    equal([(x["egress"], x["code"]) for x in s.cdrs(2)], [("gw-a", 408), ("gw-b", 200)], "records")


@long_only
@limit(90)
def case_chain(t):
    """Linphone - Kamailio - softswitch - Kamailio - baresip: audio both ways and hold from both sides."""
    c = config(t)
    front, behind = Kamailio(t, "front", t.ip(30), (t.ip(1), 5060)), Kamailio(t, "behind", t.ip(40), (t.ip(10), 5080))
    c["mapping_gateways"][0]["addresses"] = [f"{front.ip}:{front.port}"]
    c["routing_gateways"][0]["address"] = f"{behind.ip}:{behind.port}"
    s = t.switch(c)
    a, b = Linphone(t, "alice", t.ip(2), 5070, CALLER, 425), Baresip(t, "bob", t.ip(10), 5080, CALLEE, s, 1000)
    audio(hold(s, a, b, front), 50)
    heard(b, 425)
