"""Outbound registrations: what goes to an upstream, when, and what its answers do."""
import signal
import time

from lib import Refused, alone, check, equal, limit, long_only, release_only, shows, wait_for
from lib.upstream import Upstream

OFF = 0.05   # seconds by which a time may be off


def config(t, parameters=None, entries=None, rate=50, timeout=2, gateways=1, routing=None, listen=None, **keys):
    """One entry `up` towards t.ip(30):5090, with `keys`; or `entries`: a list of them."""
    entry = {"id": "up", "proxy": f"udp:{t.ip(30)}:5090", "domain": "carrier.example", "username": "u", "password": "secret"}
    sections = {"registrations": [{**entry, **e} for e in (entries or [keys])], "registration": {"rate": rate, "unregister_timeout": timeout}}
    if parameters:
        sections["parameters"] = parameters
    if listen:
        sections["sip"] = {"listen": listen}
    return t.config(gateways=gateways, routing=routing, **sections)


def upstream(t, host=30, port=5090, **more):
    return Upstream(t.agent(f"upstream{host}", t.ip(host), port, "callee", 44000 + 2 * host), **more)


def setup(t, **more):
    up = upstream(t)
    return t.switch(config(t, **more)), up


def rows(s):
    return {r["id"]: r for r in s.ask("registrations")["registrations"]}


def state(s, wanted, id="up", timeout=3):
    wait_for(lambda: rows(s).get(id, {}).get("state") == wanted, timeout, f"state {wanted}: {s.ask('registrations')}")
    return rows(s).get(id)


def registered(s, up, expires=600, **more):
    """The first registration, challenged; the REGISTER that was granted."""
    m, _ = up.challenged(**more)
    up.grant(m, expires)
    state(s, "registered")
    return m


def is_unregister(m):
    equal((m.get("expires"), m.get("contact").rpartition(";")[2]), ("0", "expires=0"), "an unregister")
    return m


def end(s, up, n=1):
    """SIGTERM; the unregisters are granted."""
    s.process.send_signal(signal.SIGTERM)
    for _ in range(n):
        m = is_unregister(up.take())
        up.grant(m, 0)
    s.stop()
    return m


@shows("registrations.id", "registrations.proxy", "registrations.username", "registrations.password", "registrations.domain",
       default_differs=False, reason="without them there is no registration")
def case_whole_life(t):
    """401 to REGISTER is answered; a refresh has credentials from the start; one Call-ID and From tag, CSeq one more each time; unregister at the end."""
    s, up = setup(t)
    events = s.connect()
    events.ask("subscribe")
    first = up.take()
    equal((first.uri, first.address("from"), first.address("to")), ("sip:carrier.example", "sip:u@carrier.example", "sip:u@carrier.example"), "who")
    equal((first.address("contact"), first.get("expires"), first.get("authorization"), first.get("privacy")),
          (f"sip:u@{t.ip(1)}:5060", "3600", None, None), "Contact, Expires")
    equal(first.source, (t.ip(1), 5060), "from the signalling socket")
    m, p = up.challenged(first)
    equal((m.call_id, m.tag("from"), m.cseq[0]), (first.call_id, first.tag("from"), first.cseq[0] + 1), "Call-ID, tag, CSeq")
    equal((p["nc"], p["opaque"], p["realm"]), ("00000001", "o-n1", "carrier"), "nc, opaque, realm")
    up.grant(m, 600)
    r = state(s, "registered")
    check(595 <= r["expires_in_s"] <= 600 and 475 <= r["next_in_s"] <= 480, f"80 % of what was granted: {r}")
    equal((r["last_code"], r["last_error"], r["registrar"]), (200, "", f"{t.ip(30)}:5090"), "row")
    code, out, _ = s.ctl("register", "up")
    equal(code, 0, "tandemctl register")
    m = up.take()
    p = up.credentials(m)
    equal((p["nc"], m.call_id, m.cseq[0]), ("00000002", first.call_id, first.cseq[0] + 2), "refresh")
    up.challenge(m, "n2", more=', qop="auth", stale=true')
    m = up.take()
    p = up.credentials(m)
    equal((p["nc"], p["nonce"]), ("00000001", "n2"), "a new nonce")
    up.grant(m, 600)
    m = end(s, up)
    equal((up.credentials(m)["nc"], m.call_id, m.cseq[0]), ("00000002", first.call_id, first.cseq[0] + 4), "unregister")
    seen = []
    try:
        while True:
            seen.append(events.line())
    except (OSError, ConnectionError):
        pass
    equal([(e["event"], e["id"]) for e in seen if e["event"].startswith("registration.")],
          [("registration.registered", "up"), ("registration.unregistered", "up")], "events")


