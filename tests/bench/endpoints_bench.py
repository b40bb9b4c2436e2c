"""The figure `endpoints` of tests/bench/run: 100,000 accounts that register, are kept reachable and survive.

  registering       register_load on core 1, the softswitch with one signalling worker on core 0; MD5, qop auth: `first` the first
                    time, challenged; `refresh` with the nonce of before and its next count; `again` challenged once more.
                    Without state_dir, and the same against Kamailio (one UDP process on core 0, usrloc in memory)
  look-up           bench_location
  start             from exec to state running, and PSS of all processes with nobody and with everybody registered
  keep-alive        one period with the default parameters: how many endpoints got none
  intact            all are there, and a sample can be called: after kill -9 of each worker in turn; after that of everything, and a
                    start with state_dir on the disk of the build directory
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

FIRST = (127 << 24) + (64 << 16)   # where the accounts live
PORT = 45060
SAMPLE = 20
KEEP_ALIVE_PERIOD_S, PAYLOAD = 30, b"HELLO"   # the defaults

KAMAILIO = """#!KAMAILIO
debug=0
log_stderror=yes
children=1
auto_aliases=no
disable_tcp=yes
dns=no
rev_dns=no
use_dns_failover=no
listen=udp:{ip}:5060
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/:/usr/lib/aarch64-linux-gnu/kamailio/modules/"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "db_mode", 0)
modparam("usrloc", "hash_size", 16)
modparam("registrar", "max_expires", 3600)
modparam("registrar", "max_contacts", 1)
modparam("auth", "qop", "auth")

