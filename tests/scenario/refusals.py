"""What is refused before any gateway is tried, with which code and why; and bad input, which never stops a worker."""
import os
import time

from lib import check, compose, equal, shows


def refused(t, code, cause=None, reason=None, config=None, callee="15551234", port=5070, host=2, **more):
    s = t.switch(config or t.config())
    caller = t.caller(host, port)
    a = caller.call(s, callee, **more)
    m = a.expect(code)
    if cause:
        check(f"cause={cause}" in (m.get("reason") or ""), f"Reason: {m.get('reason')}")
    if reason:
        c, = s.cdrs(1)
        equal((c["code"], c["cause"], c["reason"], c["attempt"], c["final"]), (code, cause, reason, 0, True), "record")
    s.idle()
    return s, m


def case_no_route(t):
    """No prefix matches: 404, cause 1."""
    refused(t, 404, 1, "no route", callee="99990000")


def case_unknown_source(t):
    """A caller that is no gateway of ours: 403, and no call goes out."""
    gw = t.gateway()
    refused(t, 403, host=9)
    gw.quiet(0.2)


@shows("mapping_gateways.lock")
def case_ingress_locked(t):
    """A locked ingress: 403."""
    refused(t, 403, config=t.config(mapping={"lock": "all"}))


@shows("mapping_gateways.line_limit")
def case_line_limit(t):
    """Line limit of the ingress: 503 without Retry-After, and a line that comes free is given out again."""
    s = t.switch(t.config(mapping={"line_limit": 2}))
    caller, gw = t.caller(), t.gateway()
    up = [t.established(s, caller, gw, f"1555000{i}") for i in range(2)]
    m = caller.call(s, "15559999").expect(503)
    equal(m.get("retry-after"), None, "Retry-After")
    check("cause=34" in (m.get("reason") or ""), f"Reason: {m.get('reason')}")
    a, b = up[0]
    a.send("BYE")
    b.byed()
    a.expect(200)
    a, b = t.established(s, caller, gw, "15558888")
    a.send("BYE")
    b.byed()
    a.expect(200)
    a, b = up[1]
    a.send("BYE")
    b.byed()
    a.expect(200)
    equal(sorted(c["reason"] for c in s.cdrs(4)), ["ingress limit", "normal", "normal", "normal"], "records")


