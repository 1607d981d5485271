"""Runs of the study compared with its design: a row for each planned run and seed, and the deviations."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from multitrain.analysis.claims.verdict_rule import FEWEST_VIDEOS
from multitrain.analysis.render.table_files import Row, Rows
from multitrain.analysis.study.measured import FEWEST_SEEDS, FLAT, Doubling, MeasuredFile
from multitrain.analysis.study.run_names import method_names, ranges, world_of, yes_no
from multitrain.analysis.tables.paper_tables import epochs, processor_text
from multitrain.common.records.run_record import RunRecord, has_record, read_record
from multitrain.config.experiments import Experiments, with_later_keys
from multitrain.config.scale import Scale

__all__ = ["changed", "deviations", "differences", "run_rows", "short"]

NEEDED = (  # fields of run.json
    *("datasets", "steps", "code", "processor.model", "processor.instructions"),
    *("settings.steps_of", "recipe.epochs", "recipe.batch"),
)


def run_rows(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> Rows:
    """A row for each run of the tables and each seed asked for."""
    names = method_names(experiments, scale)
    return [
        _row(run, seed, names[run], scale, experiments, results / "runs" / scale.name / run / f"seed{seed}")
        for run in experiments.shown_runs()
        for seed in seeds
    ]


def _row(run: str, seed: int, method: str, scale: Scale, experiments: Experiments, folder: Path) -> Row:
    titles = ", ".join(scale.dataset(name).title for name in experiments.run(run).datasets)
    row = {"run": run, "method": method, "seed": seed, "world": world_of(scale, seed), "datasets": titles}
    row |= {"scale": scale.name, "trained": "no"}
    if not has_record(folder):
        return row
    said = read_record(folder, *NEEDED)
    device, seconds = said.get("device", "cpu"), said.get("seconds")
    cores = said.get("threads", 1) if device == "cpu" else 1
    row |= {
        "clips": sum(its["clips"] for its in said["datasets"].values()),
        "epochs": epochs(said),
        "steps": said["steps"],
        "skipped": said.get("skipped", 0),
        "hours": None if seconds is None else seconds * cores * said.get("processes", 1) / 3600,
        "device": "processor" if device == "cpu" else "accelerator",
        "processor": processor_text(said["processor"]),
        "precision": said.get("precision", ""),
        "code": said["code"],
        "commit": said.get("commit") or "",
        "synthetic": yes_no(said["synthetic"]),
    }
    first = next(changed(said, run, scale, experiments), None)
    differs = "" if first is None else f"{first[0]} is {short(first[2])}, and {short(first[1])} in the design"
    return row | {"trained": "yes", "differs": differs}


def changed(
    record: RunRecord, run: str, scale: Scale, experiments: Experiments
) -> Iterator[tuple[str, object, object]]:
    """Differences between a run's record and the present settings: key, present value, recorded value."""
    settings = experiments.run(run)
    now = {
        "settings": settings.model_dump(mode="json"),
        "recipe": settings.effective_recipe(scale.recipes).model_dump(mode="json"),
        "pixels": scale.sizes[settings.size],
        "precision": scale.machine.precision,
    }
    return differences(*_both(with_later_keys(now), with_later_keys(record)))


def differences(one: object, other: object, place: str = "") -> Iterator[tuple[str, object, object]]:
    """The differences of two settings: key and both values, None for a missing key."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys((*one, *other)):
            yield from differences(one.get(key), other.get(key), f"{place}.{key}" if place else str(key))
    elif one != other:
        yield place, one, other


def _both(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[dict, dict]:
    """Two settings reduced to the keys that both have, since versions add keys."""
    pairs = {key: (one[key], other[key]) for key in one if key in other}
    pairs = {key: _both(*its) if all(isinstance(each, dict) for each in its) else its for key, its in pairs.items()}
    return {key: mine for key, (mine, _) in pairs.items()}, {key: its for key, (_, its) in pairs.items()}


def short(value: object) -> str:
    """A setting's value, shortened for a message."""
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) < 60 else f"{text[:59]}…"


