"""Outbound registrations: what goes to an upstream, when, and what its answers do."""
import time

from lib import Refused, check, equal, shows, wait_for
from lib.upstream import Upstream


def setup(t, start=True, parameters=None, **keys):
    """(switch, upstream): one entry `up`; keys: of the entry, or `registration`."""
    agent = t.agent("carrier", t.ip(20), 5090, "callee", 44000)
    entry = {"id": "up", "proxy": f"udp:{t.ip(20)}:5090", "domain": "carrier.example", "username": "u", "password": "secret", **keys}
    sections = {"registrations": [entry], "registration": {"unregister_timeout": 2}}
    if parameters:
        sections["parameters"] = parameters
    s = t.make(t.config(**sections))
    if start:
        s.start()
    return s, Upstream(agent)


def row(s, id="up"):
    return next(r for r in s.ask("registrations")["registrations"] if r["id"] == id)


def state(s, wanted, id="up", timeout=3):
    wait_for(lambda: row(s, id)["state"] == wanted, timeout, f"state {wanted}: {row(s, id)}")
    return row(s, id)


def unregister(s, up):
    """Ends the softswitch; its unregister is granted."""
    import signal
    s.process.send_signal(signal.SIGTERM)
    m = up.take()
    equal((m.get("expires"), m.get("contact").rpartition(";")[2]), ("0", "expires=0"), "an unregister")
    up.grant(m, 0)
    s.stop()
    return m


@shows("registrations.proxy", "registrations.username", "registrations.password", "registrations.domain", "registrations.id")
def case_whole_life(t):
    """401 to REGISTER is answered; refresh with credentials from the start; the same Call-ID and From tag, CSeq one more each time; unregister."""
    s, up = setup(t)
    first = up.take()
    equal((first.uri, first.address("from"), first.address("to")), ("sip:carrier.example", "sip:u@carrier.example", "sip:u@carrier.example"), "who")
    equal((first.address("contact"), first.get("expires"), first.get("authorization"), first.get("privacy")),
          (f"sip:u@{t.ip(1)}:5060", "3600", None, None), "Contact, Expires")
    m, p = up.challenged(first)
    equal((m.call_id, m.tag("from"), m.cseq[0]), (first.call_id, first.tag("from"), first.cseq[0] + 1), "Call-ID, tag, CSeq")
    equal((p["nc"], p["opaque"], p["realm"]), ("00000001", "o-n1", "carrier"), "nc, opaque, realm")
    up.grant(m, 600)
    r = state(s, "registered")
    check(595 <= r["expires_in_s"] <= 600 and 475 <= r["next_in_s"] <= 480, f"80 % of what was granted: {r}")
    equal((r["last_code"], r["last_error"], r["registrar"]), (200, "", f"{t.ip(20)}:5090"), "row")
    s.ask("register", id="up")
    m = up.take()
    p = up.credentials(m)
    equal((p["nc"], m.call_id, m.cseq[0]), ("00000002", first.call_id, first.cseq[0] + 2), "refresh")
    up.grant(m, 600)
    m = unregister(s, up)
    equal((up.credentials(m)["nc"], m.call_id, m.cseq[0]), ("00000003", first.call_id, first.cseq[0] + 3), "unregister")
