#!/usr/bin/env python3
"""Stores to shared memory go through shm/commit.h alone. The compiler refuses stores through pointers to const; this finds
the ways around it: casts that drop const unseen, functions of the C library that return what they were given without its const,
unions that do the same, assembly, and shared writable mappings made elsewhere than in shm/region.c. What is not found: a pointer
that is copied byte by byte (memcpy(&a, &b, sizeof a)).

lint_commit.py ROOT             look through the tree
lint_commit.py --self-test      the rules themselves
lint_commit.py --compiler CC .. that this compiler, with these flags, refuses what it is trusted to refuse"""
import fnmatch
import pathlib
import re
import subprocess
import sys

FOLDERS = ["base", "config", "shm", "tables", "sip", "signaling", "media-proxy", "routing", "registrar", "cdr", "ctl", "supervisor"]

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
    # strchr() and its like take const and return none
    ("const dropped by the C library", re.compile(r"(?<!const )\b(?:char|void|u?int\d+_t|struct \w+)\s*\*\s*\w+\s*=\s*(?:(?:mem|str)r?(?:chr|str|mem|pbrk|casestr)|bsearch)\s*\("), set()),
    ("store through what the C library found", re.compile(r"(?:^|[;{}]|\belse\b)\s*\*\s*\(?\s*(?:mem|str)r?(?:chr|str|mem|pbrk)\s*\([^;]*\)\s*=[^=]", re.M), set()),
    ("const dropped by a union", re.compile(r"\bunion\b[^{};]*\{(?=[^}]*\bconst\b[^};]*\*)(?=[^}]*(?:[{;]\s*)(?!const\b)[^};]*\*)[^}]*\}"), set()),
    ("assembly", re.compile(r"\basm\b|\b__asm__\b"), set()),
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
        "char *at = memchr(s->text, 'x', n);",
        "struct entry *e = bsearch(&key, shared, n, sizeof *e, by_key);",
        "{ *strchr(s->text, 'x') = 0; }",
        "union { const struct call *c; struct call *m; } u = { shared };",
        "__asm__ volatile(\"movl $1, (%0)\" :: \"r\"(p));",
    ]
    good = [
        "/* COMMIT_MUTABLE */ // (char *)(uintptr_t)p",
        "munmap((void *)(uintptr_t)r->head, r->size);",
        "p = mmap(NULL, n, PROT_READ, MAP_SHARED, fd, 0); q = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);",
        "v[n] = (struct iovec){ (void *)(uintptr_t)d->p, d->n }; v[n].iov_base = (void *)(uintptr_t)d->p;",
        "free((void *)(uintptr_t)s->file);",
        '#pragma GCC diagnostic ignored "-Wcast-qual" /* generated */\n#pragma GCC diagnostic ignored "-Wshadow"\n#include "steer.skel.h"',
        "const char *at = memchr(s->text, 'x', n); n = strchr(p, 'x') == NULL; at = strstr(p, q);",
        "union name { struct sockaddr any; struct sockaddr_in in; }; union { char bytes[16]; uint64_t align; } u;",
        "uintptr_t both = (uintptr_t)to | (uintptr_t)from;",
    ]
    for text in bad:
        assert list(faults("signaling/x.c", text)), text
    for text in good:
        assert not list(faults("signaling/x.c", text)), text
    assert not list(faults("shm/commit.h", bad[0]))


# what the compiler is trusted with: each must be refused, the same through a pointer without const taken
STORES = ["p->n = 1;", "__atomic_store_n(&p->n, 1, __ATOMIC_RELAXED);", "__atomic_fetch_add(&p->n, 1, __ATOMIC_RELAXED);",
          "__sync_fetch_and_add(&p->n, 1);", "uatomic_set(&p->n, 1);", "uatomic_inc(&p->n);", "uatomic_cmpxchg(&p->n, 1, 2);", "CMM_STORE_SHARED(p->n, 1);",
          "memset(p->t, 0, 4);", "memcpy(p->t, \"abc\", 3);", "snprintf(p->t, 4, \"x\");", "recv(0, p->t, 4, 0);", "char *t = p->t; *t = 1;",
          "((struct s *)p)->n = 1;", "*(char *)p->t = 1;", "struct s **q = &p; (*q)->n = 1;", "struct s **q = (struct s **)&p; (*q)->n = 1;"]


def compiler(command):
    head = "#include <stdio.h>\n#include <stdint.h>\n#include <string.h>\n#include <sys/socket.h>\n#include <urcu/system.h>\n#include <urcu/uatomic.h>\n" \
        "struct s { uint32_t n; char t[8]; };\nvoid f(%sstruct s *p);\nvoid f(%sstruct s *p)\n{\n\t%s\n}\n"
    wrong = 0
    for store in STORES:
        for const, wanted in (("const ", False), ("", True)):
            if wanted and "*)" in store or wanted and "**" in store:
                continue
            r = subprocess.run([*command, "-x", "c", "-c", "-", "-o", "/dev/null"], input=head % (const, const, store), capture_output=True, text=True)
            if (r.returncode == 0) != wanted:
                print(f"{'refused' if wanted else 'not refused'}: {const}struct s *p; {store}\n{r.stderr[:300]}")
                wrong += 1
    return 1 if wrong else 0


def main():
    if sys.argv[1:2] == ["--compiler"]:
        return compiler(sys.argv[2:])
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
