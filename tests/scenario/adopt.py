"""The supervisor dies: workers go on serving, and a new one takes them over; no call is touched."""
import os
import re
import shutil
import signal
import subprocess
import time

import tone
from lib import SLOW, Load, Skip, alone, check, equal, limit, long_only, program, wait_for


def two_ways(t, workers=2, **more):
    """sipp from customer to gw-a; calls by hand come from host 3 and go to gw-b."""
    return t.config(gateways=2, workers=workers, routing=[{}, {"prefixes": ["2"]}], mapping={"addresses": [f"{t.ip(2)}:5070", f"{t.ip(3)}:5070"]}, **more)


def a_call(t, s, caller, gw):
    a, b = t.established(s, caller, gw, callee="25551234")
    a.send("BYE")
    b.byed()
    a.expect(200)


def workers_of(s):
    return {(w["role"], w["index"]): w["pid"] for w in s.workers()}


def installed(t, s):
    """A copy of the program that can be replaced; what `new` says lies there instead: another copy, or a script."""
    path = os.path.join(t.dir, "tandem")

    def install(new=None, of="tandem"):
        if new is None:
            shutil.copy(program(of), path + ".new")
        else:
            with open(path + ".new", "w") as f:
                f.write(new)
            os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
    install()
    s.program = path
    return install


def upgrade(s):
    code, out, err = s.ctl("upgrade", timeout=60 * SLOW)
    equal((code, err), (0, ""), "upgrade")
    n = len(s.workers())
    check(f"{n} of {n} processes" in out, f"steps: {out}")


def case_calls_go_on(t):
    """Killed with 50 calls up, one being set up and audio flowing: all go on without it, --adopt takes over the same processes, and
    everything ends as usual and is billed once."""
    config = two_ways(t, media=True)
    config["media"]["ports"] = "30000-30999"
    s = t.switch(config)
    caller, gw = t.caller(host=3), t.gateway(1)
    x = Load(t, s, calls=50, rate=50, hold=6)
    wait_for(lambda: s.ask("status")["calls"] == 50, 10 * SLOW, "50 calls up")
    a, b = t.established(s, caller, gw, callee="25551234")
    c = caller.call(s, "25559999")
    d = gw.take()
    d.reply(180)
    c.expect(180)
    before = workers_of(s)
    left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = a.answer.media, b.invite.media
    s.kill_supervisor()
    tone.both(left, right, seconds=1)
    d.reply(200, body=gw.answer())
    c.expect(200)
    c.ack()
    d.expect("ACK")
    a_call(t, s, caller, gw)   # new ones too
    s.adopt()
    equal(workers_of(s), before, "processes")
    equal(s.ask("status")["calls"], 52, "calls")
    tone.both(left, right, seconds=0.5)
    left.to = right.to = None
    tone.both(left, right, seconds=0.2)
    for e, other, hz in ((left, right, 1000), (right, left, 425)):
        r = e.report(hz)
        check(r["ok"] and not r["refused"], f"heard {r}")
        check(other.sent - r["received"] <= 2, f"lost: {other.sent - r['received']} of {other.sent}")
    for m, n in ((a, b), (c, d)):
        m.send("BYE")
        n.byed()
        m.expect(200)
    x.wait()
    x.wait_callee()
    s.idle()
    rows = s.cdrs(53)
    equal({(r["reason"], r.get("recovered", False)) for r in rows}, {("normal", False)}, "records")


