"""The claims decided by two halves of a study's seeds apart (halves.csv, halves.md): does a repetition say the same?"""

from collections.abc import Sequence
from math import hypot
from pathlib import Path

from multitrain.analysis.claims.claim_verdicts import decide_claims
from multitrain.analysis.claims.verdict_rule import NOT_RUN, ONE_SEED, OPEN
from multitrain.analysis.render.cells import difference, is_there
from multitrain.analysis.render.columns import HALVES
from multitrain.analysis.render.markdown import Block, bullets, document
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Row, Rows, as_printed, write_rows, write_text
from multitrain.analysis.study.run_names import ranges
from multitrain.common.errors import UserError
from multitrain.config.claims import Claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = [
    "FILE",
    "HALVES_OF",
    "SAME_SIDE",
    "SAME_VERDICT",
    "agreement",
    "counts",
    "halved",
    "write_halves",
]

FILE = "halves.csv"
SAME_VERDICT, SAME_SIDE = "same verdict", "same side of 0"
APART, ONE_OPEN, NO_VERDICT = "intervals apart", "not shown by both", "no verdict"
HALVES_OF = ("first", "second")
KEYS = ("difference", "low", "high")
Seeds = tuple[int, ...]


def halved(scale: Scale, seeds: Seeds, where: str = "") -> tuple[Seeds, Seeds]:
    """The seeds of either of two worlds; of one world, or of more, the first half of the seeds and the others.

    Raises:
        UserError: a half has fewer than two; the message begins with `where`.
    """
    worlds, middle = tuple(scale.by_world(seeds).values()), len(seeds) // 2
    first, second = worlds if len(worlds) == 2 else (seeds[:middle], seeds[middle:])
    for half in (first, second):
        if len(half) < 2:
            raise UserError(
                f"{where}seeds {ranges(half) or 'none'} as a half: a verdict takes two seeds, so four in all"
            )
    return first, second


def write_halves(
    scale: Scale,
    experiments: Experiments,
    claims: Claims,
    halves: tuple[Seeds, Seeds],
    runs: Path,
    published: Path,
    out: Path,
) -> None:
    """Write <out>/halves.csv and .md: verdicts by Y_k of each half of the runs in the folder `runs`; do they agree?

    Each half is decided as a study of its own: by the rule of claims.csv with its corrections.

    Raises:
        UserError: no claim has all of its runs.
    """
    decided = [decide_claims(scale, experiments, claims, seeds, runs, published) for seeds in halves]
    rows = [_row(*pair) for pair in zip(*decided, strict=True)]
    write_text(out / "halves.md", _page(scale, halves, rows))
    write_rows(out / FILE, as_printed(rows, HALVES), HALVES)


def agreement(first: Row, second: Row) -> str:
    """How two rows of claims.csv on one contrast agree, or why they do not.

    They agree if their verdicts are the same, or if their 95% intervals overlap and lie on one side of 0, so that both
    exclude the opposite verdict.
    """
    verdicts = {_verdict(first), _verdict(second)}
    if verdicts & {NOT_RUN, ONE_SEED}:
        return NO_VERDICT
    if len(verdicts) == 1:
        return SAME_VERDICT
    if not (is_there(first.get("low")) and is_there(second.get("low"))):
        return ONE_OPEN
    low, high = max(first["low"], second["low"]), min(first["high"], second["high"])
    if low > high:
        return APART
    return SAME_SIDE if min(first["low"], second["low"]) > 0 or max(first["high"], second["high"]) < 0 else ONE_OPEN


def _verdict(row: Row) -> str:
    """A claim's own verdict takes its datasets into account."""
    return row["claim_verdict"] if row["scope"] == "claim" else row["verdict"]


def _row(first: Row, second: Row) -> Row:
    shared = {key: first[key] for key in ("claim", "text", "primary", "same_fact_as", "scope", "label", "scale")}
    row: Row = {**shared, "synthetic": first.get("synthetic", ""), "agreement": agreement(first, second)}
    for half, its in zip(HALVES_OF, (first, second), strict=True):
        row |= {f"{key}_{half}": its.get(key) for key in (*KEYS, "seeds")}
        row[f"verdict_{half}"] = _verdict(its)
    if is_there(first.get("low")) and is_there(second.get("low")):
        row |= zip(("apart", "apart_low", "apart_high"), _apart(first, second), strict=True)
    return row


