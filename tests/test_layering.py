"""The tree: imports run one way between packages, without a cycle; names are unique; folders and files stay small."""

import ast
import sys
from collections import Counter
from pathlib import Path

import networkx as nx
import pytest

PACKAGE = Path(__file__).parents[1] / "multitrain"
DEV = PACKAGE.with_name("dev")
GROUND = {"common", "config"}
LAYERS = {  # what a package may import beside itself: the packages below it, or single modules of them
    "common": set(),
    "config": {"common"},
    "losses": set(),
    "model": GROUND,
    "data": GROUND,
    "synth": GROUND,
    "datasets": GROUND | {"data.manifest", "data.damage", "data.decode", "data.duplicates.fingerprints"},
    "engine": GROUND | {"data", "losses", "model"},
    "inference": GROUND | {"data", "datasets", "engine", "losses", "model"},
    "planning": GROUND | {"data", "datasets", "engine", "model.backbones.declarations", "model.network", "synth"},
    "analysis": GROUND | {"data", "losses", "model", "planning.outputs", "planning.sweep_points"},
    "cli": GROUND | {"analysis", "data.manifest", "datasets", "engine", "inference", "model", "planning", "synth"},
    "use": {"inference"},
    "__init__": {"config.scale", "inference", "model"},  # inside its functions, and for their types
}
LOSSES_MAY = {"torch", "einops", "multitrain", *sys.stdlib_module_names}
BUILDS_NETWORKS = {"flops", "memory", "run_networks"}  # the modules of analysis that need torch
MOST_ENTRIES, MOST_LINES, MOST_OF_A_FUNCTION = 12, 300, 50


def module_name(path: Path) -> str:
    """`data.manifest` for data/manifest.py, `data` for data/__init__.py."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


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


def ours(module: str, source: str) -> set[str]:
    """Names within multitrain that a module imports, `data.manifest.Manifest` for one of its classes."""
    package = f"multitrain.{module}".rpartition(".")[0]
    return {name.removeprefix("multitrain.") for name in imports(source, package) if name.startswith("multitrain.")}


def within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}.")


def violations(module: str, source: str) -> set[str]:
    """Imports of multitrain that a module must not have."""
    layer = module.split(".")[0]
    return {name for name in ours(module, source) if not any(within(name, each) for each in LAYERS[layer] | {layer})}


def test_the_table_has_every_package_and_is_without_a_cycle():
    assert {module.split(".")[0] for module in SOURCES} == set(LAYERS)
    edges = [(layer, allowed.split(".")[0]) for layer, its in LAYERS.items() for allowed in its]
    assert nx.is_directed_acyclic_graph(nx.DiGraph(edges))


@pytest.mark.parametrize("module", SOURCES)
def test_imports_run_one_way(module: str):
    assert not violations(module, SOURCES[module])


def cycles(sources: dict[str, str]) -> list[list[str]]:
    """Modules that import each other, inside functions too."""
    graph = nx.DiGraph()
    for module, source in sources.items():
        for name in ours(module, source):
            parts = name.split(".")
            heads = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
            target = next((head for head in heads if head in sources), None)
            if target not in (None, module):
                graph.add_edge(module, target)
    return [sorted(each) for each in nx.strongly_connected_components(graph) if len(each) > 1]


def test_no_modules_import_each_other():
    assert cycles(SOURCES) == []


def test_a_cycle_is_found_wherever_its_imports_stand():
    late = "def f():\n    from multitrain.data import b"
    assert cycles({"data.a": late, "data.b": "from multitrain.data.a import f", "data": ""}) == [["data.a", "data.b"]]


def test_names_of_modules_are_unique():
    counts = Counter(
        module.rpartition(".")[2] for module in SOURCES if not (PACKAGE / Path(*module.split("."))).is_dir()
    )
    assert [name for name, count in counts.items() if count > 1 and not name.startswith("__")] == []


@pytest.mark.parametrize(
    "folder",
    sorted({path.parent for home in (PACKAGE, DEV) for path in home.rglob("*.py")}),
    ids=lambda path: path.name,
)
def test_folders_are_small(folder: Path):
    hidden = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    entries = {path.name for path in folder.iterdir()} - hidden
    assert len(entries) <= MOST_ENTRIES + (folder == PACKAGE)  # `use` is the old name of `inference`


@pytest.mark.parametrize("module", SOURCES)
def test_files_and_functions_are_short(module: str):
    assert len(SOURCES[module].splitlines()) <= MOST_LINES
    functions = [node for node in ast.walk(ast.parse(SOURCES[module])) if isinstance(node, ast.FunctionDef)]
    assert [node.name for node in functions if node.end_lineno - node.lineno >= MOST_OF_A_FUNCTION] == []


@pytest.mark.parametrize("module", [module for module in SOURCES if within(module, "losses")])
def test_losses_see_tensors_only(module: str):
    assert {name.split(".")[0] for name in imports(SOURCES[module])} <= LOSSES_MAY


def test_only_what_counts_operations_or_memory_builds_a_model_in_analysis():
    analysis = {module: source for module, source in SOURCES.items() if within(module, "analysis")}
    heavy = {module for module, source in analysis.items() if any(within(name, "torch") for name in imports(source))}
    assert {module.rpartition(".")[2] for module in heavy} <= BUILDS_NETWORKS


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("losses.made_up", "from multitrain.config.recipes import Recipe", {"config.recipes.Recipe"}),
        ("data.made_up", "import multitrain.engine.train", {"engine.train"}),
        ("synth.made_up", "def f():\n    from multitrain.data import loader", {"data.loader"}),
        ("datasets.made_up", "from multitrain.data.manifest import Manifest", set()),
        ("datasets.made_up", "from ..engine import train", {"engine.train"}),
        ("planning.made_up", "from multitrain.analysis.cost import estimate", {"analysis.cost.estimate"}),
        ("analysis.made_up", "from multitrain.planning.outputs import OUTPUTS", set()),
        ("analysis.made_up", "from multitrain.planning.plan import Plan", {"planning.plan.Plan"}),
        ("common.made_up", "from multitrain.config import base", {"config.base"}),
    ],
)
def test_the_check_itself_finds_what_is_wrong(module: str, source: str, wrong: set[str]):
    assert violations(module, source) == wrong
