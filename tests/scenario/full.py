"""What is full: the table of calls, the ports of the relay, the disk of the records, the journal. New calls are refused with 503 and
Retry-After; those that are up notice nothing, and when there is room again all goes on."""
import resource
import time

from lib import SLOW, check, equal, release_only, shows, wait_for


def refused(t, s, caller, what):
    m = caller.call(s, "15559999").expect(503)
    check(m.get("retry-after"), f"{what}: no Retry-After")


def ended(a, b):
    a.send("BYE")
    b.byed()
    a.expect(200)


@shows("system.limits.calls")
def case_calls(t):
    """As many calls as system.limits.calls: the next one is refused, and admitted when one has ended."""
    c = t.config()
    c["system"]["limits"]["calls"] = 3
    s = t.switch(c)
    caller, gw = t.caller(), t.gateway()
    up = [t.established(s, caller, gw) for _ in range(3)]
    refused(t, s, caller, "calls")
    a, b = up[0]
    a.send("INFO", body="still there", content_type="text/plain")
    b.reply_to(b.expect("INFO"), 200)
    a.expect(200)
    ended(*up.pop())
    up.append(t.established(s, caller, gw))
    for x in up:
        ended(*x)
    s.idle()


def case_ports(t):
    """No port pair left: the next relayed call is refused; those that have theirs go on."""
    c = t.config(media=True)
    c["media"]["ports"] = "30000-30007"   # two calls of two pairs each
    s = t.switch(c)
    caller, gw = t.caller(), t.gateway()
    up = [t.established(s, caller, gw) for _ in range(2)]
    refused(t, s, caller, "ports")
    for x in up:
        ended(*x)
    s.idle()


def limit_files(s, size):
    resource.prlimit(s.worker("cdr")["pid"], resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def case_disk(t):
    """A full disk: calls go on, their records wait in the journal, an alarm says so; with room again each is written once."""
    s = t.switch()
    caller, gw = t.caller(), t.gateway()
    events = s.connect()
    events.ask("subscribe")
    ended(*t.established(s, caller, gw))
    s.cdrs(1)
    limit_files(s, 1)   # no byte more
    for _ in range(20):
        ended(*t.established(s, caller, gw))
    alarm = next(e for e in iter(events.line, None) if e.get("event") == "alarm")
    check("records cannot be written" in alarm["text"], f"{alarm}")
    equal(len(s.cdrs()), 1, "records on a full disk")
    s.kill_worker("cdr")   # its successor may write
    rows = s.cdrs(21)
    equal(len({r["call_id"] for r in rows}), 21, "different calls")
    events.close()


@release_only
def case_journal(t):
    """Nobody writes records and the journal is full: no call is admitted that could not be recorded; the one that is up is."""
    c = t.config()
    c["system"]["limits"]["calls"] = 10
    s = t.switch(c)
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    limit_files(s, 1)
    full = 0
    for i in range(12000):   # refusals are recorded, too, as long as there is room
        caller.request(s, "INVITE", "2555")
        caller.log.clear()
        if i % 200 == 199:
            while caller._read(0.02):
                pass
            caller.inbox.clear()
            caller.log.clear()
            d = caller.call(s, "15551111")
            m = d.expect((100, 503), skip=(404,))
            if m.code == 503:
                full = i
                break
            gw.take().fail(486)
            d.expect(486)
    check(full, "12,000 records without room for them")
    ended(a, b)
    limit_files(s, resource.RLIM_INFINITY)
    wait_for(lambda: sum(r["reason"] == "normal" for r in s.cdrs()) == 1, 10 * SLOW, "the record of the call that was up")
    rows = s.cdrs()
    equal(len({r["call_id"] for r in rows}), len(rows), "different calls")
    time.sleep(0.2)
    ended(*t.established(s, caller, gw))
    caller.secrets.clear()   # thousands