@shows("registrations.auth_user")
def case_407_sha256(t):
    """407 with SHA-256, and the account's name for authentication."""
    up = upstream(t, user="v")
    s = t.switch(config(t, auth_user="v"))
    m, p = up.challenged(code=407, algorithm="SHA-256")
    equal((p["algorithm"], len(p["response"]), m.user("from")), ("SHA-256", 64, "u"), "algorithm, user")
    up.grant(m, 60)
    state(s, "registered")
    up.credentials(end(s, up), "proxy-authorization")


def case_proxy_and_registrar(t):
    """407 of a proxy and then 401 of the registrar behind it: both are answered, from then on in each request."""
    s, up = setup(t)
    m, _ = up.challenged(code=407, realm="proxy", nonce="p1")
    m, _ = up.challenged(m, realm="registrar", nonce="r1")
    equal(up.credentials(m, "proxy-authorization")["nc"], "00000002", "nc of the proxy's nonce")
    up.grant(m, 60)
    state(s, "registered")
    m = end(s, up)
    up.credentials(m)
    up.credentials(m, "proxy-authorization")


def case_without_qop(t):
    """A challenge of RFC 2069, behind one that nobody knows."""
    s, up = setup(t)
    m = up.take()
    up.answer(m, 401, [("WWW-Authenticate", 'Digest realm="carrier", nonce="n0", algorithm=SHA-512-256'), ("WWW-Authenticate", 'Digest realm="carrier", nonce="n1"')])
    m = up.take()
    check("qop" not in up.credentials(m), "qop")
    up.grant(m, 60)
    state(s, "registered")
    end(s, up)


def failed(s, code, error, delay=60):
    r = state(s, "failed")
    equal((r["last_code"], r["expires_in_s"]), (code, None), "row")
    check(error in r["last_error"] and delay - 2 <= r["next_in_s"] <= delay, f"{error!r}, {delay} s: {r}")


@shows("SS_SIP_USER_AGENT_RETRY_DELAY")
def case_refused_again(t):
    """A second refusal with a fresh nonce is a failure: nothing is sent for the retry delay."""
    s, up = setup(t, parameters={"SS_SIP_USER_AGENT_RETRY_DELAY": 30})
    m, _ = up.challenged()
    up.challenge(m, "n2")
    failed(s, 401, "the credentials are refused", 30)
    up.agent.quiet(0.3)
    s.stop()
    up.agent.quiet(0)


@long_only
@limit(60)
def case_retry_delay(t):
    """After a failure nothing for 30 s, then another try, and again: the delay does not grow."""
    s, up = setup(t, parameters={"SS_SIP_USER_AGENT_RETRY_DELAY": 30})
    for _ in range(2):
        m = up.take(32)
        up.answer(m, 503)
        then = time.monotonic()
        state(s, "failed")
        m = up.take(32)
        check(abs(m.time - then - 30) < 0.5, f"tried again after {m.time - then} s")
        up.answer(m, 503)


@shows("registrations.realm")
def case_realm(t):
    """Only challenges of the entry's realm get credentials."""
    s, up = setup(t, realm="carrier")
    m = up.take()
    up.challenge(m, realm="thief")
    failed(s, 401, "another realm")
    s.ask("register", id="up")
    m = up.take()
    up.answer(m, 401, [("WWW-Authenticate", 'Digest realm="thief", nonce="t1", qop="auth"'), ("WWW-Authenticate", 'Digest realm="carrier", nonce="n1", qop="auth"')])
    m = up.take()
    equal(up.credentials(m)["realm"], "carrier", "realm")
    up.grant(m, 60)
    state(s, "registered")
    end(s, up)


@shows("registrations.host_name")
def case_host_name(t):
    """Contact with our host's name."""
    s, up = setup(t, host_name="sw1.example")
    m = up.take()
    equal(m.address("contact"), "sip:u@sw1.example:5060", "Contact")
    up.answer(m, 200, [("Contact", "<sip:u@elsewhere.example>;expires=7"), ("Contact", "<sip:u@sw1.example:5060>;expires=90")])
    r = state(s, "registered")
    check(85 < r["expires_in_s"] <= 90, f"our Contact's expiry: {r}")
    end(s, up)