def case_again_and_again(t):
    """Five supervisors in a row, two of them killed while they take over, with a socket for every port; then reload, the death of each
    kind of worker, and stop work."""
    s = t.switch(two_ways(t), env={"TANDEM_RELAY": "sockets"})
    caller, gw = t.caller(host=3), t.gateway(1)
    a, b = t.established(s, caller, gw, callee="25551234")
    for wait in (None, 0.004, None, 0.02):
        s.kill_supervisor()
        if wait is None:
            s.adopt()
        else:
            s.spawn("--adopt")
            time.sleep(wait)
    s.kill_supervisor()
    s.adopt()
    equal(s.ctl("reload"), (0, "", ""), "reload")
    for role in ("signaling", "media", "routing", "cdr", "registrar"):
        s.kill_worker(role)
    s.kill_worker("signaling")   # a child of this supervisor by now
    equal(s.ctl("restart", "media/0")[0], 0, "restart")
    a_call(t, s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    equal(s.ctl("stop")[0], 0, "stop")
    equal(s.process.wait(10), 0, "exit status")
    wait_for(lambda: not s.pids(), 3, f"no process left: {s.pids()}")
    equal(sorted(os.listdir(s.run_dir)), [], "left in run_dir")


@limit(90)
def case_killed_at_any_moment(t):
    """New supervisors are killed at many points of taking over, with a worker dead each time: the last one finds everything."""
    s = t.switch(two_ways(t))
    caller, gw = t.caller(host=3), t.gateway(1)
    a, b = t.established(s, caller, gw, callee="25551234")
    s.kill_supervisor()
    roles = ["signaling", "media", "routing", "cdr", "registrar"]
    for i in range(100 if t.options.long else 20):
        victim = s.worker(roles[i % len(roles)])["pid"]
        if victim in s.pids():
            os.kill(victim, signal.SIGKILL)
        s.spawn("--adopt")
        time.sleep((i % 20) * 0.002 * SLOW)
        s.kill_supervisor()
    s.adopt()
    wait_for(lambda: all(w["state"] == "running" for w in s.workers()), 10 * SLOW, f"all in service: {s.workers()}")
    equal(len(s.pids()), len(s.workers()) + 1, "processes")
    a_call(t, s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.cdrs(2)


def case_with_workers(t):
    """Supervisor and workers die together: --adopt starts those that are missing, calls go on."""
    for roles in (["signaling", "control"], ["media", "routing", "cdr", "registrar"]):
        s = t.switch(two_ways(t))
        caller, gw = t.caller(host=3), t.gateway(1)
        a, b = t.established(s, caller, gw, callee="25551234")
        victims = [w["pid"] for w in s.workers() if w["role"] in roles]
        s.kill_supervisor()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        s.adopt()
        wait_for(lambda: all(w["state"] == "running" for w in s.workers()), 5 * SLOW, "all in service")
        check(not set(victims) & set(workers_of(s).values()), "the dead have successors")
        a_call(t, s, caller, gw)
        a.send("BYE")
        b.byed()
        a.expect(200)
        s.cdrs(2)
        s.idle()
        s.stop()
        caller.close()
        gw.close()


def case_refused(t):
    """Without --adopt a start is refused with 1 and says so, with and without a living supervisor; --adopt beside a living one too."""
    s = t.switch()

    def start(*args):
        p = subprocess.run([program("tandem"), "-c", s.file, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
        return p.returncode, p.stderr
    for args in ((), ("--adopt",)):
        code, text = start(*args)
        check(code == 1 and f"pid {s.pid}" in text, f"{args}: {code} {text}")
    s.kill_supervisor()
    code, text = start()
    check(code == 1 and "--adopt" in text, f"{code} {text}")
    code, out, err = s.ctl("reload")
    check(code == 1 and "--adopt" in err, f"tandemctl reload without a supervisor: {code} {err}")
    s.adopt()
    equal(s.ctl("reload")[0], 0, "reload")


def case_none_left(t):
    """--adopt where nobody is left starts afresh, also after all were killed."""
    s = t.make(t.config())
    s.spawn("--adopt")
    wait_for(s.running, 10 * SLOW, "state running")
    for pid in s.pids():
        os.kill(pid, signal.SIGKILL)
    s.process.wait()
    s.adopt()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_while_stopping(t):
    """Killed while it waits for calls to end: the next one goes on stopping."""
    s = t.switch(two_ways(t, system={"drain_timeout": 20}))
    caller, gw = t.caller(host=3), t.gateway(1)
    a, b = t.established(s, caller, gw, callee="25551234")
    s.process.send_signal(signal.SIGTERM)
    wait_for(lambda: s.ask("status")["state"] == "draining", 3 * SLOW, "state draining")
    for _ in range(8):   # also those of the worker that has no call
        caller.call(s, "25551234").expect(503)
    s.kill_supervisor()
    s.spawn("--adopt")
    wait_for(lambda: s.ask("status")["pid"] == s.pid, 5 * SLOW, "the new supervisor")
    time.sleep(0.5)
    equal(s.process.poll(), None, "it waits for the call")
    a.send("BYE")
    b.byed()
    a.expect(200)
    equal(s.process.wait(10), 0, "exit status")
    wait_for(lambda: not s.pids(), 3, f"no process left: {s.pids()}")


def upgrade_under_load(t, times, calls):
    s = t.make(two_ways(t))
    install = installed(t, s)
    s.start()
    caller, gw = t.caller(host=3), t.gateway(1)
    a, b = t.established(s, caller, gw, callee="25551234")
    x = Load(t, s, calls=calls, rate=50, hold=1)
    before, pid = workers_of(s), s.pid
    for _ in range(times):
        install()
        upgrade(s)
        after = workers_of(s)
        check(not set(before.values()) & set(after.values()), f"all processes are new: {before} {after}")
        before = after
    equal((s.ask("status")["pid"], s.process.poll()), (pid, None), "the supervisor's pid")
    equal(s.ask("status")["upgrade"]["completed"], times, "upgrades")
    a.send("BYE")
    b.byed()
    a.expect(200)
    x.wait()
    x.wait_callee()
    s.idle()
    equal({r["reason"] for r in s.cdrs(calls + 1)}, {"normal"}, "records")


@alone
@limit(90)
def case_upgrade(t):
    """tandemctl upgrade three times under load: every process is replaced, the supervisor keeps its pid, no call fails."""
    upgrade_under_load(t, 3, 300)


@long_only
@alone
@limit(240)
def case_upgrade_twenty_times(t):
    """The same twenty times."""
    upgrade_under_load(t, 20, 2500)


def case_upgrade_refused(t):
    """A program with another memory layout, one that does not start and one that is not there are refused before anything is touched."""
    s = t.make(t.config())
    install = installed(t, s)
    s.start()
    before = workers_of(s)
    layout = subprocess.run([s.program, "--layout"], capture_output=True, text=True, check=True).stdout
    other = re.sub("memory .", "memory " + ("1" if "memory 0" in layout else "0"), layout)
    for new, wanted in ((f"#!/bin/sh\necho '{other}'\n", "drain"), ("#!/bin/sh\necho no library >&2\nexit 127\n", "no library"), ("", "")):
        install(new)
        code, out, err = s.ctl("upgrade")
        check(code == 1 and wanted in err and not out, f"{code} {out} {err}")
    os.unlink(s.program)
    code, out, err = s.ctl("upgrade")
    check(code == 1 and s.program in err, f"{code} {err}")
    equal(workers_of(s), before, "processes")
    install()
    upgrade(s)


def case_upgrade_images(t):
    """A program that lays out configurations differently makes them anew, if it takes the file and the file is what is in use; and back."""
    if not program("tandem-crash"):
        raise Skip("there is no build with crash points")
    s = t.make(two_ways(t))
    install = installed(t, s)
    s.start()
    caller, gw = t.caller(host=3), t.gateway(1)
    a, b = t.established(s, caller, gw, callee="25551234")
    with open(s.file) as f:
        text = f.read()
    s.write(text.replace('"info"', '"debug"'))
    install(of="tandem-crash")
    code, out, err = s.ctl("upgrade")
    check(code == 1 and "reload" in err, f"{code} {err}")
    s.write(text)
    upgrade(s)
    a_call(t, s, caller, gw)
    equal(s.ctl("reload"), (0, "", ""), "reload")
    install()
    upgrade(s)
    a_call(t, s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_killed_while_upgrading(t):
    """Killed in the middle of an upgrade: the next supervisor finishes it. A file that is no configuration any more keeps nobody from
    taking over where the service manager names the directory."""
    s = t.make(two_ways(t))
    s.env["RUNTIME_DIRECTORY"] = s.run_dir
    install = installed(t, s)
    s.start()
    caller, gw = t.caller(host=3), t.gateway(1)
    a, b = t.established(s, caller, gw, callee="25551234")
    before = workers_of(s)
    install()
    s.connect().sock.sendall(b'{"cmd":"upgrade"}\n')
    wait_for(lambda: s.ask("status")["upgrade"]["running"] and s.ask("status")["upgrade"]["done"] > 1, 5 * SLOW, "the upgrade under way", 0.005)
    s.kill_supervisor()
    check(set(before.values()) & set(workers_of(s).values()), "some are still the old ones")
    with open(s.file) as f:
        text = f.read()
    s.write("sip: {")
    s.spawn("--adopt")
    wait_for(lambda: s.ask("status")["upgrade"]["completed"] == 1, 10 * SLOW, "the upgrade to be completed")
    check(not set(before.values()) & set(workers_of(s).values()), "all are new")
    s.write(text)
    a_call(t, s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)


@long_only
@limit(120)
def case_twenty_times(t):
    """Under load the supervisor is killed and followed 20 times: no call fails."""
    s = t.switch(two_ways(t))
    x = Load(t, s, calls=1500, rate=50, hold=2)
    for _ in range(20):
        time.sleep(1)
        s.kill_supervisor()
        time.sleep(0.2)
        s.adopt()
    x.wait()
    x.wait_callee()
    s.idle()
    s.cdrs(1500)
