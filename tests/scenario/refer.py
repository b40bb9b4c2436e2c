"""REFER and NOTIFY across a call."""
from lib import equal, shows


def transfer(t, a, b, refer_to, headers=()):
    a.send("REFER", headers=[("Refer-To", refer_to), ("Contact", a.agent.contact())] + list(headers))
    return b.expect("REFER")


@shows("routing_gateways.refer")
def case_passes(t):
    """refer: pass: REFER goes across with our host in Refer-To, its NOTIFY comes back without the id that names a CSeq."""
    s = t.switch(t.config(each={"refer": "pass"}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    m = transfer(t, a, b, f"<sip:15557777@{caller.host};transport=udp>", [("Referred-By", f"<sip:15550001@{caller.host}>")])
    equal((m.get("refer-to"), m.get("referred-by")), (f"<sip:15557777@{t.ip(1)}:5060>", f"<sip:15550001@{t.ip(1)}:5060>"), "REFER")
    b.reply_to(m, 202)
    a.expect(202)
    b.send("NOTIFY", body="SIP/2.0 200 OK\r\n", content_type="message/sipfrag;version=2.0",
           headers=[("Event", "refer;id=93"), ("Subscription-State", "terminated;reason=noresource")])
    m = a.expect("NOTIFY")
    equal((m.get("event"), m.get("subscription-state"), m.body), ("refer", "terminated;reason=noresource", "SIP/2.0 200 OK\r\n"), "NOTIFY")
    a.reply_to(m, 200)
    b.expect(200)
    a.send("BYE")
    b.byed()
    a.expect(200)


@shows("routing_gateways.refer", default_differs=False, reason="refuse is the default")
def case_refused(t):
    """refer: refuse (the default): 603 and nothing across."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    a.send("REFER", headers=[("Refer-To", "<sip:15557777@elsewhere.example>")])
    a.expect(603)
    gw.quiet(0.2)
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_replaces(t):
    """Attended transfer: Replaces names the dialog of the same call that the gateway has; the INVITE that follows carries it on."""
    s = t.switch(t.config(each={"refer": "pass"}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    c, d = t.established(s, caller, gw, callee="15559999")
    m = transfer(t, a, b, f"<sip:15559999@{caller.host}?Replaces={c.call_id.replace('@', '%40')}%3Bto-tag%3D{c.remote_tag}%3Bfrom-tag%3D{c.local_tag}>")
    equal(m.get("refer-to"), f"<sip:15559999@{t.ip(1)}:5060?Replaces={d.call_id}%3Bto-tag%3D{d.local_tag}%3Bfrom-tag%3D{d.remote_tag}>", "Refer-To")
    b.reply_to(m, 202)
    a.expect(202)
    e = caller.call(s, "15559999", headers=[("Replaces", f"{d.call_id};to-tag={d.local_tag};from-tag={d.remote_tag}")])
    f = gw.take()
    equal(f.invite.get("replaces"), f"{d.call_id};to-tag={d.local_tag};from-tag={d.remote_tag}", "Replaces of the INVITE")
    f.fail(486)
    e.expect(486)
    for x, y in ((a, b), (c, d)):
        x.send("BYE")
        y.byed()
        x.expect(200)
    t.leak_check = False   # the caller plays the transferee here too, and is shown the gateway's tag


def case_replaces_unknown(t):
    """Replaces of a dialog that is none of ours is refused."""
    s = t.switch(t.config(each={"refer": "pass"}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    a.send("REFER", headers=[("Refer-To", "<sip:15557777@x.example?Replaces=abc%40x%3Bto-tag%3D1%3Bfrom-tag%3D2>")])
    a.expect(603)
    gw.quiet(0.2)
    a.send("REFER", headers=[])
    a.expect(400)
    a.send("BYE")
    b.byed()
    a.expect(200)