@shows("registrations.port")
def case_port(t):
    """The entry's signalling port: Contact and source of the request."""
    s, up = setup(t, port=5062, listen=[f"udp:{t.ip(1)}:5060", f"udp:{t.ip(1)}:5062"])
    m = up.take()
    equal((m.address("contact"), m.source), (f"sip:u@{t.ip(1)}:5062", (t.ip(1), 5062)), "Contact and source")
    up.grant(m, 60)
    state(s, "registered")
    end(s, up)


@shows("registrations.privacy", "SS_SIP_USER_AGENT_PRIVACY")
def case_privacy(t):
    """Privacy header: the parameter's, the entry's, none."""
    up = upstream(t)
    s = t.switch(config(t, parameters={"SS_SIP_USER_AGENT_PRIVACY": "id"}, rate=1000,
                        entries=[{"id": "a", "username": "a"}, {"id": "b", "username": "b", "privacy": "none"}, {"id": "c", "username": "c", "privacy": "ignore"}]))
    got = {}
    for _ in range(3):
        m = up.take()
        got[m.user("from")] = m.get("privacy")
        up.grant(m, 60)
    equal(got, {"a": "id", "b": "none", "c": None}, "Privacy")
    for id in "abc":
        state(s, "registered", id)
    end(s, up, 3)


@shows("registrations.enabled")
def case_disabled(t):
    """`enabled: off`: nothing is sent, and the list says so; switched off by a reload it is taken back."""
    up = upstream(t)
    s = t.switch(config(t, enabled=False))
    up.agent.quiet(0.3)
    equal(rows(s)["up"]["state"], "disabled", "state")
    try:
        s.ask("register", id="up")
        check(False, "ordered")
    except Refused:
        pass
    s.write(config(t))
    s.ask("reload")
    registered(s, up)
    s.write(config(t, enabled=False))
    s.ask("reload")
    up.grant(is_unregister(up.take()), 0)
    state(s, "disabled")


@alone
@release_only
@shows("registrations.period")
def case_fixed_period(t):
    """A fixed period is asked for and refreshed at half of it, or of what was granted when that is less."""
    s, up = setup(t, period=20)
    m = up.take()
    equal(m.get("expires"), "20", "asked")
    up.grant(m, 2)
    before, m = time.monotonic(), up.take()
    check(abs(m.time - before - 1.0) < OFF, f"refreshed after {m.time - before:.3f} s")
    up.grant(m, 600)
    r = state(s, "registered")
    wait_for(lambda: (rows(s)["up"]["expires_in_s"] or 0) > 500, 2, "600 s")
    check(8 <= rows(s)["up"]["next_in_s"] <= 10, f"half of 20 s: {rows(s)}")
    s.write(config(t, period="auto"))
    s.ask("reload")
    s.ask("register", id="up")
    m = up.take()
    equal(m.get("expires"), "3600", "asked when it is auto again")
    up.grant(m, 60)
    wait_for(lambda: rows(s)["up"]["expires_in_s"] <= 60, 2, "60 s")
    end(s, up)


@alone
@release_only
@shows("SS_SIP_USER_AGENT_EXPIRE")
def case_auto_period(t):
    """The global period; auto: 80 % of what the upstream grants, by Contact, by Expires, else what was asked."""
    up = upstream(t)
    s = t.switch(config(t, parameters={"SS_SIP_USER_AGENT_EXPIRE": 40}, rate=1000, entries=[{"id": "up", "period": "auto"}, {"id": "two", "username": "two"}]))
    asked = {}
    for _ in range(2):
        m = up.take()
        asked[m.user("from")] = m
    equal((asked["u"].get("expires"), asked["two"].get("expires")), ("3600", "40"), "asked")
    up.grant(asked["two"])
    check(19 <= state(s, "registered", "two")["next_in_s"] <= 20, "half of what was asked")
    up.grant(asked["u"], 2, header=100)
    before, m = time.monotonic(), up.take()
    check(abs(m.time - before - 1.6) < OFF, f"refreshed after {m.time - before:.3f} s")
    up.grant(m, header=100)
    wait_for(lambda: 75 <= (rows(s)["up"]["next_in_s"] or 0) <= 80, 2, "80 % of the Expires header")
    end(s, up, 2)