request_route {{
	if (!is_method("REGISTER")) {{
		sl_send_reply("405", "Method Not Allowed");
		exit;
	}}
	if (!pv_www_authenticate("tandem", "secret", "0")) {{
		www_challenge("tandem", "1");
		exit;
	}}
	if ($au != $tU) {{
		sl_send_reply("403", "Forbidden");
		exit;
	}}
	if (!save("location")) sl_reply_error();
}}
"""


class Phones:
    """register_load, playing `n` accounts."""

    def __init__(self, t, n, server, cpu):
        prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.process = subprocess.Popen([*prefix, t.lib.program("register_load"), f"{server}:5060", f"127.64.0.0:{PORT}", str(n)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        t.loads.append(self)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, f"register_load ended at {order!r}"
        return json.loads(line)

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Endpoints:
    def __init__(self, bench, run_time_us, pss_bytes, n):
        self.b, self.lib, self.n, self.good = bench, bench.lib, n, True
        self.run_time_us, self.pss_bytes = run_time_us, pss_bytes
        self.core = (0, 1) if bench.two else (None, None)

    def say(self, what, good=True, **row):
        self.good &= good
        self.b.say("endpoints", what=what, **row, **({} if good else {"bad": True}))

    def context(self, net):
        self.b.options.net = net
        t = self.lib.Context(f"bench{net}", self.b.options)
        t.lib, t.leak_check = self.lib, False
        return t

    def config(self, t, **system):
        c = t.config(gateways=0)
        c["accounts"] = [{"id": str(1000000 + i), "password": "secret"} for i in range(self.n)]
        c["parameters"] = {"SS_ENDPOINT_NAT_EXPIRE": 3600}
        c["system"]["limits"] = {"calls": 1000, "endpoints": self.n}
        c["system"].update(system)
        c["log"]["level"] = "warning"
        return c

    def register(self, phones, pids, order):
        """One order, and what it cost the server."""
        c0 = self.run_time_us(pids)
        r = phones.ask(order)
        cpu = self.run_time_us(pids) - c0
        return {**r, "cpu_us_each": round(cpu / max(1, r["registered"]), 1), "server_load": round(cpu / 1e6 / r["seconds"], 2)}

    def registrations(self, name, phones, pids):
        """{order: (rate, CPU of each)}, said as well."""
        rates = {}
        for what, order in (("first", "register"), ("refresh", "refresh"), ("again", "register")):
            r = self.register(phones, pids, order)
            self.say(f"registering, {name}, {what}", r["failed"] == 0 and r["registered"] == self.n, **r)
            rates[what] = r["per_s"], r["cpu_us_each"]
        return rates

    # -- the parts --
    def start(self, s):
        t0 = time.monotonic()
        s.start(timeout=60)
        return round(time.monotonic() - t0, 2)

    def count(self, s):
        text = s.ask("metrics")["text"]
        return int(next(x.split()[1] for x in text.splitlines() if x.startswith("tandem_endpoints ")))

    def listed(self, s):
        """(how many tandemctl lists, seconds)"""
        t0 = time.monotonic()
        code, out, err = s.ctl("--json", "endpoints", timeout=60)
        took = time.monotonic() - t0
        assert code == 0, f"tandemctl endpoints: {code} {err}"
        got = json.loads(out)
        rows = got["endpoints"] if "endpoints" in got else got["result"]["endpoints"]
        return len({r["account"] for r in rows}), round(took, 2)

    def reachable(self, s, phones, caller):
        """How many of a sample are reached by a call."""
        before = phones.ask("calls")["calls"]
        for i in range(SAMPLE):
            a = caller.call(s, str(1000000 + i * (self.n - 1) // (SAMPLE - 1)))
            a.expect(486, timeout=5, skip=(100,))
        return phones.ask("calls")["calls"] - before

    def look(self, what, s, phones, caller, **row):
        """Whether all are there."""
        listed, took = self.listed(s)
        counted, reached = self.count(s), self.reachable(s, phones, caller)
        self.say(what, listed == counted == self.n and reached == SAMPLE, **row, listed=listed, counted=counted, sample=SAMPLE, reached=reached,
                 listing_s=took)

    def kill(self, s, role, index):
        """Seconds until its successor is in service; the status socket's own worker may be the one."""
        def successor():
            try:
                w = s.worker(role, index)
            except (OSError, ConnectionError):
                return False
            return w["pid"] not in (0, pid) and w["state"] == "running"
        pid = s.worker(role, index)["pid"]
        assert pid in s.pids(), f"{pid} is not a process of this softswitch"
        t0 = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        self.lib.wait_for(successor, 10, f"a successor of {role} {index}", 0.005)
        return time.monotonic() - t0

    def keep_alive(self, s, phones):
        r = phones.ask(f"keepalives {KEEP_ALIVE_PERIOD_S} {len(PAYLOAD)}")
        missed = next((x.split()[1] for x in s.ask("metrics")["text"].splitlines() if x.startswith("tandem_keep_alives_missed_total")), "0")
        self.say("keep-alive", r["missing"] == 0 and int(missed) == 0, period_s=KEEP_ALIVE_PERIOD_S, **r, missed_total=int(missed))

    def memory_only(self):
        """Rates without state_dir, start-up, memory."""
        t = self.context(245)
        try:
            s = t.make(self.config(t), cpu=self.core[0])
            took = self.start(s)
            pids = self.lib.session_pids(s.pid)
            empty = self.pss_bytes(pids)
            phones = Phones(t, self.n, t.ip(1), self.core[1])
            rates = self.registrations("tandem", phones, pids)
            self.say("start", accounts=self.n, seconds=took, pss_mb_nobody_registered=round(empty / 1e6, 1), pss_mb_all_registered=round(self.pss_bytes(pids) / 1e6, 1))
            return rates
        finally:
            t.close()

    def kamailio(self, rates):
        program = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")
        if not program:
            self.say("kamailio", skipped="kamailio is not installed")
            return
        from lib.foreign import Program
        t = self.context(246)
        try:
            pin = ["taskset", "-c", str(self.core[0])] if self.core[0] is not None else []
            k = Program(t, "kamailio", t.ip(1), 5060, [*pin, program, "-DD", "-E", "-m", "1024", "-M", "16", "-f", "kamailio.cfg", "-Y", t.dir],
                        files={"kamailio.cfg": KAMAILIO.format(ip=t.ip(1))})
            k.logged("Listening on")
            time.sleep(1)
            theirs = self.registrations("kamailio", Phones(t, self.n, t.ip(1), self.core[1]), self.lib.session_pids(k.process.pid))
            self.say("registering, ratio to kamailio", **{what: round(rates[what][0] / theirs[what][0], 2) for what in rates},
                     cpu={what: round(theirs[what][1] / rates[what][1], 2) for what in rates})
        finally:
            t.close()

    def lookup(self):
        program = self.lib.program("bench_location")
        if program:
            p = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
            self.say("look-up", **{x.split("  ")[0].strip(): " ".join(x.split("  ", 1)[1].split()) for x in p.stdout.splitlines()})

    def intact(self):
        t, state = self.context(247), tempfile.mkdtemp(prefix="endpoints-", dir=self.lib.BUILD)
        try:
            s = t.make(self.config(t, state_dir=state), cpu=self.core[0])
            self.start(s)
            phones, caller = Phones(t, self.n, t.ip(1), self.core[1]), t.caller()
            r = self.register(phones, self.lib.session_pids(s.pid), "register")
            self.say("registering, tandem with state_dir, first", r["failed"] == 0, **r)
            self.look("intact, before", s, phones, caller)
            self.keep_alive(s, phones)
            restarts = {w["role"]: w["restarts"] for w in s.workers() if w["restarts"]}
            self.say("no process was restarted", not restarts, restarts=restarts)
            for w in s.workers():
                took = self.kill(s, w["role"], w["index"])
                self.look(f"intact, {w['role']} {w['index']} killed", s, phones, caller, back_in_ms=round(1000 * took, 1))
            time.sleep(1)   # the file is at most 0.6 s behind
            s.kill_supervisor()   # first: it would restart the others
            for pid in s.pids():
                os.kill(pid, signal.SIGKILL)
            self.lib.wait_for(lambda: not s.pids(), 5, "the end of all processes")
            t0 = time.monotonic()
            running = self.start(s)
            self.lib.wait_for(lambda: self.count(s) >= self.n, 60, f"{self.n} endpoints")
            self.look("intact, everything killed", s, phones, caller, running_after_s=running, all_back_after_s=round(time.monotonic() - t0, 2),
                      file_mb=round(os.path.getsize(os.path.join(state, "endpoints")) / 1e6, 1))
        finally:
            t.close()
            shutil.rmtree(state, ignore_errors=True)

    def run(self):
        rates = self.memory_only()
        self.kamailio(rates)
        self.lookup()
        self.intact()
        return self.good
