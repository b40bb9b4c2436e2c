"""Authentication of requests by account (RFC 3261 section 22, RFC 7616, RFC 8760), and what happens to those who guess: attempts,
suspension of terminals and sources, silence towards strangers."""
import datetime
import hashlib
import re
import statistics
import time

from lib import alone, check, compose, equal, release_only, shows, wait_for
from lib.phone import Phone, challenge_of, credentials

ANY = tuple(range(200, 700))


def config(t, accounts=None, parameters=None, **more):
    c = t.config(**more)
    c["accounts"] = accounts or [{"id": "1001", "password": "secret"}, {"id": "1002", "password": "secret"}]
    c["parameters"] = parameters or {}
    c["system"]["limits"] = {"calls": 100, "endpoints": 200}
    return c


def phone(t, host=20, account="1001", port=5060, password="secret"):
    return Phone(t.agent(f"p{host}x{port}", t.ip(host), port, "caller", 43000 + 2 * host), account, password)


def ask(p, s, **more):
    """One REGISTER and its answer; a challenge in it is taken up by the next."""
    sent = p.send(s, **more)
    m = p.agent.expect(ANY, call_id=sent.call_id)
    if m.code in (401, 407):
        p.nonce, p.nc, p.code = challenge_of(m), 0, m.code
    return m


def codes(p, s, n, **more):
    return [ask(p, s, **more).code for _ in range(n)]


def suspended(s):
    return {x["who"]: x for x in s.ask("suspended")["suspended"]}


