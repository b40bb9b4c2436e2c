"""Endpoints that register with us: REGISTER (RFC 3261 section 10), what survives a crash or a restart, NAT keep-alive."""
import os
import select
import signal
import time

from lib import alone, check, equal, limit, release_only, shows, wait_for
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


def expiry(m, uri=None):
    b = bindings(m)
    equal(len(b), 1, "contacts")
    return next(iter(b.values()))[0]


@shows("SS_ENDPOINT_EXPIRE")
def case_expiry_granted(t):
    """Asked for nothing: the first value; for more than the second: the second; below 20 s: 423."""
    s = t.switch(config(t, parameters={"SS_ENDPOINT_EXPIRE": "60/120"}))
    a = phone(t)
    equal(expiry(a.register(s)), 60, "without a wish")
    equal(expiry(a.register(s, expires=100)), 100, "what the Expires header asks for")
    equal(expiry(a.register(s, contacts=[a.contact(";expires=90")], expires=100)), 90, "the Contact's own wish")
    equal(expiry(a.register(s, expires=3600)), 120, "more than is granted")
    equal(expiry(a.register(s, contacts=[a.contact(";expires=soon")])), 120, "no number: an hour (RFC 3261 section 10.2.1.1)")
    m = a.register(s, expires=19, want=423)
    equal(m.get("min-expires"), "20", "Min-Expires")
    equal(expiry(a.register(s, expires=20)), 20, "the least")


@shows("SS_ENDPOINT_NAT_EXPIRE")
def case_expiry_behind_nat(t):
    """Via or Contact name another address than the packet's: at most SS_ENDPOINT_NAT_EXPIRE is granted."""
    s = t.switch(config(t, parameters={"SS_ENDPOINT_NAT_EXPIRE": 45}))
    a = phone(t)
    inside = "<sip:1001@192.168.1.7:5060>"
    equal(expiry(a.register(s, expires=300)), 300, "no NAT")
    equal(a.register(s, contacts=[inside], expires=300).code, 200, "answer")
    equal([(e["contact"], e["nat"], e["source"]) for e in s.ask("endpoints")["endpoints"]],
          [("sip:1001@192.168.1.7:5060", True, f"{a.agent.ip}:5060")], "a Contact of another address")
    equal(expiry(a.register(s, contacts=(), expires=300)), 45, "granted")
    m = a.register(s, via=f"SIP/2.0/UDP 192.168.1.7:5060;branch=z9hG4bKnat1{a.cseq};rport", expires=300)
    equal(bindings(m)[f"sip:1001@{a.agent.ip}:5060"][0], 45, "granted for a Via of another address")
    equal(expiry(a.register(s, contacts=[a.contact()], expires=30)), 30, "less is granted as asked")


@shows("SS_ENDPOINT_REGISTER_REPLACE", "accounts.max_contacts")
def case_too_many_contacts(t):
    """Beyond max_contacts the oldest goes, or the new one is refused; a refresh is never a new one."""
    one, two, three = "<sip:1001@127.0.0.1:5061>", "<sip:1001@127.0.0.1:5062>", "<sip:1001@127.0.0.1:5063>"
    s = t.switch(config(t, accounts=[account(max_contacts=2)], parameters={"SS_ENDPOINT_REGISTER_REPLACE": False}))
    a = phone(t)
    a.register(s, contacts=[one])
    a.register(s, contacts=[two])
    a.register(s, contacts=[three], want=403)
    equal([c for _, c in listed(s)], [one[1:-1], two[1:-1]], "contacts")
    time.sleep(0.02)   # ages are told apart by the millisecond
    a.register(s, contacts=["<sip:1001@127.0.0.1:5061>;q=0.3"])
    c = config(t, accounts=[account(max_contacts=2)])
    s.write(c)
    s.ask("reload")
    equal(sorted(bindings(a.register(s, contacts=[three]))), [one[1:-1], three[1:-1]], "the one not heard of for longest has gone")
    a.register(s, contacts=[one, two, three], want=403)
    equal([c for _, c in listed(s)], [one[1:-1], three[1:-1]], "a request that asks for more than there can be changes nothing")


def case_instance_and_reg_id(t):
    """Same instance and reg-id: the same contact, whatever its URI; another reg-id: another contact (RFC 5626)."""
    s = t.switch(config(t, accounts=[account(max_contacts=3)]))
    a = phone(t)
    at = lambda port, reg: f'<sip:1001@127.0.0.1:{port}>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";reg-id={reg}'
    a.register(s, contacts=[at(5061, 1)])
    a.register(s, contacts=[at(5062, 1)])
    m = a.register(s, contacts=[at(5062, 2)])
    equal([v.partition(";expires=")[0] for v in m.all("contact")], ["<sip:1001@127.0.0.1:5062>"] * 2, "contacts")
    check('+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>";reg-id=2' in m.all("contact")[1], "parameters given back")
    a.register(s, contacts=["*"], expires=0)
    equal(listed(s), [], "after Contact: *")


