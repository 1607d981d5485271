"""Breakages for mutation testing: every place of the package that may be changed, and a seeded draw of them.

A breakage is one changed expression or statement: a sign, a bound, a condition, an axis, a number off by one, a call
that is left out, an exception that is not raised. They are drawn from all folders in turn and from all kinds in turn.
"""

import ast
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "multitrain"
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
