"""Which gateway a call goes to, and which it does not: the keys that say so, seen from the gateways; at the end what holds for the
calls of all of them."""
import select
import socket
import time

from lib import Unexpected, check, equal, shows

IP_RECVTOS = 13   # Linux; Python has no name for it


def goes_to(t, config, n, callee="15551234", gateways=2):
    """The call comes to gateway n, and to no other; returns its INVITE."""
    s = t.switch(config)
    caller, gws = t.caller(), [t.gateway(i) for i in range(gateways)]
    a = caller.call(s, callee)
    b = gws[n].take()
    b.fail(486)
    a.expect(486)
    for i, gw in enumerate(gws):
        if i != n:
            gw.quiet(0.1)
    s.idle()
    return b.invite


def refused(t, config, code):
    s = t.switch(config)
    caller, gw = t.caller(), t.gateway()
    caller.call(s, "15551234").expect(code)
    gw.quiet(0.1)
    s.idle()


@shows("routing_gateways.prefixes")
def case_longest_prefix(t):
    """The longer prefix counts before the priority."""
    goes_to(t, t.config(gateways=2, routing=[{}, {"prefixes": ["155"]}]), 1)


@shows("routing_gateways.prefix_mode")
def case_terminal_prefix(t):
    """The longest prefix is terminal: gateways of shorter ones do not follow."""
    s = t.switch(t.config(gateways=2, routing=[{}, {"prefixes": ["155"], "prefix_mode": "terminal"}]))
    caller, short, long = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234")
    long.take().fail(503)
    a.expect(503)
    short.quiet(0.2)
    s.idle()


@shows("routing_gateways.priority")
def case_priority(t):
    """The smaller priority comes first."""
    goes_to(t, t.config(gateways=2, routing=[{}, {"priority": 1}]), 1)


def whoever(gws, timeout=3):
    """The next INVITE at any of them: (which, its dialog)."""
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for n, gw in enumerate(gws):
            if any(m.method == "INVITE" and not m.again for m in gw.inbox):
                return n, gw.take()
        for sock in select.select([gw.sock for gw in gws], [], [], end - time.monotonic())[0]:
            next(gw for gw in gws if gw.sock is sock)._read(0)
    raise Unexpected(f"no INVITE at any gateway in {timeout} s")


@shows("routing_gateways.weight")
def case_weight(t):
    """Of gateways that are equal one of three times the weight gets three times the calls."""
    s = t.switch(t.config(gateways=2, each={"priority": 10}, routing=[{}, {"weight": 3}]))
    caller, gws, count = t.caller(), [t.gateway(0), t.gateway(1)], [0, 0]
    for _ in range(8):
        a = caller.call(s, "15551234")
        n, b = whoever(gws)
        count[n] += 1
        b.fail(486)
        a.expect(486)
        s.idle()
    equal(count, [2, 6], "calls of each")


@shows("routing_gateways.enabled")
def case_disabled(t):
    """A gateway that is off gets no calls."""
    goes_to(t, t.config(gateways=2, routing=[{"enabled": False}, {}]), 1)


@shows("routing_gateways.lock")
def case_locked(t):
    """A locked gateway gets no calls."""
    goes_to(t, t.config(gateways=2, routing=[{"lock": "all"}, {}]), 1)


@shows("mapping_gateways.routes.deny")
def case_denied_route(t):
    """The customer may not use the first gateway."""
    goes_to(t, t.config(gateways=2, mapping={"routes": {"deny": ["gw-a"]}}), 1)


@shows("mapping_gateways.routes.allow")
def case_allowed_route(t):
    """The customer may use the second gateway alone."""
    goes_to(t, t.config(gateways=2, mapping={"routes": {"allow": ["gw-b"]}}), 1)


@shows("mapping_gateways.tech_prefix")
def case_tech_prefix(t):
    """Cut off before anything else sees the number."""
    m = goes_to(t, t.config(mapping={"tech_prefix": "77"}), 0, "7715551234", 1)
    equal(m.uri.split("@")[0], "sip:15551234", "Request-URI")


@shows("mapping_gateways.enabled")
def case_ingress_disabled(t):
    """As if it were not there: a stranger."""
    refused(t, t.config(mapping={"enabled": False}), 403)


@shows("mapping_gateways.priority")
def case_ingress_priority(t):
    """Two customers at one address: the call is of the one with the smaller priority, whichever is named first."""
    c = t.config()
    first = c["mapping_gateways"][0]
    c["mapping_gateways"].append(first | {"id": "zulu", "priority": 1})
    s = t.switch(c)
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    gw.take().fail(486)
    a.expect(486)
    s.idle()
    equal(s.cdrs(1)[0]["ingress"], "zulu", "whose call it is")