def case_423(t):
    """423: Min-Expires is asked for."""
    s, up = setup(t, period=20)
    m = up.take()
    up.answer(m, 423, [("Min-Expires", "90")])
    m = up.take()
    equal(m.get("expires"), "90", "asked")
    up.grant(m, 90)
    check(43 <= state(s, "registered")["next_in_s"] <= 45, "half of it")
    s.ask("register", id="up")
    m = up.take()
    equal(m.get("expires"), "90", "asked from the start")
    up.answer(m, 423, [("Min-Expires", "80")])
    r = state(s, "failed")
    check(r["expires_in_s"] > 80, f"still registered: {r}")
    end(s, up)


def case_redirect(t):
    """302: followed once, with credentials there; the next request goes there, too; a second 302 is a failure, then the proxy is asked again."""
    s, up = setup(t)
    other = upstream(t, 31, 5095)
    m = up.take()
    up.answer(m, 302, [("Contact", f"<sip:reg2@{t.ip(31)}:5095>")])
    m = other.take()
    equal(m.uri, f"sip:reg2@{t.ip(31)}:5095", "Request-URI")
    m, _ = other.challenged(m)
    other.grant(m, 60)
    state(s, "registered")
    s.ask("register", id="up")
    m = other.take()
    other.credentials(m)
    other.answer(m, 301, [("Contact", f"<sip:{t.ip(30)}:5090>")])
    m = up.take()
    up.answer(m, 302, [("Contact", f"<sip:{t.ip(31)}:5095>")])
    equal(state(s, "failed")["last_code"], 302, "code")
    s.ask("register", id="up")
    m = up.take()
    equal(m.uri, "sip:carrier.example", "Request-URI")
    up.grant(m, 60)
    state(s, "registered")
    end(s, up)


@alone
@release_only
@shows("SS_SIP_RESEND_INTERVAL")
def case_no_answer(t):
    """Resends by the list, the same bytes; then failed, one first interval after the last."""
    up = upstream(t)
    s = t.make(config(t, parameters={"SS_SIP_RESEND_INTERVAL": [0.2, 0.4, 0.3]})).spawn()   # read from the first one on
    times = [up.take(again=True).time for _ in range(4)]
    gaps = [b - a for a, b in zip(times, times[1:])]
    check(all(abs(g - w) < OFF for g, w in zip(gaps, (0.2, 0.4, 0.3))), f"resent after {gaps}")
    equal(len({raw for _, way, raw in up.agent.log if way == "<"}), 1, "different requests")
    wait_for(s.running, 5, "running")
    failed(s, 408, "no answer")


@alone
@release_only
@shows("registration.rate")
def case_pace(t):
    """First registrations are spread evenly by registration.rate."""
    up = upstream(t)
    s = t.make(config(t, rate=10, timeout=0, entries=[{"id": f"e{i}", "username": f"e{i}"} for i in range(6)])).spawn()
    got = []
    for i in range(6):
        m = up.take()
        got.append(m.time)
        up.grant(m, 60)
    gaps = [b - a for a, b in zip(got, got[1:])]
    check(all(abs(g - 0.1) < OFF for g in gaps), f"distances {gaps}")
    wait_for(s.running, 5, "running")


@shows("registration.unregister_timeout")
def case_unregister_timeout(t):
    """A silent upstream holds the stop up for registration.unregister_timeout and no longer."""
    s, up = setup(t, timeout=1)
    registered(s, up)
    before = time.monotonic()
    s.process.send_signal(signal.SIGTERM)
    is_unregister(up.take())
    s.stop()
    check(0.9 < time.monotonic() - before < 3.5, f"stopped after {time.monotonic() - before} s")
    check("could not be taken back" in s.log() or "no answer in time" in s.log(), "log")


@shows("SS_SIP_USER_AGENT_SEND_UNREGISTER")
def case_no_unregister(t):
    """Switched off: a stop sends nothing; an operator's order does."""
    s, up = setup(t, parameters={"SS_SIP_USER_AGENT_SEND_UNREGISTER": "off"})
    registered(s, up)
    equal(s.ctl("unregister", "up")[0], 0, "tandemctl unregister")
    up.grant(is_unregister(up.take()), 0)
    state(s, "unregistered")
    s.ask("register", id="up")
    up.grant(up.take(), 60)
    state(s, "registered")
    s.stop()
    up.agent.quiet(0.1)


