"""A fake user agent on a UDP socket: sends and reads single messages, so that a scenario can do what no phone would.

    a = caller.call(switch, "15551234", body=caller.offer())   # INVITE sent
    b = gateway.take()                                         # INVITE received: a dialog
    b.reply(180); a.expect(180)
    b.reply(200, body=gateway.answer()); a.expect(200); a.ack(); b.expect("ACK")
    a.send("BYE"); b.reply_to(b.expect("BYE"), 200); a.expect(200)

Nothing is resent unless the scenario does so. A repetition (the same bytes again) is counted and passed over unless it is asked
for with again=True. Everything is logged with its time; the context prints the ladder when the scenario fails.
"""
import re
import select
import socket
import time

from lib.sip import Broken, Message, PHRASES, compose, sdp, token, url_host


class Unexpected(AssertionError):
    pass


class Agent:
    """side: "caller" or "callee": what one side sent must never be seen by the other (Context.leaks)."""

    def __init__(self, context, name, ip, port, side, rtp=0):
        self.name, self.ip, self.port, self.side, self.rtp = name, ip, port, side, rtp or 40000
        self.context, self.log, self.inbox, self.seen, self.repeats = context, [], [], set(), 0
        self.host, self.product = f"{name}.private.example", f"ua-of-{name}/7.3"
        self.secrets = {self.host, self.product} | ({ip} if ip != "::1" else set())   # of IPv6 there is one loopback address for all
        self.sock = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.bind((ip, port))

    def close(self):
        self.sock.close()

    def secret(self, text):
        self.secrets.add(text)
        return text

    # -- wire --
    def transmit(self, raw, to):
        self.log.append((time.monotonic(), ">", raw))
        self.sock.sendto(raw, (to[0], to[1]))   # a switch will do

    def _read(self, timeout):
        """One new message into the inbox; False when nothing came in time."""
        if self.sock.fileno() < 0 or not select.select([self.sock], [], [], max(0, timeout))[0]:
            return False
        raw, source = self.sock.recvfrom(65535)
        self.log.append((time.monotonic(), "<", raw))
        try:
            m = Message(raw, source)
            m.lint()
        except (Broken, ValueError) as e:
            raise Unexpected(f"{self.name} received a broken message: {e}") from e
        m.again = raw in self.seen
        self.seen.add(raw)
        self.inbox.append(m)
        return True

    def expect(self, what, timeout=3.0, call_id=None, skip=(100,), again=False, test=None):
        """The next message that is `what` (a method, a code, or a tuple of them). Codes in `skip` and repetitions are
        passed over; anything else of the same call is a failure."""
        wanted = what if isinstance(what, tuple) else (what,)
        end = time.monotonic() + timeout
        while True:
            for m in list(self.inbox):
                if call_id and m.call_id != call_id:
                    continue
                self.inbox.remove(m)
                if m.again and not again:
                    self.repeats += 1
                    continue
                if (m.method in wanted if m.method else m.code in wanted) and (not test or test(m)):
                    return m
                if m.code in skip or m.method in skip:
                    continue
                raise Unexpected(f"{self.name}: expected {what}, received {m}")
            if not self._read(end - time.monotonic()) and time.monotonic() >= end:
                raise Unexpected(f"{self.name}: expected {what}, nothing came in {timeout} s")

    def quiet(self, seconds, but=()):
        """Nothing but repetitions and what `but` names may come."""
        end = time.monotonic() + seconds
        while self._read(end - time.monotonic()):
            pass
        for m in self.inbox:
            if not m.again and m.code not in but and m.method not in but:
                raise Unexpected(f"{self.name}: expected silence, received {m}")
        self.inbox.clear()

    # -- SDP of this agent --
    def offer(self, **more):
        return sdp(self.ip, self.rtp, **more)

    answer = offer

    def via(self, branch=None):
        return f"SIP/2.0/UDP {url_host(self.ip)}:{self.port};branch={branch or self.secret('z9hG4bK' + token())};rport"

    def contact(self):
        return f"<sip:{self.name}@{url_host(self.ip)}:{self.port}>"

    # -- out of dialog --
    def request(self, switch, method, user="", headers=(), drop=(), uri=None, branch=None, body="", max_forwards=70):
        """A request outside any dialog; returns it as sent."""
        target = uri or f"sip:{user + '@' if user else ''}{url_host(switch[0])}:{switch[1]}"
        h = [("Via", self.via(branch)), ("Max-Forwards", max_forwards),
             ("From", f'"{self.name}" <sip:{self.name}@{self.host}>;tag={self.secret(token("t"))}'),
             ("To", f"<{target}>"), ("Call-ID", self.secret(token("c")) + "@" + self.host), ("CSeq", f"1 {method}"),
             ("Contact", self.contact()), ("User-Agent", self.product)]
        h = [(n, v) for n, v in h if n not in drop] + list(headers)
        raw = compose(f"{method} {target} SIP/2.0", h, body)
        self.transmit(raw, switch)
        return Message(raw)

    # -- dialogs --
    def call(self, switch, callee, caller="15550001", body=None, headers=(), uri=None, **more):
        """Sends an INVITE; body None: an offer of ours, "": none. uri: the Request-URI, when it is not To's."""
        d = Dialog(self, switch)
        d.call_id = self.secret(token("c")) + "@" + self.host
        d.local_tag = self.secret(token("t"))
        d.local = f'"Alice {caller}" <sip:{caller}@{self.host}>'
        d.remote = f"<sip:{callee}@{url_host(switch[0])}:{switch[1]}>"
        d.target = uri or f"sip:{callee}@{url_host(switch[0])}:{switch[1]}"
        d.invite = d.send("INVITE", body=self.offer() if body is None else body, headers=headers, **more)
        return d

    def take(self, timeout=3.0, **more):
        """The next INVITE, as a dialog of which we are the callee."""
        m = self.expect("INVITE", timeout, **more)
        d = Dialog(self, m.source)
        d.call_id, d.invite = m.call_id, m
        d.local, d.local_tag = m.get("to"), self.secret(token("t"))
        d.remote, d.remote_tag = m.get("from"), m.tag("from")
        d.target, d.routes = m.address("contact"), m.all("record-route")
        return d


