#!/usr/bin/env python3
"""Which scenario shows which parameter: docs/parameters-shown.md, out of the @shows(...) of the scenarios.

    tests/scenario/table.py            writes the document
    tests/scenario/table.py --check    fails when it is not up to date, or when a parameter or a gateway's key has no scenario

What must be shown: every parameter of config/parameters.def and every key of a gateway in config/schema_*.c, but for what
config/built.c lists as not there yet, and for what EXEMPT names with its reason.
"""
import argparse
import fnmatch
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DOCUMENT = os.path.join(ROOT, "docs", "parameters-shown.md")
TOOL = True   # no scenario
EXEMPT = {   # not about calls between two legs, or shown by every scenario
    "mapping_gateways.id": "a name",
    "mapping_gateways.addresses": "every scenario",
    "routing_gateways.id": "a name",
    "routing_gateways.address": "every scenario",
    "routing_gateways.addresses": "every scenario, with one address",
    "routing_gateways.transport": "every scenario, with UDP",
    "routing_gateways.lrn.eat_prefix": "of a lookup that is not built yet: needs lrn.source",
    "routing_gateways.lrn.on_failure": "of a lookup that is not built yet: needs lrn.source",
    "routing_gateways.lrn.send_lrn": "of a lookup that is not built yet: needs lrn.source",
}


def read(*path):
    with open(os.path.join(ROOT, *path)) as f:
        return f.read()


def keys_of(source, table, prefix):
    """Keys of a table `static const struct key TABLE[]`, those of a map by their own names."""
    body = re.search(r"struct key " + table + r"\[\] = \{(.*?)\n\};", source, re.S).group(1)
    out = []
    for name, kind, rest in re.findall(r'\{ "(\w+)", (KEY_\w+),(.*?)(?=\n\t\{|\Z)', body, re.S):
        schema = re.search(r"\.schema = &(\w+)", rest)
        mine = schema and re.search(r"struct schema " + schema.group(1) + r" = \{ \.keys = (\w+)", source)
        inner = schema and kind == "KEY_MAP" and re.search(r"struct schema " + schema.group(1) + r" = \{ \.keys = (\w+)", ALL)
        found = mine or inner   # a name may mean another table in another file
        out += keys_of(source if mine else ALL, found.group(1), f"{prefix}.{name}") if inner else [f"{prefix}.{name}"]
    return out


ALL = "".join(read("config", n) for n in sorted(os.listdir(os.path.join(ROOT, "config"))) if n.startswith("schema") and n.endswith(".c"))


def not_built():
    """Patterns of what is accepted without effect, or refused, whatever its value."""
    rows = re.findall(r'^\t\{ "([^"]+)", (NULL|"[^"]*"), (\w+) \}', read("config", "built.c"), re.M)
    return [path for path, when, _ in rows if when == "NULL"]


def wanted():
    names = ["parameters." + x for x in re.findall(r"^PARAM\((\w+),", read("config", "parameters.def"), re.M)]
    names += keys_of(read("config", "schema_mapping.c"), "mapping_keys", "mapping_gateways")
    names += keys_of(read("config", "schema_routing.c"), "routing_keys", "routing_gateways")
    off = not_built()
    left = [n for n in names if not any(fnmatch.fnmatchcase(n, p) or n.startswith(p + ".") for p in off)]
    return [n.removeprefix("parameters.") for n in left]


def shown():
    """key -> [(case, function)], in order of the cases."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, HERE)
    from importlib.machinery import SourceFileLoader
    runner = SourceFileLoader("scenario_run", os.path.join(HERE, "run")).load_module()
    out = {}
    for name, f in runner.cases().items():
        for key in getattr(f, "shows", ()):
            out.setdefault(key, []).append((name, f))
    return out


def document(table):
    lines = ["# Where each parameter is shown at work", "",
             "Every row is a call on the wire that goes another way because of the parameter: `tests/scenario/run CASE`. Written by",
             "`tests/scenario/table.py`; a test fails when a parameter has no case, or when this page is not up to date.", "",
             "With the parameter left at its default (`tests/scenario/run --defaults`) a case must fail; *default* marks those that show",
             "what the default does.", "", "| parameter or key | cases |", "|---|---|"]
    for key in sorted(table):
        cases = ", ".join(f"{name} (*default*)" if key in getattr(f, "default_shown", {}) else name for name, f in table[key])
        lines.append(f"| `{key}` | {cases} |")
    lines += ["", "Not in the table:", "", "| key | why |", "|---|---|"]
    lines += [f"| `{key}` | {why} |" for key, why in sorted(EXEMPT.items()) if key not in table]
    return "\n".join(lines) + "\n"


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--check", action="store_true")
    o = ap.parse_args()
    table, must = shown(), wanted()
    missing = [k for k in must if k not in table and k not in EXEMPT]
    text = document(table)
    for key in missing:
        print(f"no scenario shows {key}", file=sys.stderr)
    if not o.check:
        with open(DOCUMENT, "w") as f:
            f.write(text)
        return 0
    try:
        stale = read("docs", "parameters-shown.md") != text
    except FileNotFoundError:
        stale = True
    if stale:
        print("docs/parameters-shown.md is not up to date: tests/scenario/table.py writes it", file=sys.stderr)
    return 1 if missing or stale else 0


if __name__ == "__main__":
    sys.exit(main())