def case_order_of_requests(t):
    """CSeq within a Call-ID must rise; a request fails as a whole; a repeated one gets the same answer."""
    s = t.switch(config(t, accounts=[account(max_contacts=3)]))
    a = phone(t)
    first = a.register(s, contacts=["<sip:1001@127.0.0.1:5061>"])
    last = a.cseq
    sent = a.send(s, contacts=["<sip:1001@127.0.0.1:5062>"])
    answer = a.agent.expect(200)
    a.agent.transmit(sent.raw, s)
    equal(a.agent.expect(200, again=True).raw, answer.raw, "answer to the repetition")
    a.register(s, contacts=["<sip:1001@127.0.0.1:5063>", "<sip:1001@127.0.0.1:5062>;expires=0"], cseq=last, want=500)
    equal([c for _, c in listed(s)], ["sip:1001@127.0.0.1:5061", "sip:1001@127.0.0.1:5062"], "nothing has changed")
    a.register(s, contacts=["*"], expires=0, cseq=last - 1, want=500)
    a.register(s, contacts=["*"], want=400)
    a.register(s, contacts=["*", "<sip:1001@127.0.0.1:5062>"], expires=0, want=400)
    a.register(s, contacts=["<mailto:a@b>"], want=400)
    m = a.register(s, headers=[("Require", "path, gruu-of-mine")], want=420)
    equal(m.get("unsupported"), "gruu-of-mine", "Unsupported")
    a.register(s, contacts=["<sip:1001@127.0.0.1:5062>;expires=0"], call_id="another@phone")
    equal(len(listed(s)), 1, "another Call-ID is no question of order")
    check(first.tag("to"), "a tag in To")


def case_nobody_else(t):
    """Accounts register themselves and nobody else; a wrong password and a disabled account register nothing."""
    s = t.switch(config(t, accounts=[account(1), account(2), account(3, enabled=False)]))
    a, b, c = phone(t), phone(t, 21, 2), phone(t, 22, 3)
    m = a.register(s, to="1002", want=None)
    check(m.code in (401, 403), f"{m} to a REGISTER for another account")
    b.password = "wrong"
    m = b.register(s, want=None)
    check(m.code in (401, 403), f"{m} to a wrong password")
    m = c.register(s, want=None)
    check(m.code in (401, 403), f"{m} to a disabled account")
    equal(listed(s), [], "contacts")


@shows("accounts.enabled")
def case_reload_drops(t):
    """A reload that disables or removes an account drops its contacts; the others stay."""
    s = t.switch(config(t, accounts=[account(1), account(2), account(3)]))
    for n in (1, 2, 3):
        phone(t, 19 + n, n).register(s)
    c = config(t, accounts=[account(1), account(2, enabled=False)])
    s.write(c)
    s.ask("reload")
    wait_for(lambda: [a for a, _ in listed(s)] == ["1001"], 2, "one account left")


def case_expires(t):
    """A contact that is not refreshed goes when its time is over, and is gone for everybody at that moment."""
    s = t.switch(config(t))
    events = s.connect()
    events.ask("subscribe")
    a = phone(t)
    a.register(s, expires=20)
    events.sock.settimeout(25)
    equal(events.line()["event"], "endpoint.registered", "event")
    start = time.monotonic()
    equal(events.line()["event"], "endpoint.expired", "event")
    check(19.5 < time.monotonic() - start < 23, f"expired after {time.monotonic() - start:.1f} s")
    equal(listed(s), [], "contacts")


case_expires.long_only = True


def case_owner_dies(t):
    """The worker that owns the account is killed: its successor knows the contact, when it ends, and the order of requests."""
    s = t.switch(config(t, accounts=[account(n) for n in range(1, 7)], workers=2))
    phones = [phone(t, 20 + n, n) for n in range(1, 7)]
    for a in phones:
        a.register(s, expires=200)
    before = listed(s)
    for i in (0, 1):
        s.kill_worker("signaling", i)
    equal(listed(s), before, "contacts")
    for a in phones:
        equal(expiry(a.register(s, contacts=())) > 180, True, "expiry goes on")
        a.register(s, cseq=1, want=500)
        a.register(s, expires=0)
    equal(listed(s), [], "contacts")


def nat(t, host, n):
    a = phone(t, host, n)
    a.inside = [f"<sip:100{n}@10.9.8.{n}:5060>"]
    return a


def pings(phones, seconds, stop=None):
    """[(time, phone number, payload)] of what is no SIP."""
    out, end = [], time.monotonic() + seconds
    socks = {x.agent.sock: i for i, x in enumerate(phones)}
    while time.monotonic() < end and not (stop and stop(out)):
        for sock in select.select(list(socks), [], [], 0.1)[0]:
            raw, source = sock.recvfrom(65535)
            if not raw.startswith(b"SIP/2.0"):
                out.append((time.monotonic(), socks[sock], raw, source))
    return out


KEEP = {"SS_SIP_NAT_KEEP_ALIVE_MESSAGE": "\r\n\r\n", "SS_SIP_NAT_KEEP_ALIVE_PERIOD": 10, "SS_SIP_NAT_KEEP_ALIVE_SEND_INTERVAL": 800,
        "SS_SIP_NAT_KEEP_ALIVE_SEND_ONE_TIME": 2}


