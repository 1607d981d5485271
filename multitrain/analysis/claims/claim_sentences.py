"""The claims of a study as sentences, each number from a file of the results: HTML for results/report.html."""

from collections import Counter
from html import escape
from pathlib import Path

import pandas as pd

from multitrain.analysis.claims.evidence.evidence_section import ours
from multitrain.analysis.claims.verdict_rule import (
    AIM,
    EQUIVALENT,
    FAILS,
    HOLDS,
    HOPELESS,
    MIXED,
    NOT_RUN,
    ONE_SEED,
    OPEN,
    POWER,
)
from multitrain.analysis.render import page_tables
from multitrain.analysis.render.cells import chance, is_there, p_value, signed

__all__ = ["answered", "counts", "listed", "upper", "verdicts", "weak"]

SAID = {
    HOLDS: "Holds here",
    FAILS: "Does not hold here",
    EQUIVALENT: "The two are equivalent here",
    MIXED: "Mixed: datasets or worlds say opposite things",
    OPEN: "Undetermined",
    ONE_SEED: "No verdict from one seed",
    NOT_RUN: "Not run",
}


def listed(items: list[str]) -> str:
    """Items, HTML already, as a list."""
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def counts(root: Path) -> str:
    """How many of the paper's claims have which verdict, facts counted once."""
    its = _claims(root)
    facts = its[(its["scope"] == "claim") & (its["stated_by"] == "paper") & (its["same_fact_as"] == "")]
    found = Counter(facts["claim_verdict"])
    said = ", ".join(f"{verdict}: <b>{found[verdict]}</b>" for verdict in SAID if found[verdict])
    return f"<p>Of {len(facts)} claims of the paper that are differences of accuracies: {said}.</p>"


def verdicts(root: Path, primary: bool) -> str:
    """A sentence a claim, those that are primary or the others: verdict, difference, interval, power."""
    its = _claims(root)
    its = its[its["scope"] == "claim"]
    heads = its.set_index("claim")["primary"]
    chosen = [
        heads.get(row["same_fact_as"] or row["claim"], "no") == ("yes" if primary else "no")
        for _, row in its.iterrows()
    ]
    return listed([sentence(row) for _, row in its[chosen].iterrows()])


def sentence(row: pd.Series) -> str:
    """One claim's verdict by Y_k, as HTML."""
    verdict = row["claim_verdict"]
    whose = "" if row["stated_by"] == "paper" else " (ours, not in the paper)"
    text = f"<b>{escape(SAID.get(verdict, verdict))}</b>: {escape(row['text'].rstrip('.'))}{whose}"
    if not is_there(row["difference"]):
        return f"{text}: {escape(row['missing'])}."
    low, high = signed(row["low"]), signed(row["high"])
    interval = f"95% interval {low} to {high}" if is_there(row["low"]) else "no interval, as no answer differs"
    if verdict == ONE_SEED:
        sure = "of videos alone"
    else:
        sure = (
            f"adjusted p {p_value(row['p_adjusted'])}" if is_there(row["p_adjusted"]) else "too few videos for a test"
        )
    worlds = ", ".join(map(signed, row.get("by_world", ())))
    apart = f"; by world {worlds}" * bool(worlds)
    return f"{text}: our difference is {signed(row['difference'])} points ({interval}; {sure}{apart}){_power(row)}."


def _power(row: pd.Series) -> str:
    """What the rule would have said if the paper's own number were the truth here."""
    if not is_there(row["paper_difference"]):
        return "; the paper prints no number for it"
    paper, found = signed(row["paper_difference"]), row["holds_if_paper_right"]
    if not is_there(found):
        return f"; the paper's is {paper}, and how often the rule would find that is not known from these runs"
    text = (
        f"; were the paper's {paper} the truth here, the rule would say <i>holds</i> with probability {chance(found)}"
    )
    hopeless = row["claim_verdict"] == OPEN and found < HOPELESS
    return text + ", so that it cannot be shown here even if the paper is right" * hopeless


def answered(root: Path) -> str:
    """Claims that other records answer, a sentence each."""
    its = page_tables.read(root / "evidence.csv", ["claim", "text", "part", "ours", "claim_verdict"])
    found = []
    for _, of in its.groupby("claim", sort=False):
        first, parts = of.iloc[0], ours(of.to_dict("records"))
        verdict, numbers = first["claim_verdict"] or "shown", f": {'; '.join(parts)}" * bool(parts)
        found.append(f"<b>{upper(verdict)}</b>: {escape(first['text'].rstrip('.') + numbers)}.")
    return listed(found) if found else "<p>None.</p>"


def weak(root: Path) -> list[str]:
    """Primary claims for which the study has less power than the design aims at."""
    its = page_tables.read(root / "claims.csv", ["claim", "scope", "primary", "text", "holds_if_aimed"])
    its = its[(its["scope"] == "claim") & (its["primary"] == "yes") & (its["holds_if_aimed"] < POWER)]
    aim = f"in a primary contrast {AIM:g} points are to be found with probability {POWER:.0%}, and would be with"
    parts = [f"{chance(row['holds_if_aimed'])} ({escape(row['text'].rstrip('.'))})" for _, row in its.iterrows()]
    return [f"<b>Power</b>: {aim} {'; '.join(parts)}."] if parts else []


def _claims(root: Path) -> pd.DataFrame:
    return page_tables.read(
        root / "claims.csv", ["claim", "scope", "primary", "same_fact_as", "text", "low", "missing"]
    )


def upper(text: str) -> str:
    return escape(text[:1].upper() + text[1:])
