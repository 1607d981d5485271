"""The paper's claims as settings (config/claims.yaml), and what each says of which numbers.

A claim compares two methods of a table. It is a part that says `left > right`; both sides are sums of weighted
accuracies, so that its truth is the sign of one linear contrast. Where it is about several datasets, a part for each
follows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from multitrain.common.errors import did_you_mean
from multitrain.config.answered_claims import Answered
from multitrain.config.base import Name, Positive, Settings

__all__ = ["Claim", "Claims", "Part"]

MOST_PRIMARY = 8  # claims: more would leave each with little chance to hold


@dataclass(frozen=True)
class Term:
    """A method's number on a dataset, times a weight."""

    weight: float
    method: str
    dataset: str


@dataclass(frozen=True)
class Side:
    """One side of a part: a sum of terms, and percentage points added to it."""

    terms: tuple[Term, ...]
    points: float = 0.0

    def value(self, number: Callable[[str, str], float | None]) -> float | None:
        """The sum for `number(method, dataset)`; None where one of the numbers is."""
        total = 0.0
        for term in self.terms:
            value = number(term.method, term.dataset)
            if value is None:
                return None
            total += term.weight * value
        return total + self.points


@dataclass(frozen=True)
class Part:
    """`left > right`."""

    whole: bool  # the claim itself, which decides; else what a single dataset says of it
    label: str  # where: K400
    text: str  # MultiTrain > Baseline, K400
    left: Side
    right: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.left, self.right

    @property
    def terms(self) -> tuple[Term, ...]:
        """The contrast left - right, but for its points."""
        return self.left.terms + tuple(Term(-term.weight, term.method, term.dataset) for term in self.right.terms)

    @property
    def datasets(self) -> tuple[str, ...]:
        """Each dataset once, in order."""
        return tuple(dict.fromkeys(term.dataset for term in self.left.terms + self.right.terms))


class PaperRow(Settings):
    """Where the paper prints a method's numbers."""

    method: str = Field(description="as in the published table")
    table: Name | None = Field(None, description="table of the experiments whose published file has it; null: the same")


