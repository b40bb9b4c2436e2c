"""tandemctl and the status socket: every command answers with a table for people and with JSON that has its fields."""
import json
import os
import stat
import time

from lib import Refused, check, equal

FIELDS = {
    "status": "name memo version pid created access_time address uptime_s calls cps state steering offload",
    "workers": "role index pid state restarts heartbeat_age_ms calls cpu_percent rss_kb",
    "calls": "id worker state ingress egress caller callee start answer duration_s attempt",
    "gateways": "id kind state reason calls line_limit cps asr_percent acd_s pdd_ms attempts answers",
    "parameters": "name value default range unit scope origin",
}


def case_fields(t):
    """status, workers, calls, call, gateways, parameters, route: all fields, with a call up."""
    s = t.switch(t.config(workers=2, gateways=2, parameters={"SS_SIP_TIMEOUT_RINGING": 77}))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    for name, fields in FIELDS.items():
        code, out, err = s.ctl("--json", name)
        equal(code, 0, f"tandemctl --json {name}: {err}")
        result = json.loads(out)
        row = result if name == "status" else result[name][0]
        missing = [f for f in fields.split() if f not in row]
        equal(missing, [], f"fields missing in {name}: {row}")
    st = s.ask("status")
    equal((st["name"], st["state"], st["calls"], st["pid"]), ("scenario", "running", 1, s.pid), "status")
    ws = s.workers()
    equal({"signaling", "routing", "media", "cdr"} - {w["role"] for w in ws}, set(), "roles that are missing")
    equal([w["state"] for w in ws], ["running"] * len(ws), "states of the workers")
    check(all(w["heartbeat_age_ms"] < 2000 and w["rss_kb"] > 0 for w in ws), f"workers {ws}")
    call = s.calls()[0]
    one = s.ask("call", id=call["id"])
    one = one.get("call", one)
    equal(len(one["legs"]), 2, "legs")
    check(isinstance(one["history"], list), "history")
    ps = {p["name"]: p for p in s.ask("parameters")["parameters"]}
    equal(str(ps["SS_SIP_TIMEOUT_RINGING"]["value"]), "77", "value of a parameter")
    check("tandem.yaml:" in ps["SS_SIP_TIMEOUT_RINGING"]["origin"], f"origin: {ps['SS_SIP_TIMEOUT_RINGING']}")
    equal(ps["SS_SIP_TIMEOUT_INVITE"]["origin"], "default", "origin of a default")
    check(len(ps) >= 50, f"{len(ps)} parameters")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_route(t):
    """route says which gateways would be tried and why the others would not; no call is made."""
    s = t.switch(t.config(gateways=3, routing=[{}, {"enabled": False}, {"prefixes": ["1555"]}]))
    gw = t.gateway(2)
    r = s.ask("route", callee="15551234", **{"from": "customer"})
    check(r["steps"], f"steps: {r}")
    taken = [c["gateway"] for c in r["candidates"] if c["taken"]]
    equal(taken, ["gw-c", "gw-a"], "gateways in order")
    b = next(c for c in r["candidates"] if c["gateway"] == "gw-b")
    check(not b["taken"] and b["reason"], f"disabled gateway: {b}")
    code, out, _ = s.ctl("route", "15551234", "--from", "customer")
    equal(code, 0, "tandemctl route")
    check("gw-c" in out, f"tandemctl route says:\n{out}")
    gw.quiet(0.2)
    equal(s.cdrs(), [], "records")


