"""Nothing of one side's topology is ever shown to the other. Every scenario is scanned for addresses, Call-IDs, tags, branches,
host names and product names of the far side; here a call carries all the headers that could give something away."""
from lib import check, equal



def telling(agent):
    """Headers that name the host and the address of this side."""
    h, ip = agent.host, agent.ip
    return [("Diversion", f"<sip:15550002@{h}>;reason=unconditional"), ("History-Info", f"<sip:15550003@{ip}:5060>;index=1"),
            ("Referred-By", f"<sip:15550004@{h}>"), ("Call-Info", f"<http://{h}/photo.jpg>;purpose=icon"),
            ("P-Asserted-Identity", f"<sip:15550005@{h}>"), ("Remote-Party-ID", f"<sip:15550006@{ip}>;party=calling"),
            ("Organization", h), ("X-Internal-Node", f"node7.{h}"), ("Subject", "harmless")]


def case_request_headers(t):
    """An INVITE, its answers and a BYE full of telling headers."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    rr = f"<sip:edge.{caller.host};lr>"
    a = caller.call(s, "15551234", headers=telling(caller) + [("Record-Route", rr)])
    b = gw.take()
    equal(b.invite.all("record-route"), [], "Record-Route")
    equal(len(b.invite.all("via")), 1, "Via headers")
    equal(b.invite.get("p-asserted-identity"), None, "P-Asserted-Identity of a caller that is not trusted")
    equal(b.invite.get("remote-party-id"), None, "Remote-Party-ID of a caller that is not trusted")
    equal(b.invite.get("user-agent"), None, "User-Agent")
    b.reply(180, headers=[("Record-Route", f"<sip:edge.{gw.host};lr>")] + telling(gw))
    m = a.expect(180)
    equal([x for x in m.all("record-route") if gw.host in x], [], "Record-Route of the gateway")
    b.reply(200, body=gw.answer(), headers=telling(gw) + [("Warning", f'399 {gw.host} "hello"')])
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE", headers=telling(caller) + [("Reason", 'Q.850;cause=16;text="Terminated"')])
    m = b.byed()
    check("cause=16" in (m.get("reason") or ""), "Reason of the BYE passes")
    a.expect(200)


def case_passed_headers(t):
    """Headers that belong to the ends pass; those that name a host with the host replaced."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234", headers=[("Subject", "harmless"), ("User-to-User", "3a2b;encoding=hex"), ("Alert-Info", "<urn:alert:service:normal>"),
                                            ("Diversion", f"<sip:15550002@{caller.host}>;reason=unconditional")])
    b = gw.take()
    equal((b.invite.get("subject"), b.invite.get("user-to-user"), b.invite.get("alert-info")), ("harmless", "3a2b;encoding=hex", "<urn:alert:service:normal>"),
          "Subject, User-to-User, Alert-Info")
    check("15550002" in (b.invite.get("diversion") or ""), f"Diversion passes: {b.invite.get('diversion')}")
    b.fail(486)
    a.expect(486)


def case_failure(t):
    """A failure full of telling headers."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.fail(488, headers=[("Warning", f'304 {gw.host} "no codec"'), ("Reason", "Q.850;cause=88")] + telling(gw))
    a.expect(488)


def case_ice_and_rtcp(t):
    """ICE candidates and a=rtcp of one side do not reach the other where the media is relayed."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    ice = (f"a=rtcp:{caller.rtp + 1} IN IP4 {caller.ip}", "a=ice-ufrag:abcd", "a=ice-pwd:0123456789012345678901", f"a=candidate:1 1 UDP 2130706431 {caller.ip} {caller.rtp} typ host")
    a = caller.call(s, "15551234", body=caller.offer(extra=ice))
    b = gw.take()
    check("candidate" not in b.invite.body and "ice-" not in b.invite.body, f"ICE lines:\n{b.invite.body}")
    b.reply(486)
    b.expect("ACK")
    a.expect(486)


def case_routes_are_used(t):
    """The gateway's Record-Route makes our route set: requests inside the dialog carry it, in reverse order."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    hops = [f"<sip:{gw.ip}:{gw.port};lr;hop=1>", f"<sip:{gw.ip}:{gw.port};lr;hop=2>"]
    b.reply(200, body=gw.answer(), headers=[("Record-Route", x) for x in hops])
    a.expect(200)
    a.ack()
    m = b.expect("ACK")
    got = ", ".join(m.all("route")).replace(" ", "").split(",")
    equal(got, list(reversed(hops)), "Route of the ACK")
    a.send("BYE")
    m = b.byed()
    equal(", ".join(m.all("route")).replace(" ", "").split(","), list(reversed(hops)), "Route of the BYE")
    a.expect(200)
