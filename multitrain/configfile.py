"""Settings from files: every mistake is one line that names the file, the key and the cure."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from multitrain.claims import Claim, Claims
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.files import read_bytes
from multitrain.settings import Settings

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
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"{path}: no such file; in that folder there are: {known}")
    try:
        return yaml.safe_load(read_bytes(path))
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


def load_claims(config: Path | str, experiments: Experiments) -> Claims:
    """The claims, checked against the tables and runs of the experiments."""
    path = Path(config) / "claims.yaml"
    claims = parse(Claims, read_yaml(path), path)
    for table, methods in claims.paper.items():
        _require(table, experiments.tables, f"{path}: paper", "table")
        for method, row in methods.items():
            place = f"{path}: paper.{table}"
            _require(method, [each.method for each in experiments.tables[table].rows], place, "method")
            _require(row.table or table, experiments.tables, f"{place}.{method}.table", "table")
    for name, claim in claims.claims.items():
        _check_claim(claim, claims, experiments, f"{path}: claims.{name}")
    return claims


def _check_claim(claim: Claim, claims: Claims, experiments: Experiments, place: str) -> None:
    """Raise a UserError for a table, method or dataset that there is not, or that does not fit the others."""
    _require(claim.table, experiments.tables, f"{place}.table", "table")
    table = experiments.tables[claim.table]
    for key in ("datasets", "than_on"):
        for dataset in getattr(claim, key):
            _require(dataset, table.datasets, f"{place}.{key}", "dataset")
    for key in ("left", "right"):
        method = getattr(claim, key)
        _require(method, [row.method for row in table.rows], f"{place}.{key}", "method")
        if claim.stated_by == "paper":
            _require(method, claims.paper.get(claim.table, ()), f"{place}.{key}", f"row of paper.{claim.table} for")
        for dataset in (*(claim.datasets or table.datasets), *claim.than_on):
            if experiments.run_of(table, method, dataset) is None:
                raise UserError(f"{place}.{key}: {method!r} was not trained on {dataset}: take it from the datasets")


def _require(name: str, known: Collection[str], place: str, what: str) -> None:
    """Raise a UserError for a name that is not among those known."""
    if name not in known:
        meant = get_close_matches(name, known, n=1)
        cure = f"did you mean {meant[0]!r}?" if meant else f"there are {', '.join(known)}"
        raise UserError(f"{place}: no {what} {name!r}: {cure}")
