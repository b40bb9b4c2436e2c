"""A call, a datagram or a ring's message that kills its worker: the second time it is left out, with its bytes kept, and all else
goes on. The deaths are made by a build with crash points (TANDEM_POISON, shm/commit.h)."""
import glob
import os
import socket
import time

import tone
from lib import SLOW, Skip, check, equal, program, wait_for


def poisoned(t, places, how="SEGV", steering="", config=None):
    if not program("tandem-crash"):
        raise Skip("there is no build with crash points")
    env = {"TANDEM_POISON": places, "TANDEM_POISON_HOW": how}
    if steering:
        env["TANDEM_STEERING"] = steering
    s = t.make(config or t.config(), env)
    s.program, s.dies = "tandem-crash", True
    return s.start()


def kept(s, n, text):
    """The captures, of which one has these bytes."""
    files = wait_for(lambda: len(glob.glob(os.path.join(s.run_dir, "poison-*.pcap"))) == n and glob.glob(os.path.join(s.run_dir, "poison-*.pcap")),
                     5 * SLOW, f"{n} captures: {os.listdir(s.run_dir)}")
    data = b"".join(open(f, "rb").read() for f in files)
    check(text.encode() in data, f"the captures do not have {text}")
    check("alarm: " in s.log() and "has left it out" in s.log(), "no alarm")


def still_there(t, s, caller, gw):
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)


def in_service(s, role="signaling", index=0):
    def good():
        w = s.worker(role, index)
        return w["state"] == "running" and w["pid"]
    return wait_for(good, 10 * SLOW, "a worker in service")


def datagram(t, how):
    s = poisoned(t, "datagram=deadly", how)
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    m = caller.request(s, "OPTIONS", headers=[("Subject", "deadly")])
    wait_for(lambda: s.worker("signaling")["restarts"] == 2, 15 * SLOW, "two deaths")
    in_service(s)
    for _ in range(3):
        caller.transmit(m.raw, s)
    a.send("INFO", body="still there", content_type="text/plain")
    b.reply_to(b.expect("INFO"), 200)
    a.expect(200)
    equal(s.worker("signaling")["restarts"], 2, "deaths")
    kept(s, 1, "Subject: deadly")
    a.send("BYE")
    b.byed()
    a.expect(200)
    still_there(t, s, caller, gw)
    s.cdrs(2)


def case_datagram(t):
    """A datagram that kills is left out after the second death, also when it is sent again; a call that is up does not notice."""
    datagram(t, "SEGV")


def case_datagram_hangs(t):
    """One that makes its worker hang is treated the same."""
    datagram(t, "HANG")


def call_id_of(worker):
    """A Call-ID whose partition is the worker's, of two."""
    for n in range(1000):
        text = f"deadly-{n}@nowhere"
        h = 2166136261
        for c in text.encode():
            h = (h ^ c) * 16777619 & 0xffffffff
        h = (h ^ h >> 16) * 0x85ebca6b & 0xffffffff
        h = (h ^ h >> 13) * 0xc2b2ae35 & 0xffffffff
        if ((h ^ h >> 16) & 1023) % 2 == worker:
            return text


def case_ring(t):
    """The same for one that comes by the ring from another worker."""
    s = poisoned(t, "owned=deadly", "ABRT", "ring", t.config(workers=2))
    caller, gw = t.caller(), t.gateway()
    for worker in range(2):   # which of the two reads them is the kernel's choice; one comes by the ring
        caller.request(s, "OPTIONS", drop=("Call-ID",), headers=[("Call-ID", call_id_of(worker))])
        wait_for(lambda: s.worker("signaling", worker)["restarts"] == 2, 10 * SLOW, f"deaths of worker {worker}: {s.workers('signaling')}")
        in_service(s, index=worker)
    equal(s.log().count("left out after 2 deaths: message of type 1"), 1, "by the ring")
    equal(s.log().count("left out after 2 deaths: datagram"), 1, "from the batch")
    kept(s, 2, call_id_of(1))
    still_there(t, s, caller, gw)


def call_up(t, places):
    """Two calls; the one to 1666... is what kills."""
    s = poisoned(t, places)
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw, "15551234")
    x, y = t.established(s, caller, gw, "16665555")
    return s, caller, gw, a, b, x, y


