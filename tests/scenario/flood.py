"""Junk beside calls: sources that send too much are ignored, calls go on as if nothing was (behaviour: bad input)."""
import re
import subprocess

from lib import Load, alone, check, equal, limit, long_only, program, release_only, shows, wait_for
from lib.context import Skip

class Junk:
    """tests/bench/junk from t.ip(20) and the addresses after it."""

    def __init__(self, t, s, rate, seconds, sources, kinds="rtigospb"):
        path = program("junk")
        if not path:
            raise Skip("built without benchmarks")
        self.process = subprocess.Popen([path, "--to", f"{s[0]}:{s[1]}", "--from", t.ip(20), "--sources", str(sources), "--rate", str(rate),
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
