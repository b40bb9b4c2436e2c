"""A phone that registers with the softswitch: an agent with an account (RFC 3261 section 10, RFC 7616)."""
import hashlib
import re

from lib.agent import Agent, Unexpected
from lib.sip import Message, compose, token, url_host


def challenge_of(m):
    v = m.get("www-authenticate") or m.get("proxy-authenticate")
    assert v and v.startswith("Digest "), f"{m}: challenge is {v}"
    return {a: (b or c) for a, b, c in re.findall(r'([\w-]+)=(?:"([^"]*)"|([^,\s]+))', v)}


def credentials(c, user, password, method, uri, nc=1):
    name = c.get("algorithm", "MD5")
    h = lambda x: getattr(hashlib, {"MD5": "md5", "SHA-256": "sha256"}[name])(x.encode()).hexdigest()
    a1, a2, cnonce = h(f"{user}:{c['realm']}:{password}"), h(f"{method}:{uri}"), token("n")
    response = h(f"{a1}:{c['nonce']}:{nc:08x}:{cnonce}:auth:{a2}") if "qop" in c else h(f"{a1}:{c['nonce']}:{a2}")
    v = f'Digest username="{user}", realm="{c["realm"]}", nonce="{c["nonce"]}", uri="{uri}", response="{response}", algorithm={name}'
    if "qop" in c:
        v += f', qop=auth, nc={nc:08x}, cnonce="{cnonce}"'
    return v + (f', opaque="{c["opaque"]}"' if "opaque" in c else "")


class Phone:
    """`agent` does the talking; one Call-ID, CSeq counted, the last nonce used on."""

    def __init__(self, agent: Agent, account, password="secret"):
        self.agent, self.account, self.password = agent, account, password
        self.call_id, self.tag, self.cseq, self.nonce, self.nc = token("c") + "@phone", token("t"), 0, None, 0

    def contact(self, params=""):
        return f"<sip:{self.account}@{url_host(self.agent.ip)}:{self.agent.port}>{params}"

    def send(self, switch, contacts=None, expires=None, headers=(), via=None, cseq=None, call_id=None, to=None, authorise=True):
        """One REGISTER. contacts: values of Contact, None: the phone's own, (): none."""
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        uri = f"sip:{url_host(switch[0])}:{switch[1]}"
        aor = f"<sip:{to or self.account}@{url_host(switch[0])}>"
        h = [("Via", via or self.agent.via()), ("Max-Forwards", 70), ("From", f"{aor};tag={self.tag}"), ("To", aor),
             ("Call-ID", call_id or self.call_id), ("CSeq", f"{cseq} REGISTER"), ("User-Agent", "test phone/1.0")]
        h += [("Contact", c) for c in ([self.contact()] if contacts is None else contacts)]
        if expires is not None:
            h.append(("Expires", expires))
        if authorise and self.nonce:
            self.nc += 1
            name = "Authorization" if self.code == 401 else "Proxy-Authorization"
            h.append((name, credentials(self.nonce, self.account, self.password, "REGISTER", uri, self.nc)))
        raw = compose(f"REGISTER {uri} SIP/2.0", h + list(headers))
        self.agent.transmit(raw, switch)
        return Message(raw)

    def register(self, switch, *args, want=200, timeout=3.0, **more):
        """REGISTER, challenged at most twice; the final answer."""
        for _ in range(3):
            sent = self.send(switch, *args, **more)
            m = self.agent.expect(tuple(range(200, 700)), timeout, call_id=sent.call_id)
            if m.code not in (401, 407) or want == m.code:
                break
            self.nonce, self.nc, self.code = challenge_of(m), 0, m.code
            if more.get("cseq") is not None:
                more["cseq"] += 1
        if want and m.code != want:
            raise Unexpected(f"{self.account}: REGISTER was answered {m} instead of {want}")
        return m


def bindings(m):
    """{uri: (expires, params)} of a 200's Contacts."""
    out = {}
    for v in m.all("contact"):
        uri, _, params = v.partition(">")
        out[uri.lstrip("<")] = (int(re.search(r"expires=(\d+)", params).group(1)), params)
    return out
