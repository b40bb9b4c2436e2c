"""Outbound registrations with Kamailio as the upstream's registrar: hundreds of accounts with digest authentication come up at the
configured pace, are refreshed, outlive the registrar process, and are taken back."""
import collections
import signal
import time

from lib import alone, check, equal, limit, long_only, wait_for
from lib.kamailio_registrar import KamailioRegistrar


def config(t, n, rate):
    return t.config(system={"limits": {"calls": 100, "registrations": max(n, 1)}}, registration={"rate": rate, "unregister_timeout": 5},
                    registrations=[{"id": f"up{i}", "proxy": f"udp:{t.ip(20)}:5060", "domain": "carrier.example", "username": f"u{i}", "password": "secret"}
                                   for i in range(n)])


def states(s):
    return collections.Counter(r["state"] for r in s.ask("registrations")["registrations"])


def by_user(rows):
    users = collections.defaultdict(list)
    for r in rows:
        users[r.user].append(r)
    return users


def whole_life(t, n, rate, expires):
    up = KamailioRegistrar(t, "registrar", t.ip(20), expires=expires)
    s = t.make(config(t, n, rate)).spawn()
    wait_for(lambda: s.running() and states(s) == {"registered": n}, 10 + 2 * n / rate, f"{n} registered")
    first = [r.at for r in up.saved()]
    took = max(first) - min(first)
    check(0.75 * (n - 1) / rate <= took <= (n - 1) / rate + 2, f"{n} first registrations in {took:.2f} s at {rate} a second")
    second = [sum(1 for a in first if a - min(first) < k) for k in (1, 2)]
    check(second[0] <= 1.1 * rate + 5, f"{second[0]} in the first second")
    s.kill_worker("registrar")                      # between the refreshes
    begin = min(first)
    wait_for(lambda: len(up.saved()) > n + n // 4, expires + 5, "refreshes", 0.05)
    s.kill_worker("registrar")                      # amid them
    wait_for(lambda: time.time() > begin + 2 * expires, 3 * expires, "two expiries", 0.2)
    rows = by_user(up.saved())
    equal(len(rows), n, "accounts")
    for user, r in rows.items():
        check(len(r) >= 2, f"{user}: {len(r)} registrations")
        equal(len({x.call_id for x in r}), 1, f"{user}: Call-IDs")
        check(all(b.cseq == a.cseq + 1 for a, b in zip(r, r[1:])), f"{user}: CSeq {[x.cseq for x in r]}")
        gaps = [b.at - a.at for a, b in zip(r, r[1:])]
        check(all(0.8 * expires - 0.1 < g < expires for g in gaps), f"{user}: refreshed after {gaps}, granted {expires} s")
    equal(len(up.challenged()), n, "challenges: refreshes have credentials from the start")
    equal(states(s), {"registered": n}, "states")
    s.process.send_signal(signal.SIGTERM)
    before = time.monotonic()
    s.stop()
    took = time.monotonic() - before
    check(took < 6, f"stopped after {took:.1f} s")
    gone = [r for r in up.saved() if r.expires == 0]
    equal(len({r.user for r in gone}), n, "accounts taken back")
    check(max(r.at for r in gone) - min(r.at for r in gone) < 5, "not in time")
    check("could not be taken back" not in s.log() and "not taken back" not in s.log(), "log")


@alone
@limit(60)
def case_200_accounts(t):
    """200 accounts: 200 a second at the start, refreshed at 80 %, the registrar killed twice, all taken back."""
    whole_life(t, 200, 200, 4)


@alone
@long_only
@limit(60)
def case_2000_accounts(t):
    """2,000 accounts, the same."""
    whole_life(t, 2000, 400, 15)


def case_sha256(t):
    """SHA-256."""
    up = KamailioRegistrar(t, "registrar", t.ip(20), algorithm="SHA-256")
    s = t.switch(config(t, 1, 50))
    wait_for(lambda: states(s) == {"registered": 1}, 5, "registered")
    s.stop()
    equal([r.expires for r in up.saved()], [3600, 0], "granted and taken back")
