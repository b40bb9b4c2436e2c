"""Headers and bodies that belong to the ends of a call: what passes, what a gateway's headers.* change, and that nothing of a
side's topology goes with it."""
import re

from lib import check, equal, shows

ISUP = "01001100020a0302\r\nwith: a colon"


def mixed(*parts, boundary="edge"):
    return "".join(f"--{boundary}\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts) + f"--{boundary}--\r\n"


def identity(agent):
    h = agent.host
    return [("Diversion", f'"Desk" <sip:15550002@{h}:5999;user=phone;maddr={agent.ip}>;reason=unconditional;counter=1'),
            ("History-Info", f"<sip:15550003@{h}?Reason=SIP%3Bcause%3D302&X-Node={h}>;index=1, <tel:+15550004;phone-context={h}>;index=1.1"),
            ("Referred-By", f'<sip:15550005@{agent.ip}>;cid="17@{h}"'), ("Call-Info", f"<http://{h}/photo.jpg>;purpose=icon")]


def case_hosts_become_ours(t):
    """Diversion, History-Info, Referred-By and Call-Info keep what they say of numbers, and name our host."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=identity(caller))
    b = gw.take()
    ours = f"{t.ip(1)}:5060"
    equal(b.invite.get("diversion"), f'"Desk" <sip:15550002@{ours};user=phone>;reason=unconditional;counter=1', "Diversion")
    equal(", ".join(b.invite.all("history-info")), f"<sip:15550003@{ours}?Reason=SIP%3Bcause%3D302>;index=1, <tel:+15550004>;index=1.1", "History-Info")
    equal(b.invite.get("referred-by"), f"<sip:15550005@{ours}>", "Referred-By")
    equal(b.invite.get("call-info"), f"<http://{t.ip(1)}/photo.jpg>;purpose=icon", "Call-Info")
    b.reply(180, headers=identity(gw) + [("Alert-Info", "<urn:alert:service:call-waiting>")])
    m = a.expect(180)
    equal((m.get("alert-info"), m.get("diversion")), ("<urn:alert:service:call-waiting>", f'"Desk" <sip:15550002@{ours};user=phone>;reason=unconditional;counter=1'), "180")
    b.reply(200, body=gw.answer(), headers=[("User-to-User", "00aa;encoding=hex")])
    equal(a.expect(200).get("user-to-user"), "00aa;encoding=hex", "User-to-User of the 200")
    a.ack()
    b.expect("ACK")
    a.send("INFO", body="x", content_type="application/x", headers=[("User-to-User", "01bb"), ("Info-Package", "trunk")])
    m = b.expect("INFO")
    equal((m.get("user-to-user"), m.get("info-package")), ("01bb", "trunk"), "INFO")
    b.reply_to(m, 200, headers=[("User-to-User", "02cc")])
    equal(a.expect(200).get("user-to-user"), "02cc", "200 of the INFO")
    b.send("INVITE", body=gw.offer(version=2), headers=[("Subject", "again")])
    m = a.expect("INVITE")
    equal(m.get("subject"), "again", "Subject of the re-INVITE")
    a.reply_to(m, 200, body=caller.answer(version=2))
    b.expect(200)
    b.ack()
    a.expect("ACK")
    a.send("BYE", headers=[("Reason", 'Q.850;cause=31;text="done"'), ("User-to-User", "03dd")])
    m = b.byed()
    equal((m.all("reason"), m.get("user-to-user")), (['Q.850;cause=31;text="done"'], "03dd"), "BYE")
    a.expect(200)


def case_after_a_switch(t):
    """The second gateway gets the same headers."""
    s = t.switch(t.config(gateways=2))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234", headers=[("Subject", "twice"), ("Diversion", f"<sip:15550002@{caller.host}>")])
    one.take().fail(500)
    b = two.take()
    equal((b.invite.get("subject"), b.invite.get("diversion")), ("twice", f"<sip:15550002@{t.ip(1)}:5060>"), "second INVITE")
    b.fail(486)
    a.expect(486)


@shows("routing_gateways.headers.pass", "routing_gateways.headers.add", "routing_gateways.headers.remove")
def case_per_gateway(t):
    """headers.pass lets X- and P- headers through, add writes, remove keeps back; the next gateway has its own lists."""
    s = t.switch(t.config(gateways=2, routing=[{"headers": {"pass": ["X-Account", "P-Charging-Vector"], "add": {"X-Trunk": "north 7"}, "remove": ["Subject"]}}, {}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    given = [("X-Account", "4711"), ("x-other", "no"), ("P-Charging-Vector", "icid-value=1"), ("Subject", "hello"), ("User-to-User", "aa")]
    a = caller.call(s, "15551234", headers=given)
    b = one.take()
    names = ("x-account", "x-other", "p-charging-vector", "x-trunk", "subject", "user-to-user")
    equal([b.invite.get(n) for n in names], ["4711", None, "icid-value=1", "north 7", None, "aa"], "first gateway")
    b.reply(183, headers=[("X-Account", "back"), ("X-Other", "no")])
    m = a.expect(183)
    equal((m.get("x-account"), m.get("x-other")), ("back", None), "183")
    b.fail(500)
    b = two.take()
    equal([b.invite.get(n) for n in names], [None, None, None, None, "hello", "aa"], "second gateway")
    b.fail(486)
    a.expect(486)


def case_reason_of_cancel(t):
    """The CANCEL's Reason reaches the gateway."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(180)
    a.expect(180)
    inv = a.sent["INVITE"]
    h = [("Via", inv.get("via")), ("Max-Forwards", 70), ("From", inv.get("from")), ("To", inv.get("to")), ("Call-ID", a.call_id),
         ("CSeq", f"{inv.cseq[0]} CANCEL"), ("Reason", 'SIP;cause=200;text="Call completed elsewhere"')]
    from lib.sip import compose
    caller.transmit(compose(f"CANCEL {inv.uri} SIP/2.0", h), a.peer)
    a.expect(200)
    a.expect(487)
    m = b.expect("CANCEL")
    equal(m.get("reason"), 'SIP;cause=200;text="Call completed elsewhere"', "Reason")
    b.reply_to(m, 200)
    b.fail(487)


def case_cause_of_a_failure(t):
    """The Q.850 cause that a gateway gives with its failure is told to the caller and recorded."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    gw.take().fail(480, headers=[("Reason", "Q.850;cause=27")])
    check("cause=27" in (a.expect(480).get("reason") or ""), "Reason")
    equal([c["cause"] for c in s.cdrs(1)], [27], "records")


def case_allow(t):
    """Allow tells each side what the other takes too."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=[("Supported", "timer")])   # Allow: without MESSAGE and NOTIFY
    b = gw.take()
    allow = [x.strip() for x in b.invite.get("allow").split(",")]
    check("MESSAGE" not in allow and "INFO" in allow and "UPDATE" in allow and "REFER" not in allow, f"Allow: {allow}")
    b.fail(486)
    a.expect(486)


def case_isup(t):
    """multipart/mixed with SDP and ISUP: the SDP is rewritten, the ISUP passes, in the INVITE and in the answer."""
    s = t.switch(t.config(media=True, gateways=2))
    caller, one, gw = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234", body=mixed(("application/sdp", caller.offer()), ("application/isup;version=itu-t92+", ISUP)),
                    **{"content_type": "multipart/mixed;boundary=edge"})
    one.take().fail(503)
    b = gw.take()
    body = b.invite.body
    check(b.invite.get("content-type").startswith("multipart/mixed"), b.invite.get("content-type"))
    check(caller.ip not in body and "m=audio" in body and f"\r\n\r\n{ISUP}\r\n--" in body and "application/isup;version=itu-t92+" in body, body)
    b.reply_to(b.invite, 183, mixed(("application/isup", ISUP), ("application/sdp", gw.answer()), boundary="a b"), content_type='multipart/mixed;boundary="a b"')
    m = a.expect(183)
    check(gw.ip not in m.body and "m=audio" in m.body and ISUP in m.body, m.body)
    b.reply(200, body=gw.answer())
    equal(a.expect(200).get("content-type"), "application/sdp", "type of the 200")
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_boundaries(t):
    """Each body of several parts has a boundary of its own: one who knows that of an earlier one cannot break up the next."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    seen, part = [], "first"
    for _ in range(3):
        a = caller.call(s, "15551234", body=mixed(("application/sdp", caller.offer()), ("application/isup", part)),
                        content_type="multipart/mixed;boundary=edge")
        b = gw.take()
        boundary = re.fullmatch(r'multipart/mixed;\s*boundary="?([^";]+)"?', b.invite.get("content-type")).group(1)
        equal(b.invite.body.count(f"--{boundary}"), 3, "delimiters: two parts and the end")
        check(f"\r\n\r\n{part}\r\n--{boundary}--" in b.invite.body, b.invite.body)
        check(boundary not in seen, f"{boundary} again")
        seen.append(boundary)
        part = f"first\r\n--{boundary}\r\nContent-Type: text/plain\r\n\r\nlast"
        b.fail(486)
        a.expect(486)
    s.idle()
