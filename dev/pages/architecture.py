"""Pictures of the package's layers and of the workflow's rules, made from the code, with their text beside them.

    python -m dev.pages.architecture          # writes docs/architecture/{layers,flow}.{txt,png}
    python -m dev.pages.architecture layers   # one of them

An arrow that follows from two others is left out of the picture, not of the text.
"""

import argparse
import ast
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import networkx as nx

from dev.pages import graphs

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "architecture"
PACKAGE = "multitrain"
HEADS = {
    "layers": "# package: the packages of multitrain it imports, anywhere. Written by `make architecture`.",
    "flow": "# rule: the rules whose output it takes. Written by `make architecture`.",
}
BLUE, ORANGE, GREEN, VIOLET = "#dbe9f6", "#fde3c8", "#dff0d8", "#e8dff5"
STAGES = {"world": BLUE, "data": BLUE, "train": ORANGE, "evaluate": ORANGE}  # by the file that has the rule
LAST = {"index", "all"}  # rules that take everything


def imported(path: Path) -> Iterator[str]:
    """Full names of what a module imports, anywhere in it: `multitrain.data.manifest`."""
    inside = ".".join(path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = inside.split(".")[: len(inside.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{start}.{alias.name}" for alias in node.names)


def layers() -> nx.DiGraph:
    """The packages of multitrain, an edge from each to what it imports; modules at its root are grouped."""
    home = ROOT / PACKAGE
    files = {path: list(imported(path)) for path in sorted(home.rglob("*.py"))}
    names = {path.stem for path in home.glob("*.py")} - {"__init__"}
    folders = {path.name for path in home.iterdir() if path.is_dir()}
    needs = {
        name: {
            part[1] for full in files[home / f"{name}.py"] if len(part := full.split(".")) > 1 and part[0] == PACKAGE
        }
        for name in names
    }
    above = {name for name in names if needs[name] & folders}  # and all that import one of these
    while more := {name for name in names - above if needs[name] & above}:
        above |= more

    def group(part: str) -> str | None:
        if part in names:
            return "cli" if part.startswith("cli") else "plan" if part in above else "common"
        return part if part in folders else None

    graph = nx.DiGraph()
    for path, found in files.items():
        part = path.relative_to(home).parts[0].removesuffix(".py")
        if (source := group(part)) is None:
            continue  # multitrain/__init__.py: what a user imports
        graph.add_node(source)
        for full in found:
            parts = full.split(".")
            if parts[0] == PACKAGE and len(parts) > 1 and (target := group(parts[1])) not in (None, source):
                graph.add_edge(source, target)
    return graph


def flow() -> tuple[nx.DiGraph, dict[str, str]]:
    """The rules of the workflow, an edge from each to those that take its output; and the file that has each.

    The rules of all figures count as one.
    """
    with tempfile.TemporaryDirectory() as folder:
        nowhere = [f"data={folder}/data", f"results={folder}/results"]
        command = [sys.executable, "-m", "snakemake", "all", "--rulegraph", "dot", "--config", *nowhere]
        told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if told.returncode:
        raise SystemExit(told.stderr)
    names = dict(re.findall(r'(\d+)\[label = "(\w+)', told.stdout))
    graph = nx.DiGraph()
    for source, target in re.findall(r"(\d+) -> (\d+)", told.stdout):
        ends = [_collected(names[number]) for number in (source, target)]
        if ends[0] != ends[1]:
            graph.add_edge(*ends)
    stages = {}
    for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")):
        for name in re.findall(r"^ *(?:rule|checkpoint) (\w+):", path.read_text(encoding="utf-8"), re.M):
            stages[_collected(name)] = path.stem
    return graph, stages


def _collected(rule: str) -> str:
    return "figures" if rule.startswith("figure") else rule


def text(name: str, graph: nx.DiGraph) -> str:
    """The graph as text, a line a node with what it needs."""
    needs = graph.successors if name == "layers" else graph.predecessors
    lines = [f"{node}: {', '.join(sorted(needs(node)))}".rstrip() for node in sorted(graph)]
    return "\n".join([HEADS[name], *lines]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", choices=["layers", "flow"])
    OUT.mkdir(parents=True, exist_ok=True)
    only = parser.parse_args().name
    for name in [only] if only else ["layers", "flow"]:
        graph, stages = flow() if name == "flow" else (layers(), {})
        (OUT / f"{name}.txt").write_text(text(name, graph), encoding="utf-8")
        if name == "layers":
            graphs.draw(graph, OUT / "layers.png", down=True)
            continue
        ends = {node for node in graph if set(graph.successors(node)) <= LAST}
        graph.remove_nodes_from(LAST)
        colours = {node: VIOLET if node in ends else STAGES.get(stages.get(node, ""), GREEN) for node in graph}
        graphs.draw(graph, OUT / "flow.png", colours=colours)


if __name__ == "__main__":
    main()