@shows("SS_SIP_NAT_KEEP_ALIVE_MESSAGE", "SS_SIP_NAT_KEEP_ALIVE_PERIOD", "SS_SIP_NAT_KEEP_ALIVE_SEND_INTERVAL", "SS_SIP_NAT_KEEP_ALIVE_SEND_ONE_TIME")
@release_only
@alone
def case_keep_alive(t):
    """Only what is behind NAT gets them, from the SIP port, two at a time, 0.8 s apart, each 10 s; the registrar's death in the
    middle of a pass changes none of that."""
    begin = time.monotonic()   # about when the first pass begins, for which nobody is there
    s = t.switch(config(t, accounts=[account(n) for n in range(1, 7)], parameters=KEEP))
    phones = [nat(t, 20 + n, n) for n in range(1, 6)]
    open_one = phone(t, 30, 6)
    open_one.register(s)
    for a in phones:
        a.register(s, contacts=a.inside)
    start = pings(phones + [open_one], 12, lambda got: len(got) and got[-1][0] - got[0][0] < 0.05 and len(got) >= 2)
    got = [x for x in start if x[0] > start[-1][0] - 0.05]
    s.kill_worker("registrar")
    got += pings(phones + [open_one], 2.5)
    equal(sorted(x[1] for x in got), [0, 1, 2, 3, 4], "who got one in a pass")
    equal({x[2] for x in got}, {b"\r\n\r\n"}, "payload")
    equal({x[3] for x in got}, {(s[0], 5060)}, "source")
    batches = []
    for at, *_ in got:
        if not batches or at - batches[-1][0] > 0.1:
            batches.append([at, 0])
        batches[-1][1] += 1
    equal([n for _, n in batches], [2, 2, 1], "batches")
    gaps = [y[0] - x[0] for x, y in zip(batches, batches[1:])]
    check(all(0.79 <= g <= 1.0 for g in gaps), f"seconds between batches: {gaps}")
    check(9.9 < got[0][0] - begin < 11.5, f"{got[0][0] - begin:.2f} s after the start")


@alone
@limit(40)
def case_keep_alive_missed(t):
    """What does not fit the period is counted and said once, and the next pass begins from the start."""
    s = t.switch(config(t, accounts=[account(n) for n in range(1, 4)],
                        parameters=dict(KEEP, SS_SIP_NAT_KEEP_ALIVE_SEND_ONE_TIME=1, SS_SIP_NAT_KEEP_ALIVE_SEND_INTERVAL=10000)))
    phones = [nat(t, 20 + n, n) for n in range(1, 4)]
    for a in phones:
        a.register(s, contacts=a.inside)
    wait_for(lambda: "tandem_keep_alives_missed_total" in s.ask("metrics")["text"] and "did not get to 2 endpoints" in s.log(), 25, "the missed ones")


case_keep_alive_missed.long_only = True


def case_registrar_dies_while_writing(t):
    """state_dir with the registrar killed again and again: what was registered last is in the file, and comes back."""
    c = config(t, accounts=[account(n) for n in range(1, 7)], system={"state_dir": f"{t.dir}/state"})
    s = t.switch(c)
    phones = [phone(t, 20 + n, n) for n in range(1, 7)]
    for a in phones:
        a.register(s)
        s.kill_worker("registrar")
    phones[0].register(s, expires=0)
    # its last line of each record counts: 1001 is taken back in one, or came too late for the snapshot
    last = lambda: {x.split("\t")[1]: x for x in kept(t).splitlines()[1:]}.values()
    wait_for(lambda: "sip:1006@" in kept(t) and not any("\t1001\t" in x for x in last()), 5, "the file")
    again(s)
    wait_for(lambda: [a for a, _ in listed(s)] == [f"100{n}" for n in range(2, 7)], 3, "five accounts")


def case_torn_file(t):
    """A torn last line is dropped, a damaged one left out; a file of something else is put aside."""
    c = config(t, accounts=[account(1), account(2)], system={"state_dir": f"{t.dir}/state"})
    s = t.switch(c)
    s.dies = True
    phone(t, 20, 1).register(s)
    phone(t, 21, 2).register(s)
    wait_for(lambda: "sip:1002@" in kept(t), 2, "the file")
    s.stop()
    lines = kept(t).splitlines(keepends=True)
    with open(f"{t.dir}/state/endpoints", "w") as f:
        f.write("".join(lines) + lines[1].replace("sip:", "sop:") + lines[1][:40])
    s.start()
    wait_for(lambda: len(listed(s)) == 2, 3, "both")
    check("1 damaged lines of endpoints are left out" in s.log(), "log")
    s.stop()
    with open(f"{t.dir}/state/endpoints", "w") as f:
        f.write("something else\n")
    s.start()
    wait_for(lambda: os.path.exists(f"{t.dir}/state/endpoints.bad"), 3, "the file put aside")
    equal(listed(s), [], "contacts")
