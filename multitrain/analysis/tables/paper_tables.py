"""Tables of the paper: the published rows as they stand, then ours, one row a method and dataset."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.contrasts import estimate_over_worlds
from multitrain.analysis.render import latex, markdown
from multitrain.analysis.render.columns import TABLE
from multitrain.analysis.render.table_files import Row, Rows, as_printed, read_published, write_rows, write_text
from multitrain.analysis.study.measured import read_plateau, read_spread
from multitrain.analysis.study.run_names import seeds_of, yes_no
from multitrain.analysis.tables.measured_sections import blocks
from multitrain.analysis.tables.table_layout import PUBLISHED, datasets_grid, sheet, training_grid
from multitrain.common.errors import UserError
from multitrain.common.files.json_files import read_json
from multitrain.common.ranks import top
from multitrain.common.records.predictions import predictions_path, read_predictions, require_same_forms
from multitrain.common.records.run_record import RunRecord, changes, read_record
from multitrain.config.experiments import Experiments, Run, Table
from multitrain.config.experiments import Row as Method
from multitrain.config.scale import Scale

__all__ = ["epochs", "our_rows", "processor_text", "published_rows", "write_table"]


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
    paper = published_rows(published / table.published) if table.published else []
    rows = paper + our_rows(table, scale, experiments, seeds, results)
    files = (read_spread(measured, scale, name), read_plateau(measured, scale))
    more = [*blocks(table, scale, experiments, rows, *files), "How our rows were trained, and on what:"]
    more += [training_grid(scale, rows), datasets_grid(table, scale, rows)]
    shown = sheet(table, scale, rows)
    write_text(results / f"{name}.md", markdown.page(shown, more))
    write_text(results / f"{name}.tex", latex.table(shown))
    write_rows(results / f"{name}.csv", rows, TABLE)


def published_rows(path: Path) -> Rows:
    """The paper's rows, and those of the authors' release, in their order; numbers keep their printed text."""
    rows = read_published(path, TABLE, ("method", "dataset", "top1"))
    for place, row in enumerate(rows, start=2):
        if row.setdefault("source", "published") not in PUBLISHED:
            raise UserError(f"{path}: line {place}: source {row['source']!r}: one of {', '.join(PUBLISHED)}")
    return rows


def our_rows(table: Table, scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> Rows:
    """One row for each method and each dataset that the method was trained on."""
    folder = results / "runs" / scale.name
    counted = read_json(folder / "flops.json", "`multitrain flops --json`")
    costs = {(cost.get("backbone"), cost["size"]): cost["gflops"] for cost in counted}
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
                    "gflops": costs[run.backbone, run.size],
                    "dataset": dataset,
                    "scale": scale.name,
                    "seeds": its,
                    **_result(
                        scale,
                        [[folder / name / f"seed{seed}" for seed in those] for those in scale.by_world(its).values()],
                        dataset,
                        run,
                    ),
                }
            )
    return as_printed(rows, TABLE)


def training_data(row: Method, run: Run, scale: Scale, experiments: Experiments) -> str:
    """The paper's letters of what a run was trained on; `own` in a row of several runs, each with its dataset alone.

    `from K400`: its initial weights come from a run on K400.
    """
    before: list[str] = []
    init = run.init
    while init is not None:
        before += experiments.run(init).datasets
        init = experiments.run(init).init
    text = "own" if len(row.runs) > 1 else _letters(run.datasets, scale)
    # by title: K400 and K700 have the same letter, each in its own table
    titles = dict.fromkeys(scale.dataset(name).title for name in before)
    return f"{text}, from {', '.join(titles)}" if titles else text


def _letters(datasets: list[str] | tuple[str, ...], scale: Scale) -> str:
    settings = [scale.dataset(name) for name in datasets]
    letters = all(each.paper_letter for each in settings)  # as the paper prints them
    names = sorted({f"({each.paper_letter})" if each.paper_letter else each.title for each in settings})
    return ("," if letters else ", ").join(names)


def _result(scale: Scale, worlds: list[list[Path]], dataset: str, run: Run) -> Row:
    """The accuracies of one table cell from its runs by world and seed; of Y'_k only if that sum was trained.

    Clips are those of all worlds.
    """
    folders = [folder for its in worlds for folder in its]
    records = [read_record(folder) for folder in folders]
    found = [[read_predictions(predictions_path(folder, dataset)) for folder in its] for its in worlds]
    for its in found:
        require_same_forms(its)
    values = {
        "clips": sum(len(its[0].labels) for its in found),
        "synthetic": yes_no(any(record["synthetic"] for record in records)),
        "code": " ".join(sorted({record["code"] for record in records})),
        "settings": " / ".join(dict.fromkeys(_settings(scale, record, run) for record in records)),
        **_training(folders[0] / "run.json", records, dataset),
        **_accuracies([(np.stack([each.rank for each in its]), its[0].videos) for its in found], ""),
    }
    if run.adds and all(its[0].projected is not None for its in found):
        forms = [
            (np.stack([each.projected for each in its if each.projected is not None]), its[0].videos) for its in found
        ]
        values |= _accuracies(forms, "_projected")
    return values


def _settings(scale: Scale, record: RunRecord, run: Run) -> str:
    """The hash of the scale's settings, what a run changes of its recipe, and if its weights are the best on val."""
    changed = [changes(record.get("settings", {})), "best weights on val" if run.checkpoint == "best" else ""]
    return " ".join(filter(None, (scale.fingerprint, ", ".join(filter(None, changed)))))


