"""Settings of the paper's claims (config/claims.yaml), and each claim as linear contrasts of accuracies.

A claim compares two methods of a table. Its first part states `left > right`. Both sides are weighted sums of
accuracies: the sign of left - right decides. A claim about several datasets has a further part for each of them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from multitrain.common.errors import did_you_mean
from multitrain.config.base import Name, Positive, Settings

__all__ = ["STATED", "Claim", "Claims", "EvidenceClaim", "Part"]

MOST_PRIMARY = 8  # claims: more would leave each with little chance to hold
Kind = Literal[
    "test_cost",
    "training_cost",
    "parameters",
    "collapse",
    "loss",
    "spread",
    "setback",
    "overlap",
    "same_name",
    "recovery",
    "printed",
]
STATED = "text.csv"  # in resources/published: numbers that the paper's text gives
WITH_RIGHT = ("test_cost", "training_cost", "parameters", "collapse", "printed")  # kinds that compare two methods
BOUNDED = ("training_cost", "collapse", "loss", "spread", "setback")  # kinds that a bound decides


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
        """The sum, with `number(method, dataset)` for each term; None where one of the numbers is None."""
        total = 0.0
        for term in self.terms:
            value = number(term.method, term.dataset)
            if value is None:
                return None
            total += term.weight * value
        return total + self.points


@dataclass(frozen=True)
class Part:
    """One comparison of a claim: `left > right`."""

    whole: bool  # the claim itself, which decides; else one of its datasets alone
    label: str  # the dataset: K400
    text: str  # MultiTrain > Baseline, K400
    left: Side
    right: Side

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.left, self.right

    @property
    def terms(self) -> tuple[Term, ...]:
        """The contrast left - right, without its points."""
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

    It states left_factor x left > right + right_offset in top-1, for the mean over its datasets and for each of them.
    With `reference_datasets` it states that left - right is larger on `datasets` than on these.
    """

    section: str = Field("", description="of the paper, with the paragraph or table; of a claim of ours, empty")
    quote: str = Field("", description="the sentence, word for word; ... where words are left out")
    stated_by: Literal["paper", "us"] = Field("paper", description="us: the paper has no such sentence")
    text: str = Field(description="the claim in one sentence")
    primary: bool = Field(False, description=f"one of the at most {MOST_PRIMARY} that the study is about")
    same_fact_as: Name | None = Field(
        None, description="claim that the same runs decide: this one is shown below it and not counted again"
    )
    note: str = Field("", description="what a reader must know of how it is tested")
    table: Name = Field(description="table of the experiments that has both methods")
    left: str = Field(description="method that the claim calls better")
    right: str = Field(description="method that the claim calls worse")
    datasets: tuple[Name, ...] = Field((), description="empty: all of the table's")
    reference_datasets: tuple[Name, ...] = Field(
        (), description="not empty: left - right is larger on `datasets` than on these, in the means and pair by pair"
    )
    left_factor: float = Field(1.0, gt=0, description="factor of the left accuracy")
    right_offset: float = Field(0.0, description="percentage points added to the right accuracy")

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        named = self.datasets + self.reference_datasets
        if twice := [name for name in dict.fromkeys(named) if named.count(name) > 1]:
            raise ValueError(f"dataset {twice[0]} is named twice")
        if self.left == self.right:
            raise ValueError(f"left and right are both {self.left!r}")
        if self.stated_by == "paper" and not self.quote:
            raise ValueError("a claim of the paper needs its quote: take the sentence, or say that we state it")
        if self.reference_datasets and not self.datasets:
            raise ValueError("reference_datasets needs datasets: name those on which left - right is larger")
        if self.reference_datasets and (self.left_factor, self.right_offset) != (1, 0):
            raise ValueError("left_factor and right_offset have no meaning with reference_datasets: leave them out")
        return self

    def parts(self, datasets: tuple[str, ...], titles: Mapping[str, str]) -> tuple[Part, ...]:
        """The claim itself, then its datasets, for a table that has these; `titles` are their names in tables."""
        datasets = self.datasets or datasets
        if references := self.reference_datasets:
            whole = self._against_references(datasets, references, titles, True)
            single = [
                self._against_references((one,), (other,), titles, False) for one in datasets for other in references
            ]
        else:
            whole = self._comparison(datasets, titles, True)
            single = [self._comparison((name,), titles, False) for name in datasets]
        return (whole, *(single if len(single) > 1 else ()))

    def _comparison(self, datasets: tuple[str, ...], titles: Mapping[str, str], whole: bool) -> Part:
        place = ", ".join(titles[name] for name in datasets)
        label = place if len(datasets) == 1 else "mean"
        place = place if len(datasets) == 1 else f"mean of {place}"
        left = Side(_mean(self.left, datasets, self.left_factor))
        right = Side(_mean(self.right, datasets), self.right_offset)
        factor = f"{self.left_factor:g} x " if self.left_factor != 1 else ""
        points = f" {'-' if self.right_offset < 0 else '+'} {abs(self.right_offset):.1f}" if self.right_offset else ""
        return Part(whole, label, f"{factor}{self.left} > {self.right}{points}, {place}", left, right)

    def _against_references(
        self, datasets: tuple[str, ...], references: tuple[str, ...], titles: Mapping[str, str], whole: bool
    ) -> Part:
        """The difference left - right on `datasets` against that on `references`."""
        groups = datasets, references
        left, right = (Side(_mean(self.left, group) + _mean(self.right, group, -1)) for group in groups)
        label = " > ".join(", ".join(titles[name] for name in group) for group in groups)
        return Part(whole, label, f"{self.left} - {self.right}: {label}", left, right)


