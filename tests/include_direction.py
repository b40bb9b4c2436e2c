#!/usr/bin/env python3
"""Reads every #include of the program's folders and fails on one that ARCHITECTURE.md does not allow.

    include_direction.py SOURCE_ROOT
"""
import re
import sys
from pathlib import Path

# As in ARCHITECTURE.md, "Folders and who may include whom"; the test also fails when the two differ.
RULES = """
base        knows nothing of the project
config      -> base
shm         -> base, config
tables      -> base, config
sip         -> base, config, shm
signaling   -> base, config, shm, tables, sip
media-proxy -> base, config, shm
routing     -> base, config, shm, tables
registrar   -> base, config, shm, sip
cdr         -> base, config, shm
ctl         -> base, config, shm, tables
supervisor  -> all of the above, but of a worker folder only its worker.h, and steer.h and sockets.h: it opens the sockets
"""
SUPERVISOR = "all of the above, but of a worker folder only its worker.h, and steer.h and sockets.h: it opens the sockets"
WORKERS = {"signaling", "media-proxy", "routing", "registrar", "cdr", "ctl"}
GENERATED = {"tandem-config.h"}

# third-party header -> the files that may include it
ADAPTERS = [
    (re.compile(r"yaml\.h$"), re.compile(r"config/yaml\.c$")),
    (re.compile(r"sofia-sip/"), re.compile(r"sip/sofia\.c$")),
    (re.compile(r"openssl/"), re.compile(r"base/md\.c$")),
    (re.compile(r"^ares[_.]"), re.compile(r"routing/dns\.c$")),
    (re.compile(r"jansson\.h$"), re.compile(r"ctl/json\.c$")),
    (re.compile(r"bpf/|.*\.skel\.h$"), re.compile(r"[^/]+/([^/]*bpf[^/]*\.[ch])$")),
]
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def parse_rules(block):
    """{folder: set of folders it may include, or SUPERVISOR}"""
    rules = {}
    for line in block.strip().splitlines():
        folder, rest = re.match(r"(\S+)\s+(.*)", line).groups()
        if not rest.startswith("-> "):
            rules[folder] = set()
        elif SUPERVISOR in rest:
            rules[folder] = SUPERVISOR
        else:
            allowed = re.split(r"\s{2,}", rest[3:].strip())[0]
            rules[folder] = {name.strip() for name in allowed.split(",")}
    return rules


def refusal(rules, path, kind, include):
    """why `path` ("folder/file.c") may not include it, or None; kind: '<' or '"'"""
    folder = path.split("/")[0]
    for header, users in ADAPTERS:
        if header.match(include):
            return None if users.match(path) else "belongs to its adapter alone"
    other = include.split("/")[0] if "/" in include else None
    if kind == "<":
        return "a header of the project stands in quotes" if other in rules else None
    if include in GENERATED or other == folder:
        return None
    if other is None:
        return "name it with its folder"
    if other not in rules:
        return "no folder of the project"
    if rules[folder] == SUPERVISOR:
        if other in WORKERS and include.split("/")[1] not in ("worker.h", "steer.h", "sockets.h"):
            return "the supervisor knows only worker.h, steer.h and sockets.h of a worker"
        return None
    return None if other in rules[folder] else f"{folder} may not include {other}"


def check_the_check(rules):
    """the rules refuse what they are for, and allow what the program needs"""
    refused = [("base/x.c", '"', "shm/slot.h"), ("shm/x.h", '"', "tables/route.h"), ("config/x.c", '"', "shm/slot.h"),
               ("signaling/x.c", '"', "routing/worker.h"), ("media-proxy/x.c", '"', "tables/route.h"),
               ("supervisor/x.c", '"', "signaling/call.h"), ("signaling/x.c", "<", "sofia-sip/sip.h"),
               ("signaling/x.c", '"', "sofia.h"), ("config/x.c", "<", "yaml.h"), ("ctl/x.c", "<", "jansson.h"),
               ("supervisor/x.c", "<", "bpf/libbpf.h"), ("supervisor/x.c", '"', "sk_lookup.skel.h"),
               ("ctl/x.c", "<", "shm/slot.h"), ("cdr/x.c", '"', "../shm/slot.h"), ("bpf/x.c", "<", "yaml.h")]
    allowed = [("shm/x.c", '"', "base/span.h"), ("supervisor/x.c", '"', "signaling/worker.h"),
               ("supervisor/x.c", '"', "shm/roster.h"), ("config/yaml.c", "<", "yaml.h"), ("cdr/x.c", '"', "cdr/file.h"),
               ("signaling/steer.bpf.c", "<", "bpf/bpf_helpers.h"), ("supervisor/steer_bpf.c", '"', "steer.skel.h"),
               ("sip/sofia.c", "<", "sofia-sip/sip.h"), ("ctl/json.c", "<", "jansson.h"),
               ("supervisor/x.c", '"', "tandem-config.h"), ("base/x.c", "<", "sys/socket.h")]
    wrong = [f"self-check: {case} is not refused" for case in refused if not refusal(rules, *case)]
    wrong += [f"self-check: {case} is refused: {refusal(rules, *case)}" for case in allowed if refusal(rules, *case)]
    return wrong


def main(root):
    rules = parse_rules(RULES)
    wrong = check_the_check(rules)
    text = (root / "ARCHITECTURE.md").read_text()
    block = re.search(r"^## Folders and who may include whom\n.*?^```\n(.*?)^```", text, re.S | re.M)
    documented = parse_rules(block.group(1)) if block else {}
    for folder in sorted(rules.keys() | documented.keys()):
        if rules.get(folder) != documented.get(folder):
            wrong.append(f"{folder}: ARCHITECTURE.md says {documented.get(folder)}, this test {rules.get(folder)}")
    files = [f for folder in rules for f in sorted((root / folder).rglob("*.[ch]"))]
    if not files:
        wrong.append(f"no sources in {root}")
    for file in files:
        path = file.relative_to(root).as_posix()
        source = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), file.read_text())
        for m in INCLUDE.finditer(source):
            why = refusal(rules, path, *m.groups())
            if why:
                wrong.append(f"{path}:{source.count(chr(10), 0, m.start(1)) + 1}: {m.group(2)}: {why}")
    print("\n".join(wrong) if wrong else f"{len(files)} files")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
