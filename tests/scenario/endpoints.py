"""Endpoints that register with us: REGISTER (RFC 3261 section 10), what survives a crash or a restart, NAT keep-alive."""
import os
import signal

from lib import check, equal, shows, wait_for
from lib.phone import Phone, bindings


def account(n=1, **more):
    return dict({"id": f"100{n}", "password": "secret"}, **more)


def phone(t, host=20, n=1, port=5060):
    return Phone(t.agent(f"phone{host}", t.ip(host), port, "phone", 43000 + 2 * host), f"100{n}")


def config(t, accounts=None, parameters=None, system=None, **more):
    c = t.config(gateways=0, **more)
    c["accounts"] = accounts or [account()]
    c["parameters"] = parameters or {}
    c["system"].update(system or {})
    c["system"]["limits"] = {"calls": 100, "endpoints": 200}
    return c


def listed(s):
    return sorted((e["account"], e["contact"]) for e in s.ask("endpoints")["endpoints"])


@shows("accounts.id", "accounts.password")
def case_register_refresh_remove(t):
    """A phone registers, asks what is known, refreshes, and takes its contact back."""
    s = t.switch(config(t))
    a = phone(t)
    m = a.register(s)
    equal(list(bindings(m)), [f"sip:1001@{a.agent.ip}:5060"], "contacts")
    equal(bindings(a.register(s, contacts=())), bindings(m), "what a query is told")
    a.register(s, expires=0)
    equal(a.register(s, contacts=()).all("contact"), [], "contacts after the removal")


def case_listed_and_told(t):
    """tandemctl endpoints, the events and the metrics."""
    s = t.switch(config(t))
    with_events = s.connect()
    with_events.ask("subscribe")
    a = phone(t)
    a.register(s, contacts=[a.contact(";q=0.5;expires=120")])
    [e] = s.ask("endpoints")["endpoints"]
    equal((e["account"], e["contact"], e["source"], e["nat"], e["q"], e["user_agent"]),
          ("1001", f"sip:1001@{a.agent.ip}:5060", f"{a.agent.ip}:5060", False, 0.5, "test phone/1.0"), "endpoint")
    check(118 <= e["expires_in_s"] <= 120, f"expires in {e['expires_in_s']} s")
    check("tandem_endpoints 1\n" in s.ask("metrics")["text"], "metrics")
    a.register(s)   # a refresh is no news
    a.register(s, expires=0)
    got = [with_events.line() for _ in range(2)]
    equal([(x["event"], x["account"], x["contact"]) for x in got],
          [(f"endpoint.{w}", "1001", f"sip:1001@{a.agent.ip}:5060") for w in ("registered", "unregistered")], "events")


def kept(t):
    try:
        with open(f"{t.dir}/state/endpoints") as f:
            return f.read()
    except OSError:
        return ""


def again(s):
    """All processes are killed, and the softswitch is started anew."""
    for pid in s.pids():
        os.kill(pid, signal.SIGKILL)
    s.process.wait()
    wait_for(lambda: not s.pids(), 5, "the end of all processes")
    return s.start()


@shows("system.state_dir")
def case_restart_of_everything(t):
    """What was registered a second before everything was killed is there again; what was removed or has expired is not."""
    c = config(t, accounts=[account(1), account(2), account(3)], system={"state_dir": f"{t.dir}/state"})
    s = t.switch(c)
    a, b, d = phone(t, 20, 1), phone(t, 21, 2), phone(t, 22, 3)
    for x in (a, b, d):
        x.register(s)
    b.register(s, expires=0)
    a.register(s, contacts=[a.contact(';+sip.instance="<urn:uuid:1>";reg-id=2')], headers=[("Path", "<sip:127.0.0.9;lr>"), ("Supported", "path")])
    before = s.ask("endpoints")["endpoints"]
    wait_for(lambda: "urn:uuid:1" in kept(t), 2, "the file")
    again(s)
    wait_for(lambda: len(s.ask("endpoints")["endpoints"]) == 2, 3, "both endpoints")
    after = s.ask("endpoints")["endpoints"]
    for x, y in zip(sorted(before, key=str), sorted(after, key=str)):
        check(0 <= x["expires_in_s"] - y["expires_in_s"] <= 20, f"{x['expires_in_s']} s before, {y['expires_in_s']} s after")
        for e in (x, y):
            e.pop("expires_in_s"), e.pop("registered_s")
        equal(y, x, "endpoint")
    # the order of requests is kept up, too
    a.cseq = 0
    a.register(s, want=500)
