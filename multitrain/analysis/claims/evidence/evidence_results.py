"""Findings of records on a claim, each with a verdict, and their common verdict."""

from collections.abc import Iterable
from dataclasses import dataclass

from multitrain.analysis.claims.verdict_rule import FAILS, HOLDS, MIXED, OPEN

__all__ = ["FILE", "NOT_COMPARABLE", "Answer", "Finding", "holds_if"]

FILE = "evidence.csv"
NOT_COMPARABLE = "not comparable here"  # our runs are on other datasets than the paper's numbers


@dataclass(frozen=True)
class Finding:
    """One number, or a comparison of two."""

    part: str  # a dataset or a seed
    ours: str  # as text, with its unit
    value: float | None = None  # compared with the bound
    verdict: str = ""  # empty: shown only


@dataclass(frozen=True)
class Answer:
    """All findings on a claim."""

    findings: tuple[Finding, ...]
    paper: str = ""  # the paper's numbers, as text

    @property
    def verdict(self) -> str:
        return common_verdict(each.verdict for each in self.findings if each.verdict)


def common_verdict(verdicts: Iterable[str]) -> str:
    """The verdict that all share; mixed if some hold and some do not, else undetermined."""
    different = set(verdicts)
    if len(different) == 1:
        return different.pop()
    return MIXED if {HOLDS, FAILS} <= different or MIXED in different else OPEN


def holds_if(condition: bool) -> str:
    """The verdict on an exact number, without a test."""
    return HOLDS if condition else FAILS
