"""Start, stop, drain."""
import os
import signal
import subprocess
import time

from lib import check, equal, program, session_pids, wait_for


def case_stop_ends_all(t):
    """SIGTERM without calls: exit 0 at once, no process and no socket left."""
    s = t.switch()
    t0 = time.monotonic()
    s.stop()
    check(time.monotonic() - t0 < 3, f"stopped after {time.monotonic() - t0:.1f} s")
    check(not os.path.exists(os.path.join(s.run_dir, "status.sock")), "the status socket is gone")


def case_drain(t):
    """SIGTERM with a call up: new calls get 503 with Retry-After, the running one ends by itself, then exit 0."""
    s = t.switch(t.config(system={"drain_timeout": 10}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    s.process.send_signal(signal.SIGTERM)
    wait_for(lambda: s.ask("status")["state"] == "draining", 3, "state draining")
    m = caller.call(s, "15559999").expect(503)
    check(int(m.get("retry-after") or 0) > 0, f"Retry-After: {m.get('retry-after')}")
    equal(s.process.poll(), None, "exit while a call is up")
    a.send("BYE")
    b.byed()
    a.expect(200)
    equal(s.process.wait(10), 0, "exit status")
    equal(sorted(c["reason"] for c in s.cdrs(2)), ["draining", "normal"], "records")


def case_drain_timeout(t):
    """A call that does not end within drain_timeout is ended with BYE on both legs."""
    s = t.switch(t.config(system={"drain_timeout": 1}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    s.process.send_signal(signal.SIGTERM)
    a.byed(timeout=4)
    b.byed(timeout=4)
    equal(s.process.wait(10), 0, "exit status")
    c, = s.cdrs(1)
    equal((c["reason"], c["ended_by"]), ("shutdown", "system"), "record")


def case_stop_now(t):
    """tandemctl stop --now ends running calls at once, also one that still rings."""
    s = t.switch(t.config(system={"drain_timeout": 30}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    c = caller.call(s, "15551111")
    d = gw.take()
    d.reply(180)
    c.expect(180)
    equal(s.ctl("stop", "--now")[0], 0, "exit status of tandemctl")
    a.byed(timeout=4)
    b.byed(timeout=4)
    c.expect(503, timeout=4)
    d.reply_to(d.expect("CANCEL", timeout=4), 200)
    d.fail(487)
    equal(s.process.wait(10), 0, "exit status")
    equal([x["reason"] for x in s.cdrs(2)], ["shutdown"] * 2, "records")


def case_second_start(t):
    """A second softswitch with the same run_dir is refused with 1 and harms nothing."""
    s = t.switch()
    p = subprocess.run([program("tandem"), "-c", s.file], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    equal(p.returncode, 1, f"exit status; {p.stderr}")
    equal(s.ask("status")["state"], "running", "state of the first")


def case_dead_supervisor(t):
    """The supervisor is killed: either the workers go with it, or a new start is refused with 1 and names --adopt."""
    s = t.switch()
    os.kill(s.pid, signal.SIGKILL)
    s.process.wait()
    time.sleep(0.5)
    left = session_pids(s.pid)
    p = subprocess.Popen([program("tandem"), "-c", s.file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                         start_new_session=True)
    if left:
        err = p.communicate(timeout=20)[1]
        equal(p.returncode, 1, "exit status")
        check("--adopt" in err, f"message: {err}")
    else:
        s.process, s.pid = p, p.pid
        wait_for(s.running, 10, "state running")
    for pid in left:
        os.kill(pid, signal.SIGKILL)
