"""Mutation testing: seeded breakages of the package, each alone, and the first test that fails with it.

    python dev/mutations.py list                 # what would be broken, and how
    python dev/mutations.py run > mutations.md   # break and test: a Markdown table of the breakages and their tests

A breakage is one changed expression or statement: a sign, a bound, a condition, an axis, a number off by one, a call
that is left out, an exception that is not raised. They are drawn from all folders in turn and from all kinds in turn,
by a seed. Each is tried in a copy of the checkout: with the tests of its module, then those of its folder, then all.
Results are kept in --results, one JSON line a breakage: started again, the command goes on with what is missing.
"""

import argparse
import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parents[1]
PACKAGE = "multitrain"
SECONDS = 1800  # for one pytest: a breakage may make a loop endless
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
OPPOSITE = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "+": "-", "-": "+"}
SYMBOLS = {
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="},
    **{ast.Add: "+", ast.Sub: "-"},
}


@dataclass(frozen=True)
class Breakage:
    """One changed place: `start` to `end` are offsets in the file's bytes."""

    kind: str
    path: str
    line: int
    start: int
    end: int
    before: str
    after: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line} {self.kind} {self.start}"


@dataclass(frozen=True)
class Result:
    """The first test that failed with a breakage; "" where none did."""

    name: str
    test: str


class Source:
    """A parsed file, with the text of its nodes by bytes."""

    def __init__(self, path: Path):
        self.path = path.relative_to(ROOT).as_posix()
        self.content = path.read_bytes()
        self.tree = ast.parse(self.content)
        self.lines = [0]
        for line in self.content.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Offsets of a node's text."""
        start, end = (
            self.lines[node.lineno - 1] + node.col_offset,
            self.lines[node.end_lineno - 1] + node.end_col_offset,
        )
        return start, end

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.content[start:end].decode()

    def breakage(self, kind: str, node: ast.AST, after: str) -> Breakage:
        return Breakage(kind, self.path, node.lineno, *self.span(node), self.text(node), after)


def sign(source: Source, node: ast.AST) -> str | None:
    """a + b for a - b, and the reverse; -a without its sign."""
    if (
        isinstance(node, ast.BinOp)
        and type(node.op) in SYMBOLS
        and not isinstance(node.left, ast.Constant | ast.JoinedStr)
    ):
        return f"{source.text(node.left)} {OPPOSITE[SYMBOLS[type(node.op)]]} {source.text(node.right)}"
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        return source.text(node.operand)
    return None


def bound(source: Source, node: ast.AST) -> str | None:
    """A comparison that takes its end in, or leaves it out."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SYMBOLS:
        return f"{source.text(node.left)} {OPPOSITE[SYMBOLS[type(node.ops[0])]]} {source.text(node.comparators[0])}"
    return None


def condition(source: Source, node: ast.AST) -> str | None:
    """A condition's opposite."""
    return f"not ({source.text(node)})" if isinstance(node, ast.BoolOp | ast.Call) and _tested(node) else None


def axis(source: Source, node: ast.AST) -> str | None:
    """Another axis of a reduction."""
    if isinstance(node, ast.keyword) and node.arg in ("dim", "axis"):
        value = source.text(node.value)
        return f"{node.arg}={'0' if value != '0' else '-1'}" if re.fullmatch(r"-?\d", value) else None
    return None


def off_by_one(source: Source, node: ast.AST) -> str | None:
    """A number one larger, where it is counted, indexed or calculated with."""
    if (
        isinstance(node, ast.Constant)
        and type(node.value) is int
        and isinstance(_parent(node), ast.BinOp | ast.Slice | ast.Compare)
    ):
        return str(node.value + 1)
    return None


