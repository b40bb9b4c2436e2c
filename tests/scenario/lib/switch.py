"""A softswitch under test: started from a configuration, watched through its status socket, stopped by pid."""
import glob
import json
import os
import re
import signal
import socket
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
BUILD = os.path.abspath(os.environ.get("TANDEM_BUILD") or os.path.join(ROOT, "build"))


def program(name):
    """A built program; None when there is none."""
    if os.path.isabs(name):
        return name
    for pattern in (name, f"*/{name}", f"*/*/{name}"):
        for path in glob.glob(os.path.join(BUILD, pattern)):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    return None


def sanitized():
    try:
        with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json")) as f:
            return next((o["value"] for o in json.load(f) if o["name"] == "b_sanitize"), "none") not in ("none", [])
    except OSError:
        return False


SLOW = 4 if sanitized() else 1  # what may take longer under a sanitizer


def process_state(pid):
    """(state, parent, session, run time of all threads in us), or None."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            s = f.read().rsplit(")", 1)[1].split()
        return s[0], int(s[1]), int(s[3])
    except OSError:
        return None


def session_pids(*sids):
    """Living processes of sessions we started."""
    out = []
    for d in os.listdir("/proc"):
        if d.isdigit():
            s = process_state(int(d))
            if s and s[2] in sids and s[0] != "Z":
                out.append(int(d))
    return sorted(out)


def wait_for(test, timeout, what, step=0.02):
    """Waits until test() gives something true, and returns it."""
    end = time.monotonic() + timeout
    while True:
        got = test()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(step)


class Dropped:
    """run --defaults: the key that every configuration is written without."""
    key, count = "", 0


def without(config, path):
    """`config` without the key at `path`, in every element of a list; counts what it took away."""
    if isinstance(config, list):
        return [without(x, path) for x in config]
    if not isinstance(config, dict) or path[0] not in config:
        return config
    if len(path) == 1:
        Dropped.count += 1
        return {k: v for k, v in config.items() if k != path[0]}
    return {k: without(v, path[1:]) if k == path[0] else v for k, v in config.items()}


class Refused(Exception):
    """The status socket answered ok: false."""


class Control:
    """One connection to the status socket."""

    def __init__(self, path, timeout=5):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.buffer, self.id = b"", 0

    def line(self):
        while b"\n" not in self.buffer:
            got = self.sock.recv(1 << 16)
            if not got:
                raise ConnectionError("status socket closed")
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        return json.loads(line)

    def ask(self, cmd, **args):
        self.id += 1
        self.sock.sendall(json.dumps({"id": self.id, "cmd": cmd, "args": args}).encode() + b"\n")
        while True:
            r = self.line()
            if r.get("id") == self.id:
                break
        if not r.get("ok"):
            raise Refused(r.get("error", ""))
        return r["result"]

    def close(self):
        self.sock.close()


class Switch:
    def __init__(self, directory, config, env=None, cpu=None):
        self.dir, self.pid, self.process, self.control = directory, 0, None, None
        self.sessions = []   # of all supervisors that were started; workers outlive theirs
        self.program, self.dies = "tandem", False   # dies: its workers are meant to crash
        os.makedirs(directory, exist_ok=True)
        self.file, self.log_file = os.path.join(directory, "tandem.yaml"), os.path.join(directory, "tandem.log")
        self.env = dict(os.environ, **(env or {}))
        self.prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
        self.write(config)
        self.address = None
        if isinstance(config, dict):
            host, _, port = config["sip"]["listen"][0].partition(":")[2].rpartition(":")
            self.address = (host.strip("[]"), int(port))
            self.run_dir = config["system"]["run_dir"]

    def __getitem__(self, i):
        return self.address[i]

    def write(self, config):
        """JSON is YAML, so a dict will do."""
        if Dropped.key and isinstance(config, dict):
            config = without(config, (["parameters"] if Dropped.key.startswith("SS_") else []) + Dropped.key.split("."))
        with open(self.file, "w") as f:
            f.write(config if isinstance(config, str) else json.dumps(config, indent=1))

    def spawn(self, *args):
        log = open(self.log_file, "ab")
        self.process = subprocess.Popen([*self.prefix, program(self.program), "-c", self.file, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        cwd=self.dir, env=self.env, start_new_session=True)
        log.close()
        self.pid = self.process.pid
        self.sessions.append(self.pid)
        return self

    def pids(self):
        """Its living processes."""
        return session_pids(*self.sessions)

    def kill_supervisor(self):
        """Kills the supervisor and nothing else."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait()

    def adopt(self, timeout=10 * SLOW):
        """A new supervisor that takes over what is left; returns when it has."""
        self.spawn("--adopt")
        wait_for(lambda: self.running() and self.ask("status")["pid"] == self.pid, timeout, f"a supervisor with pid {self.pid}; log:\n{self.log()[-1500:]}")
        return self

    def start(self, timeout=10 * SLOW):
        self.spawn()
        wait_for(self.running, timeout, f"state running; log:\n{self.log()[-1500:]}")
        return self

    def running(self):
        if self.process.poll() is not None:
            raise AssertionError(f"tandem ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            return self.ask("status")["state"] == "running"
        except (OSError, ConnectionError):
            return False

    def log(self):
        try:
            with open(self.log_file, errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    # -- status socket --
    def connect(self):
        return Control(os.path.join(self.run_dir, "status.sock"))

    def ask(self, cmd, **args):
        """One command; the connection is kept, and made anew when its worker died."""
        for last in (False, True):
            if not self.control:
                self.control = self.connect()
            try:
                return self.control.ask(cmd, **args)
            except (OSError, ConnectionError):
                self.control.close()
                self.control = None
                if last:
                    raise

    def ctl(self, *args, timeout=10):
        """tandemctl as an operator runs it: (exit status, standard output, standard error)."""
        p = subprocess.run([program("tandemctl"), "-s", os.path.join(self.run_dir, "status.sock"), *args], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=timeout)
        return p.returncode, p.stdout, p.stderr

    def workers(self, role=None):
        return [w for w in self.ask("workers")["workers"] if role in (None, w["role"])]

    def worker(self, role, index=0):
        return next(w for w in self.workers(role) if w["index"] == index)

    def kill_worker(self, role, index=0, sig=signal.SIGKILL):
        """Kills a worker and returns (its pid, seconds until its successor is in service)."""
        control = self.connect()
        pid = next(w["pid"] for w in control.ask("workers")["workers"] if (w["role"], w["index"]) == (role, index))
        assert pid in self.pids(), f"{role} {index} has pid {pid}, which is not a process of this softswitch"
        t0 = time.monotonic()
        os.kill(pid, sig)
        end = t0 + 5 * SLOW
        while time.monotonic() < end:
            w = next((w for w in control.ask("workers")["workers"] if (w["role"], w["index"]) == (role, index)), None)
            if w and w["pid"] not in (0, pid) and w["state"] == "running":
                control.close()
                return pid, time.monotonic() - t0
            time.sleep(0.005)
        raise AssertionError(f"no successor of {role} {index} (pid {pid}) in service after 5 s; log:\n{self.log()[-2000:]}")

    # -- what is left --
    def calls(self):
        return self.ask("calls")["calls"]

    def idle(self, timeout=6 * SLOW):
        """No call in any table."""
        def empty():
            return not self.calls() and not self.ask("status")["calls"] and \
                not any(g["calls"] for g in self.ask("gateways")["gateways"])
        wait_for(empty, timeout, f"empty tables: {self.ask('status')} {self.calls()[:5]} {self.ask('gateways')}", 0.05)

    def cdr_files(self):
        with open(self.file) as f:
            config = json.load(f)
        return sorted(glob.glob(os.path.join(self.dir, config["cdr"]["dir"], "*")), key=os.path.getmtime)

    def cdrs(self, n=None, timeout=4 * SLOW):
        """All records; with n, waits until there are that many and fails when there are more."""
        def read():
            rows = []
            for path in self.cdr_files():
                with open(path, "rb") as f:
                    rows += [json.loads(x) for x in f.read().split(b"\n") if x.strip()]
            return rows
        if n is None:
            return read()
        wait_for(lambda: len(read()) >= n, timeout, f"{n} records: {read()[-5:]} ({len(read())} there)", 0.05)
        time.sleep(0.15)
        rows = read()
        assert len(rows) == n, f"{len(rows)} records instead of {n}: {rows[-5:]}"
        return rows

    # -- the end --
    def stop(self, timeout=15, expect=0):
        """SIGTERM; the exit status must be 0 and no process may be left."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running {timeout} s after SIGTERM; log:\n{self.log()[-2000:]}") from None
        left = []
        end = time.monotonic() + 2
        while time.monotonic() < end:
            left = self.pids()
            if not left:
                break
            time.sleep(0.05)
        assert not left, f"processes left after the end: {left}"
        assert code == expect, f"exit status {code} instead of {expect}; log:\n{self.log()[-2000:]}"

    def destroy(self):
        """Whatever is still there goes, by pid."""
        if self.control:
            self.control.close()
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if self.process:
            self.process.wait()

    def complaints(self):
        """Lines of the log that no run may have."""
        bad = re.compile(r"AddressSanitizer|runtime error:|LeakSanitizer|ThreadSanitizer|[Aa]ssert(ion)?.*failed" + ("" if self.dies else r"|SIGSEGV|SIGABRT|signal (6|11)\b"))
        return [x for x in self.log().splitlines() if bad.search(x)]
