"""baresip as a phone: scripted by netstrings of JSON over its ctrl_tcp, plays a tone from a file, records what it hears."""
import array
import glob
import json
import os
import socket
import time

import tone
from lib.foreign import RATE, Program, needs, write_tone
from lib.switch import wait_for

CONTROL = 4444
MODULES = "/usr/lib/baresip/modules"


def lines(rows):
    return "".join(f"{k} {v}\n" for k, v in rows)


class Baresip(Program):
    """user: number of the account; through: where its calls go; answer: manual or early (183 with audio); hz: the tone it plays."""

    def __init__(self, context, name, ip, port, user, through, hz, answer="manual", rtp=41000):
        directory = os.path.join(context.dir, name)
        os.makedirs(directory, exist_ok=True)
        write_tone(os.path.join(directory, "tone.wav"), hz)
        config = [("poll_method", "epoll"), ("sip_listen", f"{ip}:{port}"), ("net_interface", ip), ("call_max_calls", 4),
                  ("audio_source", f"aufile,{directory}/tone.wav"), ("audio_player", "aubridge,none"), ("audio_alert", "aubridge,none"),
                  ("rtp_ports", f"{rtp}-{rtp + 99}"), ("snd_path", directory), ("ctrl_tcp_listen", f"{ip}:{CONTROL}"), ("module_path", MODULES)]
        config += [("module", f"{m}.so") for m in ("g711", "aufile", "aubridge", "sndfile")]
        config += [("module_tmp", "account.so"), ("module_app", "menu.so"), ("module_app", "ctrl_tcp.so")]
        account = f"<sip:{user}@{ip}:{port}>;regint=0;outbound=\"sip:{through[0]}:{through[1]}\";audio_codecs=pcma;answermode={answer}\n"
        super().__init__(context, name, ip, port, [needs("baresip", "baresip-core"), "-4", "-v", "-s", "-f", directory],
                         files={"config": lines(config), "accounts": account, "contacts": ""})
        self.user, self.hz, self.events, self.answers, self.buffer = user, hz, [], [], b""
        self.logged("baresip is ready")
        self.control = wait_for(self._connect, 5, f"the control port of {name}")

    def _connect(self):
        try:
            return socket.create_connection((self.ip, CONTROL), timeout=2)
        except ConnectionRefusedError:
            return None

    def _read(self, timeout):
        self.control.settimeout(max(0.001, timeout))
        try:
            got = self.control.recv(65536)
        except TimeoutError:
            return
        assert got, f"{self.name} closed its control connection:\n{self.log()[-1500:]}"
        self.buffer += got
        while b":" in self.buffer:
            size, _, rest = self.buffer.partition(b":")
            if len(rest) < int(size) + 1:
                return
            m = json.loads(rest[:int(size)])
            (self.events if m.get("event") else self.answers).append(m)
            self.buffer = rest[int(size) + 1:]

    def do(self, command, params=""):
        """One command of the menu: dial, accept, hangup, hold, resume, sndcode, transfer."""
        text = json.dumps({"command": command, "params": params, "token": command}).encode()
        self.answers.clear()
        self.control.sendall(b"%d:%s," % (len(text), text))
        end = time.monotonic() + 3
        while not self.answers and time.monotonic() < end:
            self._read(end - time.monotonic())
        assert self.answers and self.answers[0]["ok"], f"{self.name}: {command} {params}: {self.answers}"
        return self.answers[0]["data"]

    def expect(self, kind, timeout=6, test=None):
        """Waits for an event (CALL_INCOMING, CALL_RINGING, CALL_PROGRESS, CALL_ESTABLISHED, CALL_CLOSED ...); earlier ones are passed over."""
        end = time.monotonic() + timeout
        seen = []
        while True:
            while self.events:
                e = self.events.pop(0)
                seen.append((e["type"], e.get("param")))
                if e["type"] == kind and (not test or test(e)):
                    return e
            assert time.monotonic() < end, f"{self.name}: no {kind} within {timeout} s, but {seen}\n{self.log()[-3000:]}"
            self._read(min(0.2, max(0.01, end - time.monotonic())))

    # -- what a phone can do; lib/linphone.py has the same --
    def dial(self, switch, number):
        self.do("dial", f"sip:{number}@{switch[0]}:{switch[1]}")

    def ringing(self):
        self.expect("CALL_INCOMING")

    def alerted(self):
        self.expect("CALL_RINGING")

    def take(self):
        self.do("accept")

    def established(self):
        self.expect("CALL_ESTABLISHED")

    def play(self):
        """It plays its tone from the start."""

    def hold(self):
        self.do("hold")

    def resume(self):
        self.do("resume")

    def dtmf(self, digit):
        self.do("sndcode", digit)

    def hangup(self):
        self.do("hangup")

    reject = hangup

    def closed(self):
        self.expect("CALL_CLOSED")

    def transfer(self, switch, number):
        self.do("transfer", f"sip:{number}@{switch[0]}:{switch[1]}")

    def heard(self):
        """(strongest frequency, its share) of the last second that each call's recording has; by name of the file, in order of time."""
        out = []
        for path in sorted(glob.glob(os.path.join(self.dir, "dump-*-dec.wav"))):
            with open(path, "rb") as f:
                data = f.read()[44:]   # while the call lasts the header does not say how long it is
            samples = array.array("h", data[:len(data) & ~1])[-RATE:]
            if len(samples) < RATE // 4:
                out.append((None, 0.0))
                continue
            total = sum(x * x for x in samples) / len(samples) or 1
            power = {hz: tone.goertzel(samples, hz) for hz in sorted({425, 1000, *range(300, 2001, 100)})}
            best = max(power, key=power.get)
            out.append((best, round(power[best] / total, 2)))
        return out

    def end(self):
        if hasattr(self, "control"):
            self.control.close()
        super().end()
