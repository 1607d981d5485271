"""Whether packed studies are whole, and of the same settings, code and clips, so that they can be one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from multitrain.analysis.packed.packed_study import Key, Study
from multitrain.analysis.study.run_names import ranges
from multitrain.analysis.study.study_runs import changed, differences, short
from multitrain.common.errors import UserError
from multitrain.common.records import predictions
from multitrain.common.records.run_record import NAME, RunRecord, parse_record
from multitrain.config.config_files import parse, with_own_recipes
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = [
    "complete_part",
    "fewer",
    "listed",
    "merge",
    "missing",
    "require_one_code",
    "require_own_settings",
    "require_same_clips",
    "require_same_settings",
    "require_whole",
    "settings",
]

NAMED = 3  # missing records that a message names
SHOWN = {"title", "paper_letter"}  # of a dataset: what tables call it
NUMERICAL = ("precision", "portable", "compile")  # of the machine: what changes numbers


class Cell(NamedTuple):
    """The clips that one run and seed was tested on."""

    path: str
    clip_ids: np.ndarray
    videos: np.ndarray
    labels: np.ndarray


def settings(study: Study) -> tuple[Scale, Experiments]:
    """The settings that a study was made with, or a UserError where they are missing or not of this version."""
    found: list[Any] = []
    for kind, name in ((Scale, f"config/scales/{study.scale}.yaml"), (Experiments, "config/experiments.yaml")):
        text = study.texts.get(Key(name=name))
        if text is None:
            raise UserError(f"{study.where}: lacks {name}: pack the study again")
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UserError(f"{study.where}: {name}: not valid YAML: pack the study again") from None
        try:
            found.append(parse(kind, values, f"{study.where}: {name}"))
        except UserError as error:  # as of an earlier version, whose keys were others
            raise UserError(f"{error}: pack the study again") from None
    return found[0], with_own_recipes(found[1], found[0])


def _record(study: Study, run: str, seed: int) -> RunRecord:
    """What run.json says of a run."""
    return parse_record(
        study.texts[Key(run, seed, name=NAME)], f"{study.place(run, seed)}: run {run}, seed {seed}: {NAME}"
    )


def require_same_settings(study: Study, scale: Scale, experiments: Experiments, where: Path) -> None:
    """Raise a UserError that names the first setting in which a study differs from those given, of `where`.

    Titles, tables, claims and what the machine does not change numbers by may differ; so may the runs themselves,
    where one of the two does not have them.
    """
    theirs, ours = (_comparable(*pair) for pair in (settings(study), (scale, experiments)))
    both = set(theirs["runs"]) & set(ours["runs"])
    for its in (theirs, ours):
        its["runs"] = {name: run for name, run in its["runs"].items() if name in both}
    for key, own, other in differences(ours, theirs):
        raise UserError(
            f"{study.where}: {key} is {short(other)}, and {short(own)} in {where}: only studies of the same settings "
            "go together"
        )


def require_own_settings(study: Study, scale: Scale, experiments: Experiments) -> None:
    """Raise a UserError for a run that was trained with other settings than those of now."""
    for run, seed in study.records():
        for key, own, other in changed(_record(study, run, seed), run, scale, experiments):
            raise UserError(
                f"{study.where}/{run}/seed{seed}/run.json: {key} is {short(other)}, and {short(own)} in the settings:"
                " train it again, or pack it with the settings that it was trained with"
            )


def require_one_code(study: Study) -> None:
    """Raise a UserError where runs are of different numerical code."""
    codes: dict[str, tuple[str, int]] = {}
    for run, seed in study.records():
        code = str(_record(study, run, seed).get("code"))
        codes.setdefault(code, (run, seed))
    if len(codes) > 1:
        (first, (run, seed)), (second, (other, its)) = list(codes.items())[:2]
        raise UserError(
            f"{study.place(other, its)}: code is {second} in {other}, seed {its}, and {first} in {run}, seed {seed}: "
            "train them with the same code, or say --mixed-code, and the tables name both"
        )


def require_same_clips(study: Study) -> None:
    """Raise a UserError where runs of one world were not tested on the same clips of a dataset."""
    scale, _ = settings(study)
    same: dict[tuple[str, int], list[Cell]] = {}
    for key, cell in sorted(study.answers.items()):
        where = f"{study.place(key.run, key.seed)}: {key.dataset} of {key.run}, seed {key.seed}"
        clips = (cell[name].to_numpy() for name in ("clip", "video", "label"))
        same.setdefault((key.dataset, scale.world_of(key.seed)), []).append(Cell(where, *clips))
    for cells in same.values():
        predictions.require_same_clips(cells, "they are of another world, or prepared in another way")


def missing(study: Study, experiments: Experiments) -> list[str]:
    """What a whole study has and this one lacks: run, seed, dataset and record; seeds of one run alone do not count."""
    runs = (text for run in experiments.shown_runs() for text in _missing_of_run(study, run, experiments))
    return [*_missing_of_all(study, experiments), *runs, *_missing_features(study, experiments)]


def complete_part(study: Study, experiments: Experiments) -> Experiments:
    """The experiments without the tables, projections and features for which a study lacks a run or record.

    Raises:
        UserError: no table is left, or a file that all of them need is missing.
    """
    gone = dict(experiments.left_out)
    for name in experiments.tables:
        lacks = [each for run in experiments.shown_runs(name) for each in _missing_of_run(study, run, experiments)]
        gone |= {f"tables.{name}": f"the packed study is {listed(lacks)}"} if lacks else {}
    there = experiments.without(gone).shown_runs()
    for run in experiments.projections.runs if experiments.projections else ():
        gone |= {} if run in there else {"projections": f"no table that is left shows run {run}"}
    part = experiments.without(gone)
    if lacks := (_missing_of_all(study, part) if part.tables else missing(study, experiments)):
        raise UserError(f"{study.where}: half a study, {listed(lacks)}: pack it with what is missing (--with)")
    if lacks := _missing_features(study, part):
        part = part.without({**gone, "features": f"the packed study is {listed(lacks)}"})
    return part


def _missing_of_all(study: Study, experiments: Experiments) -> list[str]:
    """The missing ones of the files that are of no single run."""
    scale, _ = settings(study)
    related = [name for name in scale.related_datasets() if name in experiments.used_datasets()]
    common = [Key(name="flops.json")]
    for world in scale.worlds(study.seeds()):
        common += [Key(dataset=name, name=scale.in_world("relations.csv", world)) for name in related]
    return [_name(key) for key in common if key not in study.texts]


def _missing_of_run(study: Study, run: str, experiments: Experiments) -> list[str]:
    """The missing records of a run's seeds."""
    seeds = [seed for name, seed in study.records() if name == run]
    lacks = [f"run {run}, seed {seed}, {what}" for seed in seeds for what in _lacking(study, run, seed, experiments)]
    return lacks if seeds else [f"run {run}, no seed"]