@shows("routing_gateways.line_limit")
def case_gateway_line_limit(t):
    """Line limit of a routing gateway: the next one takes the call; when all are full 503 without Retry-After."""
    s = t.switch(t.config(gateways=2, routing=[{"line_limit": 1}, {"line_limit": 1}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    up = [t.established(s, caller, one), t.established(s, caller, two)]
    m = caller.call(s, "15559999").expect(503)
    equal(m.get("retry-after"), None, "Retry-After")
    for a, b in up:
        a.send("BYE")
        b.byed()
        a.expect(200)


@shows("mapping_gateways.rate_limit")
def case_rate_limit(t):
    """Calls per second of the ingress: beyond it 503."""
    s = t.switch(t.config(mapping={"rate_limit": 2}))
    caller, gw = t.caller(), t.gateway()
    calls = [caller.call(s, f"1555000{i}") for i in range(8)]
    time.sleep(0.2)
    codes = []
    for a in calls:
        m = caller.expect((100, 503), call_id=a.call_id, skip=())
        if m.code == 100:
            b = gw.take()
            b.fail(486)
            a.expect(486)
        else:
            a._ack_failure(m)
        codes.append(m.code)
    check(2 <= codes.count(100) <= 4, f"with 2 calls a second allowed, of 8 at once {codes.count(100)} went through")


@shows("routing_gateways.rate_limit")
def case_gateway_rate_limit(t):
    """New calls per second of a routing gateway: those beyond go to the next one."""
    s = t.switch(t.config(gateways=2, routing=[{"rate_limit": 1}, {}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    first, second = caller.call(s, "15551234"), caller.call(s, "15551234")
    for a, gw in ((first, one), (second, two)):
        gw.take().fail(486)
        a.expect(486)


def case_busy_passes(t):
    """486 of the gateway reaches the caller, with cause 17, and no other gateway is tried."""
    s = t.switch(t.config(gateways=2))
    caller, gw, other = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234")
    gw.take().fail(486)
    check("cause=17" in (a.expect(486).get("reason") or ""), "Reason of the 486")
    other.quiet(0.2)
    c, = s.cdrs(1)
    equal((c["code"], c["cause"], c["final"], c["attempt"]), (486, 17, True, 1), "record")


def case_unknown_method(t):
    """An unknown method gets 405 with Allow, or 501."""
    s = t.switch()
    caller = t.caller()
    for method in ("FROBNICATE", "PUBLISH"):
        caller.request(s, method, "x")
        m = caller.expect((405, 501))
        check(m.code == 501 or m.get("allow"), f"{method}: a 405 without Allow")


def case_required_extension(t):
    """Require of something we do not know: 420 and Unsupported names it."""
    s, m = refused(t, 420, headers=[("Require", "frobnication")])
    check("frobnication" in (m.get("unsupported") or ""), f"Unsupported: {m.get('unsupported')}")


def case_too_many_hops(t):
    """Max-Forwards 0: 483."""
    refused(t, 483, max_forwards=0)


def case_malformed(t):
    """A request that cannot be right but can be answered: 400. Each of them leaves the worker as it was."""
    s = t.switch()
    pid = s.worker("signaling")["pid"]
    for drop, extra, what in (((), [("CSeq", "1 BYE")], "CSeq of another method"), (("To",), [], "no To"), (("From",), [], "no From"),
                              (("CSeq",), [], "no CSeq"), (("Call-ID",), [], "no Call-ID")):
        caller = t.caller(2, 5070)
        h = [("Via", caller.via()), ("Max-Forwards", 70), ("From", f"<sip:1@{caller.host}>;tag=x{len(what)}"), ("To", f"<sip:15551234@{s[0]}>"),
             ("Call-ID", f"bad{len(what)}"), ("CSeq", "1 INVITE"), ("Contact", caller.contact())]
        h = [x for x in h if x[0] not in drop and not any(x[0] == n for n, _ in extra)] + extra
        caller.transmit(compose(f"INVITE sip:15551234@{s[0]} SIP/2.0", h, caller.offer()), s.address)
        end = time.monotonic() + 1
        try:
            caller.sock.settimeout(1)
            raw = caller.sock.recv(65535)
            check(raw.startswith(b"SIP/2.0 400"), f"{what}: {raw[:80]!r}")
        except TimeoutError:
            check(drop, f"{what}: no answer within {time.monotonic() - end + 1:.1f} s")   # without these headers no answer may be possible
        caller.close()
    equal(s.worker("signaling")["pid"], pid, "pid of the worker")


def case_garbage(t):
    """Bytes of every kind; then a call goes through the same worker."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    pid = s.worker("signaling")["pid"]
    good = compose(f"INVITE sip:15551234@{s[0]} SIP/2.0", [("Via", caller.via()), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>"),
                                                            ("Call-ID", "cut"), ("CSeq", "1 INVITE")], caller.offer())
    for raw in [b"", b"\0", b"\r\n\r\n", b"\r\n" * 500, b"A" * 65000, os.urandom(1200), b"INVITE", b"INVITE \r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n",
                b"SIP/2.0 999 \r\nVia: \r\n\r\n", b"\xff\xfe" * 700] + [good[:n] for n in range(20, len(good), 37)]:
        caller.transmit(raw, s.address)
    time.sleep(0.3)
    while True:   # refusals of the cut ones
        caller.sock.setblocking(False)
        try:
            caller.sock.recv(65535)
        except OSError:
            break
    caller.sock.setblocking(True)
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    equal((s.worker("signaling")["pid"], s.worker("signaling")["restarts"]), (pid, 0), "worker")


def case_merged(t):
    """The same request by another way (same From tag, Call-ID and CSeq, other branch) while the first is going on: 482."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(180)
    a.expect(180)
    first = a.sent["INVITE"]
    twin = first.raw.replace(first.branch.encode(), caller.secret("z9hG4bKtwin-of-it").encode())
    caller.transmit(twin, s.address)
    m = caller.expect(482)
    a.agent.transmit(compose(f"ACK {first.uri} SIP/2.0", [("Via", m.get("via")), ("Max-Forwards", 70), ("From", m.get("from")), ("To", m.get("to")),
                                                          ("Call-ID", m.call_id), ("CSeq", "1 ACK")]), s.address)
    gw.quiet(0.2)
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_unknown_dialog(t):
    """BYE, INFO, re-INVITE of a dialog that does not exist: 481."""
    s = t.switch()
    caller = t.caller()
    for method in ("BYE", "INFO", "UPDATE", "INVITE"):
        raw = compose(f"{method} sip:15551234@{s[0]}:{s[1]} SIP/2.0",
                      [("Via", caller.via()), ("Max-Forwards", 70), ("From", f"<sip:1@{caller.host}>;tag=a"), ("To", f"<sip:2@{s[0]}>;tag=nobody"),
                       ("Call-ID", f"gone-{method}"), ("CSeq", f"7 {method}"), ("Contact", caller.contact())])
        caller.transmit(raw, s.address)
        equal(caller.expect((481, 200, 404)).code, 481, method)