def _apart(first: Row, second: Row) -> tuple[float, float, float]:
    """The first half's difference minus the second's, and its interval by MOVER from the two intervals.

    Halves of one world share its videos, which makes the interval too wide.
    """
    value = first["difference"] - second["difference"]
    below = hypot(first["difference"] - first["low"], second["high"] - second["difference"])
    above = hypot(first["high"] - first["difference"], second["difference"] - second["low"])
    return value, value - below, value + above


def _page(scale: Scale, halves: Sequence[Seeds], rows: Rows) -> str:
    """The page: what agrees, then every claim, then the lines of single datasets."""
    named = [f"seeds {ranges(seeds)}{_world(scale, seeds)}" for seeds in halves]
    blocks: list[Block] = [
        "# Do two halves of the study agree?",
        f"Scale `{scale.name}`: {named[0]} against {named[1]}, each decided as a study of its own.",
        bullets(counts(rows)),
    ]
    for heading, scope in (("Claims", "claim"), ("Single datasets", "dataset")):
        lines = [_line(row) for row in rows if row["scope"] == scope and row["agreement"] != NO_VERDICT]
        if lines:
            blocks += [f"## {heading}", Grid(("Claim", "", *named, "First minus second", "Agreement"), lines)]
    if absent := sum(row["scope"] == "claim" and row["agreement"] == NO_VERDICT for row in rows):
        blocks.append(f"Of {absent} claim{'s' * (absent > 1)} a half has no verdict: not all of their runs are there.")
    notes = (
        "Differences in points by Yₖ with 95% t intervals, and the verdict of the rule that claims.md has, with the"
        " corrections of a study that has this half alone.",
        f"`{SAME_SIDE}`: other verdicts, whose intervals overlap and exclude the opposite one. `{ONE_OPEN}`: an"
        f" interval holds values of the other verdict. `{APART}`: the halves contradict each other.",
        "First minus second: of the halves' differences, with an interval from the two (MOVER). Where it contains 0, it"
        " is not shown that the halves differ.",
        "Claims of the same fact as another, marked ↳, are shown and not counted.",
    )
    return document([*blocks, "## What it means", bullets(notes)])


def _world(scale: Scale, seeds: Seeds) -> str:
    worlds = scale.worlds(seeds)
    return f", world {worlds[0]}" if scale.world is not None and len(worlds) == 1 else ""


def counts(rows: Rows) -> list[str]:
    """Sentences on the rows of halves.csv: how many agree, by kind; claims of the same fact as another are left out."""
    compared = [row for row in rows if not row["same_fact_as"] and row["agreement"] != NO_VERDICT]
    if not compared:
        return ["No claim has a verdict in both halves."]
    whole = [row for row in compared if row["scope"] == "claim"]
    kinds = {
        "primary claims": [row for row in whole if row["primary"] == "yes"],
        "other claims": [row for row in whole if row["primary"] != "yes"],
        "lines of single datasets": [row for row in compared if row["scope"] == "dataset"],
    }
    apart = sum(is_there(row.get("apart_low")) and not row["apart_low"] <= 0 <= row["apart_high"] for row in compared)
    return [
        *(_count(kind, its) for kind, its in kinds.items() if its),
        f"In {apart} of {len(compared)} lines the 95% interval of first minus second excludes 0.",
    ]


def _count(kind: str, rows: Rows) -> str:
    agreeing = [row for row in rows if row["agreement"] in (SAME_VERDICT, SAME_SIDE)]
    undecided = sum(row["verdict_first"] == row["verdict_second"] == OPEN for row in agreeing)
    said = f", {undecided} of them undetermined in both" if undecided else ""
    return f"{len(agreeing)} of {len(rows)} {kind} agree{said}."


def _line(row: Row) -> list[str]:
    text = f"{'↳ ' * bool(row['same_fact_as'])}{row['text']}"
    cells = [f"{_difference(row, *(f'{key}_{half}' for key in KEYS))}, {row[f'verdict_{half}']}" for half in HALVES_OF]
    apart = _difference(row, "apart", "apart_low", "apart_high")
    return [text, row["label"] if row["scope"] == "dataset" else "", *cells, apart, row["agreement"]]


def _difference(row: Row, value: str, low: str, high: str) -> str:
    return difference(row.get(value), row.get(low), row.get(high))
