"""What the mutation scripts share: reading C++ roughly, building a copy of the tree that holds all mutants, and
finding the test case that catches each.

A mutant is a piece of code that behaves wrongly when the environment variable GLIMPSE_MUTANT holds its number. So the
tree is built once, and each mutant costs one run of the tests.
"""
import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent


# What every mutated source includes.
BASE = r"""
#pragma once
#include <cstdio>
#include <cstdlib>
#include <type_traits>
namespace glimpse_mutant {
inline unsigned char seen[1 << 14];  // 1: the mutant was reached; 2: its place was, with types for which it is none
inline void write_seen() {
  std::FILE* file = std::fopen(std::getenv("GLIMPSE_MUTANTS_SEEN"), "w");
  for (int i = 0; i < 1 << 14; ++i)
    if (seen[i]) std::fprintf(file, "%d %d\n", i, seen[i] & 1);
  std::fclose(file);
}
inline const int active = [] {
  if (std::getenv("GLIMPSE_MUTANTS_SEEN")) std::atexit(write_seen);
  const char* id = std::getenv("GLIMPSE_MUTANT");
  return id ? std::atoi(id) : -1;
}();
inline bool on(int id) {
  seen[id] |= 1;
  return id == active;
}
inline void none(int id) { seen[id] |= 2; }
}  // namespace glimpse_mutant
"""


@dataclass
class Mutant:
    path: str
    line: int
    text: str  # what is mutated, on one line
    kind: str = ""
    change: str = ""
    site: object = field(default=None, repr=False)  # where the code changes; mutants may share it

    def __str__(self):
        return f"{self.path}:{self.line}: {self.text}" + (f"  [{self.change}]" if self.change else "")


def blanked(pattern, text, flags=0):
    """The text with every match made of spaces, so that positions stay."""
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=flags)


