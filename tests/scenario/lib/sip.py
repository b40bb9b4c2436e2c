"""SIP messages as the scenarios see them: a strict reader for what the softswitch sends, and a composer for what we send."""
import itertools
import os
import re
import time

COMPACT = {"i": "call-id", "m": "contact", "f": "from", "t": "to", "v": "via", "l": "content-length",
           "c": "content-type", "k": "supported", "s": "subject", "e": "content-encoding", "o": "event"}
PHRASES = {100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK", 202: "Accepted",
           302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 408: "Request Timeout",
           480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated",
           488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error", 503: "Service Unavailable",
           600: "Busy Everywhere", 603: "Decline"}
_serial = itertools.count(1)


def token(prefix="z"):
    """A text that occurs nowhere else, so that finding it on the other leg proves a leak."""
    return f"{prefix}{os.getpid():x}n{next(_serial):x}q{int(time.time() * 1000) & 0xffffff:x}"


def url_host(ip):
    return f"[{ip}]" if ":" in ip else ip


class Broken(Exception):
    """The softswitch sent something that is no SIP message by RFC 3261."""


class Message:
    """One message. `time` is when it was read, `source` from whom."""

    def __init__(self, raw, source=None):
        self.raw, self.source, self.time = raw, source, time.monotonic()
        head, sep, body = raw.partition(b"\r\n\r\n")
        if not sep:
            raise Broken(f"no empty line after the headers: {raw[:200]!r}")
        self.body = body.decode("utf-8", "replace")
        lines = head.decode("utf-8", "replace").split("\r\n")
        if any("\n" in x or "\r" in x for x in lines):
            raise Broken(f"bare CR or LF in the headers: {head[:300]!r}")
        self.start, self.headers = lines[0], []
        for line in lines[1:]:
            name, sep, value = line.partition(":")
            if not sep or not re.fullmatch(r"[A-Za-z0-9.!%*_+`'~-]+", name.strip()):
                raise Broken(f"header line {line!r}")
            self.headers.append((COMPACT.get(name.strip().lower(), name.strip().lower()), value.strip()))
        m = re.fullmatch(r"SIP/2\.0 (\d{3}) ?(.*)", self.start)
        self.code = int(m.group(1)) if m else 0
        self.method, self.uri = "", ""
        if not m:
            m = re.fullmatch(r"([A-Z][A-Za-z0-9-]*) (\S+) SIP/2\.0", self.start)
            if not m:
                raise Broken(f"start line {self.start!r}")
            self.method, self.uri = m.groups()

    def lint(self):
        """What every message must have (RFC 3261 section 8.1.1, 20)."""
        for name in ("via", "from", "to", "call-id", "cseq"):
            if not self.get(name):
                raise Broken(f"{self.start}: no {name}")
        for name in ("from", "to", "call-id", "cseq", "content-length", "max-forwards", "content-type"):
            if len([1 for n, _ in self.headers if n == name]) > 1:
                raise Broken(f"{self.start}: two {name} headers")
        n = self.get("content-length")
        size = len(self.raw.partition(b"\r\n\r\n")[2])
        if n is not None and int(n) != size:
            raise Broken(f"{self.start}: Content-Length {n}, body of {size}")
        if self.body and not self.get("content-type"):
            raise Broken(f"{self.start}: body without Content-Type")
        if self.method:
            if self.cseq[1] != self.method:
                raise Broken(f"{self.start}: CSeq {self.get('cseq')}")
            if self.get("max-forwards") is None:
                raise Broken(f"{self.start}: no Max-Forwards")
            if not self.branch.startswith("z9hG4bK"):
                raise Broken(f"{self.start}: branch {self.branch!r}")
            if not self.tag("from"):
                raise Broken(f"{self.start}: no From tag")
        elif self.code > 100 and not self.tag("to"):
            raise Broken(f"{self.start}: no To tag")
        if (self.method == "INVITE" or (self.cseq[1] == "INVITE" and 200 <= self.code < 300)) and not self.get("contact"):
            raise Broken(f"{self.start}: no Contact")

    def get(self, name, default=None):
        return next((v for n, v in self.headers if n == name.lower()), default)

    def all(self, name):
        return [v for n, v in self.headers if n == name.lower()]

    @property
    def cseq(self):
        n, _, method = (self.get("cseq") or "0 ").partition(" ")
        return int(n), method.strip()

    @property
    def branch(self):
        m = re.search(r";\s*branch=([^;,\s]+)", self.get("via") or "")
        return m.group(1) if m else ""

    @property
    def call_id(self):
        return self.get("call-id") or ""

    def tag(self, header):
        m = re.search(r";\s*tag=([^;,\s]+)", re.sub(r"<[^>]*>", "", self.get(header) or ""))
        return m.group(1) if m else ""

    def address(self, header):
        """The URI of From, To, Contact ..."""
        v = self.get(header) or ""
        m = re.search(r"<([^>]*)>", v)
        return m.group(1) if m else v.split(";")[0].strip()

    def user(self, header):
        m = re.match(r"sips?:([^@;]*)@", self.address(header))
        return m.group(1) if m else ""

    @property
    def media(self):
        """(address, port) of the first m= line."""
        c = re.search(r"^c=IN IP[46] (\S+)", self.body, re.M)
        m = re.search(r"^m=\w+ (\d+)", self.body, re.M)
        return (c.group(1), int(m.group(1))) if c and m else None

    def __str__(self):
        return f"{self.start} ({self.cseq[1]} {self.call_id[:24]})"


def compose(start, headers, body="", content_type="application/sdp"):
    """Bytes of a message; headers: list of (name, value)."""
    out = [start] + [f"{n}: {v}" for n, v in headers]
    if body:
        out.append(f"Content-Type: {content_type}")
    out.append(f"Content-Length: {len(body.encode())}")
    return ("\r\n".join(out) + "\r\n\r\n" + body).encode()


def sdp(ip, port, direction="sendrecv", version=1, codecs=(8, 0, 101), user="tone", extra=()):
    family = 6 if ":" in ip else 4
    names = {8: "PCMA/8000", 0: "PCMU/8000", 18: "G729/8000", 101: "telephone-event/8000"}
    lines = ["v=0", f"o={user} 4711 {version} IN IP{family} {ip}", "s=-", f"c=IN IP{family} {ip}", "t=0 0",
             f"m=audio {port} RTP/AVP {' '.join(map(str, codecs))}"]
    lines += [f"a=rtpmap:{c} {names[c]}" for c in codecs]
    if 101 in codecs:
        lines.append("a=fmtp:101 0-15")
    return "\r\n".join(lines + ["a=ptime:20", f"a={direction}"] + list(extra)) + "\r\n"