class Claim(Settings):
    """One sentence of the paper, or ours, as a comparison of two methods.

    It says times x left > right + plus in top-1, in the mean over its datasets, and on each; with `than_on` that
    left - right is larger on some datasets than on others.
    """

    section: str = Field(description="of the paper, with the paragraph or table")
    quote: str = Field("", description="the sentence, word for word; ... where words are left out")
    stated_by: Literal["paper", "us"] = Field("paper", description="us: the paper has no such sentence")
    text: str = Field(description="the claim in one sentence")
    primary: bool = Field(False, description=f"one of the at most {MOST_PRIMARY} that the study is about")
    same_fact_as: Name | None = Field(
        None, description="claim that stands or falls with the same runs: shown under it, and not counted once more"
    )
    note: str = Field("", description="what a reader must know of how it is tested")
    table: Name = Field(description="table of the experiments that has both methods")
    left: str = Field(description="method that is said to be better")
    right: str = Field(description="method that is said to be worse")
    datasets: tuple[Name, ...] = Field((), description="empty: all of the table's")
    than_on: tuple[Name, ...] = Field(
        (), description="not empty: left - right is larger on `datasets` than on these, in the means and pair by pair"
    )
    times: float = Field(1.0, gt=0, description="factor of the left accuracy")
    plus: float = Field(0.0, description="percentage points added to the right accuracy")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        named = self.datasets + self.than_on
        if twice := [name for name in dict.fromkeys(named) if named.count(name) > 1]:
            raise ValueError(f"dataset {twice[0]} is named twice")
        if self.left == self.right:
            raise ValueError(f"left and right are both {self.left!r}")
        if self.stated_by == "paper" and not self.quote:
            raise ValueError("a claim of the paper needs its quote: take the sentence, or say that we state it")
        if self.than_on and not self.datasets:
            raise ValueError("than_on needs datasets: name those on which left - right is larger")
        if self.than_on and (self.times, self.plus) != (1, 0):
            raise ValueError("times and plus have no meaning with than_on: leave them out")
        return self

    def parts(self, datasets: tuple[str, ...], titles: Mapping[str, str]) -> tuple[Part, ...]:
        """The claim itself, then its datasets, for a table that has these; `titles` are their names in tables."""
        its = self.datasets or datasets
        if self.than_on:
            pairs = [((one,), (other,)) for one in its for other in self.than_on]
            single = [self._drop(*pair, titles, False) for pair in pairs]
            return (self._drop(its, self.than_on, titles, True), *(single if len(single) > 1 else ()))
        single = [self._compared((name,), titles, False) for name in its]
        return (self._compared(its, titles, True), *(single if len(single) > 1 else ()))

    def _compared(self, datasets: tuple[str, ...], titles: Mapping[str, str], whole: bool) -> Part:
        place = ", ".join(titles[name] for name in datasets)
        label = place if len(datasets) == 1 else "mean"
        place = place if len(datasets) == 1 else f"mean of {place}"
        left = Side(_mean(self.left, datasets, self.times))
        right = Side(_mean(self.right, datasets), self.plus)
        factor = f"{self.times:g} x " if self.times != 1 else ""
        points = f" {'-' if self.plus < 0 else '+'} {abs(self.plus):.1f}" if self.plus else ""
        return Part(whole, label, f"{factor}{self.left} > {self.right}{points}, {place}", left, right)

    def _drop(
        self, datasets: tuple[str, ...], than_on: tuple[str, ...], titles: Mapping[str, str], whole: bool
    ) -> Part:
        left, right = (Side(_mean(self.left, its) + _mean(self.right, its, -1)) for its in (datasets, than_on))
        label = " > ".join(", ".join(titles[name] for name in its) for its in (datasets, than_on))
        return Part(whole, label, f"{self.left} - {self.right}: {label}", left, right)


def _mean(method: str, datasets: tuple[str, ...], times: float = 1.0) -> tuple[Term, ...]:
    return tuple(Term(times / len(datasets), method, name) for name in datasets)


class Untested(Settings):
    """A claim of the paper that our runs cannot decide."""

    section: str = Field(description="of the paper, with the paragraph or table")
    quote: str = Field(description="the sentence, word for word")
    text: str = Field(description="the claim in one sentence")
    reason: str = Field(description="why our runs cannot decide it")


class Claims(Settings):
    """config/claims.yaml."""

    paper: dict[Name, dict[str, PaperRow]] = Field(description="by table and our method: the paper's row")
    margin: Positive = Field(2.0, description="points: methods that are closer are equivalent")
    claims: dict[Name, Claim] = Field(min_length=1, description="by name: those that accuracies decide")
    answered: dict[Name, Answered] = Field({}, description="claims that other records than accuracies answer")
    not_tested: tuple[Untested, ...] = Field((), description="claims that our runs cannot decide")

    @model_validator(mode="after")
    def _facts(self) -> Self:
        for name, claim in self.claims.items():
            other = claim.same_fact_as
            if other is None:
                continue
            if other not in self.claims or other == name:
                raise ValueError(
                    f"claims.{name}.same_fact_as: no other claim {other!r}: {did_you_mean(other, self.claims)}"
                )
            if self.claims[other].same_fact_as or self.claims[other].stated_by != claim.stated_by:
                raise ValueError(f"claims.{name}.same_fact_as: {other!r} heads no facts of its kind: name another")
        return self

    @model_validator(mode="after")
    def _few_primary(self) -> Self:
        primary = [name for name, claim in self.claims.items() if claim.primary]
        if len(primary) > MOST_PRIMARY:
            raise ValueError(
                f"{len(primary)} claims are primary, of at most {MOST_PRIMARY}: take `primary` from {primary[-1]!r}"
            )
        return self
