"""Columns of the CSV files of the results, in order: type of a cell and its format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = [
    "BACKBONES",
    "CLAIMS",
    "COUNT",
    "DEVIATIONS",
    "EVIDENCE",
    "FILES",
    "HALVES",
    "MEASURED",
    "NETWORKS",
    "PER_CLASS",
    "RECOVERY",
    "RECOVERY_SUMMARY",
    "RUNS",
    "SEEDS",
    "SPECTRUM",
    "SWEEP",
    "TABLE",
    "TABLE4",
    "Column",
    "Columns",
]


class Printed(float):
    """A number and its text in a CSV file."""

    text: str

    def __new__(cls, text: str) -> "Printed":
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Column:
    """The type of a column's cells: the text of a value, and the value of a text that is not empty."""

    write: Callable[[Any], str] = str  # of a value of this column
    read: Callable[[str], object] = str

    @property
    def is_number(self) -> bool:
        return self.read in (int, Printed)

    @property
    def is_list(self) -> bool:
        """Whether a cell holds several numbers."""
        return self in (LIST, LIST_OF_POINTS)

    def as_printed(self, value: object) -> object:
        """A number rounded as it is printed, so that every format of a table shows the same digits."""
        return Printed(self.write(value)) if self.read is Printed and not isinstance(value, Printed) else value

    def text(self, value: object) -> str:
        return str(value) if isinstance(value, str | Printed) else self.write(value)


def gflops_text(gflops: float) -> str:
    """As the paper prints them: whole from 100 on, else three significant digits."""
    return f"{gflops:.0f}" if gflops >= 100 else f"{gflops:.3g}"


def _number(spec: str) -> Column:
    return Column(f"{{:{spec}}}".format, Printed)


TEXT = Column()
COUNT = Column(str, int)
GFLOPS = Column(gflops_text, Printed)
POINTS = _number("z.2f")  # percent, or points of accuracy; never -0.00
SHARE = _number(".4g")  # a probability
WEIGHT = _number(".4f")
LIST = Column(lambda values: " ".join(map(str, values)), lambda text: tuple(map(int, text.split())))  # of whole numbers
EACH = Column(lambda values: " / ".join(map(str, values)), lambda text: tuple(text.split(" / ")))  # where runs differ
LIST_OF_POINTS = Column(
    lambda values: " ".join(map(POINTS.write, values)), lambda text: tuple(map(float, text.split()))
)

Columns = Mapping[str, Column]


def _all(kind: Column, names: str) -> dict[str, Column]:
    return dict.fromkeys(names.split(), kind)