def case_tables(t):
    """Every command prints a table without --json."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    for words, wanted in ((["status"], "running"), (["workers"], "signaling"), (["calls"], "15551234"), (["calls", "--gateway", "gw-a"], "15551234"),
                          (["gateways"], "gw-a"), (["parameters"], "SS_SIP_TIMEOUT_INVITE"), (["call", s.calls()[0]["id"]], "15551234")):
        code, out, err = s.ctl(*words)
        equal(code, 0, f"tandemctl {' '.join(words)}: {err}")
        check(wanted in out and not out.lstrip().startswith("{"), f"tandemctl {' '.join(words)} says:\n{out}")
    equal(json.loads(s.ctl("--json", "calls", "--gateway", "gw-none")[1])["calls"], [], "calls of another gateway")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_hangup(t):
    """hangup ends a call with BYE on both legs; the record says that the operator did it."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    t0 = time.monotonic()
    equal(s.ctl("hangup", s.calls()[0]["id"])[0], 0, "exit status")
    a.byed()
    b.byed()
    check(time.monotonic() - t0 < 2, "within 2 s")
    s.idle()
    c, = s.cdrs(1)
    equal((c["reason"], c["ended_by"], c["code"]), ("ended by operator", "system", 200), "record")
    equal(s.ctl("hangup", "0190a000-0000-7000-8000-000000000000")[0], 1, "exit status for a call that is not there")


def case_hangup_while_ringing(t):
    """hangup of a call in set-up: CANCEL to the callee, 503 to the caller."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    b = gw.take()
    b.reply(180)
    a.expect(180)
    s.ask("hangup", id=s.calls()[0]["id"])
    a.expect(503)
    b.reply_to(b.expect("CANCEL"), 200)
    b.fail(487)
    equal([c["reason"] for c in s.cdrs(1)], ["ended by operator"], "records")


def case_events(t):
    """subscribe: call.start, call.answer, call.end of a call, in this order, and a worker's death and return."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    events = s.connect()
    events.ask("subscribe")
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    seen = []
    while len(seen) < 3:
        e = events.line()
        if e.get("event", "").startswith("call."):
            seen.append(e["event"])
    equal(seen, ["call.start", "call.answer", "call.end"], "events")
    s.kill_worker("cdr")
    seen = []
    while "worker.started" not in seen:
        seen.append(events.line().get("event"))
    check("worker.died" in seen, f"events {seen}")


def case_socket(t):
    """The socket's mode is 0660; nonsense gets an error and does not end the connection; many clients at once."""
    s = t.switch()
    path = os.path.join(s.run_dir, "status.sock")
    equal(stat.S_IMODE(os.stat(path).st_mode), 0o660, "mode")
    c = s.connect()
    for line in (b"nonsense\n", b"{}\n", b"[1,2]\n", b'{"id":5,"cmd":"frobnicate"}\n', b'{"id":6,"cmd":7}\n', b'{"id":7,"cmd":"call","args":{"id":"x"}}\n'):
        c.sock.sendall(line)
        r = c.line()
        equal(r["ok"], False, f"answer to {line!r}")
        check(r["error"], f"error text for {line!r}")
    equal(c.ask("status")["state"], "running", "state")
    many = [s.connect() for _ in range(20)]
    equal({x.ask("status")["state"] for x in many}, {"running"}, "states")
    for x in many:
        x.close()


def case_log_level(t):
    """log sets the level; an unknown one is refused."""
    s = t.switch()
    equal(s.ctl("log", "debug")[0], 0, "log debug")
    try:
        s.ask("log", level="loud")
        raise AssertionError("level loud was accepted")
    except Refused:
        pass


def case_restart_worker(t):
    """restart WORKER replaces it; the call of it goes on."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    pid = s.worker("signaling")["pid"]
    equal(s.ctl("restart", "signaling/0")[0], 0, "exit status")
    end = time.monotonic() + 5
    while s.worker("signaling")["pid"] in (0, pid) and time.monotonic() < end:
        time.sleep(0.02)
    check(s.worker("signaling")["pid"] != pid, "a new pid")
    a.send("BYE")
    b.byed()
    a.expect(200)


def case_metrics(t):
    """metrics prints Prometheus text with tandem_ names."""
    s = t.switch()
    code, out, err = s.ctl("metrics")
    equal(code, 0, f"exit status; {err}")
    names = {x.split("{")[0].split(" ")[0] for x in out.splitlines() if x and not x.startswith("#")}
    check(names and all(n.startswith("tandem_") for n in names), f"names: {sorted(names)[:10]}")
