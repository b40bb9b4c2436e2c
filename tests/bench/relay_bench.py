#!/usr/bin/env python3
"""CPU per forwarded packet, loss and delay of a media worker under RTP load.

    relay_bench.py --build BUILD [--calls 500] [--seconds 5] [--relay lookup|sockets|both]
    relay_bench.py --build BUILD --generator PATH [--reference CMD]...

As root it makes three network namespaces (caller - relay - callee) of its own and removes them; otherwise, or with
--loopback, everything runs on 127/8. The relay is pinned to CPU 0, the load to the last one. Figures are lines of JSON.

--generator is another load generator that is called as
    PATH -n CALLS -d SECONDS -w 1 -m 0 -p RELAY_PID -l LABEL [-f MAP]
in namespaces named mpmA, mpmR and mpmB at 10.77.1.0/24 and 10.77.2.0/24, with lines "port_a port_b" in MAP. --reference is
the command of another relay that prints "ready" on stderr and serves the ports 10000 + 2i of both addresses; it is run next
to ours. `{calls}` in it is replaced."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time

LOW = 10000


def sh(*args):
    subprocess.run(args, check=True)


class Namespaces:
    """caller A and callee B, each on a veth pair to the relay R"""

    def __init__(self, fixed):
        tag = "mpm" if fixed else f"td{os.getpid()}"
        self.a, self.r, self.b = tag + "A", tag + "R", tag + "B"
        self.remote = {"A": "10.77.1.2:4000", "B": "10.77.2.2:4000"}
        self.relay = {"A": "10.77.1.1", "B": "10.77.2.1"}

    def __enter__(self):
        self.made = []
        try:
            for name in (self.a, self.r, self.b):
                sh("ip", "netns", "add", name)
                self.made.append(name)
                sh("ip", "-n", name, "link", "set", "lo", "up")
            self.join(self.a, "a0", "ra", "10.77.1")
            self.join(self.b, "b0", "rb", "10.77.2")
            if self.a == "mpmA":  # the generator's base line goes past the relay
                sh("ip", "link", "add", "a1", "netns", self.a, "type", "veth", "peer", "name", "b1", "netns", self.b)
                for name, dev, ip in ((self.a, "a1", "10.77.3.1/24"), (self.b, "b1", "10.77.3.2/24")):
                    sh("ip", "-n", name, "addr", "add", ip, "dev", dev)
                    sh("ip", "-n", name, "link", "set", dev, "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def join(self, end, dev, relay_dev, net):
        sh("ip", "link", "add", dev, "netns", end, "type", "veth", "peer", "name", relay_dev, "netns", self.r)
        for name, d, ip in ((end, dev, net + ".2/24"), (self.r, relay_dev, net + ".1/24")):
            sh("ip", "-n", name, "addr", "add", ip, "dev", d)
            sh("ip", "-n", name, "link", "set", d, "up")
        sh("ip", "-n", end, "route", "add", "default", "via", net + ".1")

    def __exit__(self, *_):
        for name in self.made:
            subprocess.run(["ip", "netns", "del", name])

    def inside(self, command):
        return ["ip", "netns", "exec", self.r] + command

    def load_arguments(self):
        return [self.a, self.b]


class Loopback:
    def __init__(self):
        self.remote = {"A": "127.66.1.2:4000", "B": "127.66.2.2:4000"}
        self.relay = {"A": "127.66.1.1", "B": "127.66.2.1"}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def inside(self, command):
        return command

    def load_arguments(self):
        return []


class Relay:
    """a relay process that says "ready" on stderr"""

    def __init__(self, net, command, environment=None):
        self.process = subprocess.Popen(net.inside(["taskset", "-c", "0"] + command), stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})

    def __enter__(self):
        for line in self.process.stderr:
            if "ready" in line:
                return self.process.pid, line.split()
            sys.stderr.write(line)
        raise SystemExit(f"the relay did not start: exit code {self.process.wait()}")

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def own_relay(o, net, map_file):
    return [os.path.join(o.build, "tests/bench/relay_driver"), str(o.calls), net.relay["A"], net.remote["A"], net.relay["B"],
            net.remote["B"], str(LOW), map_file]


def own_load(o, net, pid):
    cpu = str((os.cpu_count() or 1) - 1)
    command = ["taskset", "-c", cpu, os.path.join(o.build, "tests/bench/rtp_load"), str(o.calls), str(o.seconds), net.remote["A"],
               net.relay["A"], net.remote["B"], net.relay["B"], str(LOW), str(pid)] + net.load_arguments()
    r = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if r.returncode not in (0, 2):
        raise SystemExit(f"the load failed: exit code {r.returncode}")
    return json.loads(r.stdout)


def other_load(o, label, pid, map_file):
    command = [o.generator, "-n", str(o.calls), "-d", str(o.seconds), "-w", "1", "-m", "0", "-p", str(pid), "-l", label]
    if map_file:
        command += ["-f", map_file]
    r = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return {"relay": label, "line": r.stdout.strip()}


def measure_own(o, net, wish, map_file):
    with Relay(net, own_relay(o, net, map_file), {"TANDEM_RELAY": "sockets"} if wish == "sockets" else {}) as (pid, ready):
        kind = ready[2]
        if wish == "lookup" and kind != "sk_lookup":
            return {"relay": wish, "skipped": "no port look-up in this kernel, or not permitted"}
        if o.generator:
            return other_load(o, "tandem-" + kind, pid, map_file)
        return {"relay": kind, **own_load(o, net, pid)}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", required=True, help="build directory")
    p.add_argument("--calls", type=int, default=500)
    p.add_argument("--seconds", type=int, default=5)
    p.add_argument("--relay", choices=["lookup", "sockets", "both"], default="both")
    p.add_argument("--loopback", action="store_true")
    p.add_argument("--generator", help="another load generator")
    p.add_argument("--reference", action="append", default=[], help="command of another relay; needs --generator")
    o = p.parse_args()
    if o.reference and not o.generator:
        p.error("--reference needs --generator")
    if o.generator and (o.loopback or os.geteuid() != 0):
        p.error("--generator needs root and namespaces")
    failed = False
    with tempfile.TemporaryDirectory() as d, \
            (Loopback() if o.loopback or os.geteuid() != 0 else Namespaces(bool(o.generator))) as net:
        for command in o.reference:
            command = command.replace("{calls}", str(o.calls)).split()
            with Relay(net, command) as (pid, _):
                print(json.dumps(other_load(o, os.path.basename(command[0]), pid, None)), flush=True)
        for wish in ["lookup", "sockets"] if o.relay == "both" else [o.relay]:
            time.sleep(0.2)
            result = measure_own(o, net, wish, os.path.join(d, "map"))
            print(json.dumps(result), flush=True)
            failed |= result.get("loss_percent", 0) > 0.1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
