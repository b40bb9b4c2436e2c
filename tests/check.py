#!/usr/bin/env python3
"""Builds everything in every way that matters, runs every test, and counts.

Steps: gcc build with all meson tests; scenarios; lints; clang build; address and undefined-behaviour sanitizers over unit tests
and part of the scenarios; thread sanitizer over the ring; fuzz corpus and a short fuzz run. A Criterion program counts by
its test cases, any other test as one, a scenario by its cases, a build as one. The last line is the sum.
"""
import argparse
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
T0 = time.monotonic()
# scenarios worth their time under the sanitizers: every kind of message, crash and configuration; no load
SANITIZED = ["basic", "cancel", "refusals", "failover", "dialog", "repeats", "topology", "config_errors", "control", "lifecycle",
             "crash.during_setup", "crash.cancel_after_crash", "crash.media", "crash.others", "media.tones", "media.new_address"]
SANITIZER_ENV = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:disable_coredump=0", "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
                 "LSAN_OPTIONS": "exitcode=23", "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"}


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, [], []

    def ok(self, name, n=1):
        self.passed += n

    def fail(self, name, log="", lines=40):
        self.failed.append(name)
        print(f"  FAIL {name}")
        for x in log.rstrip().split("\n")[-lines:]:
            print("     | " + x)
        sys.stdout.flush()

    def skip(self, name, why):
        self.skipped.append((name, why))
        print(f"  skip {name}: {why}", flush=True)


tally = Tally()


def say(text):
    print(f"[{time.monotonic() - T0:5.0f} s] {text}", flush=True)


def command(args, timeout=900, env=None, cwd=ROOT, live=None):
    """(exit status, output). live: called with each line as it comes. After the timeout everything in its session is ended."""
    p = subprocess.Popen(args, cwd=cwd, env=dict(os.environ, **(env or {})), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True)
    late = threading.Event()

    def end():
        late.set()
        try:
            os.killpg(p.pid, 15)
            time.sleep(3)
            os.killpg(p.pid, 9)
        except OSError:
            pass
    timer = threading.Timer(timeout, end)
    timer.start()
    out = []
    for line in p.stdout:
        out.append(line)
        if live:
            live(line.rstrip("\n"))
    p.wait()
    timer.cancel()
    if late.is_set():
        out.append(f"not through after {timeout} s\n")
    return (p.returncode or (1 if late.is_set() else 0)), "".join(out)


def setup(build, *options, env=None):
    """Configures a build directory, or brings an existing one to these options."""
    if os.path.exists(os.path.join(ROOT, build, "build.ninja")):
        code, out = command(["meson", "configure", build, *options])
    else:
        code, out = command(["meson", "setup", build, *options], env=env)
    if code:
        tally.fail(f"{build}: meson", out)
    return code == 0


def compile_(build, *targets, count=True):
    t = time.monotonic()
    code, out = command(["ninja", "-C", build, *targets], timeout=1200)
    if code:
        tally.fail(f"{build}: build", out[out.find("FAILED:"):] if "FAILED:" in out else out)
    else:
        if count:
            tally.ok(f"{build}: build")
        say(f"{build} built in {time.monotonic() - t:.0f} s")
    return code == 0


def count_test(build, r):
    """One line of meson's test log."""
    name = f"{build}: {r['name']}"
    text = (r.get("stdout") or "") + (r.get("stderr") or "")
    good = re.findall(r"^\s*ok \d+(?!.*# ?SKIP).*$", text, re.M | re.I)
    bad = re.findall(r"^\s*not ok \d+(?!.*# ?TODO).*$", text, re.M | re.I)
    skipped = re.findall(r"^\s*ok \d+ *-? *(.*?) *# ?SKIP *(.*)$", text, re.M | re.I)
    if r["result"] in ("OK", "EXPECTEDFAIL"):
        tally.ok(name, max(1, len(good)))
        for what, why in skipped:
            tally.skip(f"{name} {what}", why or "says the test")
    elif r["result"] == "SKIP":
        reasons = [x for x in text.strip().split("\n") if x]
        tally.skip(name, reasons[-1] if reasons else "says the test")
    else:
        tally.passed += len(good)
        tally.fail(f"{name} ({r['result']}, exit status {r.get('returncode')})", text)
        tally.failed += [f"{name}: {x.strip()}" for x in bad[1:]]