def _training(path: Path, records: list[RunRecord], dataset: str) -> Row:
    """What the runs were trained on and for how long; where seeds differ, each value once."""

    def each(value: Callable[[RunRecord], object]) -> tuple:
        try:
            return tuple(dict.fromkeys(value(record) for record in records))
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: not the record of a run of this version: train it again") from None

    return {
        "classes": each(lambda record: record["datasets"][dataset]["classes"]),
        "train_clips": each(lambda record: record["datasets"][dataset]["clips"]),
        "epochs": each(epochs),
        "steps": each(lambda record: record["steps"]),
        "batch": each(lambda record: record["recipe"]["batch"]),
        "rate": each(lambda record: f"{record['recipe']['lr']:g}"),
        "processor": " / ".join(each(lambda record: processor_text(record["processor"]))),
    }


def epochs(record: RunRecord) -> str:
    """The epochs of a run: the recipe's, or those that another run's steps come to."""
    if record["settings"]["steps_of"] is None:
        return f"{record['recipe']['epochs']:g}"
    clips = sum(its["clips"] for its in record["datasets"].values())
    return f"{record['steps'] * record['recipe']['batch'] / clips:.1f}"


def processor_text(said: dict[str, str]) -> str:
    """A processor of run.json in words, e.g. "AMD EPYC (AVX512)" or "AMD EPYC (portable kernels)"."""
    return f"{said['model']} ({'portable kernels' if said.get('kernels') == 'portable' else said['instructions']})"


def _accuracies(worlds: list[tuple[np.ndarray, np.ndarray]], suffix: str) -> dict[str, float]:
    """Top-1 and top-5 in percent from each world's ranks (seeds, N) of clips of videos (N,): the mean over seeds, with
    the interval of other videos and, where there are several seeds, other trainings.
    """
    values: dict[str, float] = {}
    for k in (1, 5):
        right = [([top(k, rank).astype(float)], [videos]) for rank, videos in worlds]
        its = estimate_over_worlds(right)
        low, high = its.interval_of_accuracy
        numbers = {f"top{k}{suffix}": its.value, f"top{k}{suffix}_low": low, f"top{k}{suffix}_high": high}
        if its.std is not None and not suffix:
            numbers[f"top{k}_std"] = its.std
        values |= {key: 100 * number for key, number in numbers.items()}
    return values
