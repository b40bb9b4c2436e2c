"""Gateways that are names: SRV, A and AAAA by a name server of the test, unresolved ones, addresses that change, a resolver that
does not answer (RFC 3263)."""
from lib import Dns, Unexpected, check, equal, limit, shows, wait_for


def gateway(s, name):
    return next(g for g in s.ask("gateways")["gateways"] if g["id"] == name)


def up(s, name):
    return wait_for(lambda: gateway(s, name)["state"] == "up", 10, f"{name} to be up")


def one_call(t, s, caller, callee):
    a, b = t.established(s, caller, callee)
    a.send("BYE")
    b.reply_to(b.expect("BYE"), 200)
    a.expect(200)
    s.idle()


@shows("dns.servers")
def case_srv(t):
    """Without a port SRV decides: the smaller priority first, with its port; with one, A. Addresses of a family that we do not
    listen in are none. What comes from a resolved address comes from the gateway."""
    dns = Dns(t, t.ip(40))
    dns.srv("_sip._udp.gw.test", (20, 0, 5080, "two.test"), (10, 0, 5081, "one.test"))
    dns.a("one.test", t.ip(10))
    dns.a("two.test", t.ip(11))
    dns.aaaa("port.test", "2001:db8::1")
    dns.a("port.test", t.ip(12))
    caller, one, port = t.caller(), t.agent("one", t.ip(10), 5081, "callee", 42000), t.agent("port", t.ip(12), 5099, "callee", 42100)
    stranger = t.agent("stranger", t.ip(13), 5099, "callee", 42200)
    s = t.switch(t.config(gateways=2, routing=[{"address": "GW.test"}, {"address": "port.test:5099", "prefixes": ["2"]}],
                          dns={"servers": [f"{dns.ip}:{dns.port}"]}, parameters={"SS_REPLY_UNAUTHORIZED": False}))
    up(s, "gw-a")
    up(s, "gw-b")
    one_call(t, s, caller, one)
    a = caller.call(s, "25551234")
    b = port.take()
    b.reply(200, body=port.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.reply_to(b.expect("BYE"), 200)
    a.expect(200)
    equal(dns.count("port.test", "SRV"), 0, "questions for SRV where a port is given")
    stranger.request(s, "OPTIONS")

    def known():
        port.request(s, "OPTIONS")
        try:
            return port.expect(200, 0.3)
        except Unexpected:
            return None
    wait_for(known, 5, "an answer for the gateway's address")
    stranger.quiet(0.1)


def case_unresolved(t):
    """A gateway whose name cannot be resolved is down, with the reason; calls go by the next one, without any delay. It is up as
    soon as there is an answer."""
    dns = Dns(t, t.ip(40))
    dns.code = 2
    caller, gone, other = t.caller(), t.gateway(0), t.gateway(1)
    s = t.switch(t.config(gateways=3, routing=[{"address": "gone.test:5080"}, {}, {"address": "none.test", "prefixes": ["3"]}],
                          dns={"servers": [f"{dns.ip}:{dns.port}"]}))
    wait_for(lambda: gateway(s, "gw-a")["reason"] == "name not resolved: no answer", 8, "the reason")
    equal(gateway(s, "gw-a")["state"], "down", "state")
    candidates = s.ask("route", callee="15551234", **{"from": "customer"})["candidates"]
    equal([(c["gateway"], c["taken"], c["reason"]) for c in candidates], [("gw-a", False, "name not resolved: no answer"), ("gw-b", True, "")], "candidates")
    one_call(t, s, caller, other)
    caller.call(s, "35551234").expect(503)
    dns.a("gone.test", t.ip(10))
    dns.code = 0
    up(s, "gw-a")
    one_call(t, s, caller, gone)
    wait_for(lambda: gateway(s, "gw-c")["reason"] == "no such name", 8, "the reason of a name that is none")


@limit(60)
def case_moves(t):
    """The address changes: calls follow within the time to live. Then the resolver falls silent: the last answer stays, also over
    the death of the routing worker, from its first moment on."""
    dns = Dns(t, t.ip(40))
    dns.a("gw.test", t.ip(10), ttl=1)   # less than 5 s are not heeded
    caller, old, new = t.caller(), t.gateway(0), t.gateway(1)
    s = t.switch(t.config(routing=[{"address": "gw.test:5080"}], dns={"servers": [f"{dns.ip}:{dns.port}"]}))
    up(s, "gw-a")
    dns.a("gw.test", t.ip(11), ttl=1)
    asked = dns.count("gw.test", "A")
    one_call(t, s, caller, old)
    equal(dns.count("gw.test", "A"), asked, "questions within 5 s")
    wait_for(lambda: f"gw.test is {t.ip(11)}:5080" in s.log(), 8, "the new address")
    one_call(t, s, caller, new)
    dns.code = 2
    wait_for(lambda: "the resolver does not answer" in s.log(), 8, "the resolver to be missed")
    one_call(t, s, caller, new)
    s.kill_worker("routing")
    one_call(t, s, caller, new)
    wait_for(lambda: s.worker("routing")["state"] == "running", 5, "a new routing worker")
    equal(gateway(s, "gw-a")["state"], "up", "state")
    one_call(t, s, caller, new)
    check(not old.inbox, "nothing goes to the old address")
