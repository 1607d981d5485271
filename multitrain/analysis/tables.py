"""Tables of the paper: the published rows as they stand, then ours, one row a method and dataset."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np

from multitrain.analysis import latex, markdown
from multitrain.analysis.before import sections
from multitrain.analysis.contrasts import estimate_over_worlds
from multitrain.analysis.layout import PUBLISHED
from multitrain.analysis.measured import read_plateau, read_spread
from multitrain.analysis.runs import seeds_of, yes_no
from multitrain.common.json_files import read_json
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments, Row, Run, Table
from multitrain.files import atomic
from multitrain.ranks import top
from multitrain.records.predictions import read_predictions, require_same_forms
from multitrain.records.run_record import read_record

COLUMNS = (
    "source",  # published: the paper's; release: the authors' own, of later; or ours
    "method",
    "training_data",
    "gflops",
    "dataset",
    *("top1", "top5", "top1_low", "top1_high", "top5_low", "top5_high"),  # of Y_k, in percent
    *("top1_projected", "top1_projected_low", "top1_projected_high"),  # of Y'_k
    *("top5_projected", "top5_projected_low", "top5_projected_high"),
    "clips",
    *("classes", "train_clips"),  # of the dataset, as the run trained on it
    *("epochs", "steps", "batch", "rate"),  # of the run; the rate is the peak
    "scale",
    "synthetic",
    "seeds",
    *("top1_std", "top5_std"),  # over seeds
    "code",
    "processor",
    "settings",  # hash of what decides the scale's numbers
    "rank_in_paper",
)


def write_table(
    name: str,
    scale: Scale,
    experiments: Experiments,
    seeds: tuple[int, ...],
    results: Path,
    published: Path,
    measured: Path,
) -> None:
    """Write <results>/<name>.csv, .md and .tex from the runs in `results` and the paper's table in `published`.

    `measured`: the folder of what was measured of scales before, which the Markdown shows beside.
    """
    table = experiments.table(name)
    rows = published_rows(published / table.published) + our_rows(table, scale, experiments, seeds, results)
    files = (read_spread(measured, scale, name), read_plateau(measured, scale))
    before = sections(table, scale, experiments, rows, *files)
    texts = {"md": markdown.render(table, scale, rows, before), "tex": latex.render(table, scale, rows)}
    for suffix, text in texts.items():
        with atomic(results / f"{name}.{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")
    with atomic(results / f"{name}.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def published_rows(path: Path) -> list[dict[str, str]]:
    """The paper's rows, and those of the authors' release; every value stays the text it is, in its order."""
    if not path.is_file():
        raise UserError(f"{path}: no such published table")
    with path.open(newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        unknown = set(reader.fieldnames or ()) - set(COLUMNS)
        if unknown or not {"method", "dataset", "top1"} <= set(reader.fieldnames or ()):
            raise UserError(f"{path}: columns {reader.fieldnames} are not those of a published table")
        rows = [{"source": "published", **row} for row in reader]
    for place, row in enumerate(rows, start=2):
        if row["source"] not in PUBLISHED:
            raise UserError(f"{path}: line {place}: source {row['source']!r}: one of {', '.join(PUBLISHED)}")
    return rows


def our_rows(
    table: Table, scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path
) -> list[dict[str, str]]:
    """One row for each method and each dataset that the method was trained on."""
    folder = results / "runs" / scale.name
    costs = {cost["size"]: cost["gflops"] for cost in read_json(folder / "flops.json", "`multitrain flops --json`")}
    rows = []
    for row in table.rows:
        for dataset in table.datasets:
            name = experiments.run_of(table, row.method, dataset)
            if name is None:
                continue
            run, its = experiments.run(name), seeds_of(folder, name, seeds)
            rows.append(
                {
                    "source": "ours",
                    "method": row.method,
                    "training_data": training_data(row, run, scale, experiments),
                    "gflops": rounded(costs[run.size]),
                    "dataset": dataset,
                    "scale": scale.name,
                    "settings": scale.fingerprint,
                    "seeds": " ".join(map(str, its)),
                    **_result(
                        [[folder / name / f"seed{seed}" for seed in those] for those in scale.by_world(its).values()],
                        dataset,
                        run.projection == "add",
                    ),
                }
            )
    return rows


def training_data(row: Row, run: Run, scale: Scale, experiments: Experiments) -> str:
    """The paper's letters of what a run was trained on; `own` in a row of several runs, each with its dataset alone.

    `from K400`: its initial weights come from a run on K400.
    """
    before, init = [], run.init
    while init is not None:
        before += experiments.run(init).datasets
        init = experiments.run(init).init
    text = "own" if len(row.runs) > 1 else _letters(run.datasets, scale)
    # by title: K400 and K700 have the same letter, each in its own table
    titles = dict.fromkeys(scale.dataset(name).title for name in before)
    return f"{text}, from {', '.join(titles)}" if titles else text


def rounded(gflops: float) -> str:
    """As the paper prints them: whole from 100 on, else three significant digits."""
    return f"{gflops:.0f}" if gflops >= 100 else f"{gflops:.3g}"


def _letters(datasets: list[str] | tuple[str, ...], scale: Scale) -> str:
    return ",".join(sorted({f"({scale.dataset(name).letter})" for name in datasets}))


def _result(worlds: list[list[Path]], dataset: str, added: bool) -> dict[str, str]:
    """What the runs of one cell, by world and seed, say about a dataset; of Y'_k only if that sum was trained.

    That is `added`. Clips are those of all worlds.
    """
    folders = [folder for its in worlds for folder in its]
    records = [read_record(folder) for folder in folders]
    found = [[read_predictions(folder / "predictions" / f"{dataset}.parquet") for folder in its] for its in worlds]
    for its in found:
        require_same_forms(its)
    values = {
        "clips": str(sum(len(its[0].labels) for its in found)),
        "synthetic": yes_no(any(record["synthetic"] for record in records)),
        "code": " ".join(sorted({record["code"] for record in records})),
        **_training(folders[0] / "run.json", records, dataset),
        **_accuracies([(np.stack([each.rank for each in its]), its[0].videos) for its in found], ""),
    }
    if added and all(its[0].projected is not None for its in found):
        forms = [(np.stack([each.projected for each in its]), its[0].videos) for its in found]
        values |= _accuracies(forms, "_projected")
    return values


def _training(path: Path, records: list[dict], dataset: str) -> dict[str, str]:
    """What the runs were trained on and for how long; where seeds differ, each value once."""

    def each(value: Callable[[dict], object]) -> str:
        try:
            return " / ".join(dict.fromkeys(str(value(record)) for record in records))
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: not the record of a run of this version: train it again") from None

    return {
        "classes": each(lambda record: record["datasets"][dataset]["classes"]),
        "train_clips": each(lambda record: record["datasets"][dataset]["clips"]),
        "epochs": each(epochs),
        "steps": each(lambda record: record["steps"]),
        "batch": each(lambda record: record["recipe"]["batch"]),
        "rate": each(lambda record: f"{record['recipe']['rate']:g}"),
        "processor": each(lambda record: processor_text(record["processor"])),
    }


def epochs(record: dict) -> str:
    """As many as the recipe says; of a run with the steps of another, as many as these come to."""
    if record["settings"]["steps_of"] is None:
        return f"{record['recipe']['epochs']:g}"
    clips = sum(its["clips"] for its in record["datasets"].values())
    return f"{record['steps'] * record['recipe']['batch'] / clips:.1f}"


def processor_text(said: dict[str, str]) -> str:
    """A processor of run.json in words, e.g. "AMD EPYC (AVX512)" or "AMD EPYC (portable kernels)"."""
    return f"{said['model']} ({'portable kernels' if said.get('kernels') == 'portable' else said['instructions']})"


def _accuracies(worlds: list[tuple[np.ndarray, np.ndarray]], suffix: str) -> dict[str, str]:
    """Top-1 and top-5 in percent from each world's ranks (seeds, N) of clips of videos (N,): the mean over seeds, with
    the interval of other videos and, where there are several seeds, other trainings.
    """
    values = {}
    for k in (1, 5):
        right = [([top(k, rank).astype(float)], [videos]) for rank, videos in worlds]
        its = estimate_over_worlds(right)
        low, high = its.interval_of_accuracy
        numbers = {f"top{k}{suffix}": its.value, f"top{k}{suffix}_low": low, f"top{k}{suffix}_high": high}
        if its.std is not None and not suffix:
            numbers[f"top{k}_std"] = its.std
        values |= {key: f"{100 * number:.2f}" for key, number in numbers.items()}
    return values
