"""Texts and tables of results/report.html; each number is from a file of the results."""

import shlex
from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd
from pandas.io.formats.style import Styler

from multitrain.analysis.claims.claim_halves import FILE as HALVES
from multitrain.analysis.claims.claim_halves import HALVES_OF, counts
from multitrain.analysis.claims.claim_sentences import capitalised, html_list, low_power
from multitrain.analysis.cost.energy import ASSUMED
from multitrain.analysis.figures.comparisons.backbones import draw as draw_backbones
from multitrain.analysis.packed.backbone_contrasts import FILE as BACKBONES
from multitrain.analysis.packed.backbone_contrasts import MEAN
from multitrain.analysis.render import page_tables
from multitrain.analysis.render.cells import difference, is_there, unique
from multitrain.analysis.study.run_names import ranges

__all__ = [
    "backbones",
    "cost",
    "datasets",
    "deviations",
    "halves",
    "notes",
    "plateaus",
    "published_note",
    "repeat",
    "runs",
    "show",
    "what_was_run",
]

UNITS = {"processor": "core-hours", "accelerator": "accelerator-hours"}


def show(html: str) -> None:
    """Show HTML below a notebook's cell."""
    from IPython.display import HTML, display  # only where there is a notebook

    display(HTML(html))


def what_was_run(root: Path) -> str:
    """Scale, arms, seeds, worlds, processors and code of the trained runs, as a list."""
    runs = _runs(root)
    trained = runs[runs["trained"] == "yes"]
    seeds = ranges(trained["seed"])
    worlds = {world: ranges(its["seed"]) for world, its in trained.groupby("world", sort=False) if world}
    arms, datasets = list(dict.fromkeys(trained["method"])), _datasets(trained)
    synthetic = "yes" in set(trained["synthetic"])
    items = [
        f"<b>Scale</b> {escape(_only(runs, 'scale'))}, on {'<b>synthetic videos</b>' if synthetic else 'real videos'}.",
        f"<b>Datasets</b>: {escape(', '.join(datasets))}; sizes and classes in the table below.",
        f"<b>Arms</b>: {len(arms)} methods in {trained['run'].nunique()} runs: {escape('; '.join(arms))}.",
        f"<b>Seeds</b>: {seeds}, {len(trained)} trainings of {len(runs)} asked for.",
    ]
    if worlds:
        said = "; ".join(
            f"world {escape(world)}: seed{'s' * (not its.isdigit())} {its}" for world, its in worlds.items()
        )
        items.append(f"<b>World{'s' * (len(worlds) > 1)}</b>: {said}.")
    for title, key in (("Processor", "processor"), ("Numerical code", "code"), ("Commit", "commit")):
        values = [value for value in dict.fromkeys(trained[key]) if value]
        items.append(
            f"<b>{title}</b>: {', '.join(f'<code>{escape(value)}</code>' for value in values) or 'not recorded'}."
        )
    return html_list(items)


def datasets(root: Path, tables: Sequence[str]) -> Styler:
    """Classes, chance and clips of each dataset, as the runs of the tables trained on it; tests of one world."""
    rows = pd.concat([page_tables.read(root / f"{name}.csv", ["source", "classes", "train_clips"]) for name in tables])
    seeds = page_tables.read(root / "seeds.csv", ["dataset", "clips", "videos"])
    tested = seeds.groupby("dataset")[["clips", "videos"]].agg(_each)
    names, lines = page_tables.titles(root), []
    for name, title in names.items():
        its = rows[(rows["source"] == "ours") & (rows["dataset"] == name)]
        if len(its):
            classes, trained = (_each(its[key]) for key in ("classes", "train_clips"))
            chance = " / ".join(f"{100 / int(each):.1f}" for each in classes.split(" / "))
            line = {"Dataset": title, "Classes": classes, "Top-1 of a guess, %": chance, "Training clips": trained}
            clips, videos = tested.loc[name, ["clips", "videos"]] if name in tested.index else ("-", "-")
            lines.append({**line, "Test clips": clips, "Test videos": videos})
    return page_tables.frame(pd.DataFrame(lines), "datasets", "A cell with several numbers: runs or worlds differ.")


