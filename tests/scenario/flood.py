"""Junk beside calls: sources that send too much are ignored, calls go on as if nothing was (behaviour: bad input)."""
import os
import re
import signal
import subprocess
import time

from lib import Load, Unexpected, alone, check, equal, limit, long_only, program, release_only, shows, wait_for
from lib.context import Skip

class Junk:
    """tests/bench/junk from t.ip(first) and the addresses after it."""

    def __init__(self, t, s, rate, seconds, sources, kinds="rtigospb", first=20):
        path = program("junk")
        if not path:
            raise Skip("built without benchmarks")
        self.process = subprocess.Popen([path, "--to", f"{s[0]}:{s[1]}", "--from", t.ip(first), "--sources", str(sources), "--rate", str(rate),
                                         "--seconds", str(seconds), "--kinds", kinds], stdout=subprocess.PIPE, text=True)
        t.loads.append(self)

    def wait(self):
        """(sent, answers, seconds)"""
        got = re.match(r"sent (\d+) refused \d+ answers (\d+) seconds ([\d.]+)", self.process.communicate()[0])
        return int(got[1]), int(got[2]), float(got[3])

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def counter(s, name):
    return sum(int(float(x.rsplit(" ", 1)[1])) for x in s.ask("metrics")["text"].splitlines() if x.startswith(f"tandem_{name}{{"))


def drops(s):
    """Datagrams that the kernel had no room for, on the sockets of the softswitch."""
    total = 0
    want = f"{int.from_bytes(bytes(map(int, s[0].split('.'))), 'little'):08X}:{s[1]:04X}"
    with open("/proc/net/udp") as f:
        for line in f.readlines()[1:]:
            x = line.split()
            total += int(x[-1]) if x[1] == want else 0
    return total


def run(t, junk_rate, sources, rate, seconds, protect):
    s = t.switch(t.config(workers=2, protect=protect))
    calls = rate * seconds
    x = Load(t, s, calls=calls, rate=rate, hold=1, timeout=seconds + 60)
    wait_for(lambda: s.ask("status")["calls"] > rate * 0.5, 10, "calls up")
    j = Junk(t, s, junk_rate, seconds, sources)
    try:
        x.uac.process.wait(seconds + 75)
        ok, bad = x.uac.number("SuccessfulCall(C)"), x.uac.number("FailedCall(C)")
        sent, answers, took = j.wait()
    finally:
        x.uac.end()
        j.end()
    print(f"{ok} calls good, {bad} failed; junk {sent / took:.0f}/s, {answers} answers; ignored {counter(s, 'sip_ignored_total')}, "
          f"pings {counter(s, 'sip_pings_total')}, no room {drops(s)}")
    equal(ok + bad, calls, "calls")
    check(bad <= calls / 1000, f"{bad} of {calls} calls failed beside {sent / took:.0f} junk datagrams a second\n{x.uac.errors()}")
    return s, sent


@alone
@release_only
@limit(90)
@shows("protect.rate", default_differs=False, reason="what is shown is the default")
def case_ignored(t):
    """4 s of 5,000 junk datagrams a second from 20 addresses (--long: 60 s of 20,000 from 80) beside 100 (200) calls a second: the
    sources are banned within the first second, and no call suffers."""
    junk, sources, rate, seconds = (20000, 80, 200, 60) if t.options.long else (5000, 20, 100, 4)
    s, sent = run(t, junk, sources, rate, seconds, {})
    check(counter(s, "sip_ignored_total") > sent * 0.5, "most of it is dropped unread")
    equal(len(s.ask("suspended")["suspended"]), sources, "banned sources")


@alone
@release_only
@long_only
@limit(150)
def case_read(t):
    """60 s of 20,000 junk datagrams a second, of which every single one is read and answered, beside 200 calls a second."""
    s, _ = run(t, 20000, 80, 200, 60, {"rate": 10000})
    equal(s.ask("suspended")["suspended"], [], "banned sources")


def answered(stranger, s):
    """Whether an OPTIONS gets its answer."""
    stranger.inbox.clear()
    stranger.request(s, "OPTIONS")
    try:
        stranger.expect(200, 0.3)
        return True
    except Unexpected:
        return False


def annoy(stranger, s, n=10):
    for _ in range(n):
        stranger.transmit(b"INVITE nonsense\r\n\r\n", s)


def ignored(s, stranger):
    return [x for x in s.ask("suspended")["suspended"] if x["who"] == stranger.ip]