def case_unregister_challenged(t):
    """The unregister of a stop is authenticated, with a new nonce if need be."""
    s, up = setup(t)
    registered(s, up)
    s.process.send_signal(signal.SIGTERM)
    m, p = up.challenged(is_unregister(up.take()), nonce="n9")
    is_unregister(m)
    equal(p["nc"], "00000001", "nc")
    up.grant(m, 0)
    before = time.monotonic()
    s.stop()
    check(time.monotonic() - before < 2.5, "stopped late")


def case_reload(t):
    """A reload keeps what stays, takes back what goes, and what has become another's first; a new password is tried at once."""
    up = upstream(t)
    entries = [{"id": x, "username": x} for x in ("keep", "gone", "other")]
    s = t.switch(config(t, entries=entries, rate=1000))
    ids = {}
    for _ in range(3):
        m = up.take()
        ids[m.user("from")] = m.call_id
        up.grant(m, 600)
    for e in entries:
        state(s, "registered", e["id"])
    s.write(config(t, rate=1000, entries=[{"id": "keep", "username": "keep", "password": "new"}, {"id": "other", "username": "renamed"}, {"id": "fresh", "username": "fresh"}]))
    s.ask("reload")
    got = {m.user("from"): m for m in (up.take() for _ in range(3))}
    equal(sorted(got), ["fresh", "gone", "other"], "who is heard")
    equal((got["gone"].get("expires"), got["other"].get("expires"), got["fresh"].get("expires")), ("0", "0", "3600"), "Expires")
    equal((got["gone"].call_id, got["other"].call_id), (ids["gone"], ids["other"]), "Call-ID")
    up.agent.quiet(0.1)
    for m in got.values():
        up.grant(m, 0 if m.get("expires") == "0" else 600)
    m = up.take()
    equal((m.user("from"), m.get("expires")), ("renamed", "3600"), "the new identity, once the old one has gone")
    up.answer(m, 403)
    check("403" in state(s, "failed", "other")["last_error"], "error")
    equal(sorted(rows(s)), ["fresh", "keep", "other"], "rows")
    s.write(config(t, rate=1000, entries=[{"id": "keep", "username": "keep"}, {"id": "other", "username": "renamed", "password": "right"}, {"id": "fresh", "username": "fresh"}]))
    s.ask("reload")
    m = up.take()
    equal(m.user("from"), "renamed", "tried at once")
    up.grant(m, 600)
    state(s, "registered", "other")
    s.ask("register", id="keep")
    m = up.take()
    equal(m.call_id, ids["keep"], "the same registration")
    up.grant(m, 600)
    end(s, up, 3)


def case_killed(t):
    """kill -9 of the registrar: nothing is sent early, Call-ID, CSeq and nonce go on, a request under way is resent and answered."""
    s, up = setup(t, period="auto", parameters={"SS_SIP_RESEND_INTERVAL": [1, 1, 1]})
    m, _ = up.challenged()
    s.kill_worker("registrar")
    up.agent.quiet(0.3)
    up.grant(m, 5)
    r = state(s, "registered")
    s.kill_worker("registrar")
    s.kill_worker("registrar")
    again = up.take(5)
    check(3.8 < again.time - m.time < 5, f"refreshed after {again.time - m.time} s")
    p = up.credentials(again)
    equal((p["nc"], again.call_id, again.tag("from"), again.cseq[0]), ("00000002", m.call_id, m.tag("from"), m.cseq[0] + 1), "nc, Call-ID, tag, CSeq")
    s.kill_worker("registrar")
    repeated = up.take(again=True)
    equal(repeated.raw, again.raw, "the same request")
    check(repeated.time - again.time > 0.9, f"resent after {repeated.time - again.time} s")
    up.grant(repeated, 600)
    wait_for(lambda: (rows(s)["up"]["expires_in_s"] or 0) > 500, 2, "600 s")
    s.process.send_signal(signal.SIGTERM)
    is_unregister(up.take())
    up.agent.quiet(0.05)
    m = up.take(again=True, timeout=3)
    up.grant(m, 0)
    s.stop()


def case_name_without_address(t):
    """A proxy whose name has no address: the list says so, and the others go on."""
    up = upstream(t)
    s = t.switch(config(t, rate=1000, timeout=0, entries=[{"id": "up"}, {"id": "name", "proxy": "udp:no-such-host.invalid:5060", "username": "n"}]))
    registered(s, up)
    r = state(s, "unresolved", "name")
    check("no-such-host.invalid" in r["last_error"], f"error: {r}")


