"""The section of claims.md about claims that other records than accuracies answer."""

from itertools import groupby

from multitrain.analysis.markdown import grid

Rows = list[dict[str, str]]
HEAD = ("Section", "The paper says", "Tested", "Paper", "Ours", "Verdict")


def section(rows: Rows) -> list[str]:
    """Lines for the rows of evidence.csv, a line of the table a claim; none without rows."""
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
    table = grid(list(HEAD), [_line(its) for its in grouped])
    return ["## Answered by other records", "", *table, "", *(f"- {note}" for note in (*said, *notes))]


def _line(its: Rows) -> list[str]:
    first = its[0]
    ours = "; ".join(f"{row['part']}: {row['ours']}" for row in its if row["ours"])
    return [
        first["section"].partition(":")[0],
        f"“{first['quote']}”",
        first["text"],
        first["paper"] or "-",
        ours or "-",
        first["claim_verdict"],
    ]
