"""Tandem between phones of other makers: baresip and Linphone on either side. Kamailio is in interop_proxy.py.
What came out, and with which versions, is in docs/interop.md."""
import time

import tone
from lib import check, equal, long_only, shows
from lib.baresip import Baresip
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
    equal((two["code"], two["ended_by"]), (603 if isinstance(b, Linphone) else 486, "callee"), "record of the refused call")


@long_only
def case_baresip_caller_ends(t):
    """baresip calls baresip: each hears the other's tone through the relay; the caller hangs up."""
    talk(t, *phones(t))


@long_only
def case_baresip_callee_ends(t):
    """The same, the callee hangs up."""
    talk(t, *phones(t), ender="callee")


@long_only
def case_baresip_not_relayed(t):
    """Without relay: each phone is told the other's address, and hears it."""
    s = t.switch(t.config())
    a, b = Baresip(t, "alice", t.ip(2), 5070, CALLER, s, 425), Baresip(t, "bob", t.ip(10), 5080, CALLEE, s, 1000)
    dial(a, s, b)
    time.sleep(2)
    over(s, a, b)
    heard(a, 1000)
    heard(b, 425)


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


@long_only
def case_baresip_crash(t):
    """The signalling and the media worker die during a call: both phones hear each other on, hold works, the call ends properly."""
    s, a, b = phones(t)
    dial(a, s, b)
    time.sleep(0.5)
    s.kill_worker("signaling")
    s.kill_worker("media")
    b.hold()
    time.sleep(0.5)
    b.resume()
    time.sleep(2)
    audio(over(s, b, a), 50)
    heard(a, 1000)
    heard(b, 425)


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
def case_linphone_early_media(t):
    """183 with SDP puts Linphone into early media; the 200 that follows answers the call."""
    s, gw = t.switch(config(t)), t.gateway()
    a = Linphone(t, "alice", t.ip(2), 5070, CALLER, 425)
    a.dial(s, CALLEE)
    b = gw.take()
    b.reply(183, body=gw.answer(codecs=(8, 101)))
    a.expect("LinphoneCallOutgoingEarlyMedia")
    b.reply(200, body=gw.answer(codecs=(8, 101)))
    b.expect("ACK")
    a.established()
    end = tone.Endpoint(gw.ip, gw.rtp, 1000)
    end.to = b.invite.media
    a.play()
    tone.both(end, seconds=2)
    check(end.report(425)["ok"], f"callee heard {end.report(425)}")
    a.hangup()
    b.byed()


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


@long_only
@shows("routing_gateways.refer")
def case_linphone_attended_transfer(t):
    """Linphone, with a call to each of two Linphones, connects them: the Replaces that it sends names the dialog that the third one has."""
    s = t.switch(transfer_config(t))
    a, b, c = (Linphone(t, n, t.ip(h), p, u, hz) for n, h, p, u, hz in
               (("alice", 2, 5070, CALLER, 425), ("bob", 10, 5080, CALLEE, 1000), ("carol", 11, 5080, "17770001", 700)))
    dial(a, s, b)
    one = a.call()
    a.hold()
    dial(a, s, c)
    time.sleep(0.5)
    a.do(f"call-transfer {one} {a.call()}")
    c.closed()   # its first call, replaced
    time.sleep(1.5)
    equal([(x["ingress"], x["egress"]) for x in s.calls()], [("carrier-in", "gw-b")], "calls after the transfer")
    b.hangup()
    c.closed()
    s.idle()
    equal(len(s.cdrs(3)), 3, "records")