def seconds_left(x):
    """until, as seconds from now"""
    return (datetime.datetime.fromisoformat(x["until"].replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


# --- challenges ---

@shows("sip.realm")
def case_challenge(t):
    """What a challenge says; the credentials it asks for are taken, with the same nonce again and again."""
    s = t.switch(config(t, sip={"realm": "phones of tandem"}))
    p = phone(t)
    m = ask(p, s)
    equal((m.code, len(m.all("www-authenticate")), m.get("proxy-authenticate")), (401, 1, None), "challenge")
    c = challenge_of(m)
    equal((c["realm"], c["algorithm"], c["qop"], "stale" in c), ("phones of tandem", "MD5", "auth", False), "what it says")
    equal(codes(p, s, 3), [200] * 3, "the nonce with counts 1, 2, 3")
    p.nonce, p.password = dict(c), "secre"
    equal(ask(p, s).code, 401, "a wrong password")


@shows("sip.digest", "accounts.ha1")
def case_algorithms(t):
    """One header per algorithm, in the order of the configuration; each is taken. An account with ha1 is asked for MD5 alone."""
    ha1 = hashlib.md5(b"1002:tandem:secret").hexdigest()
    s = t.switch(config(t, sip={"digest": ["sha-256", "md5"]}, accounts=[{"id": "1001", "password": "secret"}, {"id": "1002", "ha1": ha1}]))
    p, q = phone(t), phone(t, 21, "1002")
    m = p.agent.expect(401, call_id=p.send(s).call_id)
    equal([re.search(r"algorithm=([\w-]+)", v).group(1) for v in m.all("www-authenticate")], ["SHA-256", "MD5"], "algorithms offered")
    for v in m.all("www-authenticate"):
        p.nonce, p.nc, p.code = {a: b or c for a, b, c in re.findall(r'([\w-]+)=(?:"([^"]*)"|([^,\s]+))', v)}, p.nc, 401
        equal(ask(p, s).code, 200, v)
    m = ask(q, s)
    equal([re.search(r"algorithm=([\w-]+)", v).group(1) for v in m.all("www-authenticate")], ["MD5"], "algorithms offered for an ha1")
    equal(ask(q, s).code, 200, "by ha1")
    q.nonce = dict(q.nonce, algorithm="SHA-256")
    equal(ask(q, s).code, 401, "an algorithm that was not offered")


@shows("SS_SIP_AUTHENTICATION_CODE")
def case_407(t):
    """REGISTER and INVITE are challenged with 407 and Proxy-Authenticate."""
    s = t.switch(config(t, parameters={"SS_SIP_AUTHENTICATION_CODE": 407}))
    p, gw = phone(t), t.gateway()
    m = ask(p, s)
    equal((m.code, m.get("www-authenticate")), (407, None), "challenge")
    check(m.get("proxy-authenticate").startswith("Digest "), "Proxy-Authenticate")
    equal(ask(p, s).code, 200, "REGISTER with Proxy-Authorization")
    a = p.agent.call(s, "15551234", "1001")
    m = a.expect(407)
    a.send("INVITE", body=p.agent.offer(), headers=[("Proxy-Authorization", credentials(challenge_of(m), "1001", "secret", "INVITE", a.target))])
    b = gw.take()
    b.fail(486)
    a.expect(486)


def case_call(t):
    """An account that is not registered calls: challenged without a trace, then through; what it authenticated with goes no further."""
    s = t.switch(config(t))
    p, gw = phone(t), t.gateway()
    a = p.agent.call(s, "15551234", "1001")
    m = a.expect(401)   # acknowledges it
    a.repeat(a.sent["INVITE"])
    again = p.agent.expect(401, call_id=a.call_id)
    equal(again.tag("to"), m.tag("to"), "tag of the repeated answer")
    p.agent.quiet(0.7)  # the 401 is not resent
    equal(s.calls(), [], "calls")
    a.send("INVITE", body=p.agent.offer(), headers=[("Authorization", credentials(challenge_of(m), "1001", "secret", "INVITE", a.target))])
    b = gw.take()
    equal((b.invite.get("authorization"), b.invite.get("proxy-authorization")), (None, None), "credentials for the gateway")
    b.reply(200, body=gw.answer())
    a.expect(200)
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
    c, = s.cdrs(1)
    equal(c["reason"], "normal", "record: a challenge is no call")


def case_uri_of_another(t):
    """The digest must be about the number that is called: credentials for another are refused with 400."""
    s = t.switch(config(t))
    p, gw = phone(t), t.gateway()
    a = p.agent.call(s, "15551234", "1001")
    c = challenge_of(a.expect(401))
    a.send("INVITE", body=p.agent.offer(), headers=[("Authorization", credentials(c, "1001", "secret", "INVITE", a.target.replace("15551234", "15550000")))])
    a.expect(400)
    gw.quiet(0.2)


def case_to_of_another(t):
    """The number that is called is the one that the credentials are about, whatever To says."""
    s = t.switch(config(t))
    p, gw = phone(t), t.gateway()
    a = p.agent.call(s, "15550000", "1001", uri=f"sip:15551234@{t.ip(1)}:5060")
    c = challenge_of(a.expect(401))
    a.send("INVITE", body=p.agent.offer(), headers=[("Authorization", credentials(c, "1001", "secret", "INVITE", a.target))])
    b = gw.take()
    equal(b.invite.user("to"), "15551234", "callee")
    b.reply(486)
    a.expect(486)


# --- nonces ---

def case_stale(t):
    """A nonce that is not ours and a count that was used: stale=true, without counting as a failure; the next is good."""
    s = t.switch(config(t, parameters={"SS_SIP_AUTHENTICATION_RETRY": 1, "SS_AUTHENTICATION_MAX_RETRY": 1}))
    p = phone(t)
    equal(ask(p, s).code, 401, "challenge")
    good = dict(p.nonce)
    for wrong in ("x", good["nonce"][:-1] + ("a" if good["nonce"][-1] != "a" else "b"), good["nonce"] + "a", ""):
        p.nonce, p.nc = dict(good, nonce=wrong), 0
        m = ask(p, s)
        if wrong:
            equal((m.code, challenge_of(m).get("stale")), (401, "true"), f"nonce {wrong}")
    p = phone(t, 21)
    ask(p, s)
    good = dict(p.nonce)
    equal(codes(p, s, 2), [200, 200], "counts 1 and 2")
    p.nc = 0
    for _ in range(3):
        m = ask(p, s)
        equal((m.code, challenge_of(m).get("stale")), (401, "true"), "count 1 again")
        p.nonce, p.nc = dict(good), 0
    p.nc = 7
    equal(ask(p, s).code, 200, "count 8")
    equal(suspended(s), {}, "suspended")


def case_several_workers(t):
    """A nonce is another worker's as often as not: INVITEs go through with one more round at most."""
    s = t.switch(config(t, workers=2))
    p, gw = phone(t), t.gateway()
    nonce, rounds = None, []
    for i in range(8):
        a = p.agent.call(s, "15551234", "1001", headers=[("Authorization", credentials(nonce, "1001", "secret", "INVITE", f"sip:15551234@{s[0]}:{s[1]}", i + 1))] if nonce else [])
        m = a.expect((401, 486)) if not nonce else p.agent.expect((100, 401), call_id=a.call_id, skip=())
        rounds.append(m.code)
        if m.code == 401:
            if nonce:
                equal(challenge_of(m).get("stale"), "true", "stale")
                a._ack_failure(m)
            fresh = challenge_of(m)
            a.send("INVITE", body=p.agent.offer(), headers=[("Authorization", credentials(fresh, "1001", "secret", "INVITE", a.target))])
            nonce = nonce or fresh
        gw.take().fail(486)
        a.expect(486)
    check(100 in rounds, f"no INVITE went through at once: {rounds}")
    equal(suspended(s), {}, "suspended")


# --- one attempt ---

@shows("SS_SIP_AUTHENTICATION_RETRY")
def case_retry(t):
    """So many challenges in one attempt, then 403; the right password still ends it, and the next begins anew."""
    s = t.switch(config(t, parameters={"SS_SIP_AUTHENTICATION_RETRY": 3}))
    p = phone(t, password="wrong")
    equal(codes(p, s, 5), [401, 401, 401, 403, 403], "answers")
    p.password = "secret"
    equal(ask(p, s).code, 200, "the right password")
    equal(codes(p, s, 3, authorise=False), [401] * 3, "the next attempt")


@shows("SS_SIP_AUTHENTICATION_TIMEOUT")
def case_timeout(t):
    """Right credentials that come too late: 403; the next attempt begins anew."""
    s = t.switch(config(t, parameters={"SS_SIP_AUTHENTICATION_TIMEOUT": 1}))
    p, q = phone(t), phone(t, 21)
    ask(p, s)
    ask(q, s)
    equal(ask(q, s).code, 200, "in time")
    time.sleep(1.2)
    equal(ask(p, s).code, 403, "too late")
    equal(codes(p, s, 2, authorise=False), [401, 401], "the next attempt")
    equal(ask(p, s).code, 200, "in time")


def case_timeout_of_another(t):
    """What a phone has not answered keeps neither itself nor another one behind the same address out: a nonce that has let it in before
    is good still, and each has attempts of its own."""
    s = t.switch(config(t, parameters={"SS_SIP_AUTHENTICATION_TIMEOUT": 1, "SS_SIP_AUTHENTICATION_RETRY": 3}))
    p, dumb = phone(t), phone(t, 20, port=5999)
    p.register(s)
    used = p.nonce, p.nc
    ask(p, s, authorise=False)
    p.nonce, p.nc = used
    codes(dumb, s, 2, authorise=False)
    time.sleep(1.2)
    equal(codes(p, s, 2), [200, 200], "with the nonce of before")
    equal(codes(dumb, s, 5, authorise=False)[-1], 403, "one that never answers")
    equal(codes(p, s, 1, authorise=False), [401], "another one there, meanwhile")


# --- suspension ---

@shows("SS_AUTHENTICATION_MAX_RETRY", "SS_AUTHENTICATION_FAILED_SUSPEND")
def case_suspended(t):
    """Wrong passwords in a row suspend the terminal: refused with the right one too, other accounts and other places are not. Listed,
    told, survives the worker, lifted."""
    s = t.switch(config(t, parameters={"SS_AUTHENTICATION_MAX_RETRY": 3, "SS_AUTHENTICATION_FAILED_SUSPEND": 70, "SS_SIP_AUTHENTICATION_RETRY": 20}))
    events = s.connect()
    events.ask("subscribe")
    p, elsewhere, colleague = phone(t, password="wrong"), phone(t, 21), phone(t, 20, "1002", port=5062)
    equal(codes(p, s, 3), [401] * 3, "challenge, two wrong passwords")
    p.password = "secret"
    equal(ask(p, s).code, 200, "the right one: the row is over")
    p.register(s, expires=0)   # a contact that is registered would be spared
    p.nonce, p.password = None, "wrong"
    equal(codes(p, s, 5), [401, 401, 401, 403, 403], "challenge, wrong passwords")
    p.password = "secret"
    equal(ask(p, s).code, 403, "the right password now")
    equal(ask(p, s, authorise=False).code, 403, "without any")
    elsewhere.register(s)
    colleague.register(s)
    who = f"1001@{p.agent.ip}"
    x = suspended(s)
    equal(list(x), [who], "suspended")
    equal((x[who]["kind"], x[who]["reason"]), ("terminal", "wrong passwords"), "how")
    check(60 < seconds_left(x[who]) <= 70, f"until: {seconds_left(x[who])} s from now")
    e = events.line()
    while e.get("event") != "suspended":
        e = events.line()
    equal((e["who"], e["kind"], e["reason"]), (who, "terminal", "wrong passwords"), "event")
    check(f"{who} is suspended for 70 s: wrong passwords" in s.log(), "log")
    s.kill_worker("signaling")
    equal(ask(p, s).code, 403, "after the worker's death")
    code, out, err = s.ctl("unsuspend", who)
    equal((code, err), (0, ""), "tandemctl unsuspend")
    wait_for(lambda: not suspended(s), 2, "an empty list")
    p.nonce = None
    p.register(s)
    equal(s.ctl("unsuspend", who)[0], 1, "nobody to be let in")
    equal(s.ctl("suspended")[0], 0, "tandemctl suspended")


def case_guesses_in_one_transaction(t):
    """Wrong passwords that all come in one transaction are as many guesses."""
    s = t.switch(config(t, parameters={"SS_AUTHENTICATION_MAX_RETRY": 4, "SS_ENDPOINT_REGISTER_RETRY": 0, "SS_SIP_AUTHENTICATION_RETRY": 20}))
    p = phone(t)
    ask(p, s)
    via, nonce, got = p.agent.via(), p.nonce, []
    for n in range(4):
        p.password, p.nonce, p.nc = f"guess{n}", nonce, 0
        sent = p.send(s, via=via, cseq=7)
        got.append(p.agent.expect(ANY, call_id=sent.call_id).code)
    equal(got, [401, 401, 401, 403], "answers")
    equal(list(suspended(s)), [f"1001@{p.agent.ip}"], "suspended")


def case_suspended_by_calls(t):
    """Wrong passwords of calls count wherever the calls are worked on, together with those of registrations, for the account's owner."""
    s = t.switch(config(t, workers=2, parameters={"SS_AUTHENTICATION_MAX_RETRY": 8, "SS_ENDPOINT_REGISTER_RETRY": 0}))
    p = phone(t, password="wrong")
    for _ in range(6):
        a = p.agent.call(s, "15551234", "1001")
        c = challenge_of(a.expect(401))
        a.send("INVITE", body=p.agent.offer(), headers=[("Authorization", credentials(c, "1001", "wrong", "INVITE", a.target))])
        a.expect(401)
    equal(suspended(s), {}, "suspended")
    equal(codes(p, s, 3), [401, 401, 403], "challenge, two more wrong passwords")
    equal(list(suspended(s)), [f"1001@{p.agent.ip}"], "suspended")
    for n in range(4):
        p.agent.call(s, f"1555000{n}", "1001").expect(403)
    a = phone(t, 21).agent.call(s, "15551234", "1001")
    a.expect(401)


def case_restart_of_everything(t):
    """With state_dir a suspension outlives the softswitch, and so does its end."""
    c = config(t, parameters={"SS_AUTHENTICATION_MAX_RETRY": 2})
    c["system"]["state_dir"] = f"{t.dir}/state"
    s = t.switch(c)
    p, q = phone(t, password="wrong"), phone(t, 21, "1002", password="wrong")
    equal(codes(p, s, 3)[-1], 403, "a third wrong password")
    equal(codes(q, s, 3)[-1], 403, "another's")
    s.ctl("unsuspend", f"1002@{q.agent.ip}")
    wait_for(lambda: len(suspended(s)) == 1, 2, "one of them")
    until = seconds_left(suspended(s)[f"1001@{p.agent.ip}"])
    s.stop()
    s.control = None
    s.start()
    x = wait_for(lambda: suspended(s), 3, "the suspension")
    equal(list(x), [f"1001@{p.agent.ip}"], "suspended")
    equal((x[f"1001@{p.agent.ip}"]["kind"], x[f"1001@{p.agent.ip}"]["reason"]), ("terminal", "wrong passwords"), "how")
    check(until - 15 < seconds_left(x[f"1001@{p.agent.ip}"]) <= until, "until when")
    p.password, q.password, q.nonce = "secret", "secret", None
    equal(ask(p, s).code, 403, "the right password now")
    q.register(s)


def case_spared(t):
    """Whoever is registered stays so, whatever others behind the same address do; a gateway is never suspended."""
    s = t.switch(config(t, parameters={"SS_AUTHENTICATION_MAX_RETRY": 2, "SS_ENDPOINT_REGISTER_RETRY": 2}, mapping={"authentication": "digest"}))
    p, thief = phone(t), phone(t, 20, port=5999, password="guess")
    p.register(s)
    equal(codes(thief, s, 4)[-1], 403, "the thief")
    equal(list(suspended(s)), [f"1001@{p.agent.ip}"], "suspended")
    p.register(s)
    p.password = "wrong"
    p.nonce = None
    equal(codes(p, s, 4), [401] * 4, "wrong passwords of the one who is registered")
    trunk = phone(t, 2, port=5070, password="guess")
    equal(codes(trunk, s, 5), [401] * 5, "wrong passwords from a gateway")
    equal(list(suspended(s)), [f"1001@{p.agent.ip}"], "suspended")


def case_source_over_accounts(t):
    """A source that tries one password on many accounts is suspended as a whole, by as many wrong ones; an unknown account counts too."""
    s = t.switch(config(t, accounts=[{"id": f"100{n}", "password": "secret"} for n in range(1, 6)],
                        parameters={"SS_AUTHENTICATION_MAX_RETRY": 4, "SS_ENDPOINT_REGISTER_RETRY": 0}))
    got = []
    for n in (1, 2, 9, 3):
        p = phone(t, 20, f"100{n}", port=5060 + n, password="guess")
        got.append(codes(p, s, 2))
    equal(got, [[401, 401]] * 3 + [[401, 403]], "answers")
    x = suspended(s)
    equal([(w, x[w]["kind"]) for w in x], [(p.agent.ip, "source")], "suspended")
    right = phone(t, 20, "1005", port=5090)
    equal(ask(right, s).code, 403, "an account that was not tried, from there")
    phone(t, 21, "1005").register(s)
    s.ctl("unsuspend", p.agent.ip)
    wait_for(lambda: not suspended(s), 2, "an empty list")
    right.register(s)


@shows("SS_ENDPOINT_REGISTER_RETRY", "SS_ENDPOINT_REGISTER_SUSPEND")
def case_failed_registrations(t):
    """Registrations that fail for whatever reason: one that succeeds ends the row; too many suspend the terminal."""
    s = t.switch(config(t, parameters={"SS_ENDPOINT_REGISTER_RETRY": 3, "SS_ENDPOINT_REGISTER_SUSPEND": 65, "SS_AUTHENTICATION_MAX_RETRY": 0,
                                       "SS_ENDPOINT_REGISTER_REPLACE": False}))
    first = phone(t, 22)
    first.register(s)   # the one contact that the account may have
    p = phone(t)
    ask(p, s)
    equal(codes(p, s, 2), [403, 403], "two that fail")
    equal(codes(p, s, 1, contacts=()), [200], "one that does not: a question")
    equal(codes(p, s, 2), [403, 403], "two that fail")
    equal(suspended(s), {}, "suspended")
    equal(codes(p, s, 1), [403], "the third")
    equal(codes(p, s, 1, contacts=()), [403], "whatever comes then")
    first.register(s)
    x = suspended(s)[f"1001@{p.agent.ip}"]
    equal(x["reason"], "failed registrations", "why")
    check(55 < seconds_left(x) <= 65, f"until: {seconds_left(x)} s from now")
    q = phone(t, 21, password="wrong")
    equal(codes(q, s, 4), [401, 401, 401, 403], "wrong passwords are failed registrations, too")


# --- strangers ---

def shape(m, *names):
    """The answer without what must differ: name, tags, ids, nonce."""
    text = m.raw.decode()
    for n in names:
        text = text.replace(n, "NAME")
    return re.sub(r'nonce="\w+"|tag=\w+|branch=\w+|Call-ID: .*|CSeq: \d+', "X", text)


def case_names_are_not_told(t):
    """With SS_REPLY_UNAUTHORIZED on an account that exists cannot be told from one that does not: the same answers throughout."""
    s = t.switch(config(t, accounts=[{"id": "1001", "password": "secret"}, {"id": "1003", "password": "x", "enabled": False}]))
    all_of_them = []
    for n, name in enumerate(("1001", "1009", "1003")):
        p = phone(t, 20 + n, name, password="wrong")
        differs = (p.agent.host, name, p.agent.ip)
        answers = [shape(ask(p, s), *differs) for _ in range(9)]
        p.nonce = {"nonce": "x", "realm": "tandem", "qop": "auth"}
        answers.append(shape(ask(p, s), *differs))
        a = p.agent.call(s, "15551234", name)
        answers.append(shape(a.expect((401, 403)), *differs))
        all_of_them.append(answers)
    equal([re.findall(r"SIP/2.0 (\d+)", x)[0] for x in all_of_them[0]], ["401"] * 6 + ["403"] * 5, "codes")
    equal(all_of_them[1], all_of_them[0], "answers to an unknown account")
    equal(all_of_them[2], all_of_them[0], "answers to a disabled account")


@alone
@release_only
def case_names_take_as_long(t):
    """Nor do answers take longer for an account that exists: with a wrong password and without one, the medians of many interleaved
    questions differ by less than a third."""
    s = t.switch(config(t, accounts=[{"id": f"10{n:02}", "password": "secret" * (n % 3 + 1)} for n in range(100)],
                        parameters={"SS_AUTHENTICATION_MAX_RETRY": 0, "SS_ENDPOINT_REGISTER_RETRY": 0, "SS_SIP_AUTHENTICATION_RETRY": 100},
                        protect={"rate": 10000}))
    a = t.agent("asker", t.ip(20), 5060, "caller", 43000)
    a.sock.settimeout(2)
    shape = Phone(a, "1000")
    shape.register(s)
    nonce = shape.nonce

    def question(name, wrong):
        p = Phone(a, name, "wrong")
        h = [("Via", a.via()), ("Max-Forwards", 70), ("From", f"<sip:{name}@x>;tag=a"), ("To", f"<sip:{name}@x>"), ("Call-ID", f"{name}{p.call_id}"),
             ("CSeq", "1 REGISTER")]
        return compose("REGISTER sip:x SIP/2.0", h + ([("Authorization", credentials(nonce, name, "wrong", "REGISTER", "sip:x", 9))] if wrong else []))

    for wrong in (False, True):
        took = {True: [], False: []}
        for i in range(600):
            known = i % 2 == 0
            raw = question(f"{10 if known else 20}{i // 2 % 100:02}", wrong)
            began = time.perf_counter()
            a.sock.sendto(raw, s.address)
            got = a.sock.recv(65535)
            took[known].append(time.perf_counter() - began)
            assert got.startswith(b"SIP/2.0 401"), got
        known, unknown = (statistics.median(took[k]) for k in (True, False))
        check(2 / 3 < known / unknown < 3 / 2, f"{known * 1e6:.0f} us for one that exists, {unknown * 1e6:.0f} us for one that does not")


@shows("SS_REPLY_UNAUTHORIZED")
def case_silence(t):
    """Off: strangers that name no account get not one byte, whatever they ask; five names and not even an account that exists is
    answered. Accounts and gateways work as ever."""
    s = t.switch(config(t, parameters={"SS_REPLY_UNAUTHORIZED": False}, protect={"ban": 60}))
    p, gw = phone(t), t.gateway()
    p.register(s)
    stranger = phone(t, 21, "nobody")
    stranger.send(s)
    for method in ("OPTIONS", "INVITE", "SUBSCRIBE", "MESSAGE", "BYE", "FROBNICATE", "ACK", "CANCEL"):
        stranger.agent.request(s, method, "15551234")   # all name themselves alike
    stranger.agent.quiet(0.3)
    stranger.account = "1001"
    equal(ask(stranger, s).code, 401, "a name that exists")
    stranger.account = "1002"
    stranger.agent.request(s, "OPTIONS", headers=[("From", f"<sip:1002@{stranger.agent.host}>;tag=x")], drop=("From",))
    stranger.agent.expect(200)
    for n in range(5):
        stranger.account = f"unknown{n}"
        stranger.send(s)
    wait_for(lambda: suspended(s), 2, "a ban")
    x = suspended(s)[stranger.agent.ip]
    equal((x["kind"], x["reason"]), ("ignored", "unknown account names"), "how")
    check(50 < seconds_left(x) <= 60, f"until: {seconds_left(x)} s from now")
    stranger.account = "1001"
    stranger.send(s)
    stranger.agent.quiet(0.3)
    p.register(s)
    caller = t.caller()
    a, b = t.established(s, caller, gw)
    a.send("BYE")
    b.byed()
    a.expect(200)
    s.ctl("unsuspend", stranger.agent.ip)
    wait_for(lambda: not suspended(s), 2, "an empty list")
    stranger.send(s, authorise=False)
    stranger.agent.expect(401)


def case_silence_suspended(t):
    """Off: a suspended terminal gets no answer either."""
    s = t.switch(config(t, parameters={"SS_REPLY_UNAUTHORIZED": False, "SS_AUTHENTICATION_MAX_RETRY": 2}))
    p = phone(t, password="wrong")
    equal(codes(p, s, 3), [401, 401, 403], "answers")
    p.send(s)
    p.agent.quiet(0.3)
    phone(t, 21).register(s)
