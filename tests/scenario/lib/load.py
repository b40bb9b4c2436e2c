"""sipp as caller and callee: many calls at a rate. Everything started here is ended by pid."""
import csv
import os
import socket
import resource
import shutil
import subprocess
import time

from lib.switch import wait_for

SIPP = os.environ.get("SIPP") or shutil.which("sipp")
FILES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sipp")


# sipp refuses to start when it could need more descriptors than it may have
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
MOST_CALLS = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100, 60000)


class Sipp:
    def __init__(self, context, name, args):
        self.base = os.path.join(context.dir, f"{name}{len(context.loads)}")
        self.stat = self.base + ".csv"
        prefix = ["taskset", "-c", str(context.load_cpu)] if context.load_cpu is not None else []
        self.process = subprocess.Popen(
            [*prefix, SIPP, *args, "-nostdin", "-nd", "-buff_size", "4194304", "-trace_stat", "-fd", "1", "-stf", self.stat, "-trace_err",
             "-error_file", self.base + ".err"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=context.dir, start_new_session=True)
        context.loads.append(self)

    def row(self):
        try:
            with open(self.stat) as f:
                rows = list(csv.reader(f, delimiter=";"))
            return dict(zip(rows[0], rows[-1]))
        except (OSError, IndexError):
            return {}

    def number(self, key):
        try:
            return int(self.row().get(key, "0") or 0)
        except ValueError:
            return 0

    def errors(self):
        try:
            with open(self.base + ".err", errors="replace") as f:
                return f.read()[:1500]
        except OSError:
            return ""

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()


def free_port():
    """A UDP port for sipp's remote control: its default is one for all of a machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


class Load:
    """`calls` calls at `rate` a second, each held `hold` seconds. bye: which side ends them; host: where the callee is; more:
    further options for the caller."""

    def __init__(self, context, switch, calls, rate, hold=0.2, bye="caller", timeout=90, limit=19000, callee="15551234", host=10, more=()):
        self.calls, self.rate, self.hold = calls, rate, hold
        n = {"caller": ("caller-ends.xml", "callee-waits.xml"), "callee": ("caller-waits.xml", "callee-ends.xml")}[bye]
        self.uas = Sipp(context, "callee", ["-sf", os.path.join(FILES, n[1]), "-i", context.ip(host), "-p", "5080", "-d", str(int(hold * 1000)),
                                            "-cp", free_port()])
        time.sleep(0.5)
        self.uac = Sipp(context, "caller", [f"{switch[0]}:{switch[1]}", "-sf", os.path.join(FILES, n[0]), "-i", context.ip(2), "-p", "5070",
                                            "-s", callee, "-r", str(rate), "-m", str(calls), "-l", str(min(limit, MOST_CALLS)), "-d", str(int(hold * 1000)),
                                            "-timeout", str(timeout), "-cp", free_port(), *more])
        self.timeout = timeout

    def wait(self):
        """Until the caller is through; its exit status must be 0 and every call a success."""
        try:
            code = self.uac.process.wait(self.timeout + 15)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"sipp did not end: {self.uac.row()}") from None
        ok, bad = self.uac.number("SuccessfulCall(C)"), self.uac.number("FailedCall(C)")
        assert (code, ok, bad) == (0, self.calls, 0), f"sipp: exit {code}, {ok} ok, {bad} failed of {self.calls}\n{self.uac.errors()}"

    def wait_callee(self, timeout=8):
        """All calls over at the callee too, none failed."""
        wait_for(lambda: self.uas.number("SuccessfulCall(C)") + self.uas.number("FailedCall(C)") >= self.calls, timeout, "the callee to be through", 0.2)
        bad = self.uas.number("FailedCall(C)")
        assert not bad, f"{bad} calls failed at the callee\n{self.uas.errors()}"

    def up(self):
        return self.uac.number("CurrentCall")
