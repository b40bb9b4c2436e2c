"""What a scenario is given: addresses of its own (127.BLOCK.NET.x: the block is the run's, the net the case's while it runs), a directory of
its own, agents, softswitches, and the checks that hold for every scenario: no topology of one side on the other, no complaint in
the log, a clean stop."""
import os
import shutil
import tempfile
import time

from lib.agent import Agent
from lib.switch import Switch


class Skip(Exception):
    """The scenario cannot be run here; says why."""


class Context:
    def __init__(self, name, options):
        self.name, self.net, self.options = name, options.net, options
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = tempfile.mkdtemp(prefix=f"tandem-{name.replace('.', '-')}-", dir=base)
        self.agents, self.switches, self.loads = [], [], []
        self.media_passes = False   # media off: the SDP of one side is meant to reach the other
        self.leak_check = True
        self.load_cpu = None        # a core for sipp (benchmarks)
        self.started = time.monotonic()

    def ip(self, host):
        return f"127.{self.options.block}.{self.net}.{host}"

    # -- the cast --
    def agent(self, name, ip, port, side, rtp):
        a = Agent(self, name, ip, port, side, rtp=rtp)
        self.agents.append(a)
        return a

    def caller(self, host=2, port=5070, **more):
        a = Agent(self, f"caller{host}", self.ip(host), port, "caller", rtp=41000 + 2 * host, **more)
        self.agents.append(a)
        return a

    def gateway(self, n=0, port=5080, **more):
        """n = 0, 1, ...: gateway gw-a, gw-b, ... of config()."""
        a = Agent(self, f"carrier{n}", self.ip(10 + n), port, "callee", rtp=42000 + 2 * n, **more)
        self.agents.append(a)
        return a

    def config(self, gateways=1, media=False, workers=1, each=None, routing=None, mapping=None, **sections):
        """A configuration as a dict: customer = caller 2, gw-a, gw-b ... in this order for every number that starts with 1.
        each: keys for all routing gateways; routing: one dict of keys for each; sections: merged into the top level."""
        self.media_passes = not media
        c = {
            "system": {"name": "scenario", "run_dir": os.path.join(self.dir, "run"), "workers": {"signaling": workers, "media": 1},
                       "limits": {"calls": 4000, "endpoints": 1000}, "drain_timeout": 3},
            "log": {"level": "info"},
            "sip": {"listen": [f"udp:{self.ip(1)}:5060"]},
            "media": {"address": self.ip(1), "ports": "30000-30199", "proxy": bool(media)},
            "mapping_gateways": [dict({"id": "customer", "addresses": [f"{self.ip(2)}:5070"]}, **(mapping or {}))],
            "routing_gateways": [],
            "cdr": {"dir": "cdr"},
        }
        for n in range(gateways):
            g = {"id": f"gw-{'abcdefgh'[n]}", "address": f"{self.ip(10 + n)}:5080", "prefixes": ["1"], "priority": 10 + n}
            g.update(each or {})
            g.update((routing or [{}] * gateways)[n])
            c["routing_gateways"].append(g)
        for key, value in sections.items():
            if isinstance(value, dict) and key in c:
                c[key].update(value)
            else:
                c[key] = value
        return c

    def make(self, config, env=None, cpu=None):
        """A softswitch that is not started."""
        s = Switch(os.path.join(self.dir, f"switch{len(self.switches)}"), config, env, cpu)
        self.switches.append(s)
        return s

    def switch(self, config=None, env=None):
        return self.make(config or self.config(), env).start()

    def established(self, switch, caller, gateway, callee="15551234", **more):
        """An answered call: (caller's dialog, callee's dialog)."""
        a = caller.call(switch, callee, **more)
        b = gateway.take()
        b.reply(180)
        a.expect(180)
        b.reply(200, body=gateway.answer())
        a.expect(200)
        a.ack()
        b.expect("ACK")
        return a, b

    # -- the end --
    def finish(self):
        """After the scenario's own checks passed."""
        for s in self.switches:
            if s.process and s.process.poll() is None:
                s.idle()
                s.stop()
            bad = s.complaints()
            assert not bad, "in the log:\n" + "\n".join(bad[:20])
        if self.leak_check:
            self.leaks()

    def leaks(self):
        for side, other in (("caller", "callee"), ("callee", "caller")):
            secrets = set().union(*[a.secrets for a in self.agents if a.side == other] or [set()])
            for a in self.agents:
                if a.side != side:
                    continue
                for _, way, raw in a.log:
                    seen = raw.partition(b"\r\n\r\n")[0] if self.media_passes else raw
                    text = seen.decode("utf-8", "replace")
                    hit = [x for x in secrets if x in text] if way == "<" else []
                    assert not hit, f"{a.name} was shown {hit} of the other side:\n{text}"

    def ladder(self, limit=60):
        for a in self.agents:
            try:
                while a._read(0):   # what came and nobody waited for
                    pass
            except (AssertionError, OSError):
                pass
        rows = sorted((at, a.name, way, raw) for a in self.agents for at, way, raw in a.log)
        out = []
        for at, name, way, raw in rows[-limit:]:
            start = raw.partition(b"\r\n")[0].decode("utf-8", "replace")
            cseq = next((x[5:].strip() for x in raw.decode("utf-8", "replace").split("\r\n") if x.lower().startswith("cseq:")), "")
            out.append(f"{at - self.started:8.3f} {name:>10} {way} {start} [{cseq}]")
        return "\n".join(out)

    def close(self, keep=False):
        for p in self.loads:
            p.end()
        for s in self.switches:
            s.destroy()
        for a in self.agents:
            a.close()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)
