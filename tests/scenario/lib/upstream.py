"""An upstream's registrar: takes REGISTERs, challenges, grants, refuses, one message at a time, as the scenario says."""
import hashlib
import re

from lib.sip import compose, token


def digest_fields(value):
    """The parameters of an Authorization or a challenge."""
    return {a: (b or c) for a, b, c in re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', value)}


def digest_response(fields, method, user, password):
    h = lambda x: getattr(hashlib, {"MD5": "md5", "SHA-256": "sha256"}[fields.get("algorithm") or "MD5"])(x.encode()).hexdigest()
    a1, a2 = h(f"{user}:{fields['realm']}:{password}"), h(f"{method}:{fields['uri']}")
    middle = f"{fields['nc']}:{fields['cnonce']}:auth:" if fields.get("qop") else ""
    return h(f"{a1}:{fields['nonce']}:{middle}{a2}")


class Upstream:
    """agent: where it listens (an Agent). One registered account at a time is enough for most scenarios."""

    def __init__(self, agent, user="u", password="secret"):
        self.agent, self.user, self.password, self.tag = agent, user, password, token("r")

    def take(self, timeout=3.0, again=False):
        """The next REGISTER."""
        return self.agent.expect("REGISTER", timeout, again=again)

    def answer(self, m, code, headers=(), phrase="Answer"):
        to = m.get("to") + ("" if m.tag("to") else f";tag={self.tag}")
        lines = [("Via", v) for v in m.all("via")] + [("From", m.get("from")), ("To", to), ("Call-ID", m.call_id), ("CSeq", m.get("cseq"))] + list(headers)
        self.agent.transmit(compose(f"SIP/2.0 {code} {phrase}", lines), m.source)

    def grant(self, m, expires=None, header=None):
        """200 with the request's Contact; expires: its parameter; header: the Expires header."""
        contact = [("Contact", f"<{m.address('contact')}>" + ("" if expires is None else f";expires={expires}"))] if expires != 0 else []
        self.answer(m, 200, contact + ([("Expires", str(header))] if header is not None else []))

    def challenge(self, m, nonce="n1", code=401, realm="carrier", algorithm="MD5", more=', qop="auth"'):
        self.answer(m, code, [("WWW-Authenticate" if code == 401 else "Proxy-Authenticate",
                               f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, opaque="o-{nonce}"{more}')])

    def credentials(self, m, header="authorization"):
        """Their parameters, checked against our own arithmetic."""
        v = m.get(header)
        assert v and v.startswith("Digest "), f"{m.start}: {header} is {v}"
        p = digest_fields(v)
        wanted = digest_response(p, m.method, self.user, self.password)
        assert (p["response"], p["uri"], p["username"]) == (wanted, m.uri, self.user), f"{v}: response is not {wanted}"
        return p

    def challenged(self, m=None, **more):
        """Challenges the REGISTER and returns the one with credentials, and these."""
        m = m or self.take()
        self.challenge(m, **more)
        again = self.take()
        return again, self.credentials(again, "authorization" if more.get("code", 401) == 401 else "proxy-authorization")