def without_comments(text):
    """Comments, strings and preprocessor lines blanked."""
    text = blanked(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', text, re.S)
    return blanked(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", text, re.M)


def closing(text, start):
    """Position of the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(text)):
        depth += text[i] in "([{"
        depth -= text[i] in ")]}"
        if depth == 0:
            return i
    raise ValueError(f"no closing bracket: {text[start:start + 40]}")


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def on_one_line(text):
    return " ".join(text.split())


def marked(text, marks):
    """The text with marks (begin, end, before, after[, operator, comma]) put in: `before` and `after` around a range,
    and where an operator's range is given, `comma` in its place. Ranges nest; lines stay as they are."""
    edits = []
    for begin, end, before, after, *middle in marks:
        edits.append((begin, 1, -end, begin, before))
        edits.append((end, 0, -begin, end, after))
        if middle:
            (first, last), comma = middle
            edits.append((first, 2, 0, last, comma))
    for begin, _, _, end, new in sorted(edits, key=lambda e: e[:3], reverse=True):
        text = text[:begin] + new + text[end:]
    return text


class Tree:
    """A copy of the source tree in `folder`; `header` is included in front of every file with mutants. Where there is one already,
    what is the same in both stays, so that little has to be built."""

    def __init__(self, folder, header, mutants, flags, options=()):
        self.path = pathlib.Path(folder) / "tree"
        ignored = shutil.ignore_patterns(".git", "build", "build-*", "runs", "__pycache__", "tree")
        original = pathlib.Path(folder) / "original"
        shutil.rmtree(original, ignore_errors=True)
        shutil.copytree(ROOT, original, ignore=ignored)
        (original / "mutant.h").write_text(header)
        self.replace_files(original, {m.path for m in mutants})
        common = ["-DCMAKE_BUILD_TYPE=Release", "-DGLIMPSE_WERROR=OFF", "-DGLIMPSE_TOOLS=OFF", "-DGLIMPSE_BENCH=OFF",
                  "-DGLIMPSE_INSTALL=OFF", "-DGLIMPSE_CUDA=OFF", "-DCMAKE_CXX_FLAGS=-w",
                  f"-DCMAKE_CXX_FLAGS_RELEASE={flags}"]
        subprocess.run(["cmake", "-S", self.path, "-B", self.path / "build", "-G", "Ninja", *common, *options],
                       check=True, stdout=subprocess.DEVNULL)

    def replace_files(self, original, mutated):
        """Makes the tree hold the files of `original`, but for those that build() will write."""
        kept = {p.relative_to(self.path) for p in self.path.rglob("*") if p.is_file()} if self.path.exists() else set()
        wanted = {p.relative_to(original) for p in original.rglob("*") if p.is_file()}
        for name in {n for n in kept - wanted if n.parts[0] != "build"}:
            (self.path / name).unlink()
        for name in wanted:
            to, text = self.path / name, (original / name).read_bytes()
            if not to.exists() or (str(name) not in mutated and to.read_bytes() != text):
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(text)
        shutil.rmtree(original)

    def program(self, name):
        return self.path / "build/tests" / name

    def build(self, mutants, rewrite, targets, jobs):
        """Builds the targets; `rewrite(path, numbers)` gives a file's text with these mutants in it. Those on lines that
        do not compile are taken out. Returns {number: mutant} of the others."""
        alive = dict(enumerate(mutants))
        while True:
            for path in sorted({m.path for m in mutants}):
                text = rewrite(path, [n for n, m in alive.items() if m.path == path])
                text = f'#include "{self.path}/mutant.h"\n#line 1 "{self.path / path}"\n{text}'
                if (self.path / path).read_text() != text:
                    (self.path / path).write_text(text)
            run = subprocess.run(["ninja", "-C", self.path / "build", "-k", "0", f"-j{jobs}", *targets],
                                 capture_output=True, text=True)
            if run.returncode == 0:
                return alive
            lines = set(re.findall(r"/((?:engine|kernels|models)/[\w./]+):(\d+):\d+: +(?:error|required from)", run.stdout))
            bad = [n for n, m in alive.items() if (m.path, str(m.line)) in lines]
            if not bad:
                sys.exit("the tree does not build:\n" + run.stdout[-4000:] + run.stderr)
            for n in bad:
                print(f"left out, it does not compile: {alive[n]}", flush=True)
                del alive[n]


class Tests:
    """The test cases of the programs, and what they reach."""

    def __init__(self, tree, programs, folder):
        self.tree, self.folder = tree, folder
        self.cases = []  # (seconds, program, name, reached)
        self.known = set()  # reached, or no mutants
        for program in programs:
            listing = subprocess.run([tree.program(program), "--list-test-names-only"], capture_output=True, text=True)
            for name in filter(None, map(str.strip, listing.stdout.splitlines())):
                self.cases.append(self.measured(program, name))
        self.cases.sort(key=lambda case: case[0])

    def measured(self, program, name):
        seen = os.path.join(self.folder, "seen")
        begin = resource.getrusage(resource.RUSAGE_CHILDREN)
        run = self.run(program, name, 600, GLIMPSE_MUTANTS_SEEN=seen)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        if run.returncode != 0:
            sys.exit(f"{program}: '{name}' fails without any mutant:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")
        with open(seen) as file:
            flags = dict(map(int, line.split()) for line in file)
        self.known |= flags.keys()
        seconds = end.ru_utime + end.ru_stime - begin.ru_utime - begin.ru_stime
        return seconds, program, name, {n for n, whole in flags.items() if whole}

    def run(self, program, name, seconds, **environment):
        """Runs one test case for so many seconds of a processor at most."""
        pattern = re.sub(r"([,\[\]\\])", r"\\\1", name)
        limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (round(seconds), round(seconds)))
        return subprocess.run([self.tree.program(program), "-a", pattern], preexec_fn=limit, capture_output=True, text=True,
                              errors="replace", env=dict(os.environ, OMP_NUM_THREADS="1", **environment))

    def verdict(self, number):
        """The name of the test case that catches the mutant, and how; None when none does."""
        for seconds, program, name, reached in self.cases:
            if number not in reached:
                continue
            run = self.run(program, name, 3 + 10 * seconds, GLIMPSE_MUTANT=str(number))
            if run.returncode != 0:
                memory = re.search(r"ERROR: AddressSanitizer: ([\w-]+)|runtime error: (index \S+ out of bounds)", run.stderr)
                hangs = run.returncode in (-signal.SIGXCPU, -signal.SIGKILL)
                how = memory.group(1) or memory.group(2) if memory else "hangs" if hangs else None
                return name + (f" ({how})" if how else "")
        return None

    def reached(self, number):
        """False for a mutant whose place no test reaches; None for one that is none."""
        return any(number in case[3] for case in self.cases) or (None if number in self.known else False)


def table(results, kinds):
    """Prints a line for each file; results are (mutant, whether it was caught). Returns the per cent that were."""
    total = collections.Counter()
    rows = [["file", "mutants", "caught", *kinds]]
    for path in sorted({m.path for m, _ in results}) + ["all"]:
        own = collections.Counter()
        for m, caught in results:
            if path in (m.path, "all"):
                own[m.kind, caught] += 1
        caught = sum(own[k, True] for k in kinds)
        count = caught + sum(own[k, False] for k in kinds)
        rows.append([path, str(count), f"{100 * caught / max(count, 1):.1f} %",
                     *(f"{own[k, True]}/{own[k, True] + own[k, False]}" for k in kinds)])
        total = own
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))))
    return 100 * sum(total[k, True] for k in kinds) / max(1, len(results))


