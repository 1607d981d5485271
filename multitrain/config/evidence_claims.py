"""Settings of claims that other records than accuracies decide (config/claims.yaml, `evidence_claims`)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from multitrain.config.base import Name, Settings

__all__ = ["STATED", "EvidenceClaim"]

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