def via(t, **more):
    c = config(t, routing=[{}], **more)
    g = c["routing_gateways"][0]
    del g["address"]
    g["via_registration"] = "up"
    return c


@shows("routing_gateways.via_registration", default_differs=False, reason="without it the gateway has no address")
def case_via_registration(t):
    """Calls by a registration: down until it is registered, From and P-Asserted-Identity of the account, 407 answered with its credentials."""
    up = upstream(t)
    c = via(t)
    c["routing_gateways"][0]["p_asserted_identity"] = "caller"
    s = t.switch(c)
    caller = t.caller()
    m = up.take()
    g = next(g for g in s.ask("gateways")["gateways"] if g["id"] == "gw-a")
    check(g["state"] == "down" and "registration up: registering" in g["reason"], f"{g}")
    route = s.ask("route", callee="15551234")["candidates"][0]
    check(not route["taken"] and "registration up" in route["reason"], f"{route}")
    a = caller.call(s, "15551234")
    a.expect(503)
    up.challenge(m)
    up.grant(up.take(), 600)
    state(s, "registered")
    equal(next(g for g in s.ask("gateways")["gateways"] if g["id"] == "gw-a")["state"], "up", "state")
    check(s.ask("route", callee="15551234")["candidates"][0]["taken"], "taken")
    a = caller.call(s, "15551234")
    b = up.agent.take()
    equal((b.invite.uri, b.invite.address("from"), b.invite.address("p-asserted-identity")),
          ("sip:15551234@carrier.example", "sip:u@carrier.example", "sip:u@carrier.example"), "who calls whom")
    b.fail(407, headers=[("Proxy-Authenticate", 'Digest realm="carrier", nonce="c1", algorithm=MD5, qop="auth"')])
    b = up.agent.take()
    up.credentials(b.invite, "proxy-authorization")
    b.reply(200, body=up.agent.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    a.expect(200)
    b.byed()
    s.ask("unregister", id="up")
    up.grant(up.agent.expect("REGISTER"), 0)
    state(s, "unregistered")
    a = caller.call(s, "15551234")
    a.expect(503)


@shows("registrations.callee_from")
def case_call_arrives_for_the_user(t):
    """callee_from: request-line: whatever To says, such a call goes where our username leads."""
    s, up = setup(t, callee_from="request-line")
    up.agent.side = "caller"
    registered(s, up)
    up.agent.call(s, "15551234", uri=f"sip:u@{t.ip(1)}:5060").expect(404)


def case_call_arrives_beside_roaming_customers(t):
    """A mapping gateway that is everywhere, by digest, does not ask the upstream for credentials that it cannot have."""
    c = config(t)
    c["mapping_gateways"] = [{"id": "roaming", "addresses": ["127.0.0.0/8"], "authentication": "digest"}]
    c["accounts"] = [{"id": "1001", "password": "secret"}]
    up, s, gw = upstream(t), t.switch(c), t.gateway()
    up.agent.side = "caller"
    registered(s, up)
    a = up.agent.call(s, "15551234", uri=f"sip:u@{t.ip(1)}:5060")
    b = gw.take()
    equal(s.calls()[0]["ingress"], "up", "ingress")
    b.reply(486)
    a.expect(486)
    up.agent.call(s, "15551234", uri=f"sip:another@{t.ip(1)}:5060").expect(401)


def case_call_arrives(t):
    """A call from the upstream for our user is a call of that registration: routed by its callee; others from there are strangers'."""
    s, up = setup(t)
    gw = t.gateway()
    up.agent.side = "caller"
    caller = up.agent
    registered(s, up)
    a = caller.call(s, "15551234", uri=f"sip:u@{t.ip(1)}:5060")
    b = gw.take()
    equal(b.invite.user("to"), "15551234", "callee")
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    equal(s.calls()[0]["ingress"], "up", "ingress")
    a.send("BYE")
    a.expect(200)
    b.byed()
    s.idle()
    equal([(c["ingress"], c["reason"]) for c in s.cdrs(1)], [("up", "normal")], "record")
    a = caller.call(s, "15551234", uri=f"sip:another@{t.ip(1)}:5060")
    a.expect(403)
    stranger = t.agent("stranger", t.ip(40), 5090, "caller", 46000)
    a = stranger.call(s, "15551234", uri=f"sip:u@{t.ip(1)}:5060")
    a.expect(403)
    s.process.send_signal(signal.SIGTERM)
    up.grant(is_unregister(up.take()), 0)
    s.stop()
