"""Helpers of the scenarios; what each part does is said in its own file."""
from lib.agent import Agent, Dialog, Unexpected
from lib.context import Context, Skip
from lib.dns import Dns
from lib.load import SIPP, Load
from lib.sip import Broken, Message, compose, sdp, token
from lib.switch import BUILD, ROOT, SLOW, Control, Refused, Switch, program, session_pids, wait_for


def equal(got, wanted, what=""):
    assert got == wanted, f"{what or 'value'}: {got!r} instead of {wanted!r}"


def check(ok, what):
    assert ok, what


def alone(f):
    """Marks a case that measures or loads: nothing else runs beside it."""
    f.alone = True
    return f


def release_only(f):
    """Marks a case that judges times or sizes: left out under a sanitizer."""
    f.release_only = True
    return f


def long_only(f):
    """Marks a case that only --long runs."""
    f.long_only = True
    return f


def shows(*names, default_differs=True, reason=""):
    """Names the parameters and keys that the case shows at work: SS_SIP_TIMEOUT_INVITE, routing_gateways.timeouts.invite. Without
    the key the case must fail (run --defaults); default_differs=False says that it shows the default, or why it cannot."""
    assert default_differs or reason, f"{names}: why does the default not differ?"

    def mark(f):
        f.shows = getattr(f, "shows", ()) + names
        if not default_differs:
            f.default_shown = {**getattr(f, "default_shown", {}), **{n: reason for n in names}}
        return f
    return mark


def limit(seconds):
    """How long the case may take (default 60 s)."""
    def mark(f):
        f.limit = seconds
        return f
    return mark
