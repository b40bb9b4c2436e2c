"""Tandem between programs of other makers: baresip and Linphone as phones on either side, Kamailio as a proxy in front and behind.
What came out, and with which versions, is in docs/interop.md."""
import time

import tone
from lib import check, equal, limit, long_only, shows
from lib.baresip import Baresip
from lib.kamailio import Kamailio
from lib.linphone import Linphone

CALLER, CALLEE = "15550001", "15551234"


def config(t, **more):
    """Relayed media. baresip binds its RTP to no address, so that on loopback it comes from 127.0.0.1 and not from what its SDP says:
    the first packet is taken from anywhere."""
    c = t.config(media=True, **more)
    c["media"]["latch"] = "any"
    return c


def phones(t, answer="manual"):
    """(softswitch, baresip that is the customer, baresip that is gw-a)"""
    s = t.switch(config(t))
    return s, Baresip(t, "alice", t.ip(2), 5070, CALLER, s, 425), Baresip(t, "bob", t.ip(10), 5080, CALLEE, s, 1000, answer=answer)


def dial(a, s, b):
    """a calls b's number, b rings and takes it."""
    a.dial(s, b.user)
    b.ringing()
    a.alerted()
    b.take()
    for x in (a, b):
        x.established()


def over(s, a, b):
    """a hangs up; the only record."""
    a.hangup()
    b.closed()
    s.idle()
    c, = s.cdrs(1)
    equal((c["code"], c["reason"]), (200, "normal"), "record")
    return c


def audio(c, least=100):
    """Packets of a record: both ways, none lost on the way here."""
    ways = c["rtp"]["a_to_b"], c["rtp"]["b_to_a"]
    check(all(w["packets"] >= least and w["lost"] == 0 for w in ways), f"packets of the record: {c['rtp']}")


def heard(phone, hz):
    """What the recording of baresip's last call ends with."""
    got = phone.heard()
    check(got and got[-1][0] == hz and got[-1][1] > 0.7, f"{phone.name} heard {got}, not {hz} Hz")


def talk(t, s, a, b, ender="caller"):
    """A call with audio both ways, ended by one side; each baresip heard the other's tone."""
    dial(a, s, b)
    for x in (a, b):
        x.play()
    time.sleep(2.5)
    first, second = (a, b) if ender == "caller" else (b, a)
    c = over(s, first, second)
    equal((c["ended_by"], c["codec"].upper().split("/")[0]), (ender, "PCMA"), "record")
    audio(c)
    for x, y in ((a, b), (b, a)):
        if isinstance(x, Baresip):
            heard(x, y.hz)


def hold(s, a, b, entry=None):
    """Each in turn puts the other on hold and takes the call back: the calls stay, and who is on hold is silent."""
    dial(a, entry or s, b)
    for x in (a, b):
        x.play()
    for x in (a, b):
        time.sleep(0.5)
        x.hold()
        time.sleep(0.7)
        x.resume()
        x.play()
    time.sleep(1.5)
    equal(len(s.calls()), 1, "calls")
    return over(s, a, b)


def unanswered(t, s, a, b):
    """CANCEL while it rings, then a refusal: two records, with the codes that each phone's side had."""
    a.dial(s, b.user)
    b.ringing()
    a.alerted()
    a.hangup()
    b.closed()
    a.closed()
    s.idle()
    a.dial(s, b.user)
    b.ringing()
    a.alerted()
    b.reject()
    a.closed()
    s.idle()
    one, two = s.cdrs(2)
    equal((one["code"], one["ended_by"]), (487, "caller"), "record of the cancelled call")
    check(two["code"] in (486, 603) and two["ended_by"] == "callee", f"record of the refused call {two}")


@long_only
def case_baresip_caller_ends(t):
    """baresip calls baresip: each hears the other's tone through the relay; the caller hangs up."""
    talk(t, *phones(t))


@long_only
def case_baresip_callee_ends(t):
    """The same, the callee hangs up."""
    talk(t, *phones(t), ender="callee")


@long_only
def case_baresip_hold(t):
    """baresip holds and takes back, from both sides; afterwards each hears the other again."""
    s, a, b = phones(t)
    audio(hold(s, a, b), 50)
    heard(a, 1000)
    heard(b, 425)


@long_only
def case_baresip_dtmf(t):
    """Digits as RFC 4733 events, in both directions."""
    s, a, b = phones(t)
    dial(a, s, b)
    time.sleep(0.5)
    for x, y in ((a, b), (b, a)):
        x.dtmf("5")
        y.expect("CALL_DTMF_START", test=lambda e: e["param"] == "5")
    over(s, a, b)


@long_only
def case_baresip_early_media(t):
    """183 with audio before the answer: baresip hears it; so it does after the answer. (baresip 1.0 as callee sends none that early.)"""
    s, gw = t.switch(config(t)), t.gateway()
    a = Baresip(t, "alice", t.ip(2), 5070, CALLER, s, 425)
    a.dial(s, CALLEE)
    b = gw.take()
    b.reply(183, body=gw.answer(codecs=(8, 101)))
    a.expect("CALL_PROGRESS")
    end = tone.Endpoint(gw.ip, gw.rtp, 1000)
    end.to = b.invite.media
    tone.both(end, seconds=2)
    heard(a, 1000)
    b.reply(200, body=gw.answer(codecs=(8, 101)))
    b.expect("ACK")
    a.established()
    end.hz, end.frames = 700, tone.frames(700)
    tone.both(end, seconds=2)
    a.hangup()
    b.byed()
    heard(a, 700)
    check(end.report(425)["ok"], f"callee heard {end.report(425)}")
    audio(s.cdrs(1)[0], 50)


