"""tandemctl trace: what passes and what is decided, as it happens; into a capture file; over the death of a worker."""
import json
import os
import signal
import struct
import subprocess
import time

from lib import check, equal, program, wait_for


class Trace:
    def __init__(self, t, s, *args):
        self.lines = open(os.path.join(t.dir, f"trace{time.monotonic_ns()}"), "w+b")
        self.p = subprocess.Popen([program("tandemctl"), "-s", os.path.join(s.run_dir, "status.sock"), "trace", *args], stdin=subprocess.DEVNULL, stdout=self.lines,
                                  stderr=subprocess.STDOUT)
        time.sleep(0.3)

    def text(self):
        self.lines.seek(0)
        return self.lines.read().decode()

    def events(self):
        return [json.loads(x) for x in self.text().splitlines()]

    def end(self):
        self.p.send_signal(signal.SIGTERM)
        self.p.wait(5)
        self.lines.close()


def over(s, a, b):
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()


def case_ladder(t):
    """A call with a failover: every message of both legs in order, and a line for the route, the attempts, the stage and the rule."""
    s = t.switch(t.config(gateways=2))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    x, j = Trace(t, s), Trace(t, s, "--json")
    a = caller.call(s, "15551234")
    one.take().fail(503)
    b = two.take()
    b.reply(180)
    a.expect(180)
    b.reply(200, body=two.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    over(s, a, b)
    wait_for(lambda: x.text().count("SIP/2.0 200 OK") >= 4, 3, "the end of the ladder")
    text, events = x.text(), j.events()
    firsts = ["route: callee 15551234 from customer: 2 gateways", "attempt 1: gateway gw-a", "SIP/2.0 503", "attempt 1 failed", "next gateway",
              "attempt 2: gateway gw-b", "SIP/2.0 180", "stage ringing: at most", "SIP/2.0 200", "ACK", "BYE"]
    at = 0
    for w in firsts:
        check(w in text[at:], f"{w} is not there, or out of order:\n{text}")
        at = text.index(w, at)
    calls = {e.get("call") for e in events if e["kind"] != "decision"}
    equal(len(calls - {None}), 1, f"calls in {events}")
    messages = [e for e in events if e["kind"] != "decision"]
    equal(messages[0]["kind"], "in")
    equal((messages[0]["from"], messages[0]["to"]), (f"{caller.ip}:5070", f"{s[0]}:{s[1]}"), "addresses")
    check(messages[0]["message"].startswith("INVITE sip:15551234@") and "v=0" in messages[0]["message"], "the whole message")
    equal([e["time_us"] for e in events], sorted(e["time_us"] for e in events), "times")
    x.end()
    j.end()


def case_filters(t):
    """Of two calls through two gateways each filter shows one: by call, by gateway, by address."""
    s = t.switch(t.config(gateways=2, routing=[{"prefixes": ["1"]}, {"prefixes": ["2"]}]))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    first = t.established(s, caller, one, "15551234")
    second = t.established(s, caller, two, "25551234")
    ids = {c["egress"]: c["id"] for c in s.calls()}
    traces = [Trace(t, s, "--json", "--call", ids["gw-b"]), Trace(t, s, "--json", "--gateway", "gw-b"), Trace(t, s, "--json", "--address", two.ip)]
    over_one = first
    over_one[0].send("BYE")
    over_one[1].byed()
    over_one[0].expect(200)
    over(s, *second)
    for n, x in enumerate(traces):
        wait_for(lambda: len(x.events()) >= (2 if n == 2 else 4), 3, f"events of trace {n}")
        equal({e.get("call") for e in x.events()}, {ids["gw-b"]}, f"calls of trace {n}")
    equal({two.ip in e["from"] + e["to"] for e in traces[2].events()}, {True}, "addresses")
    code = s.ctl("trace", "--gateway", "nobody")[0]
    equal(code, 1, "an unknown gateway")
    for x in traces:
        x.end()


def case_capture(t):
    """The capture file holds the datagrams with IP and UDP headers whose sums are right."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    path = os.path.join(t.dir, "call.pcap")
    x = Trace(t, s, "--pcap", path)
    a, b = t.established(s, caller, gw)
    over(s, a, b)
    wait_for(lambda: x.text().count("SIP/2.0 200 OK") >= 4, 3, "the end of the call")
    x.end()
    raw = open(path, "rb").read()
    equal(struct.unpack("<IHHIIII", raw[:24])[::6], (0xa1b2c3d4, 101), "head of the file")
    at, payloads = 24, []
    while at < len(raw):
        n = struct.unpack("<IIII", raw[at:at + 16])[2]
        packet = raw[at + 16:at + 16 + n]
        at += 16 + n
        equal((packet[0], packet[9], struct.unpack("!H", packet[2:4])[0]), (0x45, 17, n), "IP header")

        def folded(data):
            v = sum(struct.unpack(f"!{len(data + bytes(len(data) % 2)) // 2}H", data + bytes(len(data) % 2)))
            while v >> 16:
                v = (v & 0xffff) + (v >> 16)
            return v
        equal(folded(packet[:20]), 0xffff, "sum of the IP header")
        equal(folded(packet[12:20] + struct.pack("!HH", 17, n - 20) + packet[20:]), 0xffff, "sum of the datagram")
        payloads.append(packet[28:])
    equal(at, len(raw), "end of the file")
    check(payloads[0].startswith(b"INVITE ") and payloads[0].endswith(b"\r\n"), "first datagram")
    check(len(payloads) >= 12, f"{len(payloads)} datagrams")


def case_worker_dies(t):
    """The signalling worker dies: its successor is told of the trace; without clients nothing is traced any more."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    x = Trace(t, s)
    s.kill_worker("signaling")
    time.sleep(0.3)
    a, b = t.established(s, caller, gw)
    wait_for(lambda: "INVITE" in x.text(), 3, "the INVITE")
    x.end()
    over(s, a, b)