@shows("mapping_gateways.authentication")
def case_ingress_port(t):
    """ip-port: the customer's address is not enough, its port counts too."""
    s = t.switch(t.config(mapping={"authentication": "ip-port"}))
    caller, other, gw = t.caller(), t.caller(port=5071), t.gateway()
    other.call(s, "15551234").expect(403)
    gw.quiet(0.1)
    a = caller.call(s, "15551234")
    gw.take().fail(486)
    a.expect(486)
    s.idle()


def case_ingress_any_port(t):
    """ip: a customer's calls may come from any port of its address."""
    s = t.switch(t.config(mapping={"authentication": "ip"}))
    caller, gw = t.caller(port=5071), t.gateway()
    a = caller.call(s, "15551234")
    gw.take().fail(486)
    a.expect(486)
    s.idle()


@shows("mapping_gateways.callee_prefixes.deny")
def case_callee_denied(t):
    """A number that the customer may not call."""
    refused(t, t.config(mapping={"callee_prefixes": {"deny": ["155"]}}), 403)


@shows("mapping_gateways.callee_prefixes.allow")
def case_callee_not_allowed(t):
    """A number outside of what the customer may call."""
    refused(t, t.config(mapping={"callee_prefixes": {"allow": ["44"]}}), 403)


@shows("mapping_gateways.caller_prefixes.allow")
def case_caller_not_allowed(t):
    """A caller that is none of the customer's."""
    refused(t, t.config(mapping={"caller_prefixes": {"allow": ["999999"]}}), 403)


@shows("routing_gateways.caller_prefixes.allow")
def case_caller_not_allowed_there(t):
    """A caller that the first gateway does not take."""
    goes_to(t, t.config(gateways=2, routing=[{"caller_prefixes": {"allow": ["999999"]}}, {}]), 1)


@shows("mapping_gateways.caller_prefixes.deny")
def case_caller_denied(t):
    """Callers that the customer may not have."""
    refused(t, t.config(mapping={"caller_prefixes": {"deny": list("0123456789")}}), 403)


@shows("routing_gateways.caller_prefixes.deny")
def case_caller_denied_there(t):
    """Callers that the first gateway does not take."""
    goes_to(t, t.config(gateways=2, routing=[{"caller_prefixes": {"deny": list("0123456789")}}, {}]), 1)


@shows("routing_gateways.group")
def case_group(t):
    """Two gateways share one line: while the first has it the second gets no call either."""
    s = t.switch(t.config(gateways=2, routing=[{"group": "both"}, {"group": "both"}], gateway_groups=[{"id": "both", "line_limit": 1}]))
    caller, gw, other = t.caller(), t.gateway(0), t.gateway(1)
    a, b = t.established(s, caller, gw, "15550001")
    caller.call(s, "15550002").expect(503)
    other.quiet(0.1)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


def is_relayed(t, **more):
    m = goes_to(t, t.config(**more), 0, gateways=1)
    check(f"c=IN IP4 {t.ip(1)}" in m.body, m.body)


@shows("routing_gateways.media")
def case_gateway_wants_relay(t):
    """One gateway's calls are relayed, whatever media.proxy says."""
    is_relayed(t, each={"media": "must"})


@shows("mapping_gateways.media")
def case_customer_wants_relay(t):
    """One customer's calls are relayed, whatever media.proxy says."""
    is_relayed(t, mapping={"media": "must"})


def tos(sock, timeout=3):
    """The ToS byte of the packet that comes next, which stays there to be read."""
    check(select.select([sock], [], [], timeout)[0], f"nothing came in {timeout} s")
    for level, kind, data in sock.recvmsg(65535, 64, socket.MSG_PEEK)[1]:
        if (level, kind) == (socket.IPPROTO_IP, socket.IP_TOS):
            return data[0]
    raise AssertionError("no ToS byte with the packet")


@shows("SS_QOS_SIGNAL")
def case_tos_of_signalling(t):
    """The ToS byte of requests and of responses."""
    s = t.switch(t.config(parameters={"SS_QOS_SIGNAL": "0x68"}))
    caller, gw = t.caller(), t.gateway()
    for agent in (caller, gw):
        agent.sock.setsockopt(socket.IPPROTO_IP, IP_RECVTOS, 1)
    a = caller.call(s, "15551234")
    equal(hex(tos(caller.sock)), "0x68", "ToS of the 100")
    equal(hex(tos(gw.sock)), "0x68", "ToS of the INVITE")
    gw.take().fail(486)
    a.expect(486)
    s.idle()


@shows("SS_CDR_RECORD_TO_FILE")
def case_no_files(t):
    """Calls are not written down: when all has ended there is no record."""
    s = t.switch(t.config(parameters={"SS_CDR_RECORD_TO_FILE": False}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    s.stop()
    equal(s.cdrs(), [], "records")
