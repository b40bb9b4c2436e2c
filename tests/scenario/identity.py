"""Who is calling, as a gateway is shown it: privacy, asserted identity, display name, domain. Nothing names the caller's side."""
from lib import check, equal, shows

PAI = "P-Asserted-Identity"


def attempt(agent, gw, s, callee, headers=(), **more):
    """One INVITE as the gateway gets it; the call is refused then."""
    a = agent.call(s, callee, headers=headers, **more)
    b = gw.take()
    b.fail(486)
    a.expect(486)
    return b.invite


def many(t, rows, mapping=None, **more):
    """One gateway at one address for each leading digit: {digit: keys}."""
    c = t.config(mapping=mapping, **more)
    c["routing_gateways"] = [{"id": f"gw-{d}", "address": f"{t.ip(10)}:5080", "prefixes": [d], **keys} for d, keys in rows.items()]
    return c


def ours(s):
    return f"{s[0]}:{s[1]}"


@shows("routing_gateways.privacy")
def case_privacy(t):
    """privacy none, passthrough, id: From is anonymous and Privacy: id goes along when the gateway or the caller wants it so."""
    s = t.switch(many(t, {"1": {"privacy": "none"}, "2": {"privacy": "passthrough"}, "3": {"privacy": "id"}}))
    caller, gw = t.caller(), t.gateway()
    for digit, asked, hidden, says in (("1", None, False, None), ("1", "id", False, None), ("2", None, False, None), ("2", "id", True, "id"),
                                       ("2", "user", True, "id"), ("2", "header;full", True, "id"), ("2", "none", False, "none"),
                                       ("2", "session", False, None), ("3", None, True, "id"), ("3", "none", True, "id")):
        m = attempt(caller, gw, s, digit + "555", [("Privacy", asked)] if asked else [])
        what = f"gateway {digit}, Privacy: {asked}"
        equal(m.get("privacy"), says, f"{what}: Privacy")
        if hidden:
            equal((m.address("from"), m.get("from").split("<")[0]), ("sip:anonymous@anonymous.invalid", '"Anonymous" '), f"{what}: From")
            check("15550001" not in m.raw.decode(), f"{what}: the number is in\n{m.raw.decode()}")
        else:
            equal((m.address("from"), m.get("from").split("<")[0]), (f"sip:15550001@{ours(s)}", '"Alice 15550001" '), f"{what}: From")
    equal({r["caller_out"] for r in s.cdrs(10)}, {"15550001"}, "the records know")


@shows("mapping_gateways.support_privacy")
def case_support_privacy(t):
    """off: the Privacy header counts as not there."""
    s = t.switch(many(t, {"1": {"privacy": "passthrough"}}, mapping={"support_privacy": False}))
    m = attempt(t.caller(), t.gateway(), s, "1555", [("Privacy", "id")])
    equal((m.get("privacy"), m.user("from")), (None, "15550001"), "Privacy, From")


@shows("routing_gateways.p_asserted_identity", "routing_gateways.p_preferred_identity", "mapping_gateways.trusted")
def case_asserted(t):
    """none, passthrough, caller, of an ingress that is trusted and of one that is not; every host is ours."""
    keys = {str(1 + i): {"p_asserted_identity": a, "p_preferred_identity": p} for i, (a, p) in enumerate(
        (("none", "none"), ("passthrough", "none"), ("caller", "none"), ("none", "passthrough"), ("none", "caller")))}
    c = many(t, keys)
    c["mapping_gateways"] = [{"id": "yes", "addresses": [f"{t.ip(2)}:5070"], "trusted": True}, {"id": "no", "addresses": [f"{t.ip(3)}:5070"]}]
    s, gw = t.switch(c), t.gateway()
    for caller, trusted in ((t.caller(2), True), (t.caller(3), False)):
        headers = [(PAI, f'"Alice A" <sip:+15550005@{caller.host};user=phone;x={caller.host}>, <tel:+15550006;phone-context={caller.host}>'),
                   ("P-Preferred-Identity", f"<sip:15550007@{caller.ip}:5070>")]
        m = attempt(caller, gw, s, "1555", headers)
        equal((m.all(PAI), m.all("P-Preferred-Identity")), ([], []), "none")
        m = attempt(caller, gw, s, "2555", headers)
        equal(m.all(PAI), [f'"Alice A" <sip:+15550005@{ours(s)};user=phone>', "<tel:+15550006>"] if trusted else [], f"passthrough, trusted: {trusted}")
        m = attempt(caller, gw, s, "3555", headers)
        equal(m.all(PAI), [f"<sip:15550001@{ours(s)}>"], "caller")
        m = attempt(caller, gw, s, "4555", headers)
        equal((m.all(PAI), m.all("P-Preferred-Identity")), ([], [f"<sip:15550007@{ours(s)}>"]), "P-Preferred-Identity passes")
        m = attempt(caller, gw, s, "5555", headers)
        equal(m.all("P-Preferred-Identity"), [f"<sip:15550001@{ours(s)}>"], "P-Preferred-Identity of the caller")
    equal(attempt(t.agents[1], gw, s, "2555").all(PAI), [], "nothing to pass")


