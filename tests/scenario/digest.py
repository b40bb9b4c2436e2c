"""Digest authentication towards a routing gateway with username and password."""
import hashlib
import re

from lib import check, equal, shows

KEYS = {"username": "trunk-7", "password": "open sesame"}


def challenge(nonce, realm="carrier", algorithm="MD5", more=', qop="auth"'):
    return f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, opaque="o-{nonce}"{more}'


def credentials(m, header="authorization"):
    """The parameters, with the response checked against our own arithmetic."""
    v = m.get(header)
    assert v and v.startswith("Digest "), f"{m.start}: {header} is {v}"
    p = {a: (b or c) for a, b, c in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', v)}
    h = lambda x: getattr(hashlib, {"MD5": "md5", "SHA-256": "sha256"}[p.get("algorithm", "MD5")])(x.encode()).hexdigest()
    a1, a2 = h(f"{KEYS['username']}:{p['realm']}:{KEYS['password']}"), h(f"{m.method}:{p['uri']}")
    want = h(f"{a1}:{p['nonce']}:{p['nc']}:{p['cnonce']}:auth:{a2}") if "qop" in p else h(f"{a1}:{p['nonce']}:{a2}")
    equal((p["response"], p["uri"], p["username"]), (want, m.uri, KEYS["username"]), "credentials")
    return p


def authenticated(t, gw, algorithm="MD5", code=401, more=', qop="auth"'):
    """The INVITE, challenged once; the dialog of the second one."""
    first = gw.take()
    equal((first.invite.get("authorization"), first.invite.get("proxy-authorization")), (None, None), "credentials of the first INVITE")
    first.fail(code, headers=[("WWW-Authenticate" if code == 401 else "Proxy-Authenticate", challenge("n1", algorithm=algorithm, more=more))])
    b = gw.take()
    equal((b.call_id, b.invite.tag("from"), b.invite.cseq[0]), (first.call_id, first.invite.tag("from"), first.invite.cseq[0] + 1), "Call-ID, tag, CSeq")
    equal(b.invite.body, first.invite.body, "body of the second INVITE")
    return b, credentials(b.invite, "authorization" if code == 401 else "proxy-authorization")


@shows("routing_gateways.username", "routing_gateways.password")
def case_whole_call(t):
    """401 to INVITE, re-INVITE, INFO and BYE is answered; credentials go along from then on, each with the next nonce count."""
    s = t.switch(t.config(each=KEYS))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b, p = authenticated(t, gw)
    equal((p["nc"], p["opaque"], p["realm"]), ("00000001", "o-n1", "carrier"), "nc, opaque, realm")
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    m = b.expect("ACK")
    equal(m.get("authorization"), b.invite.get("authorization"), "the ACK has its INVITE's credentials (RFC 3261 section 22.1)")
    a.send("INFO", body="x", content_type="text/plain")
    m = b.expect("INFO")
    equal(credentials(m)["nc"], "00000002", "nc of the INFO")
    b.reply_to(m, 401, headers=[("WWW-Authenticate", challenge("n2", more=', qop="auth", stale=true'))])
    m2 = b.expect("INFO")
    p = credentials(m2)
    equal((p["nc"], p["nonce"], m2.cseq[0], m2.body), ("00000001", "n2", m.cseq[0] + 1, "x"), "INFO again")
    b.reply_to(m2, 200)
    a.expect(200)
    a.send("INVITE", body=caller.offer(version=2, direction="sendonly"))
    m = b.expect("INVITE")
    b.reply_to(m, 401, headers=[("WWW-Authenticate", challenge("n3"))])
    b.expect("ACK")
    m2 = b.expect("INVITE")
    credentials(m2)
    check("a=sendonly" in m2.body, "body of the re-INVITE")
    b.reply_to(m2, 200, body=gw.answer(version=2, direction="recvonly"))
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    a.expect(200)
    m = b.expect("BYE")
    credentials(m)
    b.reply_to(m, 401, headers=[("WWW-Authenticate", challenge("n4"))])
    m2 = b.expect("BYE")
    equal(credentials(m2)["nonce"], "n4", "nonce of the BYE")
    b.reply_to(m2, 200)
    s.idle()
    equal([(c["attempt"], c["reason"]) for c in s.cdrs(1)], [(1, "normal")], "records: a challenge is no failed attempt")


def case_407_sha256(t):
    """407, SHA-256; the INVITE has been rung through before it is challenged again as stale."""
    s = t.switch(t.config(each=KEYS))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b, p = authenticated(t, gw, "SHA-256", 407)
    equal((p["algorithm"], len(p["response"])), ("SHA-256", 64), "algorithm")
    b.fail(407, headers=[("Proxy-Authenticate", challenge("n2", algorithm="SHA-256", more=', qop="auth", stale=true'))])
    b = gw.take()
    equal(credentials(b.invite, "proxy-authorization")["nonce"], "n2", "nonce")
    b.fail(486)
    a.expect(486)


def case_without_qop(t):
    """A challenge of RFC 2069: no qop, no algorithm that we know comes second."""
    s = t.switch(t.config(each=KEYS))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    first = gw.take()
    first.fail(401, headers=[("WWW-Authenticate", challenge("n0", algorithm="SHA-512-256")), ("WWW-Authenticate", challenge("n1", more=""))])
    b = gw.take()
    check("qop" not in credentials(b.invite), "qop")
    b.fail(486)
    a.expect(486)


def refused(t, s, a, gw, two, headers):
    gw.take().fail(401, headers=headers)
    b = two.take()
    equal((b.invite.get("authorization"), b.invite.get("proxy-authorization")), (None, None), "credentials for another gateway")
    b.fail(486)
    a.expect(486)
    equal([(c["egress"], c["code"]) for c in s.cdrs(2)], [("gw-a", 401), ("gw-b", 486)], "records")


def case_refused_again(t):
    """A second refusal with a fresh nonce is a failure: the next gateway follows."""
    s = t.switch(t.config(gateways=2, each=KEYS))
    caller, gw, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234")
    gw.take().fail(401, headers=[("WWW-Authenticate", challenge("n1"))])
    refused(t, s, a, gw, two, [("WWW-Authenticate", challenge("n2"))])


def case_other_realm(t):
    """The realm of the first challenge holds: another one gets no credentials."""
    s = t.switch(t.config(gateways=2, each=KEYS))
    caller, gw, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234")
    gw.take().fail(401, headers=[("WWW-Authenticate", challenge("n1"))])
    refused(t, s, a, gw, two, [("WWW-Authenticate", challenge("n2", realm="thief", more=', qop="auth", stale=true'))])


def case_not_to_another_host(t):
    """A route that leads the dialog to another host takes no credentials there, and its challenge gets none."""
    s = t.switch(t.config(each=KEYS))
    caller, gw = t.caller(), t.gateway()
    other = t.agent("elsewhere", t.ip(30), 5090, "callee", 43000)
    a = caller.call(s, "15551234")
    b, _ = authenticated(t, gw)
    b.reply(200, body=gw.answer(), headers=[("Record-Route", f"<sip:{other.ip}:{other.port};lr>")])
    a.expect(200)
    a.ack()
    b.agent = other
    equal(b.expect("ACK").get("authorization"), None, "credentials of the ACK")
    a.send("INFO", body="x", content_type="text/plain")
    m = b.expect("INFO")
    equal(m.get("authorization"), None, "credentials of the INFO")
    b.reply_to(m, 401, headers=[("WWW-Authenticate", challenge("n9"))])
    a.expect(401)
    other.quiet(0.3)
    a.send("BYE")
    equal(b.byed().get("authorization"), None, "credentials of the BYE")
    a.expect(200)


def case_no_credentials(t):
    """A gateway without username: 401 is a failure like any other, told as 503."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    gw.take().fail(401, headers=[("WWW-Authenticate", challenge("n1"))])
    a.expect(503)
