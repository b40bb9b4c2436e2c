"""Linphone as a phone without sound card: linphone-daemon, scripted over its standard input, plays a tone from a file."""
import os
import time

from lib.foreign import Program, needs, write_tone

CONFIG = """[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
bind_address={ip}
default_proxy=-1
contact=sip:{user}@{ip}:{port}
guess_hostname=0
use_info={info}
use_rfc2833={rfc2833}
media_encryption=none
[rtp]
audio_rtp_port={rtp}
bind_address={ip}
[video]
capture=0
display=0
automatically_initiate=0
[misc]
version_check_url_root=
"""


class Linphone(Program):
    """user: its number. dtmf: "rtp" (RFC 4733) or "info". hz: the tone of play()."""

    def __init__(self, context, name, ip, port, user, hz, dtmf="rtp", rtp=43000, options=()):
        directory = os.path.join(context.dir, name)
        for sub in (".local/share/linphone", ".config/linphone"):
            os.makedirs(os.path.join(directory, sub), exist_ok=True)
        write_tone(os.path.join(directory, "tone.wav"), hz)
        config = CONFIG.format(ip=ip, port=port, user=user, rtp=rtp, info=int(dtmf == "info"), rfc2833=int(dtmf == "rtp"))
        super().__init__(context, name, ip, port, [needs("linphone-daemon", "linphone-cli"), "--config", f"{directory}/rc", "--log", f"{directory}/trace",
                                                    "--disable-stats-events", *options],
                         files={"rc": config, "trace": ""}, env={"XDG_DATA_HOME": f"{directory}/.local/share", "XDG_CONFIG_HOME": f"{directory}/.config"},
                         input=True)
        self.user, self.hz, self.at = user, hz, 0
        self._wait(lambda: "Creating listening point" in self.trace(), 20, "a SIP socket")
        self.do("audio-codec-disable ALL")
        self.do("audio-codec-enable PCMA/8000/1")

    def trace(self):
        with open(os.path.join(self.dir, "trace"), errors="replace") as f:
            return f.read()

    def _wait(self, test, timeout, what):
        end = time.monotonic() + timeout
        while not test():
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}"
            assert time.monotonic() < end, f"{self.name}: no {what} within {timeout} s:\n{self.log()[-1500:]}\n{self.trace()[-3000:]}"
            time.sleep(0.05)

    def expect(self, text, timeout=6):
        """Waits for a text in what the daemon prints ("Status: Ok", "LinphoneCallIncomingReceived"); earlier ones are passed over."""
        self._wait(lambda: text in self.log()[self.at:], timeout, text)
        self.at += self.log()[self.at:].index(text) + len(text)

    def do(self, command):
        """One command of its own."""
        before = self.log().count("Status: ")
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        self._wait(lambda: self.log().count("Status: ") > before, 6, f"answer to {command}")
        answer = self.log().split("Status: ")[before + 1]
        assert answer.startswith("Ok"), f"{self.name}: {command}: {answer[:200]}"
        return answer

    def call(self):
        """Its name for the last call."""
        return self.log().rpartition("\nId: ")[2].split("\n")[0]

    def play(self):
        """The tone, into the call."""
        return self.do(f"incall-player-start {self.dir}/tone.wav")

    # -- what a phone can do; lib/baresip.py has the same --
    def dial(self, switch, number):
        self.do(f"call sip:{number}@{switch[0]}:{switch[1]}")

    def ringing(self):
        self.expect("LinphoneCallIncomingReceived")

    def alerted(self):
        self.expect("LinphoneCallOutgoingRinging")

    def take(self):
        self.do("answer")

    def established(self):
        self.expect("LinphoneCallStreamsRunning")

    def hold(self):
        self.do("call-pause")
        self.expect("LinphoneCallPaused\n")

    def resume(self):
        self.do(f"call-resume {self.call()}")
        self.expect("LinphoneCallStreamsRunning")

    def dtmf(self, digit):
        self.do(f"dtmf {digit}")

    def hangup(self):
        self.do("terminate")

    reject = hangup

    def closed(self):
        self.expect("LinphoneCallReleased")

    def transfer(self, switch, number):
        self.do(f"call-transfer {self.call()} sip:{number}@{switch[0]}:{switch[1]}")
