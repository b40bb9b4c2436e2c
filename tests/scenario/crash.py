"""Any one process is killed with SIGKILL while calls are up or in set-up: they stay up, end properly, and are billed once."""
import os
import signal
import time

import tone
from lib import SLOW, Load, alone, check, equal, wait_for


def with_calls_up(t, bye, env=None):
    s = t.switch(t.config(workers=2), env=env)
    x = Load(t, s, calls=200, rate=200, hold=5, bye=bye)
    wait_for(lambda: s.ask("status")["calls"] == 200, 20, "200 calls up")
    time.sleep(0.5)
    pid, gap = s.kill_worker("signaling", 0)
    check(gap < 0.1 * SLOW, f"the successor was in service {gap * 1000:.0f} ms after the kill")
    equal(s.ask("status")["calls"], 200, "calls after the kill")
    x.wait()
    x.wait_callee()
    s.idle()
    rows = s.cdrs(200)
    equal(len({c["call_id"] for c in rows}), 200, "different calls in the records")
    equal({(c["reason"], c["ended_by"], c["final"], c["attempt"]) for c in rows}, {("normal", bye, True, 1)}, "records")
    check(all(4000 < c["duration_ms"] < 8000 for c in rows), "durations")
    check(any(c.get("recovered") for c in rows), "no record says that its call was recovered")
    w = s.worker("signaling", 0)
    equal(w["restarts"], 1, "restarts")


@alone
def case_signaling_caller_ends(t):
    """A signalling worker dies with 200 calls up: its successor is there within 100 ms; the callers end all of them."""
    with_calls_up(t, "caller")


@alone
def case_signaling_callee_ends(t):
    """The same; the callees end the calls."""
    with_calls_up(t, "callee")


@alone
def case_signaling_ring(t):
    """The same with hand-over by ring."""
    with_calls_up(t, "caller", {"TANDEM_STEERING": "ring"})


def case_during_setup(t):
    """The worker dies while the callee rings: the 200 finds the successor, the call is answered and ends."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(180)
    a.expect(180)
    s.kill_worker("signaling")
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    c, = s.cdrs(1)
    equal((c["reason"], c.get("recovered")), ("normal", True), "record")


def case_cancel_after_crash(t):
    """The worker dies while the callee rings; the caller's CANCEL is carried out by the successor."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(180)
    a.expect(180)
    s.kill_worker("signaling")
    a.cancel()
    for _ in range(2):
        a.expect((200, 487))
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)
    s.idle()
    equal([c["reason"] for c in s.cdrs(1)], ["cancelled"], "records")


def case_failover_after_crash(t):
    """The worker dies while the first gateway is silent: the successor goes on to the second, in time."""
    s = t.switch(t.config(gateways=2, each={"timeouts": {"invite": 2}}))
    caller, one, two = t.caller(), t.gateway(0), t.gateway(1)
    a = caller.call(s, "15551234")
    x = one.take()
    s.kill_worker("signaling")
    y = two.take(timeout=5)
    check(1.8 < y.invite.time - x.invite.time < 3, f"the second gateway was tried after {y.invite.time - x.invite.time:.2f} s")
    y.reply(200, body=two.answer())
    a.expect(200)
    a.ack()
    y.expect("ACK")
    a.send("BYE")
    y.byed()
    a.expect(200)
    s.cdrs(2)


def case_datagrams_wait(t):
    """What arrives while no worker is there is not lost: a BYE sent between death and succession is answered without being resent."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    os.kill(s.worker("signaling")["pid"], signal.SIGKILL)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    s.cdrs(1)


def case_stopped_worker_is_replaced(t):
    """A worker that hangs (SIGSTOP) is found by its heartbeat and replaced; its call goes on."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    pid = s.worker("signaling")["pid"]
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: s.worker("signaling")["pid"] not in (0, pid) and s.worker("signaling")["state"] == "running", 8 * SLOW, "a successor of the hung worker")
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(1)


def case_media(t):
    """The media worker dies during a call: audio goes on within 200 ms, no ICMP reaches the peers, and the call ends as usual."""
    s = t.switch(t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = a.answer.media, b.invite.media
    tone.both(left, right, seconds=1)
    pid = s.worker("media")["pid"]
    os.kill(pid, signal.SIGKILL)
    tone.both(left, right, seconds=1.5)
    left.to = right.to = None
    tone.both(left, right, seconds=0.2)
    for e, other, hz in ((left, right, 1000), (right, left, 425)):
        r = e.report(hz)
        equal(r["refused"], 0, "ICMP errors")
        check(r["ok"], f"heard {r}")
        check(other.sent - r["received"] <= 10 * SLOW, f"lost in {other.sent}: {other.sent - r['received']}")
    check(s.worker("media")["pid"] not in (0, pid), "a new media worker")
    a.send("BYE")
    b.byed()
    a.expect(200)
    c, = s.cdrs(1)
    check(c["rtp"]["a_to_b"]["packets"] >= left.sent - 10 * SLOW, f"packets in the record: {c['rtp']}, sent {left.sent}")


def case_cdr(t):
    """The CDR worker dies again and again while calls end: every record is there once."""
    s = t.switch()
    x = Load(t, s, calls=150, rate=50, hold=0.2)
    for _ in range(3):
        time.sleep(0.7)
        s.kill_worker("cdr")
    x.wait()
    x.wait_callee()
    rows = s.cdrs(150)
    equal(len({c["call_id"] for c in rows}), 150, "different calls in the records")


def case_others(t):
    """Routing, registrar and control die with a call up: they come back, the call does not notice."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    for role in ("routing", "registrar"):
        if s.workers(role):
            s.kill_worker(role)
    control = [p for p in (w["pid"] for w in s.ask("workers")["workers"] if w["role"] == "control") if p]
    for pid in control:
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: any(w["role"] == "control" and w["pid"] not in (0, pid) for w in s.ask("workers")["workers"]), 5 * SLOW, "a new control worker", 0.1)
    a.send("BYE")
    b.byed()
    a.expect(200)
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(2)


def case_again_and_again(t):
    """A worker killed four times in a row, with a call up: it comes back every time."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    for _ in range(4):
        s.kill_worker("signaling")
    a.send("INFO", body="still there", content_type="text/plain")
    b.reply_to(b.expect("INFO"), 200)
    a.expect(200)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(1)