def left_out(source: Source, node: ast.AST) -> str | None:
    """A call for its effect alone: a flush, a close, a check."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return "pass"
    return None


def swallowed(source: Source, node: ast.AST) -> str | None:
    """An error that is not raised."""
    return "pass" if isinstance(node, ast.Raise) else None


KINDS: dict[str, Callable[[Source, ast.AST], str | None]] = {
    "sign": sign,
    "bound": bound,
    "condition": condition,
    "axis": axis,
    "off by one": off_by_one,
    "left out": left_out,
    "swallowed": swallowed,
}


def _parent(node: ast.AST) -> ast.AST | None:
    return getattr(node, "parent", None)


def _tested(node: ast.AST) -> bool:
    parent = _parent(node)
    return isinstance(parent, ast.If | ast.While | ast.IfExp) and parent.test is node


def places(source: Source) -> Iterator[Breakage]:
    """Every breakage of a file."""
    for node in ast.walk(source.tree):
        for child in ast.iter_child_nodes(node):
            child.parent = node
    for node in ast.walk(source.tree):
        for kind, change in KINDS.items():
            if (after := change(source, node)) is not None:
                yield source.breakage(kind, node, after)


def drawn(count: int, seed: int) -> list[Breakage]:
    """`count` breakages: folders in turn, kinds in turn, places by the seed."""
    by_folder: dict[str, dict[str, list[Breakage]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        for each in places(Source(path)):
            by_folder["/".join(each.path.split("/")[1:-1][:1])][each.kind].append(each)
    generator, chosen = random.Random(seed), []
    folders, kinds = sorted(by_folder), list(KINDS)
    for turn in range(100 * count):
        its = by_folder[folders[turn % len(folders)]]
        kind = kinds[(turn // len(folders) + turn) % len(kinds)]
        left = [each for each in its[kind] if each not in chosen]
        if left:
            chosen.append(generator.choice(left))
        if len(chosen) == count:
            return chosen
    raise SystemExit(f"only {len(chosen)} places to break")


def stages(breakage: Breakage, tests: Path) -> list[list[str]]:
    """Arguments of pytest, nearest tests first."""
    folder, module = Path(*Path(breakage.path).parts[1:-1]), Path(breakage.path).stem
    own = sorted(str(path.relative_to(tests.parent)) for path in tests.rglob(f"test_{module}*.py"))
    near = tests / folder
    found = [own] if own else []
    found += [[str(near.relative_to(tests.parent))]] if folder.parts and near.is_dir() else []
    return [*found, ["tests"]]


def seen(breakage: Breakage, copy: Path) -> Result:
    """Try one breakage in a copy of the checkout, and mend the copy again."""
    file = copy / breakage.path
    content, environment = file.read_bytes(), os.environ | {"PYTHONPATH": str(copy)}
    file.write_bytes(content[: breakage.start] + breakage.after.encode() + content[breakage.end :])
    try:
        for arguments in stages(breakage, copy / "tests"):
            command = [
                sys.executable,
                "-m",
                "pytest",
                "-x",
                "-q",
                "-rfE",
                "-m",
                "not slow",
                "-p",
                "no:cacheprovider",
                *arguments,
            ]
            try:
                run = subprocess.run(
                    command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                return Result(breakage.name, f"no end of {' '.join(arguments)}")
            if run.returncode not in (0, 5):  # 5: no test was chosen
                named = FAILED.search(run.stdout)
                return Result(
                    breakage.name, named.group(1) if named else f"pytest {' '.join(arguments)}: {run.returncode}"
                )
        return Result(breakage.name, "")
    finally:
        file.write_bytes(content)


def tried(breakages: list[Breakage], path: Path, jobs: int) -> dict[str, Result]:
    """Result of each breakage by its name; those in `path` are not tried again."""
    known = {}
    if path.exists():
        known = {(each := Result(**json.loads(line))).name: each for line in path.read_text().splitlines()}
    todo = [each for each in breakages if each.name not in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, path.open("a", encoding="utf-8") as stream:
        copies: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            copies.put(_copied(Path(scratch) / str(number)))

        def work(each: Breakage) -> Result:
            copy = copies.get()
            try:
                return seen(each, copy)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            for result in pool.map(work, todo):
                stream.write(json.dumps(asdict(result)) + "\n")
                stream.flush()
                sys.stderr.write(f"{result.name}: {result.test or 'NOT SEEN'}\n")
                known[result.name] = result
    return known


def _copied(folder: Path) -> Path:
    """The tracked files of the checkout, as they are."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["list", "run"])
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "mutations.jsonl")
    options = parser.parse_args()
    breakages = drawn(options.count, options.seed)
    if options.command == "list":
        for each in breakages:
            sys.stdout.write(f"{each.path}:{each.line} {each.kind}: {_short(each.before)} -> {_short(each.after)}\n")
        return
    results = tried(breakages, options.results, options.jobs)
    unseen = [each.name for each in breakages if not results[each.name].test]
    sys.stdout.write("| where | kind | before | after | first test that fails |\n| --- | --- | --- | --- | --- |\n")
    for each in breakages:
        cells = (f"{each.path}:{each.line}", each.kind, *(f"`{_short(text)}`" for text in (each.before, each.after)))
        sys.stdout.write(
            f"| {' | '.join([*cells, results[each.name].test or 'none'])} |\n".replace("||", "&#124;&#124;")
        )
    sys.stdout.write(f"\n{len(breakages) - len(unseen)} of {len(breakages)} breakages turn a test red\n")
    sys.exit(1 if unseen else 0)


def _short(text: str) -> str:
    return re.sub(r"\s+", " ", text)[:80]


if __name__ == "__main__":
    main()
