"""Loading of settings from files: every mistake is one line that names the file, the key and the cure."""

from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from multitrain.common.errors import UserError, did_you_mean
from multitrain.common.files.yaml_files import parse_yaml, read_yaml
from multitrain.config.base import Settings
from multitrain.config.claims import Claim, Claims, EvidenceClaim
from multitrain.config.config_messages import explain
from multitrain.config.experiments import Experiments
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Scale
from multitrain.config.study_file import Study, is_study, read_study

__all__ = [
    "load_claims",
    "load_experiments",
    "load_scale",
    "load_settings",
    "parse",
    "read_yaml",
    "scale_path",
    "shown_datasets",
    "study_of",
    "with_own_recipes",
]

S = TypeVar("S", bound=Settings)


def parse(kind: type[S], values: object, where: Path | str) -> S:
    """`values` as settings of that kind, or a UserError naming `where`, the key and the cure."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise explain(error, kind, where) from None


def scale_path(name_or_path: str, config: Path | str = "config") -> Path:
    """The YAML file of a scale."""
    path = Path(name_or_path)
    return path if path.suffix == ".yaml" else Path(config) / "scales" / f"{name_or_path}.yaml"


def load_scale(name_or_path: Path | str, config: Path | str = "config") -> Scale:
    """A scale by its name (a file of `config`/scales) or by the path of its YAML file; of a study, its scale.

    A study is a file (`multitrain.config.study_file`) in the place of either argument. Keys of the scale's machine may
    follow its name or path: `desk,machine.precision=bf16,machine.workers=4`.
    """
    name_or_path, *changes = str(name_or_path).split(",machine.")
    if study := study_of(config, name_or_path):
        if changes:
            raise UserError(f"{study.path}: is a study: set {changes[0]} under the key machine in it")
        if name_or_path not in (study.name, str(study.path)):
            raise UserError(f"{study.path}: scale {name_or_path!r}: a study has its base as `extends`: set it there")
        return parse(Scale, study.scale, study.path)
    path = scale_path(name_or_path, config)
    content, where = read_yaml(path), str(path)
    if changes and isinstance(content, dict):
        where = f"{path} with {' '.join(f'machine.{each}' for each in changes)}"
        content["machine"] = content.get("machine", {}) | dict(_changed(each, where) for each in changes)
    scale = parse(Scale, content, where)
    if scale.name != path.stem:  # the name is that of folders of clips and runs
        raise UserError(f"{path}: name: {scale.name!r} is not the file's: write {path.stem}, or rename the file")
    return scale


def _changed(change: str, where: str) -> tuple[str, object]:
    """Key and value of a text KEY=VALUE, the value as in YAML."""
    key, equals, value = change.partition("=")
    if not equals:
        raise UserError(f"{where}: machine.{key} has no value: give machine.{key}=VALUE")
    return key, parse_yaml(value, where)


def study_of(config: Path | str, scale: str = "") -> Study | None:
    """The study given in the place of a configuration folder or of a scale; None where neither is one."""
    if is_study(config):
        return read_study(config)
    return read_study(scale, config) if is_study(scale) else None


def shown_datasets(scale: Scale, experiments: Experiments) -> Scale:
    """The scale with the datasets that runs of the tables use, to show them."""
    used = experiments.used_datasets()
    return scale.model_copy(
        update={"datasets": {name: scale.datasets[name] for name in scale.datasets if name in used}}
    )


def load_experiments(config: Path | str = "config", scale: Scale | None = None) -> Experiments:
    """The experiments; with a scale, those of its datasets, also checked against its recipes.

    Runs whose datasets the scale lacks, and tables that show them, are left out; `run` and `table` then raise the
    reason. A recipe of the scale that has a run's name is that run's, whatever recipe the experiments name.
    """
    study = study_of(config)
    path = study.path if study else Path(config) / "experiments.yaml"
    experiments = parse(Experiments, study.experiments if study else read_yaml(path), path)
    if scale is None:
        return experiments
    _check_recipes(experiments, scale, path)
    experiments = experiments if study else with_own_recipes(experiments, scale)
    _check_set(experiments, scale, path)
    experiments = experiments.without(_left_out(experiments, scale))
    for name in (study.file.tables or ()) if study else ():
        experiments.table(name, f"{path}: ")
    _check_sizes(experiments, scale, study.path if study else scale_path(scale.name, config))
    return experiments


def with_own_recipes(experiments: Experiments, scale: Scale) -> Experiments:
    """The experiments, each run with the scale's recipe of its name, where there is one; see `recipes_by_name`."""
    if not experiments.recipes_by_name:
        return experiments
    own = {
        name: run.model_copy(update={"recipe": name} if name in scale.recipes else {})
        for name, run in experiments.runs.items()
    }
    return experiments.model_copy(update={"runs": own})


