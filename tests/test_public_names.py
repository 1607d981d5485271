"""`__all__` of a module lists what others import from it: the names that exist, and no others are taken."""

import ast
import importlib
import keyword
import re
from pathlib import Path

import pytest

from tests.guide_pages import blocks

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "multitrain").rglob("*.py"))
}
SOURCES = [path for folder in ("multitrain", "workflow", "dev") for path in sorted((ROOT / folder).rglob("*.py"))]
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]


def listed(tree: ast.Module) -> set[str] | None:
    """The names in a module's `__all__`; None where it has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            return set(ast.literal_eval(node.value))
    return None


def taken(tree: ast.Module) -> set[tuple[str, str]]:
    """(module, name) of what a source takes from our modules, by `from module import name` or as `module.name`."""
    found, modules = set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "multitrain":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in MODULES:
                    modules[alias.asname or alias.name] = whole
                else:
                    found.add((node.module, alias.name))
    attributes = (
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    )
    return found | {(modules[node.value.id], node.attr) for node in attributes if node.value.id in modules}


def of_rules(text: str) -> ast.Module:
    """The imports in Snakefiles, which are no Python, and each `name.attribute` in them."""
    imports = re.findall(r"^ *(from multitrain[\w.]* import [^\n(]+)", text, re.M)
    dotted = {
        pair
        for pair in re.findall(r"\b[A-Za-z_]\w*\.[A-Za-z_]\w*", text)
        if not any(map(keyword.iskeyword, pair.split(".")))
    }
    return ast.parse("\n".join([*imports, *sorted(dotted)]))


TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
LISTED = {name: listed(TREES[path]) for name, path in MODULES.items()}


def page() -> ast.Module:
    """The Python of the page on library use."""
    return ast.parse("".join(blocks("library.md", "python")))


@pytest.mark.parametrize("name", [name for name, names in LISTED.items() if names is not None and "hub" not in name])
def test_every_listed_name_exists(name: str):
    module = importlib.import_module(name)
    assert not {each for each in LISTED[name] or () if not hasattr(module, each)}


def test_what_a_module_takes_from_another_is_listed_there():
    for path, tree in TREES.items():
        for module, name in taken(tree):
            names = LISTED.get(module)
            assert names is None or name in names or MODULES[module] == path, f"{path}: {name} of {module}"


def test_what_the_page_on_library_use_imports_is_listed():
    wanted = taken(page())
    assert ("multitrain.losses.objective", "Objective") in wanted
    used = {
        node.attr
        for node in ast.walk(page())
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "multitrain"
    }
    assert used == {"load", "predict", "save"} == LISTED["multitrain"]
    assert not {(module, name) for module, name in wanted if name not in (LISTED[module] or ())}


def test_what_the_workflow_takes_exists_and_is_listed():
    found = taken(of_rules("\n".join(path.read_text(encoding="utf-8") for path in RULES)))
    assert ("multitrain.planning.launch", "command") in found
    assert not {(module, name) for module, name in found if not hasattr(importlib.import_module(module), name)}
    assert not {(module, name) for module, name in found if name not in (LISTED[module] or (name,))}


def test_every_module_lists_its_names():
    assert not [
        name for name, path in MODULES.items() if path.stem not in ("__init__", "__main__") and LISTED[name] is None
    ]
