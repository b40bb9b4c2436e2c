"""Where a gateway is sent answers to its requests (reply_address) and requests inside a dialog (request_address)."""
from lib import Unexpected, equal, shows, token

REPLY = ("auto", "socket", "via-port", "via")
REQUEST = ("auto", "socket", "contact-port", "contact")


def via(ip, port, more=""):
    return [("Via", f"SIP/2.0/UDP {ip}:{port};branch=z9hG4bK{token()}{more}")]


def where(agents, what, timeout=2.0):
    """The agent that is sent it; the others stay silent."""
    for agent in agents:
        try:
            agent.expect(what, timeout if agent is agents[-1] else 0.25)
        except Unexpected:
            continue
        return agents.index(agent)
    raise AssertionError(f"{what} came nowhere")


def world(t, side, base, port):
    """The peer, its second port, another address of it at the peer's port and at the second: what one packet may name."""
    make = t.caller if side == "caller" else None
    at = [(base, port), (base, port + 1), (base + 50, port), (base + 50, port + 1)]
    if make:
        return [t.caller(h, p) for h, p in at]
    return [t.agent(f"carrier{h}p{p}", t.ip(h), p, "callee", rtp=42000 + 2 * i) for i, (h, p) in enumerate(at)]


# a Via that names the other address and the second port, without and with rport
REPLIES = {"auto": (1, 0), "socket": (0, 0), "via-port": (1, 1), "via": (3, 3)}


@shows("mapping_gateways.reply_address")
def case_reply_to_callers(t):
    """Answers to a mapping gateway, to an INVITE that is refused and to OPTIONS: by socket, Via's port, all of Via, or the RFC."""
    c = t.config()
    c["mapping_gateways"] = [{"id": m, "addresses": [t.ip(2 + i)], "reply_address": m} for i, m in enumerate(REPLY)]
    s = t.switch(c)
    for i, mode in enumerate(REPLY):
        agents = world(t, "caller", 2 + i, 5070)
        for k, rport in enumerate(("", ";rport")):
            agents[0].request(s, "OPTIONS", drop=("Via",), headers=via(agents[3].ip, 5071, rport))
            equal(where(agents, 200), REPLIES[mode][k], f"200 of OPTIONS, {mode}{rport}")
            # no route; the ACK ends it
            d = agents[0].call(s, "9", drop=("Via",), headers=via(agents[3].ip, 5071, rport))
            m = agents[REPLIES[mode][k]].expect(404)
            d.remote_tag = m.tag("to")
            d._ack_failure(m)
        for a in agents:
            a.quiet(0)


@shows("mapping_gateways.reply_address")
def case_reply_in_dialog(t):
    """The same for provisional and final answers, for CANCEL and for BYE."""
    s = t.switch(t.config(mapping={"addresses": [t.ip(2)], "reply_address": "via"}))
    agents, gw = world(t, "caller", 2, 5070), t.gateway()
    there = via(agents[3].ip, 5071)
    a = agents[0].call(s, "15551234", drop=("Via",), headers=there)
    b = gw.take()
    b.reply(180)
    agents[3].expect(180)
    a.cancel()
    equal({m.cseq[1] for m in (agents[3].expect(200), agents[3].expect(487))}, {"CANCEL", "INVITE"}, "answers")
    b.reply_to(b.expect("CANCEL"), 200)
    b.reply(487)
    b.expect("ACK")
    a.agent.transmit(a.sent["INVITE"].raw.replace(b"INVITE", b"ACK", 1).replace(b"1 INVITE", b"1 ACK"), s)
    a = agents[0].call(s, "15551234", drop=("Via",), headers=via(agents[3].ip, 5071))
    b = gw.take()
    b.reply(200, body=gw.answer())
    m = agents[3].expect(200)
    a.remote_tag, a.target, a.answer = m.tag("to"), m.address("contact"), m
    a.ack()
    b.expect("ACK")
    a.send("BYE", drop=("Via",), headers=via(agents[3].ip, 5071))
    b.byed()
    agents[3].expect(200)


