"""HTML sentences on the claims of a study for results/report.html, from claims.csv and evidence.csv."""

from collections import Counter
from html import escape
from pathlib import Path

import pandas as pd

from multitrain.analysis.claims.evidence.evidence_section import first_numbers
from multitrain.analysis.claims.verdict_rule import (
    AIM,
    EQUIVALENT,
    FAILS,
    HOLDS,
    MIXED,
    NOT_RUN,
    ONE_SEED,
    OPEN,
    POWER,
    TOO_WEAK,
    enough,
)
from multitrain.analysis.render import page_tables
from multitrain.analysis.render.cells import chance, is_there, p_value, signed

__all__ = ["capitalised", "counts", "evidence", "html_list", "low_power", "verdicts"]

CLAIMS = "claims.csv"
RECORDS = (
    "<h3>Claims that other records answer</h3>"
    "<p>Costs of the networks, histories, spectra, projections, and published tables.</p>"
)
BESIDE = (
    " The probability beside a verdict is how often the rule would say <i>holds</i> in another study of as many seeds"
    " and videos, if the paper's own number were the truth here."
)
INDENTED = " An indented claim is the fact above it from other runs or by another measure, and is not counted again."
VERDICT_TEXTS = {
    HOLDS: "Holds here",
    FAILS: "Does not hold here",
    EQUIVALENT: "The two are equivalent here",
    MIXED: "Mixed: datasets or worlds say opposite things",
    OPEN: "Undetermined",
    ONE_SEED: "No verdict from one seed",
    NOT_RUN: "Not run",
}


def html_list(items: list[str]) -> str:
    """An HTML list of items that are HTML already; "" without any."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>" if items else ""


def counts(root: Path) -> str:
    """Counts of the verdicts on the paper's claims, or on ours if none is the paper's; one per fact."""
    if not (root / CLAIMS).is_file():
        return "<p>The study makes no claims.</p>"
    claims = _claims(root)
    paper = claims["stated_by"] == "paper"
    facts = claims[(paper | (not paper.any())) & (claims["same_fact_as"] == "")]
    counts = Counter(facts["claim_verdict"])
    text = ", ".join(f"{verdict}: <b>{counts[verdict]}</b>" for verdict in VERDICT_TEXTS if counts[verdict])
    kind = "claims of the paper" if paper.any() else "claims"
    notes = INDENTED * bool((claims["same_fact_as"] != "").any()) + BESIDE * bool(paper.any())
    return f"<p>Of {len(facts)} {kind} that are differences of accuracies: {text}.{notes}</p>"


def verdicts(root: Path, primary: bool) -> str:
    """The primary claims, or the others, under a heading: verdict, difference, interval and power of each; "" for none.

    Claims of the same fact, which the counts leave out, are set below the one that heads them. A study without primary
    claims has one list and no heading.
    """
    if not (root / CLAIMS).is_file():
        return ""
    claims = _claims(root)
    of_paper = bool((claims["stated_by"] == "paper").any())
    is_primary = claims.set_index("claim")["primary"] == "yes"
    rows = [
        row for _, row in claims.iterrows() if is_primary.get(row["same_fact_as"] or row["claim"], False) == primary
    ]
    run = [row for row in rows if row["claim_verdict"] != NOT_RUN]
    text = _grouped(run, of_paper) + _not_run([row for row in rows if row["claim_verdict"] == NOT_RUN], of_paper)
    heading = f"<h3>{'Primary claims' if primary else 'The others'}</h3>"
    return heading * bool(text and is_primary.any()) + text


def _grouped(rows: list[pd.Series], of_paper: bool) -> str:
    """A list of the claims, those of the same fact below the one that heads them; "" for none."""
    below: dict[str, list[str]] = {row["claim"]: [] for row in rows}
    heads = [row for row in rows if row["same_fact_as"] not in below]
    for row in rows:
        below.get(row["same_fact_as"], []).append(sentence(row, of_paper))
    return html_list([sentence(row, of_paper) + html_list(below[row["claim"]]) for row in heads])


def _not_run(rows: list[pd.Series], of_paper: bool) -> str:
    """The claims without a run, folded below one line that names the missing runs."""
    if not rows:
        return ""
    missing = dict.fromkeys(text.removesuffix(f": {NOT_RUN}") for row in rows for text in row["missing"].split("; "))
    summary = f"{len(rows)} not run: {escape(', '.join(missing))}"
    return f"<details><summary>{summary}</summary>{html_list([sentence(row, of_paper) for row in rows])}</details>"


def sentence(row: pd.Series, of_paper: bool = True) -> str:
    """One claim's verdict by Y_k as an HTML sentence; `of_paper`: the study decides claims of the paper."""
    verdict = row["claim_verdict"]
    source = "" if row["stated_by"] == "paper" or not of_paper else " (ours, not in the paper)"
    text = f"<b>{escape(VERDICT_TEXTS.get(verdict, verdict))}</b>: {escape(row['text'].rstrip('.'))}{source}"
    if not is_there(row["difference"]):
        return f"{text}: {escape(row['missing'])}."
    low, high = signed(row["low"]), signed(row["high"])
    interval = f"95% interval {low} to {high}" if is_there(row["low"]) else "no interval, as no answer differs"
    test = f"adjusted p {p_value(row['p_adjusted'])}" if is_there(row["p_adjusted"]) else "too few videos for a test"
    if verdict == ONE_SEED:
        test = "of videos alone"
    worlds = ", ".join(map(signed, row.get("by_world", ())))
    by_world = f"; by world {worlds}" * bool(worlds)
    power = _power(row) * of_paper
    if verdict == OPEN and is_there(seeds := row.get("seeds_to_decide")):
        power += f"; {enough(int(seeds))}"
    return f"{text}: our difference is {signed(row['difference'])} points ({interval}; {test}{by_world}){power}."


