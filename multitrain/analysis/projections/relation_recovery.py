"""Recovery of related classes by the raw and the scaled projection weights, against chance."""

from itertools import groupby
from pathlib import Path

import numpy as np

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.accuracy.metrics import LEVEL
from multitrain.analysis.projections.class_relations import WORLD
from multitrain.analysis.projections.projection_weights import Projection, read_projections
from multitrain.analysis.projections.ranking import PERMUTATIONS, Recovery, recover
from multitrain.analysis.render import markdown
from multitrain.analysis.render.cells import NONE, share, signed
from multitrain.analysis.render.columns import RECOVERY, RECOVERY_SUMMARY
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Row, Rows, as_printed, write_rows, write_text
from multitrain.analysis.study.run_names import method_names, yes_no
from multitrain.analysis.tables.table_layout import setting
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_recovery"]

ALL = "all"  # in the place of a run's name: each ordered pair's mean over the runs that have it
FORMS = ("weight", "scaled")
SIGNIFICANT = 0.05
FEWEST = 6  # pairs for a verdict: with five, even all on one side have p = 0.06 in a two-sided sign test

NUMBERS = [name for name in RECOVERY if hasattr(Recovery, name) or name in Recovery.__dataclass_fields__]

Found = list[tuple[Projection, dict[str, Recovery]]]  # a projection and its recovery by form


def write_recovery(
    scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path, runs: tuple[str, ...]
) -> None:
    """Write <results>/projection_recovery.csv and .md and projection_recovery_summary.csv from projections.parquet.

    Each ordered pair of datasets is one ranking of all its class pairs, the largest weight first, signed as it is.
    """
    found: Found = [
        (each, {form: recover(each.form(form), each.related, each.seed, *_names(each), form) for form in FORMS})
        for each in read_projections(results, scale, runs, seeds)
    ]
    grouped = {run: list(its) for run, its in groupby(found, key=lambda pair: pair[0].run)}
    summaries = {run: _summary(its, scale) for run, its in grouped.items()}
    if len(grouped) > 1:
        summaries[ALL] = _summary(found, scale)
    names = method_names(experiments, scale)
    write_rows(
        results / "projection_recovery.csv", (row for each in found for row in _rows(*each, scale, names)), RECOVERY
    )
    rows = [{**summary[form], "run": run} for run, summary in summaries.items() for form in FORMS if summary]
    write_rows(results / "projection_recovery_summary.csv", rows, RECOVERY_SUMMARY)
    blocks: list[markdown.Block] = [
        "# What the projections recover",
        markdown.bullets(_notes(found[0][0].relation_from)),
    ]
    for run, summary in summaries.items():
        its = grouped.get(run, found)
        title = names.get(run, run) if run in grouped else "All these runs together"
        blocks.append(f"## {title}: {setting(scale, its[0][0].synthetic, _seeds(its))}")
        blocks += [Grid(_head(), _lines(its, scale))] if run in grouped else []
        blocks.append(markdown.bullets(_sentences(summary, its, scale)))
    write_text(results / "projection_recovery.md", markdown.document(blocks))


def _names(found: Projection) -> tuple[str, ...]:
    return found.run, found.source, found.target


def _rows(found: Projection, recovered: dict[str, Recovery], scale: Scale, names: dict[str, str]) -> Rows:
    """The recovery rows of a projection, one for each form of its weights."""
    said = {
        "run": found.run,
        "method": names.get(found.run, found.run),
        "scale": scale.name,
        "synthetic": yes_no(found.synthetic),
        "seed": found.seed,
        "source": found.source,
        "target": found.target,
        "relation_from": found.relation_from,
    }
    return [
        {**said, "form": form, **{name: getattr(each, name) for name in NUMBERS}} for form, each in recovered.items()
    ]


def _by_pair(found: Found) -> dict[tuple[str, str], list[dict[str, Recovery]]]:
    """The recoveries of each ordered pair of datasets, one a seed (and run)."""
    grouped: dict[tuple[str, str], list[dict[str, Recovery]]] = {}
    for projection, recovered in found:
        grouped.setdefault((projection.source, projection.target), []).append(recovered)
    return grouped


def _mean(seeds: list[dict[str, Recovery]], form: str, what: str) -> float:
    """The mean over the seeds whose world has a related pair."""
    return float(np.mean([getattr(recovered[form], what) for recovered in seeds if recovered[form].related]))


def _related(seeds: list[dict[str, Recovery]]) -> bool:
    return any(recovered["weight"].related for recovered in seeds)


def _seeds(found: Found) -> list[int]:
    """The seeds of any of the runs, in order."""
    return sorted({projection.seed for projection, _ in found})


