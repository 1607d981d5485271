"""Section of claims.md on claims that other records than accuracies decide."""

from itertools import groupby

from multitrain.analysis.render.cells import NONE
from multitrain.analysis.render.markdown import Block, bullets
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Rows

__all__ = ["first_numbers", "section"]

HEAD = ("Section", "Tested", "Paper", "Ours", "Verdict")
SHOWN = 6  # of our numbers in a cell; evidence.csv has the others


def section(rows: Rows) -> list[Block]:
    """The section for the rows of evidence.csv, one line a claim; empty without rows."""
    if not rows:
        return []
    claims = [list(rows) for _, rows in groupby(rows, key=lambda row: row["claim"])]
    notes = [
        "Verdicts are about the runs that there are, seed by seed: mixed, where seeds or datasets say different things;"
        " undetermined, where too few steps, or no such classes, say anything.",
        "gFLOPs are multiply-accumulates of each run's own network as its run.json describes it: of the parts that Yₖ"
        " depends on, found by autograd. Training: the backbone's backward pass counts as two forward passes.",
        "Against methods of others the figures of the paper's own tables are shown; ours are compared with them on real"
        " datasets alone.",
    ]
    notes += [f"{rows[0]['text']} {rows[0]['note']}" for rows in claims if rows[0]["note"]]
    table = Grid(HEAD, [_line(rows, number) for number, rows in enumerate(claims, start=1)])
    quotes = "\n".join(f"{number}. “{rows[0]['quote']}”" for number, rows in enumerate(claims, start=1))
    return ["## Answered by other records", table, "The paper's words:", quotes, bullets(notes)]


def first_numbers(claim: Rows) -> list[str]:
    """The first few of our numbers on a claim, each with its part, and the count of the others."""
    numbers = [": ".join(filter(None, (row["part"], row["ours"]))) for row in claim if row["ours"]]
    return numbers[:SHOWN] + [f"and {len(numbers) - SHOWN} more in evidence.csv"] * (len(numbers) > SHOWN)


def _line(claim: Rows, number: int) -> list[str]:
    first = claim[0]
    tested = f"{first['text']} ({number})"
    numbers = "; ".join(first_numbers(claim)) or NONE
    return [first["section"].partition(":")[0], tested, first["paper"] or NONE, numbers, first["claim_verdict"]]
