"""Settings from files: every mistake is one line that names the file, the key and the cure."""

from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from multitrain.config import Experiments, Scale, Settings
from multitrain.errors import UserError

S = TypeVar("S", bound=Settings)


def _explain(error: ValidationError, where: Path | str) -> UserError:
    """One line for the first error; a key that does not exist goes first, as it explains one that is missing."""
    errors = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    first = errors[0]
    place = "".join(f"{part}: " for part in (".".join(map(str, first["loc"])),) if part)
    cure = first["msg"].removeprefix("Value error, ")
    if first["type"] == "missing":
        cure = "this key is required"
    elif first["type"] == "extra_forbidden":
        known = {name for kind in Settings.__subclasses__() for name in kind.model_fields}
        meant = get_close_matches(str(first["loc"][-1]), sorted(known), n=1)
        cure = "no such key" + (f": did you mean {meant[0]}?" if meant else ": see the schemas in workflow/schemas")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return UserError(f"{where}: {place}{cure}{more}")


def parse(kind: type[S], values: object, where: Path | str) -> S:
    """`values` as settings of that kind, or a UserError naming `where`, the key and the cure."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _explain(error, where) from None


def read_yaml(path: Path) -> object:
    """The content of a YAML file, or a UserError."""
    try:
        return yaml.safe_load(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"{path}: no such file; in that folder there are: {known}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None


def load_scale(name_or_path: str, config: Path | str = "config") -> Scale:
    """A scale by its name (a file of `config`/scales) or by the path of its YAML file."""
    path = Path(name_or_path)
    if path.suffix != ".yaml":
        path = Path(config) / "scales" / f"{name_or_path}.yaml"
    return parse(Scale, read_yaml(path), path)


def load_experiments(config: Path | str = "config", scale: Scale | None = None) -> Experiments:
    """The experiments; with a scale, also checked against its datasets and recipes."""
    path = Path(config) / "experiments.yaml"
    experiments = parse(Experiments, read_yaml(path), path)
    if scale:
        _check_names(experiments, scale, path)
    return experiments


def _check_names(experiments: Experiments, scale: Scale, path: Path) -> None:
    """Raise a UserError for a dataset or recipe that the scale does not have."""
    recipes = {f"runs.{name}.recipe": (run.recipe,) for name, run in experiments.runs.items()}
    datasets = {f"runs.{name}.datasets": run.datasets for name, run in experiments.runs.items()}
    datasets |= {f"tables.{name}.datasets": table.datasets for name, table in experiments.tables.items()}
    for kind, uses, known in (("dataset", datasets, scale.datasets), ("recipe", recipes, scale.recipes)):
        for place, names in uses.items():
            if unknown := [name for name in names if name not in known]:
                raise UserError(
                    f"{path}: {place}: no {kind} {unknown[0]!r} at scale {scale.name}; there are {', '.join(known)}"
                )