def _mean(method: str, datasets: tuple[str, ...], factor: float = 1.0) -> tuple[Term, ...]:
    return tuple(Term(factor / len(datasets), method, name) for name in datasets)


class Untested(Settings):
    """A claim of the paper that our runs cannot decide."""

    section: str = Field(description="of the paper, with the paragraph or table")
    quote: str = Field(description="the sentence, word for word")
    text: str = Field(description="the claim in one sentence")
    reason: str = Field(description="why our runs cannot decide it")


class EvidenceClaim(Settings):
    """One sentence of the paper that costs, histories, spectra, projections or the paper's own tables decide."""

    section: str = Field(description="of the paper, with the paragraph or table")
    quote: str = Field(description="the sentence, word for word; ... where words are left out")
    text: str = Field(description="what is tested, in one sentence")
    note: str = Field("", description="what a reader must know of how it is tested")
    kind: Kind = Field(
        description="test_cost: operations that Y_k needs, left no more than right; training_cost: operations of a step"
        " of training, left at most 1 + bound times right; parameters: those that Y_k needs, left fewer than right;"
        " collapse:"
        " effective rank of z, left below bound times right; loss: classification loss of the training's last tenth at"
        " least bound times the first's; spread: variance term of the last tenth at most bound; setback: the"
        " classification loss rises again by at least bound of its fall; overlap: classes of the first dataset with a"
        " related one in the second; same_name: a class's namesake has not the largest weight; recovery: large weights"
        " name related classes; printed: the paper's left above a published method, at bound times its cost at most"
    )
    table: Name = Field(description="table of the experiments that has the methods")
    left: str = Field(description="method that the sentence is about")
    right: str = Field("", description="method that it is compared with; kind printed: a method of the published table")
    datasets: tuple[Name, ...] = Field((), description="empty: all of the table's")
    bound: float | None = Field(None, gt=0, description="threshold of the verdict; see kind for its meaning")

    @property
    def required_bound(self) -> float:
        """The bound of a claim whose kind has one."""
        assert self.bound is not None
        return self.bound

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if (self.kind in WITH_RIGHT) != bool(self.right):
            raise ValueError(f"kind {self.kind} {'needs' if self.kind in WITH_RIGHT else 'takes no'} right")
        if self.left == self.right:
            raise ValueError(f"left and right are both {self.left!r}")
        if self.kind in BOUNDED and self.bound is None:
            raise ValueError(f"kind {self.kind} needs a bound")
        if self.bound is not None and self.kind not in (*BOUNDED, "printed"):
            raise ValueError(f"kind {self.kind} takes no bound")
        if self.kind == "overlap" and len(self.datasets) != 2:
            raise ValueError("kind overlap needs two datasets: whose classes, and where related ones are")
        return self


class Claims(Settings):
    """config/claims.yaml."""

    paper: dict[Name, dict[str, PaperRow]] = Field({}, description="by table and our method: the paper's row")
    margin: Positive = Field(2.0, description="points: methods that are closer are equivalent")
    claims: dict[Name, Claim] = Field({}, description="by name: those that differences of accuracies decide")
    evidence_claims: dict[Name, EvidenceClaim] = Field(
        {}, description="by name: those that other records than accuracies decide"
    )
    not_tested: tuple[Untested, ...] = Field((), description="claims that our runs cannot decide")

    @model_validator(mode="after")
    def _same_facts_exist(self) -> Self:
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
