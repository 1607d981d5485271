"""Imports run one way: config <- data, model, losses <- engine <- cli; everything else reads and writes files."""

import ast
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "multitrain"

GROUND = {
    "errors",
    "files",
    "names",
    "locks",
    "ranks",
    "codehash",
    "markup",
    "seeding",
    "progress",
    "settings",
    "recipes",
    "portable",
    "bias",
    "synthetic",
    "config",
    "experiments",
    "answered",
    "claims",
    "configfile",
    "common",
    "records",
}
ALLOWED = {  # what a module or package may import of multitrain; the longest name that fits counts
    "errors": set(),
    "files": {"errors"},
    "common": {"common", "errors", "files"},
    "records": {"common", "errors", "files", "ranks", "records"},
    "names": set(),
    "locks": {"errors"},
    "ranks": {"errors"},
    "markup": set(),
    "seeding": set(),
    "progress": set(),
    "version": set(),
    "processor": set(),
    "portable": {"errors", "recipes"},
    "codehash": set(),
    "settings": set(),
    "recipes": {"settings"},
    "synthetic": {"bias", "errors", "settings"},
    "config": {"bias", "errors", "recipes", "settings", "synthetic"},
    "experiments": {"errors", "settings"},
    "answered": {"settings"},
    "claims": {"answered", "errors", "settings"},
    "explain": {"claims", "config", "errors", "experiments"},
    "configfile": {"answered", "claims", "config", "errors", "experiments", "explain", "files", "settings"},
    "excluded": {"config", "data.leakage", "data.manifest", "errors"},
    "plan": {
        "answered",
        "claims",
        "config",
        "configfile",
        "data.leakage",
        "errors",
        "excluded",
        "experiments",
        "sweep",
    },
    "launch": {"recipes"},
    "overwrite": {"errors"},
    "copied": {"errors", "plan", "records"},
    "measure": GROUND | {"data", "engine", "model.network", "sources.prepare", "synth"},
    "closure": {"analysis.outputs"},
    "planning": GROUND | {"analysis.outputs", "closure", "plan", "planning"},
    "torchrun": set(),
    "use": GROUND | {"data", "model", "losses", "engine", "sources", "use"},
    "data": GROUND | {"data"},
    "model": GROUND | {"model"},
    "losses": {"losses"},
    "engine": GROUND | {"data", "model", "losses", "engine", "version", "processor"},
    "bias": {"settings"},
    "synth": GROUND | {"data.manifest", "synth"},
    "sources": GROUND | {"data.manifest", "data.damage", "sources"},
    "sweep": GROUND | {"bias", "synth.world"},
    "use.swept": GROUND | {"engine", "sweep"},
    "analysis.sweep_cost": GROUND | {"analysis", "sweep"},
    "analysis.sweep": GROUND | {"analysis", "sweep"},
    "analysis.figures.when_it_helps": GROUND | {"analysis", "sweep"},
    "analysis": GROUND | {"data.manifest", "analysis"},
    "analysis.memory": GROUND | {"data.manifest", "model", "analysis"},
    "analysis.flops": GROUND | {"model", "analysis"},
    "analysis.networks": GROUND | {"model", "losses", "analysis"},
    "analysis.survey": GROUND | {"data", "analysis"},
    "analysis.strips": GROUND | {"data", "analysis"},
    "analysis.world_pictures": GROUND | {"data", "analysis"},
    "analysis.accounting": GROUND | {"data.leakage", "data.manifest", "analysis"},
    "packed": GROUND | {"analysis", "packed"},
    "cli": GROUND
    | {"analysis", "cli", "data.manifest", "engine", "measure", "model", "overwrite", "packed"}
    | {"sources", "sweep", "synth.publish", "use", "version"},
    "__init__": {"model.folder", "use"},  # inside its functions
}
LOSSES_MAY = {"torch", "einops", "multitrain", *sys.stdlib_module_names}


def module_name(path: Path) -> str:
    """`data.manifest` for data/manifest.py, `data` for data/__init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def imports(source: str, package: str = "") -> set[str]:
    """Full names of what a source imports, `multitrain.data.manifest` for `from multitrain.data import manifest`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            start = ".".join(part for part in (base, node.module) if part)
            names = {f"{start}.{alias.name}" for alias in node.names}
            found |= names if start == "multitrain" or start.startswith("multitrain.") else {start}
    return found


def within(name: str, prefix: str) -> bool:
    return not prefix or name == prefix or name.startswith(f"{prefix}.")


def ours(module: str, source: str) -> set[str]:
    """What a module's source imports of multitrain, `data.manifest.read_manifest` or `data.manifest`."""
    found = imports(source, f"multitrain.{module}".rpartition(".")[0])
    return {name.removeprefix("multitrain.") for name in found if name.startswith("multitrain.")}


def violations(module: str, source: str) -> set[str]:
    """Imports of multitrain that a module must not have."""
    layer = max((name for name in ALLOWED if within(module, name)), key=len)
    return {name for name in ours(module, source) if not any(within(name, allowed) for allowed in ALLOWED[layer])}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_imports_run_one_way(path: Path):
    assert not violations(module_name(path), path.read_text())


def module_graph() -> dict[str, set[str]]:
    """The modules that each module of the package imports, in functions and for types too."""
    graph: dict[str, set[str]] = {module_name(path): set() for path in MODULES}
    for path in MODULES:
        module = module_name(path)
        for name in ours(module, path.read_text()):
            graph[module] |= {each for each in (name, name.rpartition(".")[0]) if each in graph and each != module}
    return graph


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """A way from a module back to itself, empty where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_no_module_imports_itself_by_way_of_others():
    graph = module_graph()
    assert len(graph["cli.model_commands"]) > 10
    assert not cycle(graph)
    assert set(cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "losses").glob("*.py")), ids=module_name)
def test_losses_see_tensors_only(path: Path):
    assert {name.split(".")[0] for name in imports(path.read_text())} <= LOSSES_MAY


def test_only_what_counts_operations_or_memory_builds_a_model_in_analysis():
    heavy = {
        path.stem
        for path in (PACKAGE / "analysis").rglob("*.py")
        if any(within(name, "torch") for name in imports(path.read_text()))
    }
    assert heavy <= {"flops", "memory", "networks"}


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("losses.made_up", "from multitrain.config import Recipe", {"config.Recipe"}),
        ("data.made_up", "import multitrain.engine.train", {"engine.train"}),
        ("synth.made_up", "def f():\n    from multitrain.data import loader", {"data.loader"}),
        ("synth.made_up", "from multitrain.data.manifest import Manifest", set()),
        ("sources.made_up", "from ..engine import train", {"engine.train"}),
        ("analysis.tables", "from multitrain.model.mvit import MViT", {"model.mvit.MViT"}),
        ("analysis.flops", "from multitrain.model.mvit import MViT", set()),
        ("config", "from multitrain import files", {"files"}),
    ],
)
def test_the_check_itself_finds_what_is_wrong(module: str, source: str, wrong: set[str]):
    assert violations(module, source) == wrong
