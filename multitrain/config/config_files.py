"""Settings from files: every mistake is one line that names the file, the key and the cure."""

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from multitrain.common.errors import UserError, did_you_mean
from multitrain.common.files.atomic import read_bytes
from multitrain.config.base import Settings
from multitrain.config.claims import Claim, Claims
from multitrain.config.config_messages import explain
from multitrain.config.evidence_claims import EvidenceClaim
from multitrain.config.experiments import Experiments
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Scale

__all__ = ["load_claims", "load_experiments", "load_scale", "load_settings", "parse", "read_yaml", "scale_path"]

S = TypeVar("S", bound=Settings)


def parse(kind: type[S], values: object, where: Path | str) -> S:
    """`values` as settings of that kind, or a UserError naming `where`, the key and the cure."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise explain(error, kind, where) from None


class _Loader(yaml.SafeLoader):
    """YAML in which a key that comes twice is an error; by itself the last one counts, without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key {key.value} comes twice: leave one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> object:
    """The content of a YAML file, or a UserError."""
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"{path}: no such file; in that folder there are: {known}")
    try:
        content = yaml.load(read_bytes(path).decode("utf-8"), _Loader)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}: change its permissions") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that there is not
        raise UserError(f"{path}: not valid YAML: {_trouble(error)}") from None
    if content is None:
        raise UserError(f"{path}: is empty: restore the committed file")
    return content


def _trouble(error: Exception) -> str:
    """What YAML did not understand, where, and for a tab what to do."""
    text = " ".join(str(getattr(error, "problem", None) or error).split())
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{text}" + (": indent with spaces" if "'\\t'" in text else "")


def scale_path(name_or_path: str, config: Path | str = "config") -> Path:
    """The YAML file of a scale."""
    path = Path(name_or_path)
    return path if path.suffix == ".yaml" else Path(config) / "scales" / f"{name_or_path}.yaml"


def load_scale(name_or_path: str, config: Path | str = "config") -> Scale:
    """A scale by its name (a file of `config`/scales) or by the path of its YAML file."""
    path = scale_path(name_or_path, config)
    scale = parse(Scale, read_yaml(path), path)
    if scale.name != path.stem:  # the name is that of folders of clips and runs
        raise UserError(f"{path}: name: {scale.name!r} is not the file's: write {path.stem}, or rename the file")
    return scale


def load_experiments(config: Path | str = "config", scale: Scale | None = None) -> Experiments:
    """The experiments; with a scale, also checked against its datasets and recipes.

    A recipe of the scale that has a run's name is that run's, whatever recipe the experiments name.
    """
    path = Path(config) / "experiments.yaml"
    experiments = parse(Experiments, read_yaml(path), path)
    if scale:
        _check_names(experiments, scale, path)
        own = {
            name: run.model_copy(update={"recipe": name} if name in scale.recipes else {})
            for name, run in experiments.runs.items()
        }
        experiments = experiments.model_copy(update={"runs": own})
        _check_set(experiments, scale, path)
        _check_sizes(experiments, scale, scale_path(scale.name, config))
    return experiments


def _check_names(experiments: Experiments, scale: Scale, path: Path) -> None:
    """Raise a UserError for a dataset or recipe that the scale does not have."""
    recipes = {f"runs.{name}.recipe": (run.recipe,) for name, run in experiments.runs.items()}
    datasets = {f"runs.{name}.datasets": run.datasets for name, run in experiments.runs.items()}
    datasets |= {f"tables.{name}.datasets": table.datasets for name, table in experiments.tables.items()}
    for kind, uses, known in (("dataset", datasets, scale.datasets), ("recipe", recipes, scale.recipes)):
        for place, names in uses.items():
            if unknown := [name for name in names if name not in known]:
                suggestion = did_you_mean(unknown[0], known)
                raise UserError(f"{path}: {place}: no {kind} {unknown[0]!r} at scale {scale.name}: {suggestion}")


def _check_set(experiments: Experiments, scale: Scale, path: Path) -> None:
    """Raise a UserError for a key or value that a run's `set` cannot have."""
    for name, run in experiments.runs.items():
        try:
            scale.machine.check_batch(run.effective_recipe(scale.recipes))
        except ValidationError as error:
            raise explain(error, Recipe, path, f"runs.{name}.set") from None
        except ValueError as error:
            raise UserError(f"{path}: runs.{name}.set: {error}") from None


def _check_sizes(experiments: Experiments, scale: Scale, path: Path) -> None:
    """Raise a UserError for a run whose synthetic videos cannot fill a batch: before any of them is rendered."""
    for name, run in experiments.runs.items():
        if not all(map(scale.synthetic, run.datasets)):
            continue
        most = sum(map(scale.most_training_clips, run.datasets))
        batch = run.effective_recipe(scale.recipes).batch
        if most < batch:
            few = min(run.datasets, key=scale.most_training_clips)
            raise UserError(
                f"{path}: world.videos.{few}.train: after holdout {scale.datasets[few].holdout:g} run {name} has "
                f"at most {most} training clips, and recipes.{run.recipe}.batch is {batch}: raise the one or "
                "lower the other"
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
    for name, evidence_claim in claims.evidence_claims.items():
        _check_evidence_claim(evidence_claim, experiments, f"{path}: evidence_claims.{name}")
    return claims


def _check_claim(claim: Claim, claims: Claims, experiments: Experiments, place: str) -> None:
    """Raise a UserError for a table, method or dataset that there is not, or that does not fit the others."""
    _require(claim.table, experiments.tables, f"{place}.table", "table")
    table = experiments.tables[claim.table]
    for key in ("datasets", "reference_datasets"):
        for dataset in getattr(claim, key):
            _require(dataset, table.datasets, f"{place}.{key}", "dataset")
    for key in ("left", "right"):
        method = getattr(claim, key)
        _require(method, [row.method for row in table.rows], f"{place}.{key}", "method")
        if claim.stated_by == "paper":
            _require(method, claims.paper.get(claim.table, ()), f"{place}.{key}", f"row of paper.{claim.table} for")
        for dataset in (*(claim.datasets or table.datasets), *claim.reference_datasets):
            if experiments.run_of(table, method, dataset) is None:
                raise UserError(f"{place}.{key}: {method!r} was not trained on {dataset}: take it from the datasets")


def _check_evidence_claim(claim: EvidenceClaim, experiments: Experiments, place: str) -> None:
    """Raise a UserError for a table, method or dataset that there is not."""
    _require(claim.table, experiments.tables, f"{place}.table", "table")
    table = experiments.tables[claim.table]
    ours = {"left": claim.left} if claim.kind == "printed" else {"left": claim.left, "right": claim.right}
    for key, method in ours.items():
        if method:
            _require(method, [row.method for row in table.rows], f"{place}.{key}", "method")
    for dataset in claim.datasets:
        _require(dataset, table.datasets, f"{place}.datasets", "dataset")


def _require(name: str, known: Collection[str], place: str, what: str) -> None:
    """Raise a UserError for a name that is not among those known."""
    if name not in known:
        raise UserError(f"{place}: no {what} {name!r}: {did_you_mean(name, known)}")


def load_settings(scale: str, folder: Path | str = "config") -> tuple[Scale, Experiments]:
    """A scale and its experiments."""
    loaded = load_scale(scale, folder)
    return loaded, load_experiments(folder, loaded)