def _summary(found: Found, scale: Scale) -> dict[str, Row]:
    """A row of the summary by form: means over seeds and runs, then over ordered pairs; empty without related ones."""
    pairs = [its for its in _by_pair(found).values() if _related(its)]
    if not pairs:
        return {}
    precision = {form: np.array([_mean(its, form, "average_precision") for its in pairs]) for form in FORMS}
    difference = precision["scaled"] - precision["weight"]
    low, high = np.clip(estimate([difference[None]], [np.arange(len(pairs))]).interval, -1, 1)
    clear = len(pairs) >= FEWEST and low < high and (low > 0 or high < 0)
    shared = {
        "scale": scale.name,
        "synthetic": yes_no(found[0][0].synthetic),
        "seeds": _seeds(found),
        "ordered_pairs": len(pairs),
        "tests": sum(bool(each["weight"].related) for its in pairs for each in its),
        "difference": difference.mean(),
        "difference_low": low,
        "difference_high": high,
        "verdict": ("scaled" if low > 0 else "weight") if clear else "undecided",
    }
    means = ("precision_at_5", "average_precision", "chance", "chance_average_precision")
    rows = [
        {
            **shared,
            "form": form,
            **{name: np.mean([_mean(its, form, name) for its in pairs]) for name in means},
            "ahead": int((difference * sign > 0).sum()),
            "significant": sum(_p(each[form]) <= SIGNIFICANT for its in pairs for each in its),
        }
        for form, sign in (("weight", -1), ("scaled", 1))
    ]
    return {row["form"]: row for row in as_printed(rows, RECOVERY_SUMMARY)}


def _p(recovery: Recovery) -> float:
    return 1.0 if recovery.p_value is None else recovery.p_value


def _head() -> list[str]:
    both = [f"{what}, {form}" for what in ("P@5", "AP", "p") for form in FORMS]
    return ["Projection", "Related", "Chance P@5", *both[:2], "Chance AP", *both[2:]]


def _lines(found: Found, scale: Scale) -> list[list[str]]:
    """Table lines of ordered pairs of datasets: means over seeds, and p of each seed."""
    lines = []
    for (source, target), its in _by_pair(found).items():
        its = [each for each in its if each["weight"].related] or its
        first = its[0]["weight"]
        counts = dict.fromkeys(f"{each['weight'].related} of {each['weight'].pairs}" for each in its)  # by world
        line = [f"{scale.dataset(source).title} → {scale.dataset(target).title}", " / ".join(counts)]
        if not first.related:
            lines.append([*line, *[NONE] * 8])
            continue
        for what, chance in (("precision_at_5", "chance"), ("average_precision", "chance_average_precision")):
            line += [share(_mean(its, "weight", chance)), *(share(_mean(its, form, what)) for form in FORMS)]
        lines.append([*line, *(", ".join(f"{each[form].p_value:.4f}" for each in its) for form in FORMS)])
    return lines


def _sentences(summary: dict[str, Row], found: Found, scale: Scale) -> list[str]:
    """Sentences on the recovery of a run, or of all runs."""
    without = [
        f"{scale.dataset(source).title} → {scale.dataset(target).title}"
        for (source, target), its in _by_pair(found).items()
        if not _related(its)
    ]
    said = [f"No related classes, so nothing to recover: {', '.join(without)}."] if without else []
    if not summary:
        return said
    weight, scaled = summary["weight"], summary["scaled"]
    count = weight["ordered_pairs"]
    verdict = {"scaled": "the scaled weight recovers more", "weight": "the raw weight recovers more"}
    why = (
        "the interval holds 0 or has no width"
        if count >= FEWEST
        else f"{FEWEST} ordered pairs are needed for a verdict"
    )
    return [
        *said,
        f"Mean over {count} ordered pairs of datasets: average precision {share(weight['average_precision'])}% by"
        f" the raw weight, {share(scaled['average_precision'])}% by the scaled one,"
        f" {share(weight['chance_average_precision'])}% by chance; precision of the first five"
        f" {share(weight['precision_at_5'])}%, {share(scaled['precision_at_5'])}% and"
        f" {share(weight['chance'])}%.",
        f"Better than chance, p ≤ {SIGNIFICANT}: {weight['significant']} of {weight['tests']} tests by the raw"
        f" weight, {scaled['significant']} by the scaled one; {SIGNIFICANT * weight['tests']:.1f} are expected of"
        " weights that know nothing.",
        f"Ordered pairs in which its average precision is the higher one: raw weight {weight['ahead']}, scaled weight"
        f" {scaled['ahead']}. Scaled - raw {signed(100 * weight['difference'])} points"
        f" [{signed(100 * weight['difference_low'])}, {signed(100 * weight['difference_high'])}]: "
        + verdict.get(weight["verdict"], f"undecided ({why})")
        + ".",
    ]


def _notes(relation_from: str) -> list[str]:
    known = "the synthetic world's own relations" if relation_from == WORLD else "classes of the same name"
    return [
        f"Related: {known}. A pair of datasets' class pairs are ordered by W of Eq. 4, the largest first.",
        "weight: W as it is, the raw weight. scaled: W times the standard deviation of the source class's logit over"
        " the target dataset's test clips, how far the pair moves the target's logit.",
        "P@5: related pairs among the first five; AP: average precision of the whole order; both in percent, means over"
        " seeds (and runs, where they are taken together). Chance: their means over random orders. Equal weights"
        " count as if in random order.",
        f"p: {PERMUTATIONS} permutations of the source classes and of the target classes, one-sided; each seed's.",
        f"Intervals: {LEVEL:.0%} t intervals over ordered pairs of datasets. Pairs that share a dataset are"
        " not independent and there are few of them, so an interval is rather too narrow.",
    ]