def meson_tests(build, *args, env=None, timeout=1500, wrap=()):
    t = time.monotonic()
    log = os.path.join(ROOT, build, "meson-logs", f"testlog-{wrap[0]}.json" if wrap else "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    wrapper = ["--wrap", " ".join(wrap)] if wrap else []
    code, out = command(["meson", "test", "-C", build, "--no-rebuild", "--num-processes", "2", *wrapper, *args], timeout=timeout, env=env)
    rows = []
    if os.path.exists(log):
        with open(log) as f:
            rows = [json.loads(x) for x in f if x.strip()]
    for r in rows:
        count_test(build, r)
    if not rows or code and not any(r["result"] not in ("OK", "SKIP", "EXPECTEDFAIL") for r in rows):
        tally.fail(f"{build}: meson test", out)
    say(f"{build}: {len(rows)} test programs in {time.monotonic() - t:.0f} s")


def scenarios(build, names, long, env=None, *more):
    t = time.monotonic()
    results = os.path.join(ROOT, build, "scenarios.json")
    if os.path.exists(results):
        os.unlink(results)

    def live(line):   # failures and skips are shown as they come
        if line.startswith(("FAIL", "skip", "     |")):
            print(("  " if not line.startswith(" ") else "") + line, flush=True)
    code, out = command([sys.executable, "tests/scenario/run", "--build", build, "--results", results, "-j", "3", "--lines", "50",
                         *(["--long"] if long else []), *more, *names], timeout=3600 if long else 1200, env=env, live=live)
    rows = []
    if os.path.exists(results):
        with open(results) as f:
            rows = json.load(f)
    for r in rows:
        name = f"{build}: scenario {r['name']}"
        if r["result"] == "passed":
            tally.ok(name)
        elif r["result"] == "skipped":
            tally.skipped.append((name, r["reason"]))
        else:
            tally.failed.append(f"{name}: {r['reason']}")
    if not rows or (code and not any(r["result"] == "failed" for r in rows)):
        tally.fail(f"{build}: scenarios", out)
    say(f"{build}: {len(rows)} scenario cases in {time.monotonic() - t:.0f} s")


def sources(*patterns):
    code, out = command(["git", "ls-files", "-co", "--exclude-standard", *patterns])
    return sorted(x for x in out.split("\n") if x and os.path.exists(os.path.join(ROOT, x)))


def verdict(name, code, out):
    if code:
        tally.fail(f"lint: {name}", out)
    else:
        tally.ok(f"lint: {name}")


def lint_documents():
    """Every file a document links to exists; every command it shows names a program that is there."""
    bad = []
    for path in sources("*.md"):
        with open(os.path.join(ROOT, path)) as f:
            text = f.read()
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
            if not re.match(r"[a-z]+:", target) and not os.path.exists(os.path.join(ROOT, os.path.dirname(path), target)):
                bad.append(f"{path}: no file {target}")
        for program in re.findall(r"^\s*(?:\$ )?(?:sudo )?(\./[\w./-]+|tests/[\w./-]+)", text, re.M):
            if not os.path.exists(os.path.join(ROOT, program)) and not program.startswith("./build"):
                bad.append(f"{path}: no program {program}")
    verdict("documents", bool(bad), "\n".join(bad))


def tidy(build):
    """clang-tidy over every source, two at a time."""
    if not shutil.which("clang-tidy"):
        return tally.skip("lint: clang-tidy", "clang-tidy is not installed")
    with open(os.path.join(ROOT, build, "compile_commands.json")) as f:
        files = sorted({os.path.relpath(os.path.join(x["directory"], x["file"]), ROOT) for x in json.load(f)})
    files = [f for f in files if not f.startswith(("tests/", "build")) and not f.endswith(".bpf.c")]
    t, todo, bad, lock = time.monotonic(), list(files), [], threading.Lock()

    def work():
        while True:
            with lock:
                if not todo:
                    return
                path = todo.pop(0)
            code, out = command(["clang-tidy", "--quiet", "-p", build, path], timeout=300)
            every = re.findall(r"^.*(?:warning|error): .*$", out, re.M)
            found = [x for x in every if ".skel.h:" not in x]   # generated
            if found or (code and not every):
                with lock:
                    bad.append("\n".join(found) or out)
    threads = [threading.Thread(target=work) for _ in range(2)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    verdict(f"clang-tidy over {len(files)} files", bool(bad), "\n".join(bad))
    say(f"clang-tidy in {time.monotonic() - t:.0f} s")


def lints():
    if shutil.which("shellcheck"):
        scripts = [x for x in sources() if os.access(os.path.join(ROOT, x), os.X_OK) and
                   open(os.path.join(ROOT, x), "rb").readline(80).rstrip().endswith((b"bash", b"/sh"))]
        verdict("shellcheck", *command(["shellcheck", *scripts]))
    else:
        tally.skip("lint: shellcheck", "shellcheck is not installed")
    python = sources("*.py", "tests/scenario/run", "tests/bench/run", "tests/crash/run")
    verdict("python", *command([sys.executable, "-c", "import ast, sys; [ast.parse(open(p).read(), p) for p in sys.argv[1:]]", *python]))
    if shutil.which("man"):
        for page in sources("docs/man/*"):
            code, out = command(["sh", "-c", 'man --warnings -E UTF-8 -l "$0" 2>&1 >/dev/null', page], env={"LC_ALL": "C.UTF-8", "MANPAGER": "cat"})
            verdict(page, code or bool(out.strip()), out)
    else:
        tally.skip("lint: man pages", "man is not installed")
    lint_documents()
    verdict("every parameter is shown by a scenario", *command([sys.executable, "tests/scenario/table.py", "--check"]))
    tidy("build")


def fuzz(long):
    if not shutil.which("clang"):
        return tally.skip("fuzz", "clang is not installed")
    if not setup("build-fuzz", "-Dfuzz=true", "-Dtests=false", "-Dbench=false", "-Dbpf=disabled", "-Db_sanitize=address,undefined", "-Db_lundef=false",
                 env={"CC": "clang"}) or not compile_("build-fuzz"):
        return
    targets = sorted(x for x in glob.glob(os.path.join(ROOT, "build-fuzz", "tests", "fuzz", "fuzz_*")) if os.path.isfile(x) and os.access(x, os.X_OK))
    if not targets:
        return tally.skip("fuzz", "no fuzz target is built")
    seconds, lock = (600 if long else 15), threading.Lock()

    def work():
        while True:
            with lock:
                if not targets:
                    return
                program = targets.pop(0)
            name = os.path.basename(program)[5:]
            corpus = os.path.join(ROOT, "tests", "fuzz", "corpus", name)
            found = os.path.join(ROOT, "build-fuzz", "corpus", name)
            os.makedirs(found, exist_ok=True)
            common = ["-print_final_stats=0", "-verbosity=0", "-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={found}/"]
            if os.path.isdir(corpus) and os.listdir(corpus):
                code, out = command([program, *common, "-runs=0", corpus], env=SANITIZER_ENV)
                with lock:
                    tally.fail(f"fuzz: corpus of {name}", out) if code else tally.ok(f"fuzz: corpus of {name}")
            else:
                with lock:
                    tally.skip(f"fuzz: corpus of {name}", "there is none")
            # the short run takes the same way each time, so that a finding is one for whoever looks for findings: the long run
            code, out = command([program, *common, *(() if long else ("-seed=1",)), f"-max_total_time={seconds}", found, *([corpus] if os.path.isdir(corpus) else [])],
                                timeout=seconds + 60, env=SANITIZER_ENV)
            with lock:
                tally.fail(f"fuzz: {name} for {seconds} s", out) if code else tally.ok(f"fuzz: {name}")
    threads = [threading.Thread(target=work) for _ in range(2)]
    for x in threads:
        x.start()
    for x in threads:
        x.join()
    say("fuzzing done")


def verdict_of_faults(code, out):
    tally.fail("2,000 processes killed under load", out) if code else tally.ok("2,000 processes killed under load")
    say(out.rstrip().split("\n")[-1])


def verdict_of_walks(code, out):
    tally.fail("100,000 random walks", out) if code else tally.ok("100,000 random walks")
    say(out.rstrip().split("\n")[-1])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--long", action="store_true")
    ap.add_argument("--only", metavar="STEP", action="append", choices=["gcc", "scenario", "lint", "clang", "asan", "tsan", "fuzz", "bench"],
                    help="only these steps")
    o = ap.parse_args()
    os.chdir(ROOT)

    def wanted(step):
        return not o.only or step in o.only

    if wanted("gcc") or wanted("scenario") or wanted("lint"):
        built = setup("build", "-Dtests=true", "-Dbench=true") and compile_("build")
        if built and wanted("gcc"):
            meson_tests("build")
        if built and wanted("scenario"):
            scenarios("build", [], o.long)
            scenarios("build", [], False, None, "--defaults")
        if built and o.long and wanted("gcc"):
            verdict_of_walks(*command(["build/tests/walk/walk", "--walks", "100000", "build/supervisor/tandem"], timeout=900))
            verdict_of_faults(*command(["tests/crash/run", "--kills", "2000", "--interval", "300"], timeout=2400))
            meson_tests("build", "call_crash", "call_step", "--timeout-multiplier", "20", env={"TANDEM_LONG": "1"}, timeout=5400)
        if built and wanted("lint"):
            lints()
    if wanted("clang"):
        if shutil.which("clang"):
            if setup("build-clang", "-Dtests=true", "-Dbench=true", "-Dwerror=true", env={"CC": "clang"}):
                compile_("build-clang")
        else:
            tally.skip("build-clang", "clang is not installed")
    if wanted("asan"):
        if setup("build-asan", "-Dtests=true", "-Dbench=false", "-Db_sanitize=address,undefined", "-Db_lundef=false") and compile_("build-asan"):
            meson_tests("build-asan", "--suite", "unit", "--timeout-multiplier", "4", env=SANITIZER_ENV)
            scenarios("build-asan", SANITIZED, False, env=SANITIZER_ENV)
    if wanted("tsan"):
        # only the ring has threads to look at; the target's name is the test's
        if setup("build-tsan", "-Dtests=true", "-Dbench=false", "-Db_sanitize=thread", "-Db_lundef=false") and compile_("build-tsan", "tests/stress/threads_ring"):
            meson_tests("build-tsan", "threads_ring", "--timeout-multiplier", "5", env=SANITIZER_ENV, wrap=("setarch", "-R"))
    if wanted("fuzz"):
        fuzz(o.long)
    if o.long and wanted("bench"):
        code, out = command([sys.executable, "tests/bench/run"], timeout=3600, live=lambda x: print("  " + x, flush=True))
        tally.fail("benchmarks", out) if code else tally.ok("benchmarks")

    say("done")
    if tally.failed:
        print("Failed:")
        for x in tally.failed:
            print("  " + x)
    if tally.skipped:
        print("Skipped:")
        for name, why in tally.skipped:
            print(f"  {name}: {why}")
    print(f"{tally.passed} passed, {len(tally.failed)} failed, {len(tally.skipped)} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