class Dialog:
    """One dialog of an agent. `invite` is the request that made it (sent or received), `answer` the last 2xx."""

    def __init__(self, agent, peer):
        self.agent, self.peer = agent, peer
        self.call_id = self.local = self.remote = self.local_tag = self.remote_tag = self.target = ""
        self.routes, self.cseq, self.invite, self.answer, self.sent = [], 0, None, None, {}

    def _to(self):
        v = re.sub(r";\s*tag=[^;]*$", "", self.remote)
        return v + (f";tag={self.remote_tag}" if self.remote_tag else "")

    def send(self, method, body="", headers=(), cseq=None, branch=None, content_type="application/sdp", max_forwards=70, drop=()):
        if cseq is None:
            self.cseq += 1
            cseq = self.cseq
        h = [("Via", self.agent.via(branch)), ("Max-Forwards", max_forwards),
             ("From", re.sub(r";\s*tag=[^;]*$", "", self.local) + f";tag={self.local_tag}"), ("To", self._to()),
             ("Call-ID", self.call_id), ("CSeq", f"{cseq} {method}"), ("User-Agent", self.agent.product)]
        h += [("Route", r) for r in self.routes]
        if method in ("INVITE", "UPDATE", "SUBSCRIBE"):
            h += [("Contact", self.agent.contact()), ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO")]
        h = [(n, v) for n, v in h if n not in drop] + list(headers)
        raw = compose(f"{method} {self.target} SIP/2.0", h, body, content_type)
        self.agent.transmit(raw, self.peer)
        m = Message(raw)
        self.sent[method] = m
        return m

    def repeat(self, message):
        self.agent.transmit(message.raw, self.peer)

    def expect(self, what, timeout=3.0, **more):
        m = self.agent.expect(what, timeout, call_id=self.call_id, **more)
        if m.code > 100 and m.cseq[1] == "INVITE" and m.code < 300:
            self.remote_tag = m.tag("to")
            if m.get("contact"):
                self.target = m.address("contact")
                if not self.answer and not self.invite.source:   # a dialog keeps the route it was made with
                    self.routes = list(reversed(m.all("record-route")))
            if m.code >= 200:
                self.answer = m
        elif m.code >= 300 and m.cseq[1] == "INVITE":
            self._ack_failure(m)
        return m

    def _ack_failure(self, m):
        inv = self.sent["INVITE"]
        h = [("Via", inv.get("via")), ("Max-Forwards", 70), ("From", inv.get("from")), ("To", m.get("to")),
             ("Call-ID", self.call_id), ("CSeq", f"{m.cseq[0]} ACK")]
        self.agent.transmit(compose(f"ACK {inv.uri} SIP/2.0", h), self.peer)

    def ack(self, body=""):
        self.send("ACK", body=body, cseq=self.answer.cseq[0])

    def cancel(self):
        inv = self.sent["INVITE"]
        h = [("Via", inv.get("via")), ("Max-Forwards", 70), ("From", inv.get("from")), ("To", inv.get("to")),
             ("Call-ID", self.call_id), ("CSeq", f"{inv.cseq[0]} CANCEL")]
        self.agent.transmit(compose(f"CANCEL {inv.uri} SIP/2.0", h), self.peer)

    def reply(self, code, body="", headers=(), tag=None):
        """Answers the INVITE that made this dialog."""
        return self.reply_to(self.invite, code, body, headers, tag)

    def reply_to(self, request, code, body="", headers=(), tag=None, content_type="application/sdp"):
        a = self.agent
        h = [("Via", v) for v in request.all("via")] + [("From", request.get("from"))]
        to = request.get("to")
        if code > 100 and not request.tag("to"):
            to += f";tag={a.secret(tag) if tag else self.local_tag}"
        h += [("To", to), ("Call-ID", request.call_id), ("CSeq", request.get("cseq"))]
        h += [("Record-Route", r) for r in request.all("record-route")]
        if request.method in ("INVITE", "UPDATE") and code > 100:
            h.append(("Contact", a.contact()))
        h += [("Server", a.product)] + list(headers)
        raw = compose(f"SIP/2.0 {code} {PHRASES.get(code, 'Unnamed')}", h, body, content_type)
        a.transmit(raw, request.source)
        return Message(raw)

    def fail(self, code, headers=(), timeout=3.0):
        """Refuses the INVITE and takes the ACK."""
        self.reply(code, headers=headers)
        return self.expect("ACK", timeout)

    def bye(self, timeout=3.0):
        """Sends BYE and takes its 200."""
        self.send("BYE")
        return self.expect(200, timeout)

    def byed(self, timeout=3.0):
        """Takes a BYE and answers it."""
        m = self.expect("BYE", timeout)
        self.reply_to(m, 200)
        return m
