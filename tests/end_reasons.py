#!/usr/bin/env python3
"""docs/end-reasons.md is made from END_REASONS in shm/call.h.

end_reasons.py ROOT            fails when the file is stale
end_reasons.py ROOT --write    makes it"""
import pathlib
import re
import sys

HEAD = """# End reasons

Why a call or one attempt of it ended: `reason` of a record, of `call.end` events and of `tandemctl call`. `code` is the SIP code that
the caller gets when the softswitch itself decides (0: a call that was up, which ends with BYE, or nothing); after a gateway's
rejection it is the gateway's, by the rules of its `response_map`. `cause` is that of the Q.850 Reason header (0: by the code).
Made from `END_REASONS` in `shm/call.h` by `tests/end_reasons.py`.

| reason | code | cause |
|---|---|---|
"""


def table(root):
    text = (root / "shm/call.h").read_text()
    macro = re.search(r"#define END_REASONS\(X\)((?:.*\\\n)*.*\n)", text).group(1)
    rows = re.findall(r'X\((\w+),\s*"([^"]*)",\s*(\d+),\s*(\d+)\)', macro)
    assert len(rows) == macro.count("X(END_") and len(rows) > 10, "END_REASONS has a line that cannot be read"
    return HEAD + "".join(f"| {reason} | {code} | {cause} |\n" for _, reason, code, cause in rows if reason)


def main():
    root = pathlib.Path(sys.argv[1])
    path, wanted = root / "docs/end-reasons.md", table(root)
    if "--write" in sys.argv:
        path.write_text(wanted)
    elif not path.exists() or path.read_text() != wanted:
        sys.exit(f"{path} is stale: run tests/end_reasons.py {root} --write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
