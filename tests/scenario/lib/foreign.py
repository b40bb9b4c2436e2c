"""Foreign SIP programs as ends and neighbours of a scenario: each has a directory, an address and a log of its own, and is ended
by pid. Which ones are installed is asked of PATH; a scenario that lacks one is skipped with the package's name."""
import math
import os
import shutil
import struct
import subprocess
import wave

from lib.context import Skip
from lib.switch import wait_for

RATE = 8000


def needs(program, package):
    """Path of a program, or the scenario is skipped."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if not path:
        raise Skip(f"{program} is not installed (Debian package {package})")
    return path


def write_tone(path, hz, seconds=120, level=0.4):
    """A WAV file with a sine, mono, 8000 Hz, 16 bit."""
    second = b"".join(struct.pack("<h", int(32767 * level * math.sin(2 * math.pi * hz * i / RATE))) for i in range(RATE))
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(RATE)
        f.writeframes(second * seconds)


class Program:
    """A process that stays until end(). input: with a pipe to its standard input."""

    def __init__(self, context, name, ip, port, args, env=None, files=None, input=False):
        self.name, self.ip, self.port = name, ip, port
        self.dir = os.path.join(context.dir, name)
        os.makedirs(self.dir, exist_ok=True)
        for file, text in (files or {}).items():
            with open(os.path.join(self.dir, file), "w") as f:
                f.write(text)
        self.log_file = os.path.join(self.dir, "log")
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(args, stdin=subprocess.PIPE if input else subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                            cwd=self.dir, env=dict(os.environ, HOME=self.dir, **(env or {})), start_new_session=True)
        context.loads.append(self)

    def __getitem__(self, i):
        """Where messages to it go: (address, port)."""
        return (self.ip, self.port)[i]

    def log(self):
        with open(self.log_file, errors="replace") as f:
            return f.read()

    def logged(self, text, timeout=10):
        """Waits for a line of its log."""
        def there():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            return text in self.log()
        wait_for(there, timeout, f"{text!r} in the log of {self.name}")

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
