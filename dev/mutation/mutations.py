"""Mutation testing: seeded breakages of the package, each alone, and the first test that fails with it.

    python -m dev.mutation.mutations list                # what would be broken, and how
    python -m dev.mutation.mutations run > mutations.md  # break and test: a Markdown table of breakages and tests
    python -m dev.mutation.mutations run --only multitrain/common/ranks.py:34  # again, whatever the results say

Each is tried in a copy of the checkout: with the tests of its module, then the others of its folder, then those that
import the module or what imports it; with --all then all that are left. Slow tests are not run.
Results are kept in --results, one JSON line a breakage: started again, the command goes on with what is missing.
"""

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import networkx as nx

from dev.mutation.breakages import PACKAGE, ROOT, Breakage, drawn
from dev.pages.architecture import imported

SECONDS = 1800  # for one pytest, and for one test: a breakage may make a loop endless
OF_A_TEST = 300
IMPORTS = 2  # from a test to the module, at most: the fixtures of most tests reach all modules by more
NO_TESTS = 5  # pytest's exit code where every test was left out by a marker
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)
LIMIT = ["-o", f"faulthandler_timeout={OF_A_TEST}", "-o", "faulthandler_exit_on_timeout=true"]
PYTEST = [sys.executable, "-m", "pytest", "-o", "addopts=", "-x", "-rfE", "-m", "not slow", "-p", "no:cacheprovider"]


@dataclass(frozen=True)
class Result:
    """The first test that failed with a breakage; "" where none did."""

    name: str
    test: str


@cache
def importers() -> nx.DiGraph:
    """Modules of the package and its tests, an edge from each to those that import it or name it to a registry."""
    paths = [path for folder in (PACKAGE, "tests") for path in (ROOT / folder).rglob("*.py")]
    modules = {_module(path.relative_to(ROOT)): path for path in paths}
    endings = {ending: name for name in modules for ending in _endings(name)}
    graph = nx.DiGraph()
    graph.add_nodes_from(modules)
    for name, path in modules.items():
        for full in (*imported(path), *(endings[text] for text in _texts(path) if text in endings)):
            found = next((each for each in _beginnings(full) if each in modules), name)
            if found != name:
                graph.add_edge(found, name)
    return graph


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _beginnings(name: str) -> Iterator[str]:
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(len(parts), 0, -1))


def _endings(name: str) -> Iterator[str]:
    """What a registry may call a module: more than a word of everyday use."""
    parts = name.split(".")
    found = (".".join(parts[start:]) for start in range(len(parts)))
    return (each for each in found if "." in each or "_" in each)


def _texts(path: Path) -> Iterator[str]:
    """Texts of a module, without the function that stands behind a colon."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.partition(":")[0]


def stages(path: str, root: Path, everything: bool = False) -> list[list[str]]:
    """Test files for a module of the package, nearest first, each once."""
    tests = {each.relative_to(root).as_posix(): each for each in sorted((root / "tests").rglob("test_*.py"))}
    module, mirrored = Path(path).stem, Path("tests", *Path(path).parts[1:-1])
    folder = next(each for each in (mirrored, *mirrored.parents) if (root / each).is_dir())
    graph, name = importers(), _module(Path(path))
    away = nx.single_source_shortest_path_length(graph, name, cutoff=IMPORTS) if name in graph else {}
    distances = {test: away[_module(Path(test))] for test in tests if _module(Path(test)) in away}
    found = [
        [test for test, each in tests.items() if each.stem == f"test_{module}"],
        [test for test in tests if Path(test).is_relative_to(folder) and folder != Path("tests")],
        sorted(distances, key=lambda test: distances[test]),
        list(tests) if everything else [],
    ]
    before = [set().union(*found[:number]) for number in range(len(found))]
    left = [[test for test in its if test not in known] for its, known in zip(found, before, strict=True)]
    return [its for its in left if its]


def try_breakage(breakage: Breakage, copy: Path, everything: bool = False) -> Result:
    """Try one breakage in a copy of the checkout, and mend the copy again."""
    file = copy / breakage.path
    content, environment = file.read_bytes(), os.environ | {"PYTHONPATH": str(copy)}
    file.write_bytes(content[: breakage.start] + breakage.after.encode() + content[breakage.end :])
    try:
        for tests in stages(breakage.path, copy, everything):
            command = [*PYTEST, *LIMIT, *tests]
            try:
                run = subprocess.run(
                    command, cwd=copy, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
                )
            except subprocess.TimeoutExpired:
                return Result(breakage.name, f"no end of {' '.join(tests)}")
            if run.returncode not in (0, NO_TESTS):
                named = FAILED.search(run.stdout)
                return Result(breakage.name, named.group(1) if named else f"pytest {tests[0]}: {run.returncode}")
        return Result(breakage.name, "")
    finally:
        file.write_bytes(content)


def try_all(breakages: list[Breakage], path: Path, everything: bool = False, again: bool = False) -> dict[str, Result]:
    """Result of each breakage by its name; those in `path` are not tried again, or only with `again`."""
    known = {}
    if path.exists():
        known = {(each := Result(**json.loads(line))).name: each for line in path.read_text().splitlines()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, path.open("a", encoding="utf-8") as stream:
        copy = _copied(Path(scratch))
        for each in breakages:
            if each.name in known and not again:
                continue
            result = known[each.name] = try_breakage(each, copy, everything)
            stream.write(json.dumps(asdict(result)) + "\n")
            stream.flush()
            sys.stderr.write(f"{result.name}: {result.test or 'NOT SEEN'}\n")
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
    parser.add_argument("--only", metavar="PATH:LINE", default="", help="the breakages whose name starts so")
    parser.add_argument("--all", action="store_true", help="try all tests where the near ones pass")
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "mutations.jsonl")
    options = parser.parse_args()
    breakages = [each for each in drawn(options.count, options.seed) if each.name.startswith(options.only)]
    if not breakages:
        parser.error(f"--only {options.only}: no such breakage; `list` shows them")
    if options.command == "list":
        for each in breakages:
            sys.stdout.write(f"{each.path}:{each.line} {each.kind}: {_short(each.before)} -> {_short(each.after)}\n")
        return
    results = try_all(breakages, options.results, options.all, again=bool(options.only))
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
