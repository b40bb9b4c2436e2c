#!/usr/bin/env python3
"""An RTP endpoint that proves audio: it plays a tone as G.711 A-law, records what it receives, and says which tone that was.

    tone.py --bind 127.0.0.1:24000 --to-file callee.addr --play 425 --expect 1000 --seconds 5

--to-file: a file in which "ADDRESS PORT" appears once signalling knows where to send (sipp writes it). Prints one JSON object;
exit status 0 when the expected tone was heard, 1 when not.
"""
import argparse
import json
import math
import os
import random
import select
import socket
import struct
import sys
import time

TOOL = True          # not a scenario
RATE, FRAME = 8000, 160


def alaw_byte(x):
    """16-bit linear to A-law, G.711."""
    sign = 0x80 if x >= 0 else 0
    x = min(abs(x if x >= 0 else x + 1), 32635) >> 3
    if x < 32:
        code = x >> 1
    else:
        e = x.bit_length() - 5
        code = (e << 4) | ((x >> e) & 15)
    return (code | sign) ^ 0x55


def linear(byte):
    """A-law to 16-bit linear."""
    b = byte ^ 0x55
    e, m = (b >> 4) & 7, b & 15
    x = (m << 4) + 8 if e == 0 else ((m << 4) + 0x108) << (e - 1)
    return x if b & 0x80 else -x


LINEAR = [linear(b) for b in range(256)]


def frames(hz, level=0.4):
    """One second of the tone as 50 frames; whole periods fit for any whole frequency."""
    pcm = [int(32767 * level * math.sin(2 * math.pi * hz * i / RATE)) for i in range(RATE)]
    data = bytes(alaw_byte(x) for x in pcm)
    return [data[i:i + FRAME] for i in range(0, RATE, FRAME)]


def goertzel(samples, hz):
    """Mean power of one frequency, in the scale in which a full sine of amplitude A gives A*A/2."""
    k = 2 * math.cos(2 * math.pi * hz / RATE)
    a = b = 0.0
    for x in samples:
        a, b = x + k * a - b, a
    n = len(samples)
    return 2 * (a * a + b * b - k * a * b) / (n * n)


def judge(payload, expect, own):
    """What was heard in A-law bytes: {heard_hz, share}: the strongest frequency and its share of all energy."""
    samples = [LINEAR[b] for b in payload[-RATE:]]
    if len(samples) < RATE // 4:
        return {"heard_hz": None, "share": 0.0}
    total = sum(x * x for x in samples) / len(samples)
    candidates = sorted({expect, own, *range(200, 3401, 100)} - {0, None})
    power = {f: goertzel(samples, f) for f in candidates}
    best = max(power, key=power.get)
    return {"heard_hz": best, "share": round(power[best] / total, 3) if total else 0.0}


def packet(sequence, timestamp, ssrc, payload, payload_type=8, marker=False):
    return struct.pack("!BBHII", 0x80, payload_type | (0x80 if marker else 0), sequence & 0xffff, timestamp & 0xffffffff, ssrc) + payload


class Endpoint:
    """Plays and records. step() sends what is due and reads what has come; call it often, or run()."""

    def __init__(self, ip, port, hz=425):
        self.sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((ip, port))
        self.sock.setblocking(False)
        self.hz, self.frames, self.ssrc = hz, frames(hz), random.getrandbits(32)
        self.sequence, self.sent, self.received, self.refused = random.getrandbits(15), 0, 0, 0
        self.payload, self.sources, self.ssrcs, self.lost, self.last = bytearray(), set(), set(), 0, None
        self.to, self.due = None, None

    def _send(self, now):
        if self.due is None:
            self.due = now
        while self.due <= now:
            p = packet(self.sequence, self.sequence * FRAME, self.ssrc, self.frames[self.sequence % 50], marker=not self.sent)
            try:
                self.sock.sendto(p, self.to)
                self.sent += 1
            except ConnectionRefusedError:   # an ICMP error for an earlier packet
                self.refused += 1
            self.sequence += 1
            self.due += 0.02

    def _read(self):
        while True:
            try:
                p, source = self.sock.recvfrom(2048)
            except ConnectionRefusedError:
                self.refused += 1
                continue
            except BlockingIOError:
                return
            if len(p) < 12 or p[0] >> 6 != 2 or p[1] & 0x7f != 8:
                continue
            sequence, _, ssrc = struct.unpack("!HII", p[2:12])
            if self.last is not None:
                self.lost += max(0, ((sequence - self.last) & 0xffff) - 1) if ((sequence - self.last) & 0xffff) < 0x8000 else 0
            self.last = sequence
            self.received += 1
            self.sources.add(source)
            self.ssrcs.add(ssrc)
            self.payload += p[12:]

    def step(self):
        now = time.monotonic()
        if self.to:
            self._send(now)
        self._read()
        return max(0.001, self.due - now) if self.to else 0.02

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wait = self.step()
            select.select([self.sock], [], [], min(wait, max(0, end - time.monotonic())))
        self._read()

    def report(self, expect=None):
        r = {"played_hz": self.hz, "sent": self.sent, "received": self.received, "lost": self.lost, "refused": self.refused,
             "ssrcs": len(self.ssrcs), "sources": sorted(f"{x[0]}:{x[1]}" for x in self.sources)}
        if expect:
            r.update(judge(self.payload, expect, self.hz), expected_hz=expect)
            r["ok"] = r["heard_hz"] == expect and r["share"] > 0.8
        return r

    def close(self):
        self.sock.close()


def both(*endpoints, seconds):
    """Runs several endpoints at once."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wait = min(e.step() for e in endpoints)
        select.select([e.sock for e in endpoints], [], [], min(wait, max(0, end - time.monotonic())))
    for e in endpoints:
        e._read()


def address_of(text):
    host, _, port = text.rpartition(":")
    return host, int(port)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--bind", required=True, type=address_of)
    ap.add_argument("--to", type=address_of)
    ap.add_argument("--to-file")
    ap.add_argument("--play", type=int, default=425, help="Hz")
    ap.add_argument("--expect", type=int, default=1000, help="Hz")
    ap.add_argument("--seconds", type=float, default=5, help="how long to play, from the first packet sent")
    ap.add_argument("--wait", type=float, default=15, help="how long to wait for --to-file")
    a = ap.parse_args()
    e = Endpoint(*a.bind, a.play)
    e.to = a.to
    end = time.monotonic() + a.wait
    while not e.to and time.monotonic() < end:
        e.run(0.05)
        if a.to_file and os.path.exists(a.to_file):
            with open(a.to_file) as f:
                words = f.read().split()
            if len(words) == 2:
                e.to = (words[0], int(words[1]))
    if not e.to:
        print(json.dumps({"ok": False, "error": f"no address to send to within {a.wait} s"}))
        return 1
    e.run(a.seconds)
    e.to = None
    e.run(0.3)
    r = e.report(a.expect)
    print(json.dumps(r))
    return 0 if r["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