def prove(arguments, mutants, kinds, rewritten, header, programs, explained, wanted=0, flags="-O1", options=()):
    """Builds the programs with all mutants, runs their test cases against each, prints what caught it and a table.
    `explained` has reasons for (file, code, change), or (file, code) where there is one change: a reason, or a tuple of as
    many as there are such places. Returns the exit code: 1 when a mutant survives that is not explained, or fewer than
    `wanted` per cent are caught."""
    if arguments.list:
        for m in mutants:
            print(f"{m.kind:13}{m}")
        return 0
    with tempfile.TemporaryDirectory(prefix="glimpse-mutants-") as temporary:
        folder = arguments.folder or temporary
        tree = Tree(folder, header, mutants, flags, options)
        alive = tree.build(mutants, lambda path, numbers: rewritten(path, numbers, mutants), programs, arguments.jobs)
        tests = Tests(tree, programs, folder)
        results, survivors = [], []

        def judge(item):
            number, m = item
            reached = tests.reached(number)
            caught = tests.verdict(number) if reached else None
            if reached is not None:
                print(f"{m}: {'caught by ' + caught if caught else 'SURVIVED' if reached else 'REACHED BY NO TEST'}", flush=True)
            return m, reached, caught

        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            for m, reached, caught in pool.map(judge, alive.items()):
                if reached is None:
                    continue
                results.append((m, caught is not None))
                if not caught:
                    survivors.append((m, "survived" if reached else "reached by no test"))

    unexplained = 0
    reasons = {key: [why] if isinstance(why, str) else list(why) for key, why in explained.items()
               if key[0] in {m.path for m in mutants}}
    print("\nNot caught:" if survivors else "\nAll caught.")
    for m, what in survivors:
        left = reasons.get((m.path, m.text, m.change)) or reasons.get((m.path, m.text))
        unexplained += not left
        print(f"  {m}: {what}: {left.pop(0) if left else 'NOT EXPLAINED'}")
    for key in sorted(key for key, left in reasons.items() if left):
        print(f"  explained, but not there or caught: {key}")
    print()
    share = table(results, kinds)
    print(f"\n{len(survivors)} not caught, {unexplained} of them not explained")
    return 1 if unexplained or share < wanted else 0


def parse(description):
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="regular expression on the path of the file")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--folder", help="where the tree is built, and kept for the next time")
    return parser.parse_args()