@long_only
def case_baresip_unanswered(t):
    """CANCEL while it rings; busy."""
    unanswered(t, *phones(t))


def transfer_config(t):
    """gw-b has the numbers 17; who is gw-a may also call (it calls where it was sent to)."""
    c = config(t, gateways=2, each={"refer": "pass"}, routing=[{"prefixes": ["15"]}, {"prefixes": ["17"]}])
    c["mapping_gateways"].append({"id": "carrier-in", "addresses": [f"{t.ip(10)}:5080"]})
    return c


def transfer(t, s, a, b, c):
    """a, who called b, sends b to c; b calls c, a is told and leaves."""
    dial(a, s, b)
    time.sleep(0.5)
    a.transfer(s, c.user)
    c.ringing()
    c.take()
    c.established()
    a.closed()
    time.sleep(1.5)
    equal([(x["ingress"], x["egress"]) for x in s.calls()], [("carrier-in", "gw-b")], "calls after the transfer")
    b.hangup()
    c.closed()
    s.idle()
    rows = s.cdrs(2)
    equal(sorted((x["ingress"], x["egress"], x["reason"]) for x in rows), [("carrier-in", "gw-b", "normal"), ("customer", "gw-a", "normal")], "records")


@long_only
@shows("routing_gateways.refer")
def case_baresip_transfer(t):
    """refer: pass: baresip sends its peer, a baresip, to a third one: REFER and NOTIFY cross, the new call comes in and is routed."""
    s = t.switch(transfer_config(t))
    a, b, c = (Baresip(t, n, t.ip(h), p, u, s, hz) for n, h, p, u, hz in
               (("alice", 2, 5070, CALLER, 425), ("bob", 10, 5080, CALLEE, 1000), ("carol", 11, 5080, "17770001", 700)))
    transfer(t, s, a, b, c)


# -- Linphone --

def mixed(t, caller, dtmf="rtp"):
    """(softswitch, phone that is the customer, phone that is gw-a): one of them Linphone."""
    s = t.switch(config(t))
    if caller:
        return s, Linphone(t, "alice", t.ip(2), 5070, CALLER, 425, dtmf), Baresip(t, "bob", t.ip(10), 5080, CALLEE, s, 1000)
    return s, Baresip(t, "alice", t.ip(2), 5070, CALLER, s, 425), Linphone(t, "bob", t.ip(10), 5080, CALLEE, 1000, dtmf)


@long_only
def case_linphone_calls(t):
    """Linphone calls baresip, which hears its tone; Linphone hangs up."""
    talk(t, *mixed(t, True))


@long_only
def case_linphone_is_called(t):
    """baresip calls Linphone and hears its tone; Linphone hangs up."""
    talk(t, *mixed(t, False), ender="callee")


@long_only
def case_linphone_hold(t):
    """Both hold and take back."""
    s, a, b = mixed(t, True)
    audio(hold(s, a, b), 50)
    heard(b, 425)


@long_only
def case_linphone_dtmf(t):
    """Linphone's digits reach baresip: as RFC 4733 events, and by INFO."""
    for kind in ("rtp", "info"):
        s, a, b = mixed(t, True, kind)
        dial(a, s, b)
        a.play()   # its events need the clock of a source
        time.sleep(0.5)
        a.dtmf("7")
        b.expect("CALL_DTMF_START", test=lambda e: e["param"] == "7")
        over(s, a, b)
        s.stop()
        for x in (a, b):
            x.end()


@long_only
def case_linphone_unanswered(t):
    """CANCEL while it rings, and a refusal; Linphone as caller and as callee."""
    for caller in (True, False):
        s, a, b = mixed(t, caller)
        unanswered(t, s, a, b)
        s.stop()
        for x in (a, b):
            x.end()


@long_only
@shows("routing_gateways.refer")
def case_linphone_transfer(t):
    """refer: pass: Linphone sends baresip to another baresip."""
    s = t.switch(transfer_config(t))
    a = Linphone(t, "alice", t.ip(2), 5070, CALLER, 425)
    b, c = (Baresip(t, n, t.ip(h), 5080, u, s, hz) for n, h, u, hz in (("bob", 10, CALLEE, 1000), ("carol", 11, "17770001", 700)))
    transfer(t, s, a, b, c)


# -- Kamailio --

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
def case_kamailio_front_session(t):
    """Kamailio in front, in the route: audio, re-INVITE, INFO, UPDATE and BYE from either side go through it by the route it recorded,
    and the callee sees nothing of it."""
    session(t, True)


@long_only
def case_kamailio_behind_session(t):
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
def case_kamailio_front_unanswered(t):
    """Early media, CANCEL and busy with Kamailio in front."""
    refusals(t, True)


@long_only
def case_kamailio_behind_unanswered(t):
    """Early media, CANCEL and busy with Kamailio behind."""
    refusals(t, False)


@long_only
def case_kamailio_dead_callee(t):
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
