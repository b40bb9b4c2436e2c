"""3xx from a gateway."""
from lib import equal, shows


def moved(d, code, *rows):
    """Refuses the INVITE with these Contacts and no other."""
    d.agent.contact = lambda: ", ".join(f"<sip:{user}@{a.ip}:{a.port}{more}>;q={q}" for user, a, more, q in rows)
    d.fail(code)
    del d.agent.contact


def place(t, host):
    return t.agent(f"place{host}", t.ip(host), 5090, "callee", 44000 + 2 * host)


@shows("routing_gateways.follow_redirect")
def case_followed(t):
    """follow_redirect: on: the contacts are tried in the order of q, as the same attempt: Call-ID stays, CSeq grows."""
    s = t.switch(t.config(gateways=2, each={"follow_redirect": "on"}))
    caller, gw, one, two = t.caller(), t.gateway(), place(t, 30), place(t, 31)
    a = caller.call(s, "15551234")
    first = gw.take()
    moved(first, 302, ("n2", two, "?X-Node=7", "0.5"), ("n1", one, ";transport=udp", "0.75"), ("self", type("us", (), {"ip": t.ip(1), "port": 5060}), "", "1"))
    b = one.take()
    equal((b.invite.uri, b.call_id, b.invite.cseq[0], b.invite.body), (f"sip:n1@{one.ip}:5090;transport=udp", first.call_id, first.invite.cseq[0] + 1, first.invite.body), "first contact")
    b.fail(480)
    c = two.take()
    equal((c.invite.uri, c.invite.get("to")), (f"sip:n2@{two.ip}:5090", first.invite.get("to")), "second contact")
    c.reply(180)
    a.expect(180)
    c.reply(200, body=two.answer())
    a.expect(200)
    a.ack()
    c.expect("ACK")
    a.send("BYE")
    c.byed()
    a.expect(200)
    equal([(r["attempt"], r["egress"], r["code"]) for r in s.cdrs(1)], [(1, "gw-a", 200)], "records")


def case_used_up(t):
    """No contact answers: the attempt has failed with the last code, the next gateway follows; one that is busy everywhere ends it."""
    s = t.switch(t.config(gateways=2, each={"follow_redirect": "on"}))
    caller, gw, next_, one = t.caller(), t.gateway(0), t.gateway(1), place(t, 30)
    a = caller.call(s, "15551234")
    moved(gw.take(), 301, ("n1", one, "", 1))
    one.take().fail(503)
    b = next_.take()
    moved(b, 302, ("n1", one, "", 1), ("n2", one, "", 0.5))
    one.take().fail(603)
    a.expect(603)
    equal([(r["egress"], r["code"]) for r in s.cdrs(2)], [("gw-a", 503), ("gw-b", 603)], "records")


def case_five_at_most(t):
    """Contacts that redirect again: after five the attempt has failed."""
    s = t.switch(t.config(each={"follow_redirect": "on"}))
    caller, gw, one = t.caller(), t.gateway(), place(t, 30)
    a = caller.call(s, "15551234")
    moved(gw.take(), 302, ("n", one, "", 1))
    for _ in range(5):
        moved(one.take(), 302, ("n", one, "", 1))
    a.expect(503)
    one.quiet(0.2)


@shows("routing_gateways.follow_redirect", default_differs=False, reason="it shows the default")
def case_not_followed(t):
    """The default: a 3xx is a failure, and no contact is called."""
    s = t.switch(t.config(gateways=2))
    caller, gw, next_, one = t.caller(), t.gateway(0), t.gateway(1), place(t, 30)
    a = caller.call(s, "15551234")
    moved(gw.take(), 302, ("n1", one, "", 1))
    moved(next_.take(), 302, ("n1", one, "", 1))
    equal(a.expect(503).get("contact"), None, "Contact of the 503")
    one.quiet(0.2)
