"""Configuration: every mistake named with its place; a reload that fails changes nothing; exit codes."""
import json
import os
import re
import subprocess

from lib import check, equal, program, Refused

MISTAKES = """\
system:
  name: sw1
  run_dir: %s
  workers: {signaling: 65}
sip:
  listen: ["udp:127.0.0.1:99999"]
media:
  ports: 29999-20000
  proxy: perhaps
parameters:
  SS_SIP_TIMEOUT_INVITE: 0
  SS_SIP_TIMEOUT_INVITES: 5
mapping_gateways:
  - id: a
    addresses: ["127.0.0.300"]
  - id: a
    addresses: ["127.0.0.2"]
routing_gateways:
  - id: b
    address: "127.0.0.3:5080"
    prefixes: ["1"]
    priority: high
    colour: red
"""
LINES = {4: "workers", 6: "listen", 8: "ports", 9: "proxy", 11: "SS_SIP_TIMEOUT_INVITE", 12: "SS_SIP_TIMEOUT_INVITES", 15: "addresses", 16: "id",
         22: "priority", 23: "colour"}


def run(*args, **more):
    return subprocess.run([program("tandem"), *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, **more)


def case_ten_mistakes(t):
    """A file with ten mistakes: --check names all ten as FILE:LINE:COL: key: message and exits with 78; so does a start."""
    path = os.path.join(t.dir, "ten.yaml")
    with open(path, "w") as f:
        f.write(MISTAKES % t.dir)
    for args in (("-c", path, "--check"), ("-c", path)):
        p = run(*args)
        equal(p.returncode, 78, f"exit status of {args}")
        found = {}
        for line in (p.stderr + p.stdout).splitlines():
            m = re.search(r"ten\.yaml:(\d+):(\d+): ([^:]+): (.+)", line)
            if m:
                found.setdefault(int(m.group(1)), []).append(m.group(3) + ": " + m.group(4))
        for line, key in LINES.items():
            check(line in found and any(key in x for x in found[line]), f"line {line} ({key}) is not named: {found}")
        equal(sorted(found), sorted(LINES), "lines with mistakes")


def case_exit_codes(t):
    """--check of a good file: 0. No -c, or an unknown option: 2. A file that is not there: 78. tandemctl: 2 and 3."""
    s = t.make(t.config())
    equal(run("-c", s.file, "--check").returncode, 0, "good file")
    equal(run().returncode, 2, "no option")
    equal(run("-c", s.file, "--frobnicate").returncode, 2, "unknown option")
    equal(run("-c", os.path.join(t.dir, "none.yaml")).returncode, 78, "no such file")
    equal(run("--help").returncode, 0, "--help")
    equal(s.ctl("status")[0], 3, "tandemctl without a softswitch")
    equal(s.ctl()[0], 2, "tandemctl without a command")
    equal(s.ctl("frobnicate")[0], 2, "tandemctl with an unknown command")


def case_restricting_key(t):
    """A key that restricts or authenticates and is not built yet is refused with 78, never silently ignored."""
    c = t.config()
    c["sip"]["listen"] = [f"udp:{t.ip(1)}:5060", f"tls:{t.ip(1)}:5061"]
    s = t.make(c)
    p = run("-c", s.file, "--check")
    equal(p.returncode, 78, "exit status for tls: without tls")
    check("tls" in p.stderr + p.stdout, f"message: {p.stderr}")


def case_bad_reload(t):
    """A reload with a mistake is refused with its place and changes nothing; the next good one is applied."""
    c = t.config(gateways=2)
    s = t.switch(c)
    caller, one = t.caller(), t.gateway(0)
    bad = json.loads(json.dumps(c))
    bad["routing_gateways"][0]["priority"] = "high"
    bad["routing_gateways"][1]["address"] = "127.0.0.300:1"
    s.write(bad)
    try:
        s.ask("reload")
        raise AssertionError("the reload was accepted")
    except Refused as e:
        check(re.search(r"tandem\.yaml:\d+:\d+: .*priority", str(e)), f"error: {e}")
    code, out, err = s.ctl("reload")
    equal(code, 1, "exit status of tandemctl reload")
    check("priority" in out + err and "address" in out + err, f"tandemctl says: {out} {err}")
    equal(sorted(g["id"] for g in s.ask("gateways")["gateways"] if g["kind"].startswith("rout")), ["gw-a", "gw-b"], "gateways")
    a, b = t.established(s, caller, one)
    a.send("BYE")
    b.byed()
    a.expect(200)
    c["routing_gateways"] = c["routing_gateways"][1:]
    s.write(c)
    s.ask("reload")
    two = t.gateway(1)
    a, b = t.established(s, caller, two)
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_reload_with_a_call(t):
    """A reload that removes the gateway of a running call: the call goes on and ends properly; new calls get 404."""
    c = t.config()
    s = t.switch(c)
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    c["routing_gateways"] = []
    s.write(c)
    s.ask("reload")
    caller.call(s, "15551234").expect(404)
    a.send("BYE")
    b.byed()
    a.expect(200)
    equal(sorted((x["reason"], x.get("egress", "")) for x in s.cdrs(2)), [("no route", ""), ("normal", "gw-a")], "records")
