"""Registry of backbones: `@backbone("mvit")` registers the function that builds one.

A backbone is a torch module that maps normalised clips (B, 3, T, size, size) to features z (B, D). In evaluation mode z
of a clip depends on that clip alone, and every trained weight has a part in it. The function is called as
`function(frames=T, size=size, **options)` with the configuration's `backbone_options`, after the run's seed is set.
D is the module's attribute `width`, or is measured once with a clip of zeros. Optional attributes of the module:

- `set_drop_path(rate)`: stochastic depth of the recipe's `drop_path`, refused for a backbone without it.
- `checkpointing`, a flag: recompute activations in the backward pass (`machine.checkpointing`).
- `compile_blocks()`: compile by parts; without it the module is compiled as a whole.
- `adapt_weights(weights)`: initial weights of another clip size, changed to its own.
- `dropped`: prefixes of names that a file of weights may have beside the module's.

Dropout of `multitrain.model.dropout` draws the same masks for any number of processes; torch's own does not. Buffers
that a forward pass changes (BatchNorm) are averaged over the parts and processes of a step.
"""

import inspect
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

from torch import Tensor, nn

from multitrain.common.errors import UserError, did_you_mean
from multitrain.config.model_settings import MVIT, OPTIONS_OF_MVIT, Model
from multitrain.model.backbones.declarations import PATTERN, require_declared

__all__ = [
    "BackboneModule",
    "backbone",
    "build_module",
    "compile_backbone",
    "failure",
    "import_function",
    "set_checkpointing",
    "set_drop_path",
]

Build = TypeVar("Build", bound=Callable[..., nn.Module])
FIRST = ("frames", "size")  # arguments that every function gets


class BackboneModule(nn.Module):
    """The type of a backbone for a type checker; any module with these attributes is one."""

    width: int  # D
    checkpointing: bool
    set_drop_path: Callable[[float], None]
    compile_blocks: Callable[[], None]
    adapt_weights: Callable[[dict[str, Tensor]], dict[str, Tensor]]
    dropped: tuple[str, ...]


_REGISTERED: dict[str, Callable[..., nn.Module]] = {}


def backbone(name: str = "") -> Callable[[Build], Build]:
    """Register a function (or class) that builds a backbone. Outside this package it is named `module:function`.

    A name that ends with a colon is a family: the function gets what follows it as first argument.
    """

    def register(build: Build) -> Build:
        key = name or f"{build.__module__}:{build.__qualname__}"
        if (there := _REGISTERED.get(key)) and there.__module__ != build.__module__:
            raise ValueError(f"backbone {key!r} is registered twice")
        _REGISTERED[key] = build
        return build

    return register


def build_module(model: Model, size: int, where: str = "backbone") -> BackboneModule:
    """The backbone of a configuration, which may lack `width`; `where` is the key in messages.

    Raises:
        UserError: no such backbone, options that it does not take, or its function failed.
    """
    name, options = model.backbone, options_of(model)
    build = _function(name, where)
    _check_options(build, name, options, where)
    try:
        module = build(frames=model.frames, size=size, **options)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{where}: {name} cannot be built: {failure(error)}") from error
    if not isinstance(module, nn.Module):
        raise UserError(f"{where}: {name} gave a {type(module).__name__} and no torch module: return an nn.Module")
    return cast(BackboneModule, module)


def set_drop_path(module: BackboneModule, name: str, rate: float) -> None:
    """Stochastic depth of the recipe.

    Raises:
        UserError: the backbone has none.
    """
    if hasattr(module, "set_drop_path"):
        module.set_drop_path(rate)
    elif rate:
        raise UserError(f"drop_path is {rate:g}, and backbone {name} has no set_drop_path: set it to 0 in the recipe")


def set_checkpointing(module: BackboneModule, name: str) -> None:
    """Recompute activations in the backward pass.

    Raises:
        UserError: the backbone cannot.
    """
    if not hasattr(module, "checkpointing"):
        raise UserError(f"machine.checkpointing: backbone {name} keeps all activations: leave the run's size out of it")
    module.checkpointing = True


def compile_backbone(module: BackboneModule) -> None:
    """Compile by blocks where the backbone can, else as a whole; names of weights stay."""
    if hasattr(module, "compile_blocks"):
        module.compile_blocks()
    else:
        module.compile(dynamic=False)


def options_of(model: Model) -> dict[str, Any]:
    """The arguments of the function that builds the backbone, beside frames and size."""
    if model.backbone == MVIT:
        return {key: getattr(model, key) for key in OPTIONS_OF_MVIT}
    return dict(model.backbone_options)


def failure(error: Exception) -> str:
    """An exception of a module as one line, with the place in the source where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f"{Path(trace.tb_frame.f_code.co_filename).name}, line {trace.tb_lineno}: " if trace else ""
    return f"{place}{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _function(name: str, where: str) -> Callable[..., nn.Module]:
    """The function of a backbone's name, imported where it has to be."""
    require_declared(name, where)
    kind, colon, what = name.partition(":")
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        import_module(PATTERN.replace("*", path.stem))
    if f"{kind}:" in _REGISTERED:
        return partial(_REGISTERED[f"{kind}:"], what)
    return import_function(name, where) if colon else _REGISTERED[name]


def import_function(name: str, where: str) -> Callable[..., Any]:
    """Import `module:function` from a file in the present folder or on PYTHONPATH.

    Raises:
        UserError: it cannot be imported.
    """
    module, _, function = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        return getattr(import_module(module), function)
    except Exception as error:
        raise UserError(f"{where}: {name!r} cannot be imported: {failure(error)}") from error


def _check_options(build: Callable[..., nn.Module], name: str, options: dict[str, Any], where: str) -> None:
    """Raise a UserError where the function does not take frames, size and the options."""
    try:
        signature = inspect.signature(build)
    except (TypeError, ValueError):
        return
    known, key = dict(signature.parameters), f"{where}_options"
    any_name = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in known.values())
    if not any_name and (missing := [each for each in FIRST if each not in known]):
        raise UserError(f"{where}: {name} takes no argument {missing[0]!r}: give its function frames, size and options")
    taken = [each for each in known if each not in FIRST]
    if not any_name and (unknown := [each for each in options if each not in taken]):
        raise UserError(f"{key}: {name} takes no {unknown[0]!r}: {did_you_mean(unknown[0], taken)}")
    try:
        signature.bind(frames=1, size=1, **options)
    except TypeError as error:
        raise UserError(f"{key}: {name}: {error}: name it there, or give the argument a default") from None