@shows("protect.rate", "protect.ban")
def case_ban(t):
    """More than `rate` bad messages in a second: both workers ignore the address, whatever its port, also after the death of the
    one that decided, for `ban` seconds. Others are answered all the while."""
    stranger, port, other = (t.agent(*x, "caller", 0) for x in (("stranger", t.ip(20), 5060), ("port", t.ip(20), 5999), ("other", t.ip(21), 5060)))
    s = t.switch(t.config(workers=2, protect={"rate": 4, "ban": 4}))
    check(answered(stranger, s), "an answer before")
    annoy(stranger, s)
    rows = wait_for(lambda: ignored(s, stranger), 3, "the ban")
    start = time.monotonic()
    equal(rows[0]["kind"], "ignored", "kind")
    check(not answered(stranger, s) and not answered(port, s), "no answer from any port")
    check(answered(other, s), "an answer for others")
    for i in range(2):
        s.kill_worker("signaling", i)
    wait_for(lambda: answered(other, s), 5, "successors")
    for _ in range(4):   # by Call-ID they go to both workers
        check(time.monotonic() - start > 3 or not answered(stranger, s), "no answer from the successors")
    wait_for(lambda: answered(stranger, s), 6, "the end of the ban")
    check(time.monotonic() - start > 2.5, "not before its time")
    equal(ignored(s, stranger), [], "suspended")


def case_unsuspend(t):
    """A ban is told as an event, and lifted by unsuspend in all workers."""
    stranger = t.agent("stranger", t.ip(20), 5060, "caller", 0)
    s = t.switch(t.config(workers=2, protect={"rate": 9}))
    events = s.connect()
    events.ask("subscribe")
    annoy(stranger, s, 25)
    e = events.line()
    equal((e["event"], e["who"], e["reason"]), ("suspended", stranger.ip, "messages that could not be read"), "event")
    check(not answered(stranger, s), "no answer")
    s.ask("unsuspend", who=stranger.ip)
    wait_for(lambda: answered(stranger, s), 3, "an answer")
    check(all(answered(stranger, s) for _ in range(4)), "answers of both workers")
    equal(ignored(s, stranger), [], "suspended")
    events.close()


@shows("protect.gateways")
def case_gateways(t):
    """A gateway is not ignored, with `gateways: on` it is."""
    for on in (False, True):
        caller, gateway = t.caller(), t.gateway()
        s = t.switch(t.config(protect={"rate": 4, **({"gateways": True} if on else {})}))
        annoy(caller, s)
        check(answered(caller, s) != on, f"an answer with gateways: {on}")
        s.stop()
        caller.close()
        gateway.close()


def case_pings(t):
    """Datagrams without a message in them: nothing, CRLF, zeroes. They cost nothing, ban nobody, and what was read together with them
    is not lost."""
    stranger = t.agent("stranger", t.ip(20), 5060, "caller", 0)
    s = t.switch(t.config(protect={"rate": 4}))
    pid = s.worker("signaling")["pid"]
    os.kill(pid, signal.SIGSTOP)   # so that they come in one batch
    try:
        for raw in (b"", b"\r\n\r\n", b"\r\n", b"\0\0\0\0", b"", b"\r\n", b"\r\n", b"\r\n"):
            stranger.transmit(raw, s)
        stranger.request(s, "OPTIONS")
        stranger.transmit(b"", s)
        stranger.request(s, "OPTIONS")
    finally:
        os.kill(pid, signal.SIGCONT)
    stranger.expect(200)
    stranger.expect(200)
    equal(counter(s, "sip_pings_total"), 9, "pings")
    equal((counter(s, "sip_malformed_total"), ignored(s, stranger)), (0, []), "malformed, ignored")


@alone
@release_only
def case_running(t):
    """More new INVITEs of a gateway than can be worked off: running calls end as ever. (What the kernel has no room for in a burst is
    lost, and sent again; but for what is dropped unread that would be more than half.)"""
    caller, gateway = t.caller(), t.gateway()
    s = t.switch(t.config(each={"prefixes": ["15551234"]}))
    pairs = [t.established(s, caller, gateway) for _ in range(12)]
    j = Junk(t, s, 100000, 2, 1, kinds="i", first=2)
    wait_for(lambda: counter(s, "sip_datagrams_received_total") > 5000, 5, "the flood")
    repeats = 0
    for a, b in pairs:
        a.send("BYE")
        while True:
            try:
                b.reply_to(b.expect("BYE", 0.5), 200)
                break
            except Unexpected:
                repeats += 1
                check(repeats <= 6, "too many BYEs are lost")
                a.repeat(a.sent["BYE"])
        a.expect(200, 2)
    sent, answers, took = j.wait()
    print(f"{sent / took:.0f} INVITEs/s, {answers} answers, dropped unread {counter(s, 'sip_shed_total')}, refused for overload "
          f"{counter(s, 'calls_overloaded_total')}, no room {drops(s)}")
    check(drops(s) <= sent / 4, f"{drops(s)} of {sent} datagrams found no room")