def others_end(s, a, b, rows):
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.idle()
    return {c["callee_in"]: c for c in s.cdrs(rows)}


def case_call(t):
    """A call that kills is ended with BYE on both legs; its record says that it was our error. The other call goes on."""
    s, caller, gw, a, b, x, y = call_up(t, "request=16665555")
    x.send("INFO", body="deadly", content_type="text/plain")
    for d in (x, y):
        d.reply_to(d.expect("BYE", timeout=8 * SLOW), 200)
    rows = others_end(s, a, b, 2)
    equal((rows["16665555"]["reason"], rows["16665555"]["ended_by"], rows["16665555"]["recovered"]), ("internal error", "system", True), "the call that killed")
    equal(rows["15551234"]["reason"], "normal", "the other call")
    equal(s.worker("signaling")["restarts"], 2, "deaths")
    kept(s, 2, "deadly")


def case_ending_kills(t):
    """When ending it kills, too, its record is written and nothing sent."""
    s, caller, gw, a, b, x, y = call_up(t, "request=16665555 end=16665555")
    x.send("INFO", body="deadly", content_type="text/plain")
    wait_for(lambda: s.worker("signaling")["restarts"] == 3, 8 * SLOW, "three deaths")
    in_service(s)
    rows = others_end(s, a, b, 2)
    equal(rows["16665555"]["reason"], "internal error", "the call that killed")
    equal(rows["15551234"]["reason"], "normal", "the other call")
    equal(s.worker("signaling")["restarts"], 3, "deaths")


def case_adoption_kills(t):
    """A call whose adoption kills is forgotten; the other one lives."""
    s, caller, gw, a, b, x, y = call_up(t, "adopt=16665555")
    os.kill(s.worker("signaling")["pid"], 9)
    wait_for(lambda: s.worker("signaling")["restarts"] >= 4 and s.worker("signaling")["state"] == "running", 15 * SLOW, "four deaths")
    in_service(s)
    rows = others_end(s, a, b, 2)
    equal(rows["16665555"]["reason"], "internal error", "the call that killed")
    equal(rows["15551234"]["reason"], "normal", "the other call")


def case_audio(t):
    """A leg whose packets kill the relay is not served any more; the audio of the other call goes on."""
    s = poisoned(t, "packet=deadly-packet", config=t.config(media=True))
    caller, gw = t.caller(), t.gateway()
    a, b = t.established(s, caller, gw)
    x, y = t.established(s, caller, gw, "16665555")
    left, right = tone.Endpoint(caller.ip, caller.rtp, 425), tone.Endpoint(gw.ip, gw.rtp, 1000)
    left.to, right.to = a.answer.media, b.invite.media
    tone.both(left, right, seconds=0.5)
    pid = s.worker("media")["pid"]
    deadly = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    deadly.bind((caller.ip, 0))
    for _ in range(20):
        deadly.sendto(b"\x80\x08\0\1\0\0\0\1\0\0\0\1" + b"deadly-packet" * 12, x.answer.media)
        tone.both(left, right, seconds=0.05)
    deadly.close()
    equal(s.worker("media")["restarts"], 2, "deaths")
    check("audio of port pair" in s.log(), "not told")
    tone.both(left, right, seconds=1)
    left.to = right.to = None
    tone.both(left, right, seconds=0.2)
    for e, hz in ((left, 1000), (right, 425)):
        check(e.report(hz)["ok"], f"heard {e.report(hz)}")
    check(s.worker("media")["pid"] not in (0, pid), "a new media worker")
    for p, q in ((a, b), (x, y)):
        p.send("BYE")
        q.byed()
        p.expect(200)
    s.cdrs(2)


def case_setup(t):
    """A call in set-up whose timer kills is refused with 500."""
    s = poisoned(t, "timer=16665555")
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "16665555")
    gw.take()
    a.expect(500, timeout=8 * SLOW)
    wait_for(lambda: not s.calls(), 8 * SLOW, "the end")
    c, = s.cdrs(1)
    equal((c["reason"], c["ended_by"]), ("internal error", "system"), "record")
    equal(s.worker("signaling")["restarts"], 2, "deaths")
    t.agents.clear()
