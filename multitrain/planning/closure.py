"""Import closure: the files of this package that decide what a command does, found in their source.

Snakemake does not see what Python imports. The rules that take seconds name these files as inputs, so that an edit runs
them again; nothing is imported here, because planning must be quick.
"""

import ast
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from multitrain.planning.outputs import FIGURES

__all__ = ["code", "notebook_code"]

PACKAGE = Path(__file__).parents[1]


def code(*modules: str, command: str = "") -> list[str]:
    """Paths of the files that `modules` consist of, relative to the project's root, sorted.

    These are the modules, what they import, in functions too, the packages these lie in, the data files they name
    (templates), and all modules of a package that a registry names as "PACKAGE.*". A module of the command line imports
    every analysis inside its functions: of `command` only the imports at module level count.
    """
    return sorted(_closure(modules, command))


def notebook_code(path: Path | str, *modules: str, command: str = "") -> list[str]:
    """The same for what the code of a notebook imports, the figures that it draws, and `modules`."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    tree = ast.parse(source, str(path))
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    drawn = [FIGURES[name].module for name in sorted(named & set(FIGURES))]
    return code(*sorted(_imported(ast.walk(tree), "")), *drawn, *modules, command=command)


@lru_cache
def _closure(modules: tuple[str, ...], command: str) -> frozenset[str]:
    files: set[Path] = set()
    seen: set[tuple[str, bool]] = set()
    waiting = [(module, True) for module in modules] + [(command, False)] * bool(command)
    while waiting:
        module, inner = waiting.pop()
        if (module, inner) in seen:
            continue
        seen.add((module, inner))
        path = _file(module)
        if path is None:
            raise ValueError(f"{module}: no such module")
        outer, whole, data = _read(path, module)
        files |= {path, *data}
        waiting += [(name, True) for name in (whole if inner else outer)]
        parts = module.split(".")  # packages are imported with what lies in them
        waiting += [(".".join(parts[:count]), False) for count in range(1, len(parts))]
    return frozenset(path.relative_to(PACKAGE.parent).as_posix() for path in files)


def _file(module: str) -> Path | None:
    """The file of a module or package of ours; None for a name that is none."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@lru_cache
def _read(path: Path, module: str) -> tuple[frozenset[str], frozenset[str], frozenset[Path]]:
    """Modules of ours that a file imports at module level, and anywhere; and the data files that it names."""
    tree = ast.parse(path.read_bytes(), str(path))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    registered = _registered(named)
    return (
        _imported(_executed(tree, False), package) | registered,
        _imported(_executed(tree, True), package) | registered,
        _data(path.parent, named),
    )


def _registered(named: set[str]) -> frozenset[str]:
    """The modules of each package that is named as "PACKAGE.*", by a registry that imports them all."""
    packages = [name.removesuffix(".*") for name in named if name.startswith(f"{PACKAGE.name}.") and name[-2:] == ".*"]
    folders = {name: PACKAGE.parent.joinpath(*name.split(".")) for name in packages}
    return frozenset(f"{name}.{path.stem}" for name, folder in folders.items() for path in folder.glob("[!_]*.py"))


def _executed(node: ast.AST, functions: bool) -> Iterator[ast.AST]:
    """The nodes that Python executes: not those for a type checker alone, and those of functions where asked for."""
    for child in ast.iter_child_nodes(node):
        typed = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not typed and (functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            yield child
            yield from _executed(child, functions)


def _imported(nodes: Iterable[ast.AST], package: str) -> frozenset[str]:
    """Names of our modules that are imported; of `from PACKAGE import NAME` the module NAME, or else the package."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            found |= {name if _file(name := f"{start}.{alias.name}") else start for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] == PACKAGE.name and _file(name))


def _data(folder: Path, named: set[str]) -> frozenset[Path]:
    """The files that a module in `folder` names: in a folder beside it that is no package, by a name it has as well."""
    beside = [path for path in folder.iterdir() if path.name in named and path.is_dir()]
    found = [each for path in beside if not (path / "__init__.py").exists() for each in path.iterdir()]
    files = [file for each in found if each.name in named for file in (each, *each.rglob("*"))]
    return frozenset(file for file in files if file.is_file())