@shows("routing_gateways.reply_address")
def case_reply_to_gateways(t):
    """Answers to a routing gateway's BYE."""
    c = t.config()
    c["routing_gateways"] = [{"id": m, "address": f"{t.ip(10 + i)}:5080", "prefixes": [str(i)], "reply_address": m} for i, m in enumerate(REPLY)]
    s, caller = t.switch(c), t.caller()
    for i, mode in enumerate(REPLY):
        agents = world(t, "callee", 10 + i, 5080)
        for k, rport in enumerate(("", ";rport")):
            a, b = t.established(s, caller, agents[0], f"{i}555")
            b.send("BYE", drop=("Via",), headers=via(agents[3].ip, 5081, rport))
            equal(where(agents, 200), REPLIES[mode][k], f"200 of BYE, {mode}{rport}")
            a.byed()


# a Contact at the same address and another port; at another address and port
REQUESTS = {"auto": (1, 0), "socket": (0, 0), "contact-port": (1, 1), "contact": (1, 3)}


@shows("mapping_gateways.request_address")
def case_requests_to_callers(t):
    """BYE to the caller: where its Contact says, or where its packets come from."""
    c = t.config()
    c["mapping_gateways"] = [{"id": m, "addresses": [t.ip(2 + i)], "request_address": m} for i, m in enumerate(REQUEST)]
    s, gw = t.switch(c), t.gateway()
    for i, mode in enumerate(REQUEST):
        agents = world(t, "caller", 2 + i, 5070)
        for k, contact in enumerate((agents[1], agents[3])):
            a = agents[0].call(s, "15551234", drop=("Contact",), headers=[("Contact", contact.contact())])
            b = gw.take()
            b.reply(200, body=gw.answer())
            a.expect(200)
            a.ack()
            b.expect("ACK")
            b.send("BYE")
            target = agents[REQUESTS[mode][k]]
            m = target.expect("BYE")
            equal(m.uri, contact.contact()[1:-1], "Request-URI is the Contact all the same")
            a.agent = target
            a.reply_to(m, 200)
            b.expect(200)
        for x in agents:
            x.quiet(0)


@shows("routing_gateways.request_address")
def case_requests_to_gateways(t):
    """ACK and BYE to the gateway: where the Contact of its answer says, or where its packets come from."""
    c = t.config()
    c["routing_gateways"] = [{"id": m, "address": f"{t.ip(10 + i)}:5080", "prefixes": [str(i)], "request_address": m} for i, m in enumerate(REQUEST)]
    s, caller = t.switch(c), t.caller()
    for i, mode in enumerate(REQUEST):
        agents = world(t, "callee", 10 + i, 5080)
        for k, contact in enumerate((agents[1], agents[3])):
            a = caller.call(s, f"{i}555")
            b = agents[0].take()
            own = agents[0].contact
            agents[0].contact = contact.contact
            b.reply(200, body=agents[0].answer())
            agents[0].contact = own
            a.expect(200)
            a.ack()
            target = agents[REQUESTS[mode][k]]
            target.expect("ACK")
            a.send("BYE")
            m = target.expect("BYE")
            equal(m.uri, contact.contact()[1:-1], "Request-URI")
            b.agent = target
            b.reply_to(m, 200)
            a.expect(200)
        for x in agents:
            x.quiet(0)


@shows("mapping_gateways.request_address")
def case_socket_follows(t):
    """socket: after a packet from another port requests go there; auto stays with the Contact."""
    c = t.config()
    c["mapping_gateways"] = [{"id": m, "addresses": [t.ip(2 + i)], "request_address": m} for i, m in enumerate(("socket", "auto"))]
    s, gw = t.switch(c), t.gateway()
    for i, wanted in ((0, 1), (1, 0)):
        agents = world(t, "caller", 2 + i, 5070)
        a = agents[0].call(s, "15551234")
        b = gw.take()
        b.reply(200, body=gw.answer())
        a.expect(200)
        a.agent = agents[1]   # its NAT has a new binding
        a.ack()
        b.expect("ACK")
        b.send("BYE")
        a.agent = agents[wanted]
        a.reply_to(agents[wanted].expect("BYE"), 200)
        b.expect(200)
