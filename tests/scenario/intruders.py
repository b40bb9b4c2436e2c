"""sipvicious against accounts: svmap looks for softswitches, svwar for names, svcrack for a password."""
import concurrent.futures
import re
import subprocess

from authentication import config, phone, suspended
from lib import check, equal, wait_for
from lib.foreign import needs

HERE = "127.0.0.1"  # where svwar and svcrack send from: they know no other


def sipvicious(t, program, *args, seconds=30):
    """Runs it to its end, or so long; what it says."""
    path = needs(program, "sipvicious")
    p = subprocess.Popen([path, *args, t.ip(1)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=t.dir,
                         env={"HOME": t.dir, "PATH": "/usr/bin:/bin"})
    try:
        said = p.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        p.kill()
        said = p.communicate()[0]
    return re.sub(r"\x1b\[[0-9;]*m", "", said)


def at_once(t, *runs):
    """Several of them, as they mostly wait."""
    for program, *_ in runs:
        needs(program, "sipvicious")
    with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
        return [f.result() for f in [pool.submit(sipvicious, t, *r) for r in runs]]


def counter(s, name):
    return sum(int(n) for n in re.findall(rf"tandem_{name}\{{[^}}]*\}} (\d+)", s.ask("metrics")["text"]))


def accounts(*names):
    return [{"id": n, "password": "secret"} for n in names]


def case_silence(t):
    """SS_REPLY_UNAUTHORIZED off: neither svmap nor svwar gets one byte, so that they give up; whoever has named five unknown accounts is
    ignored."""
    s = t.switch(config(t, accounts("1001", "7002"), {"SS_REPLY_UNAUTHORIZED": False}))
    said = at_once(t, *[("svmap", "-b", t.ip(30 + n), "-m", m, "--first=1") for n, m in enumerate(("OPTIONS", "REGISTER"))],
                   *[("svwar", "-m", m, "-e", "1001", "--force") for m in ("REGISTER", "OPTIONS", "INVITE", "REGISTER", "OPTIONS")])
    equal([("found nothing" in x, "timed out" in x) for x in said], [(True, False)] * 2 + [(True, True)] * 5, "what they say")
    check(counter(s, "sip_datagrams_received_total") >= 7, "too few came")
    x = wait_for(lambda: suspended(s).get(HERE), 3, "a ban of svwar")
    equal((x["kind"], x["reason"]), ("ignored", "unknown account names"), "how")
    equal(counter(s, "sip_datagrams_sent_total"), 0, "datagrams sent")
    phone(t, 21).register(s)


def case_names(t):
    """SS_REPLY_UNAUTHORIZED on: to svwar an account that exists looks like the one it made up, by whatever method, so that it finds
    nothing."""
    s = t.switch(config(t, accounts("1001", "1004"), protect={"rate": 1000}))
    said = at_once(t, *[("svwar", "-m", m, "-e", "1001,1002,1004", "--force") for m in ("REGISTER", "INVITE", "OPTIONS")])
    equal(["found nothing" in x for x in said], [True] * 3, f"svwar found something: {said}")
    check(counter(s, "sip_challenged_total") >= 4, "nothing was challenged")


def case_password(t):
    """svcrack does not come far: its terminal is suspended long before the right password's turn; the account's phone elsewhere
    notices nothing."""
    s = t.switch(config(t, accounts("1001"), {"SS_AUTHENTICATION_MAX_RETRY": 5}, protect={"rate": 1000}))
    with open(f"{t.dir}/words", "w") as f:
        f.write("".join(f"guess{i}\n" for i in range(20)) + "secret\n")
    real = phone(t, 21)
    real.register(s)
    text = sipvicious(t, "svcrack", "-u", "1001", "-d", "words", seconds=3)   # refused, it goes on for ever
    check("| secret" not in text, f"svcrack found the password: {text}")
    x = suspended(s).get(f"1001@{HERE}")
    check(x and (x["kind"], x["reason"]) == ("terminal", "wrong passwords"), f"suspended: {suspended(s)} {text}")
    equal(counter(s, "sip_wrong_passwords_total"), 5, "passwords that were tried")
    real.register(s)
    real.nonce = None
    real.register(s)
