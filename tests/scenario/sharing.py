"""Two signalling workers share the calls of one peer that sends everything from one address and port."""
from lib import Load, alone, check, equal, wait_for


def shared(t, env, steering):
    s = t.switch(t.config(workers=2), env=env)
    got = s.ask("status")["steering"]
    if steering is None:
        check(got in ("kernel", "ring"), f"steering: {got}")
    else:
        equal(got, steering, "steering")
    x = Load(t, s, calls=400, rate=200, hold=4)
    wait_for(lambda: s.ask("status")["calls"] == 400, 20, "400 calls up")
    share = [w["calls"] for w in s.workers("signaling")]
    check(min(share) >= 160, f"calls of the workers: {share}")   # 200 +- 4 standard deviations
    x.wait()
    x.wait_callee()
    s.idle()
    rows = s.cdrs(400)
    equal(len({c["call_id"] for c in rows}), 400, "different calls in the records")
    return got


@alone
def case_as_started(t):
    """Half of the calls each, with whatever steering the machine allows; `status` says which."""
    print(shared(t, {}, None))


@alone
def case_ring(t):
    """The same by the portable way: messages that came to the wrong worker are handed over by ring."""
    shared(t, {"TANDEM_STEERING": "ring"}, "ring")
