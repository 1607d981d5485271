"""The section of claims.md about claims that other records than accuracies answer."""

from itertools import groupby

from multitrain.analysis.render.cells import NONE
from multitrain.analysis.render.markdown import Block, bullets
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Rows

__all__ = ["ours", "section"]

HEAD = ("Section", "Tested", "Paper", "Ours", "Verdict")
SHOWN = 6  # numbers of ours in a cell: of many seeds the rest is in evidence.csv


def section(rows: Rows) -> list[Block]:
    """Blocks for the rows of evidence.csv, a line of the table a claim; none without rows."""
    if not rows:
        return []
    grouped = [list(its) for _, its in groupby(rows, key=lambda row: row["claim"])]
    notes = [f"{its[0]['text']} {its[0]['note']}" for its in grouped if its[0]["note"]]
    said = [
        "Verdicts are about the runs that there are, seed by seed: mixed, where seeds or datasets say different things;"
        " undetermined, where too few steps, or no such classes, say anything.",
        "gFLOPs are multiply-accumulates of each run's own network as its run.json describes it: of the parts that Yₖ"
        " hangs on, found by autograd. Training: the backbone's backward pass counts as two forward passes.",
        "Against methods of others the figures of the paper's own tables are shown; ours are compared with them on real"
        " datasets alone.",
    ]
    table = Grid(HEAD, [_line(its, number) for number, its in enumerate(grouped, start=1)])
    quotes = "\n".join(f"{number}. “{its[0]['quote']}”" for number, its in enumerate(grouped, start=1))
    return ["## Answered by other records", table, "The paper's words:", quotes, bullets([*said, *notes])]


def ours(its: Rows) -> list[str]:
    """The first few numbers of a claim, each with its part, and how many there are more."""
    said = [": ".join(filter(None, (row["part"], row["ours"]))) for row in its if row["ours"]]
    return said[:SHOWN] + [f"and {len(said) - SHOWN} more in evidence.csv"] * (len(said) > SHOWN)


def _line(its: Rows, number: int) -> list[str]:
    first = its[0]
    tested = f"{first['text']} ({number})"
    numbers = "; ".join(ours(its)) or NONE
    return [first["section"].partition(":")[0], tested, first["paper"] or NONE, numbers, first["claim_verdict"]]
