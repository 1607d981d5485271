"""Import closure: the source and data files of this package that a module or notebook depends on.

Snakemake does not see what Python imports. The rules that take seconds name these files as inputs: an edit runs them
again. The source is parsed and never imported, because planning must be quick.
"""

import ast
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from multitrain.planning.outputs import FIGURES

__all__ = ["code_files", "notebook_code_files"]

PACKAGE = Path(__file__).parents[1]


def code_files(*modules: str, command: str = "") -> list[str]:
    """Sorted paths of the files that `modules` depend on, relative to the project's root.

    The files are the modules, their imports (also those in functions), the packages that contain them, the data files
    that they name (templates), and all modules of a package that a registry names as "PACKAGE.*". `command` is a module
    of the command line: only its imports at module level count, because its functions import every analysis.
    """
    return sorted(_closure(modules, command))


def notebook_code_files(path: Path | str, *modules: str, command: str = "") -> list[str]:
    """`code_files` of the modules that a notebook imports, of the figures that it draws, and of `modules`."""
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    source = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    tree = ast.parse(source, str(path))
    drawn = [FIGURES[name].module for name in sorted(_strings(tree) & set(FIGURES))]
    return code_files(*sorted(_imported(ast.walk(tree), "")), *drawn, *modules, command=command)


@lru_cache
def _closure(modules: tuple[str, ...], command: str) -> frozenset[str]:
    files: set[Path] = set()
    seen: set[tuple[str, bool]] = set()
    waiting = [(module, True) for module in modules] + [(command, False)] * bool(command)
    while waiting:
        module, in_functions = waiting.pop()
        if (module, in_functions) in seen:
            continue
        seen.add((module, in_functions))
        path = _file(module)
        if path is None:
            raise ValueError(f"{module}: no such module")
        top_level, anywhere, data = _dependencies(path, module)
        files |= {path, *data}
        waiting += [(name, True) for name in (anywhere if in_functions else top_level)]
        parts = module.split(".")  # Python imports the packages of a module first
        waiting += [(".".join(parts[:count]), False) for count in range(1, len(parts))]
    return frozenset(path.relative_to(PACKAGE.parent).as_posix() for path in files)


def _file(module: str) -> Path | None:
    """The file of a module or package of this project, or None."""
    path = PACKAGE.parent.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@lru_cache
def _dependencies(path: Path, module: str) -> tuple[frozenset[str], frozenset[str], frozenset[Path]]:
    """The project's modules that a file imports at module level, those it imports anywhere, and its data files."""
    tree = ast.parse(path.read_bytes(), str(path))
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    strings = _strings(tree)
    registered = _registered(strings)
    return (
        _imported(_executed(tree, False), package) | registered,
        _imported(_executed(tree, True), package) | registered,
        _data_files(path.parent, strings),
    )


def _strings(tree: ast.AST) -> set[str]:
    """All string constants of a module."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def _registered(strings: set[str]) -> frozenset[str]:
    """The modules of each package that a registry names as "PACKAGE.*" and imports."""
    packages = [
        text.removesuffix(".*") for text in strings if text.startswith(f"{PACKAGE.name}.") and text[-2:] == ".*"
    ]
    folders = {name: PACKAGE.parent.joinpath(*name.split(".")) for name in packages}
    return frozenset(f"{name}.{path.stem}" for name, folder in folders.items() for path in folder.glob("[!_]*.py"))


def _executed(node: ast.AST, functions: bool) -> Iterator[ast.AST]:
    """The nodes that Python executes: without `if TYPE_CHECKING`, and with the bodies of functions if `functions`."""
    for child in ast.iter_child_nodes(node):
        typed = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not typed and (functions or not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)):
            yield child
            yield from _executed(child, functions)


def _imported(nodes: Iterable[ast.AST], package: str) -> frozenset[str]:
    """The project's modules that are imported; for `from PACKAGE import NAME` the module NAME, or else the package."""
    modules: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            start = ".".join([*above, *filter(None, [node.module])])
            modules |= {name if _file(name := f"{start}.{alias.name}") else start for alias in node.names}
    return frozenset(name for name in modules if name.split(".")[0] == PACKAGE.name and _file(name))


def _data_files(folder: Path, strings: set[str]) -> frozenset[Path]:
    """Data files of a module in `folder`: the module's strings name both the file and the folder that contains it.

    That folder lies in `folder` and is no package. If the strings name a folder in it, all files below count.
    """
    folders = [path for path in folder.iterdir() if path.name in strings and path.is_dir()]
    entries = [entry for path in folders if not (path / "__init__.py").exists() for entry in path.iterdir()]
    files = [file for entry in entries if entry.name in strings for file in (entry, *entry.rglob("*"))]
    return frozenset(file for file in files if file.is_file())