@shows("routing_gateways.caller_dial_plan", "routing_gateways.p_asserted_identity", "routing_gateways.local_domain")
def case_asserted_rewritten(t):
    """The gateway's caller_dial_plan rewrites the numbers in P-Asserted-Identity too; they carry the domain that From does."""
    plan = {"caller_dial_plan": "plus", "local_domain": True}
    s = t.switch(many(t, {"1": {"p_asserted_identity": "caller", **plan}, "2": {"p_asserted_identity": "passthrough", "privacy": "id", **plan}}, mapping={"trusted": True},
                      dial_plans={"plus": [{"match": "1555", "rewrite": "+1555"}]}, parameters={"SS_LOCAL_IP_DOMAIN": "voice.example"}))
    caller, gw = t.caller(), t.gateway()
    m = attempt(caller, gw, s, "1555")
    equal((m.address("from"), m.all(PAI)), ("sip:+15550001@voice.example", ["<sip:+15550001@voice.example>"]), "caller")
    m = attempt(caller, gw, s, "2555", [(PAI, f"<sip:15550005@{caller.host}>")])
    equal((m.address("from"), m.get("privacy"), m.all(PAI)), ("sip:anonymous@anonymous.invalid", "id", ["<sip:+15550005@voice.example>"]), "passthrough")


@shows("SS_LOCAL_IP_DOMAIN", "routing_gateways.local_domain")
def case_local_domain(t):
    """The domain in From: SS_LOCAL_IP_DOMAIN where the gateway wants it, else our address."""
    s = t.switch(many(t, {"1": {"local_domain": True}, "2": {}}, parameters={"SS_LOCAL_IP_DOMAIN": "voice.example"}))
    caller, gw = t.caller(), t.gateway()
    equal(attempt(caller, gw, s, "1555").address("from"), "sip:15550001@voice.example", "From")
    equal(attempt(caller, gw, s, "2555").address("from"), f"sip:15550001@{ours(s)}", "From")


def display(t, mode, rows):
    s = t.switch(t.config(parameters={"SS_SIP_E164_DISPLAY_FROM": mode} if mode else {}, mapping={"trusted": True}))
    caller, gw = t.caller(), t.gateway()
    for number, wanted in rows:
        m = attempt(caller, gw, s, "1555", caller=number)
        equal(m.get("from").split("<")[0].strip(), wanted, f"display name of {number}")
        equal(m.user("from"), number, "number")


@shows("SS_SIP_E164_DISPLAY_FROM", default_differs=False, reason="ignore is the default")
def case_display_ignore(t):
    """ignore: the display name is left as it was received."""
    display(t, None, [("15550001", '"Alice 15550001"'), ("+15550001", '"Alice +15550001"')])


@shows("SS_SIP_E164_DISPLAY_FROM")
def case_display_e164(t):
    """e164: a plus and the international number; a caller without a number keeps its name."""
    display(t, "e164", [("15550001", '"+15550001"'), ("+15550001", '"+15550001"'), ("0015550001", '"+15550001"'), ("alice", '"Alice alice"')])


@shows("SS_SIP_E164_DISPLAY_FROM")
def case_display_number(t):
    """number: the plain number."""
    display(t, "number", [("15550001", '"15550001"'), ("+15550001", '"15550001"'), ("alice", '"Alice alice"')])


@shows("SS_SIP_E164_DISPLAY_FROM", default_differs=False, reason="what it sets is hidden by privacy")
@shows("routing_gateways.privacy")
def case_display_hidden(t):
    """An anonymous From wins over the display name."""
    s = t.switch(t.config(parameters={"SS_SIP_E164_DISPLAY_FROM": "number"}, each={"privacy": "id"}))
    m = attempt(t.caller(), t.gateway(), s, "1555")
    equal(m.get("from").split(">")[0], '"Anonymous" <sip:anonymous@anonymous.invalid', "From")


def case_display_quoted(t):
    """A display name with quotes in it stays one quoted string."""
    s, caller, gw = t.switch(), t.caller(), t.gateway()
    d = caller.call(s, "1555", drop=("From",), headers=[("From", f'"A \\"B\\" \\\\ <c>" <sip:1@{caller.host}>;tag=quoted1')])
    b = gw.take()
    equal(b.invite.get("from").split(" <sip:")[0], '"A \\"B\\" \\\\ <c>"', "display name")
    b.fail(486)
    d.expect(486)