def published_note(rows: pd.DataFrame) -> str:
    """What the grey rows of an accuracy table are, as HTML; "" where the table has none."""
    if set(rows["source"]) == {"ours"}:
        return ""
    return (
        "<p>Grey: the paper's rows as it prints them, and one of the authors' release. Then ours. Where ours are"
        " synthetic, a difference between a grey row and one of ours means nothing.</p>"
    )


def backbones(root: Path) -> None:
    """Show, with a heading, Table 1's contrasts by backbone; nothing where two studies were not compared."""
    if not (root / BACKBONES).is_file():
        return
    from IPython.display import Markdown, display  # only where there is a notebook

    display(Markdown("## Does it depend on the backbone?"))
    page_tables.picture(draw_backbones(root), "Table 1's differences by backbone, in the mean and on each dataset.")
    show(html_list(backbone_sentences(root)))


def halves(root: Path) -> None:
    """Show, with a heading, how many verdicts two halves of the seeds share; nothing where they were not compared."""
    if not (root / HALVES).is_file():
        return
    from IPython.display import Markdown, display  # only where there is a notebook

    rows = page_tables.read(root / HALVES, ["scope", "agreement", "verdict_first", "seeds_first", "apart_low"])
    display(Markdown("## Do two halves of the study agree?"))
    by = " and ".join(f"seeds {ranges(rows[f'seeds_{half}'].iloc[0])}" for half in HALVES_OF)
    said = f"<p>Each decided as a study of its own, by {by}; line by line in <code>halves.md</code>.</p>"
    show(said + html_list(counts(rows.to_dict("records"))))


def backbone_sentences(root: Path) -> list[str]:
    """For each contrast, in the mean of the datasets: both backbones' differences, and whether they differ."""
    rows = page_tables.read(root / BACKBONES, ["left", "right", "backbone", "label", "difference", "low", "high"])
    rows, sentences = rows[rows["label"] == MEAN], []
    for (left, right), its in rows.groupby(["left", "right"], sort=False):
        first, second, apart = (row for _, row in its.iterrows())
        said = "; ".join(f"{escape(row['backbone'])} {_interval(row)}" for row in (first, second))
        differ = apart["low"] > 0 or apart["high"] < 0
        verdict = "the backbones differ" if differ else "it is not shown that the backbones differ"
        sentences.append(
            f"<b>{escape(left)} minus {escape(right)}</b>: {said}; difference {_interval(apart)}: {verdict}."
        )
    return sentences


def _interval(row: pd.Series) -> str:
    return difference(row["difference"], row["low"], row["high"])


def deviations(root: Path) -> str:
    """A list of the deviations from the design, or a sentence that there are none."""
    its = page_tables.read(root / "deviations.csv", ["kind", "what"])
    items = [f"<b>{capitalised(row['kind'])}</b>: {escape(row['what'])}." for _, row in its.iterrows()] + low_power(
        root
    )
    return html_list(items) if items else "<p>None was found.</p>"


def notes(root: Path) -> str:
    """A list of notes on earlier measurements of this scale, used or not."""
    its = page_tables.read(root / "measured.csv", ["kind", "text"])
    items = its.loc[its["kind"].str.startswith("note."), "text"]
    return html_list([f"{capitalised(text)}." for text in items])


def plateaus(root: Path) -> Styler | None:
    """How val changes with twice the schedule; None where nothing was measured."""
    its = page_tables.read(
        root / "measured.csv", ["kind", "method", "dataset", "epochs_factor", "change", "seeds", "text"]
    )
    its = its[its["kind"] == "doubling"]
    if its.empty:
        return None
    names = page_tables.titles(root)
    shown = {
        "Method": its["method"],
        "Dataset": [names.get(name, name) or "mean" for name in its["dataset"]],
        "Schedule": [f"×{factor:g} to ×{2 * factor:g}" for factor in its["epochs_factor"]],
        "Change of val top-1": its["change"],
        "Seeds": its["seeds"],
        "": its["text"],
    }
    return page_tables.frame(pd.DataFrame(shown), "plateaus", "Points of val top-1, mean over seeds.")