def deviations(
    rows: Rows, videos: dict[str, int], changes: list[Doubling], plateau: MeasuredFile, scale: Scale
) -> Rows:
    """The deviations from the design, one line each; `videos` counts those of the test split by dataset."""
    found = [*_seeds(rows), *_settings(rows)]
    if scale.several_worlds and len(worlds := _values(rows, "world")) == 1:
        found.insert(0, ("worlds", f"one world ({worlds[0]}) of a scale of several: verdicts are about this one alone"))
    for key, kind, text in (
        ("code", "numerical code", "several versions"),
        ("processor", "processor", "several kinds"),
        ("precision", "precision", "several"),
    ):
        its = {value: [row for row in rows if row.get(key) == value] for value in _values(rows, key)}
        if len(its) > 1:
            found.append((kind, f"{text}: {'; '.join(f'{value} ({_named(of)})' for value, of in its.items())}"))
    dirty = [row for row in rows if row.get("commit", "").endswith("+")]
    if dirty:
        commits = ", ".join(_values(dirty, "commit"))
        found.append(("commit", f"files differed from the commit when these were trained: {commits} ({_named(dirty)})"))
    found += [
        ("test videos", f"{scale.dataset(name).title}: {count} test videos; a verdict takes {FEWEST_VIDEOS}")
        for name, count in videos.items()
        if count < FEWEST_VIDEOS
    ]
    skipped = [row for row in rows if row.get("skipped")]
    found += [("steps", f"{_named([row])}: {row['skipped']} steps without a finite gradient") for row in skipped]
    found += _plateaus(rows, changes, plateau)
    return [{"kind": kind, "what": what, "scale": scale.name} for kind, what in found]


def _seeds(rows: Rows) -> Iterator[tuple[str, str]]:
    """Deviations of seeds: a single one, runs without any, missing ones."""
    asked = sorted({row["seed"] for row in rows})
    if len(asked) == 1:
        yield "seeds", f"one seed ({asked[0]}): no claim has a verdict, and intervals are of other videos alone"
    for run in dict.fromkeys(row["run"] for row in rows):
        its = [row for row in rows if row["run"] == run]
        there = [row["seed"] for row in its if row["trained"] == "yes"]
        if not there:
            yield "arm without runs", f"{_arm(its[0])}: not trained"
        elif len(there) < len(asked):
            yield "seeds missing", f"{_arm(its[0])}: seeds {ranges(there)} of {ranges(asked)}"


def _settings(rows: Rows) -> Iterator[tuple[str, str]]:
    texts = dict.fromkeys(row["differs"] for row in rows if row.get("differs"))
    for text in texts:
        yield "settings", f"{_named([row for row in rows if row.get('differs') == text])}: {text}"


def _plateaus(rows: Rows, changes: list[Doubling], plateau: MeasuredFile) -> Iterator[tuple[str, str]]:
    if plateau.unused:
        yield "plateau", f"no plateau was measured ({plateau.path}: {plateau.unused})"
        return
    twice, since_half = (
        {each.run: each for each in changes if each.factor == factor and each.dataset is None} for factor in (1, 0.5)
    )
    arms = {row["run"]: _arm(row) for row in rows}
    rule = f"at a plateau it is less than {FLAT:g}, over at least {FEWEST_SEEDS} seeds"
    for run, arm in arms.items():
        if run in twice and twice[run].verdict != "plateau":
            yield "plateau", f"{arm}: a schedule twice as long changes val by {_points(twice[run])}; {rule}"
        elif run in since_half and run not in twice:
            changed = f"its schedule was doubled, which changed val by {_points(since_half[run])}"
            yield "plateau", f"{arm}: {changed}; another doubling was not measured"
    if unknown := [arm for run, arm in arms.items() if not {run} & {*twice, *since_half}]:
        yield "plateau", f"not measured: {'; '.join(unknown)}"


def _points(change: Doubling) -> str:
    return f"{change.change:+.1f} points (mean of {change.seeds} seeds)"


def _values(rows: Iterable[Row], key: str) -> list[str]:
    """The distinct values of a column over the trained runs."""
    return list(dict.fromkeys(row[key] for row in rows if row["trained"] == "yes"))


def _named(rows: Rows) -> str:
    """Runs with their seeds: `Vanilla, seeds 0-2`; of many runs how many."""
    runs = dict.fromkeys(row["run"] for row in rows)
    if len(runs) > 3:
        return f"{len(runs)} runs, {len(rows)} trainings"
    parts = []
    for run in runs:
        its = [row for row in rows if row["run"] == run]
        parts.append(f"{_arm(its[0])}, seed{'s' * (len(its) > 1)} {ranges(int(row['seed']) for row in its)}")
    return "; ".join(parts)


def _arm(row: Row) -> str:
    """A run as text: its method, with the dataset where the method has a run for each."""
    return row["method"] if "," in row["datasets"] else f"{row['method']} on {row['datasets']}"