@shows("mapping_gateways.trusted")
def case_remote_party_id(t):
    """Remote-Party-ID goes where P-Asserted-Identity does, of a trusted ingress only; hidden callers are marked."""
    c = many(t, {"1": {}, "2": {"p_asserted_identity": "passthrough"}, "3": {"p_asserted_identity": "passthrough", "privacy": "id"}})
    c["mapping_gateways"] = [{"id": "yes", "addresses": [f"{t.ip(2)}:5070"], "trusted": True}, {"id": "no", "addresses": [f"{t.ip(3)}:5070"]}]
    s, gw = t.switch(c), t.gateway()
    for caller, trusted in ((t.caller(2), True), (t.caller(3), False)):
        headers = [("Remote-Party-ID", f'"Al" <sip:15550006@{caller.ip}:5070;x=y>;party=calling;screen=yes;privacy=off;node={caller.host}')]
        equal(attempt(caller, gw, s, "1555", headers).get("remote-party-id"), None, "gateway 1")
        equal(attempt(caller, gw, s, "2555", headers).get("remote-party-id"),
              f'"Al" <sip:15550006@{ours(s)}>;party=calling;screen=yes;privacy=off' if trusted else None, f"gateway 2, trusted: {trusted}")
        equal(attempt(caller, gw, s, "3555", headers).get("remote-party-id"),
              f'"Al" <sip:15550006@{ours(s)}>;party=calling;screen=yes;privacy=full' if trusted else None, f"gateway 3, trusted: {trusted}")


@shows("mapping_gateways.trusted")
def case_signed_identity(t):
    """Identity (RFC 8224) passes unchanged, with the Date it belongs to, from a trusted ingress; not to a gateway that is told nothing of
    the caller."""
    c = many(t, {"1": {}, "2": {"privacy": "id"}, "3": {"privacy": "id", "p_asserted_identity": "caller"}})
    c["mapping_gateways"] = [{"id": "yes", "addresses": [f"{t.ip(2)}:5070"], "trusted": True}, {"id": "no", "addresses": [f"{t.ip(3)}:5070"]}]
    s, gw = t.switch(c), t.gateway()
    signed = "eyJhbGciOiJFUzI1NiJ9.eyJkZXN0Ijp7fX0.c2lnbmF0dXJl;info=<https://cert.example.org/passport.cer>;alg=ES256;ppt=shaken"
    date = "Thu, 21 Feb 2030 13:02:03 GMT"
    for caller, trusted in ((t.caller(2), True), (t.caller(3), False)):
        headers = [("Identity", signed), ("y", "second;info=<https://a.example/b>"), ("Date", date)]
        for digit, passes in (("1", trusted), ("2", False), ("3", trusted)):
            m = attempt(caller, gw, s, digit + "555", headers)
            equal(m.all("identity"), [signed, "second;info=<https://a.example/b>"] if passes else [], f"Identity at gateway {digit}, trusted: {trusted}")
            if passes:
                equal(m.get("date"), date, "Date")


def case_untrusted_leaks_nothing(t):
    """What an untrusted caller says of itself reaches no gateway, whatever the gateway would be shown."""
    s = t.switch(t.config(each={"privacy": "passthrough", "p_asserted_identity": "passthrough", "p_preferred_identity": "none"}))
    caller, gw = t.caller(), t.gateway()
    m = attempt(caller, gw, s, "1555", [(PAI, "<sip:15559991@a.example>"), ("Remote-Party-ID", "<sip:15559992@b.example>"), ("Identity", "x.15559993.y"),
                                        ("P-Preferred-Identity", "<sip:15559994@c.example>")])
    for secret in ("1555999", "a.example", "b.example", "c.example"):
        check(secret not in m.raw.decode(), f"{secret} in\n{m.raw.decode()}")


def case_after_a_crash(t):
    """The worker dies between two attempts: the second gateway is shown the caller as the first was."""
    s = t.switch(t.config(gateways=2, mapping={"trusted": True, "callee_dial_plan": "in"}, each={"privacy": "passthrough", "p_asserted_identity": "passthrough"},
                          dial_plans={"in": [{"match": "00", "rewrite": ""}]}))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "001555", headers=[("Privacy", "id"), (PAI, f"<sip:15550005@{caller.host}>"), ("Identity", "a.b.c;info=<https://cert.example.org/x>")])
    x = one.take()
    s.kill_worker("signaling")
    x.fail(503)
    y = two.take()
    for name in ("privacy", PAI, "identity"):
        equal(y.invite.all(name), x.invite.all(name), name)
        check(y.invite.get(name), f"{name} is there")
    equal((y.invite.address("from"), y.invite.user("to")), (x.invite.address("from"), "1555"), "From, To")
    y.fail(486)
    a.expect(486)
