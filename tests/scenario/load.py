"""Many calls through two workers from one peer: none fails, each has one record, the share is even, memory does not grow."""
from lib import Load, alone, check, equal, limit, release_only, session_pids, wait_for


def private_kb(s):
    """Private heaps of all processes; the shared regions have one size for ever."""
    total = 0
    for pid in session_pids(s.pid):
        with open(f"/proc/{pid}/status") as f:
            total += next(int(x.split()[1]) for x in f if x.startswith("RssAnon:"))
    return total


def run(t, calls, rate):
    s = t.switch(t.config(workers=2))

    Load(t, s, calls=500, rate=rate, hold=0.2).wait()   # warm: pools filled
    s.idle(20)
    for x in t.loads:
        x.end()
    before = private_kb(s)
    x = Load(t, s, calls=calls, rate=rate, hold=1)
    wait_for(lambda: s.ask("status")["calls"] > rate * 0.7, 20, "calls up")
    share = [w["calls"] for w in s.workers("signaling")]
    x.timeout = calls / rate + 60
    x.wait()
    x.wait_callee(15)
    s.idle(20)
    grown = private_kb(s) - before
    rows = s.cdrs(calls + 500, timeout=20)
    equal(len({c["call_id"] for c in rows}), calls + 500, "different calls in the records")
    equal({c["reason"] for c in rows}, {"normal"}, "reasons")
    check(min(share) >= 0.35 * sum(share), f"calls of the workers at one moment: {share}")
    check(grown < 2048, f"private memory grew by {grown} kB over {calls} calls")
    sums = [w["restarts"] for w in s.workers()]
    equal(sums, [0] * len(sums), "restarts")


@alone
@limit(120)
def case_calls(t):
    """3,000 calls at 300 a second; 20,000 at 500 a second with --long."""
    if t.options.long:
        run(t, 20000, 500)
    else:
        run(t, 3000, 300)


@alone
@release_only
@limit(120)
def case_dead_gateway(t):
    """600 calls whose first gateway is silent: all go through by the second, two records each."""
    s = t.switch(t.config(gateways=2, workers=2, routing=[{"address": f"{t.ip(50)}:5080", "timeouts": {"invite": 1}}, {"address": f"{t.ip(10)}:5080"}]))
    x = Load(t, s, calls=600, rate=100, hold=0.2)
    x.wait()
    x.wait_callee()
    s.idle(20)
    rows = s.cdrs(1200, timeout=10)
    equal(sorted({(c["attempt"], c["reason"], c["final"]) for c in rows}), [(1, "invite timeout", False), (2, "normal", True)], "records")