def _missing_features(study: Study, experiments: Experiments) -> list[str]:
    """The missing class means of the run whose classes are shown in one space: of its first seed."""
    run = experiments.mapped_run()
    if run is None or not (seeds := [seed for name, seed in study.records() if name == run]):
        return []
    keys = {name: Key(run, seeds[0], name, "class_mean.z") for name in experiments.run(run).datasets}
    return [f"run {run}, seed {seeds[0]}, {name}: features" for name, key in keys.items() if key not in study.arrays]


def _lacking(study: Study, run: str, seed: int, experiments: Experiments) -> Iterator[str]:
    """What one run and seed lacks."""
    datasets = experiments.run(run).datasets
    if Key(run, seed, name="history.step") not in study.arrays:
        yield "history"
    for dataset in datasets:
        if Key(run, seed, dataset) not in study.answers:
            yield f"{dataset}: predictions"
        if len(datasets) > 1 and Key(run, seed, dataset, "views") not in study.arrays:
            yield f"{dataset}: statistics"


def require_whole(study: Study, experiments: Experiments, cure: str) -> None:
    """Raise a UserError that names what a study lacks."""
    if lacks := missing(study, experiments):
        raise UserError(f"{study.where}: half a study, {listed(lacks)}: {cure}")


def listed(lacks: list[str]) -> str:
    """The first few of what is missing, and how many there are."""
    more = f"; and {len(lacks) - NAMED} more" if len(lacks) > NAMED else ""
    return f"without {'; '.join(lacks[:NAMED])}{more}"


def fewer(study: Study, experiments: Experiments) -> list[str]:
    """A text for each run of the tables that lacks seeds that another one has."""
    every = study.seeds()
    its = {run: [seed for name, seed in study.records() if name == run] for run in experiments.shown_runs()}
    return [
        f"{run} seeds {ranges(seeds)} of {ranges(every)}"
        for run, seeds in its.items()
        if seeds and len(seeds) < len(every)
    ]


def merge(study: Study, other: Study) -> None:
    """Take up the runs and seeds of another study; what is of no run stays that of the first where it has it.

    Raises:
        UserError: both have a run and seed, and not the same of it.
    """
    study.joined |= {its: other.place(*its) for its in other.records() if its not in study.records()}
    pairs: list[tuple[dict[Key, Any], dict[Key, Any]]]  # values of another kind in each
    pairs = [(study.texts, other.texts), (study.arrays, other.arrays), (study.answers, other.answers)]
    for mine, theirs in pairs:
        for key, value in theirs.items():
            if key in mine and (key.run or key.dataset) and not _same(mine[key], value):
                raise UserError(
                    f"{other.where}: {_name(key)} is not that of {study.where}: leave one of the two out, by its "
                    "folder or by --seed"
                )
            mine.setdefault(key, value)


def _name(key: Key) -> str:
    parts = [f"run {key.run}, seed {key.seed}" if key.run else "", key.dataset, key.name or "answers"]
    return ": ".join(filter(None, parts))


def _same(one: Any, other: Any) -> bool:
    """Whether two texts, arrays or tables are equal."""
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=True)
    return one == other if isinstance(one, str) else one.equals(other)


def _comparable(scale: Scale, experiments: Experiments) -> dict:
    """The settings that decide numbers."""
    values = scale.model_dump(mode="json", exclude={"smoke_test"})
    values["machine"] = {key: its for key, its in values["machine"].items() if key in NUMERICAL}
    values["datasets"] = {
        name: {key: its for key, its in dataset.items() if key not in SHOWN}
        for name, dataset in values["datasets"].items()
    }
    return {"scale": values, "runs": {name: run.model_dump(mode="json") for name, run in experiments.runs.items()}}
