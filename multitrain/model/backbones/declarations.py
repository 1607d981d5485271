"""Names of backbones and of loss functions, read from source. Nothing is imported: planning is quick, model files safe.

A function or class is a backbone if its source has the decorator `@backbone(...)` of `contract` above it.
"""

import ast
import hashlib
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TypeVar

from multitrain.common.errors import UserError, did_you_mean
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = [
    "PATTERN",
    "TORCHVISION",
    "built_in",
    "file_hashes",
    "require_declared",
    "require_function",
    "require_modules",
    "source_of",
]

PATTERN = "multitrain.model.backbones.*"  # imported by `contract`; multitrain.planning.closure counts them as imports
TORCHVISION = "torchvision"
Found = TypeVar("Found")


def built_in() -> dict[str, str]:
    """Name of each backbone of this package, and the module that has it."""
    return {
        name or function: PATTERN.replace("*", path.stem)
        for path in sorted(Path(__file__).parent.glob("[!_]*.py"))
        for function, name in _declared(path).items()
    }


def require_declared(name: str, where: str) -> None:
    """Check the name of a backbone; of torchvision's, `contract` knows more.

    Raises:
        UserError: no such built-in one, no such module, or no such function in it that has the decorator.
    """
    kind, _, function = name.partition(":")
    if not function:
        if name not in (known := [each for each in built_in() if ":" not in each]):
            own = "torchvision:NAME or module:function"
            raise UserError(f"{where}: no backbone {name!r}: {did_you_mean(name, known)}, or write {own}")
    elif kind != TORCHVISION:
        path, declared = _parsed(name, where, _declared)
        if function not in declared:
            raise UserError(
                f"{where}: {name!r}: {path} declares no backbone {function!r} ({did_you_mean(function, declared)}): "
                "write @backbone() of multitrain.model.backbones.contract above the function"
            )


def _parsed(name: str, where: str, read: Callable[[Path], Found]) -> tuple[Path, Found]:
    """The file of `module:function`, and what `read` finds in it.

    Raises:
        UserError: there is no such module, or it is no Python.
    """
    path = source_of(name)
    if path is None:
        raise UserError(
            f"{where}: {name!r}: no module {name.partition(':')[0]!r} in {Path.cwd()} or on PYTHONPATH: "
            "start in the folder of its file, or add that to PYTHONPATH"
        )
    try:
        return path, read(path)
    except (SyntaxError, ValueError) as error:
        raise UserError(f"{where}: {name!r}: {path} is no valid Python ({error}): mend it") from None


def require_function(name: str, where: str) -> None:
    """Check that `module:function` is there and takes one argument, where its source shows that; it is not imported.

    Raises:
        UserError: no such module, no such name in it, or a function of other arguments.
    """
    path, body = _parsed(name, where, lambda path: ast.parse(path.read_bytes(), str(path)).body)
    function = name.partition(":")[2]
    there = {each: node for node in body for each in _bound(node)}
    if function not in there:
        raise UserError(f"{where}: {name!r}: {path} has no {function!r}: {did_you_mean(function, there)}")
    if isinstance(node := there[function], ast.FunctionDef):
        arguments = node.args
        positional = [each.arg for each in arguments.posonlyargs + arguments.args]
        needed = positional[: len(positional) - len(arguments.defaults)]
        named_only = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        needed += [each.arg for each, value in named_only if value is None]
        if len(needed) > 1 or not (positional or arguments.vararg) or (needed and needed[0] not in positional):
            signature = f"{function}({ast.unparse(arguments)})"
            raise UserError(
                f"{where}: {path}, line {node.lineno}: {signature} is called with one argument, the "
                f"batch's outputs: write def {function}(outputs), other arguments with a default"
            )


def _bound(node: ast.stmt) -> list[str]:
    """The names that a statement of a module gives a value."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [each.asname or each.name for each in node.names]
    return [each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)]


def source_of(name: str) -> Path | None:
    """The file of the module in `module:function`; None if there is none, or if the backbone is not user-defined."""
    module, colon, _ = name.partition(":")
    if not colon or module == TORCHVISION:
        return None
    places: list[str] | None = [*sys.path, str(Path.cwd())]
    spec = None
    for end in range(1, module.count(".") + 2):  # without importing a package
        if places is None:
            return None
        spec = PathFinder.find_spec(".".join(module.split(".")[:end]), places)
        if spec is None:
            return None
        places = None if spec.submodule_search_locations is None else list(spec.submodule_search_locations)
    return Path(spec.origin) if spec and spec.origin and spec.origin.endswith(".py") else None


def file_hashes(names: Iterable[str]) -> list[str]:
    """sha256, in twelve digits, of the file of each user-defined `module:function`; other names have none."""
    files = dict.fromkeys(filter(None, map(source_of, names)))
    return [hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in files]


def _declared(path: Path) -> dict[str, str]:
    """Functions and classes of a file with the decorator, each with the name that it gives them ("": none)."""
    return dict(_read(path, path.stat().st_mtime_ns))


@lru_cache
def _read(path: Path, _changed: int) -> tuple[tuple[str, str], ...]:
    found = []
    for node in ast.parse(path.read_bytes(), str(path)).body:
        for call in getattr(node, "decorator_list", ()):
            if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "backbone":
                first = call.args[0] if call.args else None
                assert isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
                found.append((node.name, str(first.value) if isinstance(first, ast.Constant) else ""))
    return tuple(found)


def require_modules(scale: Scale, experiments: Experiments, scale_place: str, runs_place: str) -> None:
    """Check the backbones of the scale and of the runs, and the runs' extra losses; none is imported.

    Raises:
        UserError: one does not exist, or a run starts from the weights of a run with another one.
    """
    require_declared(scale.model.backbone, f"{scale_place}: model.backbone")
    for name, other in scale.backbones.items():
        require_declared(other.backbone, f"{scale_place}: backbones.{name}.backbone")
    for name, run in experiments.runs.items():
        key = f"{runs_place}: runs.{name}"
        if run.backbone is not None and run.backbone not in scale.backbones:
            require_declared(run.backbone, f"{key}.backbone")
        for place, each in enumerate(run.extra_losses):
            require_function(each.function, f"{key}.extra_losses.{place}")
        if run.init is None:
            continue
        theirs, ours = (scale.backbone_of(each.backbone) for each in (experiments.runs[run.init], run))
        if (theirs.backbone, theirs.backbone_options) != (ours.backbone, ours.backbone_options):
            raise UserError(
                f"{key}.init: {run.init} has backbone {theirs.backbone} and {name} has {ours.backbone}, or their "
                "options differ: name a run of the same backbone"
            )