TABLE: Columns = {  # of Tables 1 to 3
    "source": TEXT,  # published: the paper's; release: the authors' own, of later; or ours
    **_all(TEXT, "method training_data"),
    "gflops": GFLOPS,
    "dataset": TEXT,
    **_all(POINTS, "top1 top5 top1_low top1_high top5_low top5_high"),  # of Y_k, in percent
    **_all(POINTS, "top1_projected top1_projected_low top1_projected_high"),  # of Y'_k
    **_all(POINTS, "top5_projected top5_projected_low top5_projected_high"),
    "clips": COUNT,
    **_all(EACH, "classes train_clips"),  # of the dataset, as the run trained on it
    **_all(EACH, "epochs steps batch rate"),  # of the run; the rate is the peak
    **_all(TEXT, "scale synthetic"),
    "seeds": LIST,
    **_all(POINTS, "top1_std top5_std"),  # over seeds
    **_all(TEXT, "code processor"),
    "settings": TEXT,  # hash of what decides the scale's numbers, and what a run changes: `1a2b covariance_weight=0`
    "rank_in_paper": TEXT,
}
TABLE4: Columns = {
    "origin": TEXT,  # published or ours
    **_all(TEXT, "run scale synthetic seed source target"),
    "rank": COUNT,
    **_all(TEXT, "source_class target_class"),
    **_all(WEIGHT, "weight scaled"),
    **_all(TEXT, "related relation_from"),
}
CLAIMS: Columns = {
    **_all(TEXT, "claim section quote stated_by primary same_fact_as text scope part label datasets"),
    **_all(POINTS, "paper_left paper_right paper_difference"),
    **_all(POINTS, "ours_left ours_right difference low high standard_error seeds_error difference_std"),  # of Y_k
    **_all(SHARE, "p_value p_adjusted p_equivalent"),
    "verdict": TEXT,
    **_all(SHARE, "holds_if_paper_right holds_if_aimed"),
    "seeds_to_decide": COUNT,
    **_all(POINTS, "left_projected right_projected difference_projected low_projected high_projected"),
    **_all(SHARE, "p_value_projected p_adjusted_projected p_equivalent_projected"),
    "verdict_projected": TEXT,
    "holds_if_paper_right_projected": SHARE,
    **_all(LIST_OF_POINTS, "by_world by_world_projected"),  # the difference in each of several worlds
    **_all(TEXT, "claim_verdict claim_verdict_projected"),
    "margin": _number("g"),
    **_all(LIST, "clips videos seeds"),
    **_all(TEXT, "missing scale synthetic code"),
}
RECOVERY: Columns = {
    **_all(TEXT, "run method scale synthetic"),
    "seed": COUNT,
    **_all(TEXT, "source target"),
    "form": TEXT,  # weight or scaled
    "pairs": COUNT,  # of classes
    "related": COUNT,  # of them
    "chance": WEIGHT,  # related / pairs
    **_all(WEIGHT, "precision_at_5 average_precision chance_average_precision p_value"),
    "permutations": COUNT,
    "relation_from": TEXT,
}
RECOVERY_SUMMARY: Columns = {
    "run": TEXT,  # or ALL
    **_all(TEXT, "scale synthetic"),
    "seeds": LIST,
    "form": TEXT,
    "ordered_pairs": COUNT,  # of datasets, with a related class pair; the means are over these
    **_all(WEIGHT, "precision_at_5 average_precision chance chance_average_precision"),
    "ahead": COUNT,  # ordered pairs where this form's average precision is the higher one
    "tests": COUNT,  # ordered pairs times seeds (and runs)
    "significant": COUNT,  # of the tests, those with p <= 0.05
    **_all(WEIGHT, "difference difference_low difference_high"),  # average precision, scaled - weight
    "verdict": TEXT,  # scaled, weight or undecided
}
PER_CLASS: Columns = {
    **_all(TEXT, "table dataset title class"),
    "clips": COUNT,
    **_all(TEXT, "baseline method"),  # names of the two rows of the table
    **_all(POINTS, "top1_baseline top1"),  # of Y_k, in percent, the mean over seeds
    **_all(POINTS, "gain gain_low gain_high"),  # top1 - top1_baseline, in points, with its interval
    **_all(POINTS, "top1_projected gain_projected gain_projected_low gain_projected_high"),  # of the method's Y'_k
    "seeds": LIST,
    **_all(TEXT, "scale synthetic"),
}
SPECTRUM: Columns = {
    **_all(TEXT, "run method"),
    "seed": COUNT,
    "space": TEXT,  # z or z'
    "index": COUNT,
    **_all(_number(".6g"), "eigenvalue share"),
    **_all(WEIGHT, "effective_rank participation_ratio"),
    **_all(COUNT, "dimensions views"),
    **_all(TEXT, "scale synthetic"),
}
SEEDS: Columns = {  # a training's answers on a dataset
    **_all(TEXT, "run method dataset"),
    "seed": COUNT,
    "world": TEXT,
    **_all(COUNT, "clips videos"),
    "top1": POINTS,  # of Y_k, in percent
    **_all(POINTS, "top1_mean top1_low top1_high"),  # of all seeds of the run
    **_all(TEXT, "scale synthetic"),
    "top1_projected": POINTS,  # of Y'_k, where the run has it
}
MEASURED: Columns = {
    **_all(TEXT, "kind run method dataset"),  # trial, doubling, spread, note.plateau, note.spread
    "seed": COUNT,
    **_all(POINTS, "epochs_factor top1 std"),
    "change": _number("z.4f"),  # points; rounded again where it is shown, as the tables round the exact one
    **_all(TEXT, "seeds text scale"),  # how many seeds of a doubling, which of a spread
}
RUNS: Columns = {
    **_all(TEXT, "run method"),
    "seed": COUNT,
    **_all(TEXT, "world trained datasets"),
    "clips": COUNT,
    "epochs": TEXT,
    **_all(COUNT, "steps skipped"),  # skipped: steps whose gradient was not finite
    "hours": WEIGHT,  # core-hours of the training on a processor, accelerator-hours on an accelerator
    **_all(TEXT, "device processor precision code commit"),
    "differs": TEXT,  # the first setting that is not the design's
    **_all(TEXT, "scale synthetic"),
}
DEVIATIONS: Columns = _all(TEXT, "kind what scale")
NETWORKS: Columns = {
    **_all(TEXT, "run dataset"),
    "gflops": _number(".10g"),  # of one clip, of the parts that Y_k of the dataset depends on
    "gflops_head": _number(".10g"),  # of them those of the dataset's own head
    "gflops_whole": _number(".10g"),  # of one clip, of the whole forward pass
    "gflops_step": _number(".10g"),  # of one clip in a training step
    "parameters": COUNT,  # all that are trained
    "parameters_needed": COUNT,  # those that the Y_k of some dataset depend on
    "scale": TEXT,
}
EVIDENCE: Columns = {
    **_all(TEXT, "claim section quote text note kind left right"),
    "bound": _number("g"),
    **_all(TEXT, "paper part ours"),
    "value": _number(".6g"),  # what is held against the bound
    **_all(TEXT, "verdict claim_verdict"),
    "seeds": LIST,
    **_all(TEXT, "scale synthetic"),
}
SWEEP: Columns = {
    **_all(TEXT, "scale exploratory factor value point method dataset"),
    **_all(POINTS, "gain low high"),
    "by_seed": LIST_OF_POINTS,  # the gain
    "baseline": POINTS,
    "seeds": LIST,
    "clips": COUNT,
}
BACKBONES: Columns = {
    **_all(TEXT, "left right backbone dataset label"),  # backbone: or `difference`, the second's minus the first's
    **_all(POINTS, "difference low high"),  # left - right
    "seeds": LIST,
    "clips": COUNT,
    **_all(TEXT, "scale synthetic"),
}
HALVES: Columns = {
    **_all(TEXT, "claim text primary same_fact_as scope label agreement"),
    **_all(POINTS, "difference_first low_first high_first"),
    "verdict_first": TEXT,
    "seeds_first": LIST,
    **_all(POINTS, "difference_second low_second high_second"),
    "verdict_second": TEXT,
    "seeds_second": LIST,
    **_all(POINTS, "apart apart_low apart_high"),  # difference_first - difference_second
    **_all(TEXT, "scale synthetic"),
}
FILES: Mapping[str, Columns] = {
    **dict.fromkeys(("table1.csv", "table2.csv", "table3.csv"), TABLE),
    "table4.csv": TABLE4,
    "claims.csv": CLAIMS,
    "projection_recovery.csv": RECOVERY,
    "projection_recovery_summary.csv": RECOVERY_SUMMARY,
    "per_class.csv": PER_CLASS,
    "spectrum.csv": SPECTRUM,
    "seeds.csv": SEEDS,
    "measured.csv": MEASURED,
    "runs.csv": RUNS,
    "deviations.csv": DEVIATIONS,
    "networks.csv": NETWORKS,
    "evidence.csv": EVIDENCE,
    "when_it_helps.csv": SWEEP,
    "backbones.csv": BACKBONES,
    "halves.csv": HALVES,
    "classes.csv": {"class": TEXT, **_all(COUNT, "train val test"), "seconds_mean": POINTS},  # of the survey
    "durations.csv": {"split": TEXT, **_all(POINTS, "lower upper"), "clips": COUNT},
    "missing.csv": {"reason": TEXT, "clips": COUNT},
    "text.csv": {"statement": TEXT, "value": SHARE},  # of the paper
    "curves.parquet": {"seed": COUNT, **_all(WEIGHT, "share loss")},  # those that are numbers
    "training.parquet": {
        **_all(COUNT, "seed step clips"),
        **_all(WEIGHT, "epoch total variance covariance gradient_norm rate"),
    },
    "projections.parquet": {"seed": COUNT, "weight": WEIGHT},
    "class_means.parquet": _all(COUNT, "label clips"),
}