def _power(row: pd.Series) -> str:
    """The power of the test if the paper's difference were the true one here, as text."""
    if not is_there(row["paper_difference"]):
        return "; the paper prints no number for it"
    paper, power = signed(row["paper_difference"]), row["holds_if_paper_right"]
    if not is_there(power):
        return f"; the paper's is {paper}, and how often the rule would find that is not known from these runs"
    text = (
        f"; were the paper's {paper} the truth here, the rule would say <i>holds</i> with probability {chance(power)}"
    )
    too_weak = row["claim_verdict"] == OPEN and power < TOO_WEAK
    return text + ", so that it cannot be shown here even if the paper is right" * too_weak


def evidence(root: Path) -> str:
    """The claims that other records decide, under a heading: verdict and numbers of each; "" for none."""
    if not (root / "evidence.csv").is_file():
        return ""
    table = page_tables.read(root / "evidence.csv", ["claim", "text", "part", "ours", "claim_verdict"])
    sentences = []
    for _, rows in table.groupby("claim", sort=False):
        first, parts = rows.iloc[0], first_numbers(rows.to_dict("records"))
        verdict, numbers = first["claim_verdict"] or "shown", f": {'; '.join(parts)}" * bool(parts)
        sentences.append(f"<b>{capitalised(verdict)}</b>: {escape(first['text'].rstrip('.') + numbers)}.")
    return RECORDS + html_list(sentences) if sentences else ""


def low_power(root: Path) -> list[str]:
    """A note on the primary claims whose power is below the design's aim; empty where there are none."""
    if not (root / CLAIMS).is_file():
        return []
    claims = page_tables.read(root / CLAIMS, ["claim", "scope", "primary", "text", "holds_if_aimed"])
    weak = claims[(claims["scope"] == "claim") & (claims["primary"] == "yes") & (claims["holds_if_aimed"] < POWER)]
    aim = f"in a primary contrast {AIM:g} points are to be found with probability {POWER:.0%}, and would be with"
    parts = [f"{chance(row['holds_if_aimed'])} ({escape(row['text'].rstrip('.'))})" for _, row in weak.iterrows()]
    return [f"<b>Power</b>: {aim} {'; '.join(parts)}."] if parts else []


def _claims(root: Path) -> pd.DataFrame:
    """The rows of claims.csv on whole claims, not on single datasets."""
    needs = ["claim", "scope", "primary", "same_fact_as", "text", "low", "missing"]
    table = page_tables.read(root / CLAIMS, needs)
    return table[table["scope"] == "claim"]


def capitalised(text: str) -> str:
    """The text as HTML with a capital first letter."""
    return escape(text[:1].upper() + text[1:])
