"""Core-hours and energy of a packed study, by part: trainings from their records, tests by estimate."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from multitrain.analysis.cost.energy import ASSUMED, Power
from multitrain.analysis.cost.estimate import Estimate, counts, default_speed, estimate
from multitrain.analysis.packed import packed_checks
from multitrain.analysis.packed.packed_study import Key, Study
from multitrain.common.errors import UserError
from multitrain.common.records.run_record import NAME, parse_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["ESTIMATE", "HEAD", "Part", "cells", "core_hours", "searched", "study_parts"]

HEAD = ("part", "trainings", "core-hours", "kWh", "from")
MAIN = ("table1", "table2")  # the tables whose runs are no ablations; of a study of one's own its first
RECORDS, ESTIMATE = "records", "estimate"


@dataclass(frozen=True)
class Part:
    """One part of a study's cost."""

    name: str
    trainings: int
    core_hours: float
    source: str  # RECORDS or ESTIMATE


def study_parts(study: Study, published: Path) -> list[Part]:
    """Baselines, joint runs, and the other runs of the tables; then the tests of all of them.

    Raises:
        UserError: a training on an accelerator, of which core-hours say nothing, or a record without its seconds.
    """
    scale, experiments = packed_checks.settings(study)
    hours: dict[str, list[float]] = defaultdict(list)
    for (run, _), taken in core_hours(study).items():
        hours[_kind(run, experiments)].append(taken)
    parts = [Part(name, len(its), sum(its), RECORDS) for name, its in hours.items()]
    tested = Counter(run for run, _ in study.records())
    expected = _estimates(scale, experiments, published)
    tests = sum(count * expected[run].test_hours for run, count in tested.items())
    return [*parts, Part("tests", 0, tests, ESTIMATE)]


def core_hours(study: Study) -> dict[tuple[str, int], float]:
    """The core-hours of each training by run and seed, from its record: seconds by the clock, threads and processes.

    Raises:
        UserError: as of `study_parts`.
    """
    hours = {}
    for run, seed in study.records():
        place = f"{study.where}: run {run}, seed {seed}: {NAME}"
        record = parse_record(study.texts[Key(run, seed, name=NAME)], place)
        if record.get("device", "cpu") != "cpu" or "seconds" not in record:
            raise UserError(f"{place}: no seconds of a processor: its energy takes another account")
        hours[run, seed] = record["seconds"] * record.get("threads", 1) * record.get("processes", 1) / 3600
    return hours


def searched(files: Sequence[Path], scale: Scale, experiments: Experiments, published: Path) -> list[Part]:
    """The trainings of each file that dev/search.py wrote, by estimate: a line each, `schedule` a factor on the epochs.

    Raises:
        UserError: a file with a run that the scale has not.
    """
    parts, expected = [], _estimates(scale, experiments, published)
    for path in files:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        if unknown := sorted({row.get("run", "") for row in rows} - expected.keys()):
            raise UserError(f"{path}: no run {unknown[0]!r} at scale {scale.name}: name a file of its search")
        hours = sum(expected[row["run"]].train_hours * float(row.get("schedule") or 1) for row in rows)
        parts.append(Part(path.name, len(rows), hours, ESTIMATE))
    return parts


def cells(parts: Sequence[Part], power: Power = ASSUMED, name: str = "in all") -> list[tuple[str, ...]]:
    """A row of HEAD for each part, and their sum."""
    sources = " and ".join(dict.fromkeys(part.source for part in parts))
    whole = Part(name, sum(part.trainings for part in parts), sum(part.core_hours for part in parts), sources)
    return [
        (
            part.name,
            str(part.trainings) if part.trainings else "-",
            f"{part.core_hours:.2f}",
            f"{power.kwh(part.core_hours):.3f}",
            part.source,
        )
        for part in (*parts, whole)
    ]


def _kind(run: str, experiments: Experiments) -> str:
    main: Iterable[str] = [name for name in MAIN if name in experiments.tables] or list(experiments.tables)[:1]
    if run not in experiments.shown_runs(*main):
        return "ablations and controls"
    return "baselines" if len(experiments.run(run).datasets) == 1 else "joint runs"


def _estimates(scale: Scale, experiments: Experiments, published: Path) -> dict[str, Estimate]:
    """By run, of videos as the settings divide them: the same numbers whether or not they are prepared here."""
    videos = counts(scale, Path("not prepared"), published)
    return {each.run: each for each in estimate(scale, experiments, videos, default_speed(scale))}
