"""A name server for scenarios: answers A, AAAA and SRV from a table that may change at any time, or not at all."""
import ipaddress
import socket
import struct
import threading

TYPES = {"A": 1, "AAAA": 28, "SRV": 33}


def encoded(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.rstrip(".").split(".") if x) + b"\0"


class Dns:
    """d.a("gw.test", ip, ...), d.aaaa(...), d.srv("_sip._udp.gw.test", (priority, weight, port, target), ...): all of a name's
    records of one type. d.silent: nothing is answered; d.code: of every answer (2: SERVFAIL). d.asked: [(name, type)]."""

    def __init__(self, context, ip, port=5353):
        self.ip, self.port, self.records, self.asked, self.silent, self.code, self.ttl = ip, port, {}, [], False, 0, 5
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((ip, port))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        context.loads.append(self)

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def _set(self, name, kind, values, ttl):
        self.records[name.lower(), kind] = (values, self.ttl if ttl is None else ttl)

    def a(self, name, *ips, ttl=None):
        self._set(name, "A", [ipaddress.IPv4Address(x).packed for x in ips], ttl)

    def aaaa(self, name, *ips, ttl=None):
        self._set(name, "AAAA", [ipaddress.IPv6Address(x).packed for x in ips], ttl)

    def srv(self, name, *rows, ttl=None):
        self._set(name, "SRV", [struct.pack("!HHH", *r[:3]) + encoded(r[3]) for r in rows], ttl)

    def forget(self, name):
        for key in [k for k in self.records if k[0] == name.lower()]:
            del self.records[key]

    def count(self, name, kind):
        return self.asked.count((name.lower(), kind))

    def _answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        question = query[12:at + 5]
        name, number = ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])[0]
        kind = next((k for k, v in TYPES.items() if v == number), str(number))
        self.asked.append((name, kind))
        values, ttl = self.records.get((name, kind), ([], 0))
        code = self.code or (0 if any(k[0] == name for k in self.records) else 3)
        if self.code:
            values = []
        rows = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", number, 1, ttl, len(v)) + v for v in values)
        return query[:2] + struct.pack("!HHHHH", 0x8580 | code, 1, len(values), 0, 0) + question + rows

    def _run(self):
        while True:
            try:
                query, source = self.sock.recvfrom(4096)
                if not query:
                    return
                if not self.silent:
                    self.sock.sendto(self._answer(query), source)
            except (OSError, IndexError):
                return