def _left_out(experiments: Experiments, scale: Scale) -> dict[str, str]:
    """What a scale cannot have of the runs, tables and projections, each with the reason: a dataset that it lacks."""
    gone: dict[str, str] = {}

    def lacking(names: Collection[str]) -> list[str]:
        unknown = [name for name in names if name not in scale.datasets]
        known = scale.datasets
        return [f"no dataset {name!r} at scale {scale.name}: {did_you_mean(name, known)}" for name in unknown]

    def of(names: Collection[str | None]) -> list[str]:
        return [f"run {name}: {gone[f'runs.{name}']}" for name in names if f"runs.{name}" in gone]

    for name, run in experiments.runs.items():
        gone |= {f"runs.{name}": why for why in lacking(run.datasets)[:1]}
    for _ in experiments.runs:  # as long as a chain of runs can be
        for name, run in experiments.runs.items():
            if f"runs.{name}" not in gone:
                gone |= {f"runs.{name}": why for why in of((run.init, run.steps_of))[:1]}
    for name, table in experiments.tables.items():
        shown = [each for row in table.rows for each in row.runs]
        gone |= {f"tables.{name}": why for why in (lacking(table.datasets) + of(shown))[:1]}
    if experiments.projections and (why := of(experiments.projections.runs)):
        gone["projections"] = why[0]
    return gone


def _check_recipes(experiments: Experiments, scale: Scale, path: Path) -> None:
    """Raise a UserError for a recipe that the scale does not have."""
    for name, run in experiments.runs.items():
        if run.recipe not in scale.recipes:
            suggestion = did_you_mean(run.recipe, scale.recipes)
            raise UserError(f"{path}: runs.{name}.recipe: no recipe {run.recipe!r} at scale {scale.name}: {suggestion}")


def _check_set(experiments: Experiments, scale: Scale, path: Path) -> None:
    """Raise a UserError for a key or value that a run's `set` cannot have."""
    for name, run in experiments.runs.items():
        try:
            recipe = run.effective_recipe(scale.recipes)
            scale.machine.check_batch(recipe)
        except ValidationError as error:
            raise explain(error, Recipe, path, f"runs.{name}.set") from None
        except ValueError as error:
            raise UserError(f"{path}: runs.{name}.set: {error}") from None
        if run.checkpoint == "best" and recipe.val_every is None:
            raise UserError(f"{path}: runs.{name}.checkpoint: best is of val: set val_every in its recipe or its set")


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
    study = study_of(config)
    path = study.path if study else Path(config) / "claims.yaml"
    claims = _of_tables(parse(Claims, study.claims if study else read_yaml(path), path), experiments)
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


def _of_tables(claims: Claims, experiments: Experiments) -> Claims:
    """The claims without those of tables that are left out for lack of their datasets."""

    def is_shown(table: str | None) -> bool:
        return f"tables.{table}" not in experiments.left_out

    kept = {name: claim for name, claim in claims.claims.items() if is_shown(claim.table)}
    for name, claim in kept.items():
        if claim.same_fact_as not in (None, *kept):
            kept[name] = claim.model_copy(update={"same_fact_as": None})
    evidence = {name: claim for name, claim in claims.evidence_claims.items() if is_shown(claim.table)}
    paper = {table: rows for table, rows in claims.paper.items() if is_shown(table)}
    return claims.model_copy(update={"paper": paper, "claims": kept, "evidence_claims": evidence})


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
