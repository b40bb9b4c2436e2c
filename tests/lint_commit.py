#!/usr/bin/env python3
"""Stores to shared memory go through shm/commit.h alone. The compiler refuses stores through pointers to const; this finds
the ways around it: casts that drop const unseen, and shared writable mappings made elsewhere than in shm/region.c.

lint_commit.py ROOT        look through the tree
lint_commit.py --self-test the rules themselves"""
import fnmatch
import pathlib
import re
import sys

FOLDERS = ["base", "config", "shm", "tables", "signaling", "media-proxy", "routing", "registrar", "cdr", "ctl", "supervisor"]

# (what, pattern, files where it is allowed)
RULES = [
    ("COMMIT_MUTABLE outside shm/commit.h", re.compile(r"\bCOMMIT_MUTABLE\b"), {"shm/commit.h"}),
    # munmap() and free() store nothing there, and what an iovec names is read by sendmsg(); *_bpf.c: libbpf's
    # constants; json.c: jansson's readers take no const
    ("pointer made from an integer",
     re.compile(r"(?<!munmap\()(?<!\bfree\()(?<!iov_base = )(?<!struct iovec\)\{ )\([^()]*\*\s*\)\s*\(\s*u?intptr_t\s*\)"),
     {"shm/commit.h", "*_bpf.c", "ctl/json.c"}),
    # but for generated code
    ("const dropped unseen by the compiler",
     re.compile(r"-W(?:cast-qual|discarded-qualifiers|incompatible-pointer-types-discards-qualifiers)\b(?!\"\s*(?:#pragma [^\n]*\s*)*#include \"[\w.]*\.skel\.h\")"), set()),
    ("const dropped by name", re.compile(r"__typeof_unqual__|\btypeof_unqual\b"), set()),
    ("shared writable mapping outside shm/region.c", re.compile(r"\bmmap\s*\((?=[^;]*\bPROT_WRITE\b)(?=[^;]*\bMAP_SHARED)[^;]*;"), {"shm/region.c"}),
    ("mprotect outside shm/region.c", re.compile(r"\bmprotect\s*\("), {"shm/region.c"}),
]
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.S)


def without_comments(text):
    return COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def faults(name, text):
    text = without_comments(text)
    for what, pattern, allowed in RULES:
        if any(fnmatch.fnmatch(name, a) for a in allowed):
            continue
        for m in pattern.finditer(text):
            yield f"{name}:{text.count(chr(10), 0, m.start()) + 1}: {what}"


def self_test():
    bad = [
        "*COMMIT_MUTABLE(uint32_t, &s->state) = 1;",
        "struct call *c = (struct call *)(uintptr_t)shared;",
        "((char *) (intptr_t) p)[0] = 1;",
        '#pragma GCC diagnostic ignored "-Wcast-qual"',
        "p = mmap(NULL, n,\n\tPROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);",
        "mprotect(p, n, PROT_WRITE);",
    ]
    good = [
        "/* COMMIT_MUTABLE */ // (char *)(uintptr_t)p",
        "munmap((void *)(uintptr_t)r->head, r->size);",
        "p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0); q = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);",
        "v[n] = (struct iovec){ (void *)(uintptr_t)d->p, d->n }; v[n].iov_base = (void *)(uintptr_t)d->p;",
        "free((void *)(uintptr_t)s->file);",
        '#pragma GCC diagnostic ignored "-Wcast-qual" /* generated */\n#pragma GCC diagnostic ignored "-Wshadow"\n#include "steer.skel.h"',
        "uintptr_t both = (uintptr_t)to | (uintptr_t)from;",
    ]
    for text in bad:
        assert list(faults("signaling/x.c", text)), text
    for text in good:
        assert not list(faults("signaling/x.c", text)), text
    assert not list(faults("shm/commit.h", bad[0]))


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(sys.argv[1])
    found = []
    files = [f for folder in FOLDERS for f in sorted((root / folder).rglob("*.[ch]"))]
    assert len(files) > 20, "not the tree"
    for f in files:
        if ".bpf." not in f.name:
            found += faults(f.relative_to(root).as_posix(), f.read_text())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
