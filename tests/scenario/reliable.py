"""Reliable provisional responses (RFC 3262)."""
from lib import check, equal


def case_prack(t):
    """Both sides know 100rel: a reliable 183 is acknowledged with PRACK, and the call is answered."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=[("Supported", "100rel")])
    b = gw.take()
    if "100rel" not in (b.invite.get("supported") or ""):   # then each leg stands for itself: no reliable response may be asked for here
        b.reply(183, body=gw.answer())
        equal(a.expect(183).get("require"), None, "Require of an unreliable 183")
    else:
        b.reply(183, body=gw.answer(), headers=[("Require", "100rel"), ("RSeq", "7001")])
        m = a.expect(183)
        check("100rel" in (m.get("require") or "") and m.get("rseq"), f"183: {m.headers}")
        a.send("PRACK", headers=[("RAck", f"{m.get('rseq')} {m.cseq[0]} INVITE")])
        p = b.expect("PRACK")
        equal(p.get("rack"), f"7001 {b.invite.cseq[0]} INVITE", "RAck shown to the gateway")
        b.reply_to(p, 200)
        a.expect(200, test=lambda x: x.cseq[1] == "PRACK")
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_not_asked_for(t):
    """The caller does not know 100rel: the gateway is not told that we do."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    check("100rel" not in (b.invite.get("supported") or "") and "100rel" not in (b.invite.get("require") or ""), f"INVITE: {b.invite.headers}")
    b.fail(486)
    a.expect(486)
