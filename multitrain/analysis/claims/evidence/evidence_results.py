"""What a record says of a claim: numbers with a verdict each, and one verdict of all."""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ELSEWHERE", "FAILS", "FILE", "HOLDS", "MIXED", "OPEN", "Answer", "Finding", "holds_if"]

FILE = "evidence.csv"
HOLDS, FAILS, MIXED, OPEN = "holds", "does not hold", "mixed", "undetermined"
ELSEWHERE = "not comparable here"  # the records are of another world than the sentence


@dataclass(frozen=True)
class Finding:
    """One number, or two that are compared."""

    part: str  # of what: a dataset, a seed
    ours: str  # as text, with its unit
    value: float | None = None  # what is held against the bound
    verdict: str = ""  # empty: shown, and decides nothing


@dataclass(frozen=True)
class Answer:
    """All that is said of a claim."""

    findings: tuple[Finding, ...]
    paper: str = ""  # what the paper prints

    @property
    def verdict(self) -> str:
        return agreed(each.verdict for each in self.findings if each.verdict)


def agreed(verdicts: Iterable[str]) -> str:
    """The verdict that all share; mixed where some hold and some do not, undetermined else."""
    said = set(verdicts)
    if len(said) == 1:
        return said.pop()
    return MIXED if {HOLDS, FAILS} <= said or MIXED in said else OPEN


def holds_if(condition: bool) -> str:
    """Of a number that is exact, or of a run as it is."""
    return HOLDS if condition else FAILS