def cost(root: Path) -> Styler:
    """Hours of training by method, and in all."""
    runs = _runs(root)
    runs = runs[runs["trained"] == "yes"]
    lines = [_cost(method, its) for method, its in runs.groupby("method", sort=False)]
    lines.append(_cost("all", runs))
    unit = " and ".join(UNITS[each] for each in dict.fromkeys(runs["device"]))
    said = f"{unit.capitalize()} of training: seconds of each run.json times its processes and threads."
    if set(runs["device"]) == {"processor"}:
        said += (
            f" kWh by Green Algorithms' formula, with {ASSUMED.core:g} W a core, {ASSUMED.gigabytes:g} GB for each"
            f" and an overhead of {ASSUMED.overhead:g} (docs/reference/cost.md): an assumption, not a measurement."
        )
    said += " Preparation, evaluation and analyses are not in it: benchmarks/ has what they took."
    return page_tables.frame(pd.DataFrame(lines), "cost", said)


def _cost(method: str, its: pd.DataFrame) -> dict:
    line = {"Method": method, "Trainings": len(its), "Steps": int(its["steps"].sum())}
    whole, each = its["hours"].sum(min_count=1), its["hours"].mean()
    line |= {"Hours": _significant(whole), "Of a training": _significant(each)}
    on_processors = set(its["device"]) == {"processor"}
    return line | ({"kWh": _significant(ASSUMED.kwh(whole))} if on_processors else {})


def _significant(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def runs(root: Path) -> Styler:
    """A table of runs: a line for the seeds of a run with the same world, processor, code and commit."""
    its = _runs(root)
    its = its[its["trained"] == "yes"]
    keys = ["run", "method", "datasets", "world", "processor", "precision", "code", "commit"]
    lines = []
    for values, of in its.groupby(keys, sort=False):
        said = dict(zip(keys, values, strict=True))
        line = {
            "Method": said["method"],
            "Datasets": said["datasets"],
            "Seeds": ranges(of["seed"]),
        }
        line |= {"World": said["world"] or "-", "Epochs": _each(of["epochs"]), "Steps": _each(of["steps"])}
        line |= {"Processor": said["processor"], "Precision": said["precision"], "Code": said["code"]}
        lines.append({**line, "Commit": said["commit"] or "-"})
    caption = "A commit that ends with + had changed files. Code: hash of the numerical code alone."
    return page_tables.frame(pd.DataFrame(lines), "runs", caption)


def repeat(root: Path, study: str = "") -> str:
    """Commands that reproduce this study; `study` is its file, if it has one."""
    its = _runs(root)
    scale, seeds = _only(its, "scale"), unique(its["seed"], ",")
    commits = [commit.rstrip("+") for commit in dict.fromkeys(its["commit"]) if commit]
    file = f"--configfile {shlex.quote(study)} --config" if study else f"--config scale={scale}"
    config = f"{file} {shlex.quote(f'seeds=[{seeds}]')} results=results/{scale}"
    lines = [f"git checkout {commits[-1]}"] if commits else []
    lines += [
        "make environment",
        f".venv/bin/snakemake --cores all {config}",
        f"# then open results/{scale}/report.html",
    ]
    packed = [f".venv/bin/snakemake --cores all results/{scale}/study.parquet {config}"]
    packed += [f".venv/bin/multitrain results render results/{scale}/study.parquet rendered"]
    text = "\n".join(lines)
    again = "\n".join(packed)
    return (
        f"<pre>{escape(text)}</pre><p>To send the study's answers, and to make this page of them without training:</p>"
        f"<pre>{escape(again)}</pre>"
    )


def _runs(root: Path) -> pd.DataFrame:
    needs = ["run", "method", "seed", "world", "trained", "datasets", "steps", "hours", "device", "processor", "commit"]
    return page_tables.read(root / "runs.csv", needs)


def _datasets(rows: pd.DataFrame) -> list[str]:
    return list(dict.fromkeys(title for text in rows["datasets"] for title in text.split(", ")))


def _each(values: pd.Series) -> str:
    """The distinct values as text; numbers are rounded to integers."""
    return unique(value if isinstance(value, str) else f"{value:.0f}" for value in values if is_there(value) and value)


def _only(rows: pd.DataFrame, key: str) -> str:
    return ", ".join(dict.fromkeys(rows[key]))
