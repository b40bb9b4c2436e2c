"""The plain call: INVITE, 180, 200, ACK, BYE from either side, through two legs that know nothing of each other; with the
media passing by and with the media relayed; and what answers to OPTIONS."""
from lib import Load, check, equal


def talk(t, media, ender):
    s = t.switch(t.config(media=media))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    trying = caller.expect(100, skip=())
    check(trying.time - caller.log[0][0] < 0.2, "100 Trying comes at once")
    b = gw.take()
    equal(b.invite.user("to"), "15551234", "callee in To")
    equal(b.invite.user("from"), "15550001", "caller in From")
    check(b.invite.uri.startswith("sip:15551234@"), f"Request-URI {b.invite.uri}")
    check(b.call_id != a.call_id, "each leg has its own Call-ID")
    equal(b.invite.get("max-forwards"), "69", "Max-Forwards goes across less one")
    b.reply(180)
    a.expect(180)
    b.reply(200, body=gw.answer())
    ok = a.expect(200)
    a.ack()
    b.expect("ACK")
    equal(b.invite.media == (caller.ip, caller.rtp), not media, "the callee sees the caller's own media address")
    equal(ok.media == (gw.ip, gw.rtp), not media, "the caller sees the callee's own media address")
    if media:
        equal(b.invite.media[0], t.ip(1), "media address shown to the callee")
        equal(ok.media[0], t.ip(1), "media address shown to the caller")
        check(b.invite.media[1] % 2 == 0 and 30000 <= b.invite.media[1] <= 30199, f"port {b.invite.media[1]} out of media.ports")
        check(ok.media[1] != b.invite.media[1], "each leg has a port pair of its own")
    call = s.calls()[0]
    equal((call["caller"], call["callee"], call["ingress"], call["egress"], call["attempt"]), ("15550001", "15551234", "customer", "gw-a", 1), "call in the table")
    first, second = (a, b) if ender == "caller" else (b, a)
    first.send("BYE")
    second.byed()
    first.expect(200)
    s.idle()
    c, = s.cdrs(1)
    equal((c["final"], c["attempt"], c["code"], c["cause"], c["reason"], c["ended_by"]), (True, 1, 200, 16, "normal", ender), "record")
    equal((c["ingress"], c["egress"], c["caller_in"], c["callee_in"], c["callee_out"]), ("customer", "gw-a", "15550001", "15551234", "15551234"), "record")
    equal((c["sip_call_id_in"], c["sip_call_id_out"]), (a.call_id, b.call_id), "Call-IDs in the record")
    check(c["start"] <= c["alert"] <= c["answer"] <= c["end"] and c["start"].endswith("Z"), f"times of {c}")
    check(c["duration_ms"] >= 0 and c["pdd_ms"] < 2000, f"durations of {c}")


def case_caller_ends(t):
    """A call without relay; the caller hangs up; one record with all its fields."""
    talk(t, False, "caller")


def case_callee_ends(t):
    """A call without relay; the callee hangs up."""
    talk(t, False, "callee")


def case_relayed_caller_ends(t):
    """The same with relayed media: each side is shown the relay's address and a port pair of its own."""
    talk(t, True, "caller")


def case_relayed_callee_ends(t):
    """Relayed media, the callee hangs up."""
    talk(t, True, "callee")


def case_sipp(t):
    """Thirty calls between two sipp processes, media relayed, ended by the caller."""
    s = t.switch(t.config(media=True))
    x = Load(t, s, calls=30, rate=20, hold=0.1)
    x.wait()
    x.wait_callee()
    s.idle()
    equal(len([c for c in s.cdrs(30) if c["reason"] == "normal" and c["final"]]), 30, "records")


def case_delayed_offer(t):
    """An INVITE without SDP: the offer is in the 200, the answer in the ACK."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", body="")
    b = gw.take()
    equal(b.invite.body, "", "body of the INVITE")
    b.reply(180)
    a.expect(180)
    b.reply(200, body=gw.offer())
    check("m=audio" in a.expect(200).body, "the offer reaches the caller in the 200")
    a.ack(body=caller.answer())
    check("m=audio" in b.expect("ACK").body, "the answer reaches the callee in the ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(1)


def case_early_media_is_shown(t):
    """183 with SDP passes with its body, and the 200 follows."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(183, body=gw.answer())
    early = a.expect(183)
    check(early.media and early.media[0] == t.ip(1), f"SDP of the 183: {early.body!r}")
    b.reply(200, body=gw.answer())
    equal(a.expect(200).media, early.media, "media address of the 200")
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_options(t):
    """OPTIONS out of a dialog is answered with what we allow."""
    s = t.switch()
    caller = t.caller()
    caller.request(s, "OPTIONS")
    ok = caller.expect(200)
    check("INVITE" in (ok.get("allow") or ""), f"Allow: {ok.get('allow')}")


def case_options_in_dialog(t):
    """OPTIONS inside a dialog is answered and ends nothing."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    a.send("OPTIONS")
    m = caller.expect((200, "OPTIONS"))
    equal(m.code, 200, "answer to OPTIONS")
    if any(x.method == "OPTIONS" for x in gw.inbox):
        b.reply_to(gw.expect("OPTIONS"), 200)
    equal(len(s.calls()), 1, "calls")
    a.send("BYE")
    b.byed()
    a.expect(200)
