"""A gateway that forks: several To tags in its 18x, and more than one 2xx."""
from lib import check, equal


def start(t, **more):
    s = t.switch(t.config(**more))
    caller, gw = t.caller(), t.gateway()
    a = caller.call(s, "15551234")
    return s, caller, gw, a, gw.take()


def case_several_18x(t):
    """180 with two To tags, 200 with the second: the call is with the second, and BYE goes there."""
    s, caller, gw, a, b = start(t)
    b.reply(180, tag="first-branch")
    a.expect(180)
    b.reply(180, tag="second-branch")
    b.reply(200, body=gw.answer(), tag="second-branch")
    a.expect(200, skip=(100, 180))
    a.ack()
    equal(b.expect("ACK").tag("to"), "second-branch", "To tag of the ACK")
    a.send("BYE")
    equal(b.byed().tag("to"), "second-branch", "To tag of the BYE")
    a.expect(200)
    s.cdrs(1)


def case_second_200(t):
    """A further 200 with another tag: it gets ACK and BYE in its own dialog, the call goes on with the first."""
    s, caller, gw, a, b = start(t)
    b.reply(200, body=gw.answer(), tag="winner")
    a.expect(200)
    a.ack()
    b.expect("ACK")
    b.reply(200, body=gw.answer(), tag="too-late")
    equal(b.expect("ACK", test=lambda m: True).tag("to"), "too-late", "To tag of the second ACK")
    m = b.byed()
    equal(m.tag("to"), "too-late", "To tag of the BYE")
    caller.quiet(0.3)
    equal(len(s.calls()), 1, "calls")
    a.send("BYE")
    equal(b.byed().tag("to"), "winner", "To tag of the BYE of the call")
    a.expect(200)
    s.cdrs(1)


def case_answers_of_two_branches(t):
    """Two different SDP answers in 183: the caller sees each under a To tag of its own."""
    s, caller, gw, a, b = start(t, media=True)
    b.reply(183, body=gw.answer(), tag="first-branch")
    one = a.expect(183)
    b.reply(183, body=gw.answer(codecs=(0, 101), version=9), tag="second-branch")
    two = a.expect(183)
    check(one.body != two.body and one.tag("to") != two.tag("to"), f"two answers, tags {one.tag('to')} and {two.tag('to')}")
    b.reply(200, body=gw.answer(codecs=(0, 101), version=9), tag="second-branch")
    ok = a.expect(200)
    equal(ok.tag("to"), two.tag("to"), "To tag of the 200")
    a.ack()
    b.expect("ACK")
    a.send("BYE")
    b.byed()
    a.expect(200)
