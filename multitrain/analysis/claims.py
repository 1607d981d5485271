"""The paper's claims decided by our runs: a paired contrast, its interval and a verdict for each part of a claim."""

import csv
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from multitrain.analysis import claims_markdown
from multitrain.analysis.answers import Answers, read_answers, require_same_clips
from multitrain.analysis.evidence.found import read_evidence
from multitrain.analysis.metrics import paired_interval
from multitrain.analysis.predictions import read_json
from multitrain.analysis.tables import published_rows
from multitrain.claims import Claim, Claims, Part
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.files import atomic

FEWEST = 100  # clips of a dataset for a verdict
HOLDS, FAILS, OPEN = "holds", "does not hold", "undetermined"
COLUMNS = (
    *("claim", "section", "stated_by", "text", "part", "label", "datasets", "unit"),
    *("paper_left", "paper_right", "paper_difference"),
    *("ours_left", "ours_right", "difference", "low", "high", "verdict", "difference_std"),  # of Y_k
    *("left_projected", "right_projected", "difference_projected"),  # of Y'_k; of Y_k for a method without projections
    *("low_projected", "high_projected", "verdict_projected"),
    *("claim_verdict", "claim_verdict_projected"),
    *("clips", "seeds", "scale", "synthetic", "code"),
)


@dataclass(frozen=True)
class Outcome:
    """What our runs say of a part, in its unit; the interval is None where equality is exact."""

    left: float
    right: float
    difference: float
    interval: tuple[float, float] | None
    verdict: str
    std: float | None = None  # of the difference over seeds


def write_claims(
    scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/claims.csv and .md from the runs in `results` and the paper's tables in `published`.

    claims.md shows evidence.csv as well, which `write_evidence` writes.
    """
    numbers = _Numbers(scale, experiments, claims, seeds, results / "runs" / scale.name, published)
    rows = [row for name, claim in claims.claims.items() for row in _claim_rows(name, claim, numbers)]
    evidence = read_evidence(results) if claims.answered else []
    with atomic(results / "claims.md") as temporary:
        temporary.write_text(claims_markdown.render(claims, scale, rows, evidence), encoding="utf-8")
    with atomic(results / "claims.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def part_verdict(low: float, high: float, clips: int) -> str:
    """A part says that a difference is above 0: what its interval says of that.

    Of too few clips, the fewest of any dataset, and where no resample differs from another, it says nothing.
    """
    if clips < FEWEST or low == high:
        return OPEN
    return HOLDS if low > 0 else FAILS if high < 0 else OPEN


def claim_verdict(parts: list[str]) -> str:
    """A claim holds with all of its parts and falls with any."""
    return FAILS if FAILS in parts else OPEN if OPEN in parts else HOLDS


def compare(part: Part, answers: dict[tuple[str, str], Answers], projected: bool) -> Outcome:
    """A part decided by top-1 in percent; `answers` by method and dataset, of the same clips for each dataset."""
    right = {key: its.right(projected) for key, its in answers.items()}  # (S, N) each
    points = part.left.points - part.right.points
    contrast = [
        sum(term.weight * right[term.method, name] for term in part.terms if term.dataset == name)
        for name in part.datasets
    ]
    # rounded: a sum of fractions that is 0 must not be above or below it by an error of the last bit
    low, high = (round(100 * bound + points, 9) for bound in paired_interval(contrast))
    by_seed = 100 * sum(values.mean(axis=1) for values in contrast) + points  # (S,)
    sides = [side.value(lambda *key: 100 * right[key].mean()) for side in (part.left, part.right)]
    std = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None
    clips = min(values.shape[1] for values in contrast)
    return Outcome(*sides, float(by_seed.mean()), (low, high), part_verdict(low, high, clips), std)


@dataclass(frozen=True)
class _Numbers:
    """The paper's numbers and ours by table, method and dataset; predictions and published tables are read once."""

    scale: Scale
    experiments: Experiments
    claims: Claims
    seeds: tuple[int, ...]
    runs: Path  # <results>/runs/<scale>
    published: Path
    _answers: dict[tuple[str, str], Answers] = field(default_factory=dict)  # by run and dataset
    _rows: dict[Path, list[dict[str, str]]] = field(default_factory=dict)

    def run(self, table: str, method: str, dataset: str) -> str:
        return self.experiments.run_of(self.experiments.tables[table], method, dataset)

    def answers(self, table: str, method: str, dataset: str) -> Answers:
        """What our run of that method answered on that dataset's test clips, a row a seed."""
        key = (self.run(table, method, dataset), dataset)
        if key not in self._answers:
            folders = [self.runs / key[0] / f"seed{seed}" for seed in self.seeds]
            self._answers[key] = read_answers(folders, dataset)
        return self._answers[key]

    def cost(self, table: str, method: str, dataset: str) -> float:
        """GFLOPs of one clip through our model."""
        path = self.runs / "flops.json"
        content = read_json(path, "`multitrain flops --json`")
        size = self.experiments.run(self.run(table, method, dataset)).size
        try:
            return float({each["size"]: each["gflops"] for each in content}[size])
        except (KeyError, TypeError, ValueError):
            raise UserError(f"{path}: no gflops of size {size}: `multitrain flops --json` writes it anew") from None

    def paper(self, table: str, column: str, method: str, dataset: str) -> float | None:
        """The paper's number, or None where it prints none."""
        row = self.claims.paper.get(table, {}).get(method)
        if row is None:
            return None
        path = self.published / self.experiments.tables[row.table or table].published
        if path not in self._rows:
            self._rows[path] = [each for each in published_rows(path) if each["source"] == "published"]
        its = [each for each in self._rows[path] if each["method"] == row.method]
        if not its:
            raise UserError(f"{path}: no method {row.method!r}: paper.{table} in claims.yaml names it for {method!r}")
        text = next((each.get(column) for each in its if each["dataset"] == dataset), None)
        try:
            return float(text) if text else None
        except ValueError:
            raise UserError(f"{path}: {row.method}, {dataset}: {column} is {text!r}: it takes a number") from None


def _claim_rows(name: str, claim: Claim, numbers: _Numbers) -> list[dict[str, str]]:
    titles = {key: dataset.title for key, dataset in numbers.scale.datasets.items()}
    parts = claim.parts(numbers.experiments.tables[claim.table].datasets, titles)
    said = {"claim": name, "section": claim.section, "stated_by": claim.stated_by, "text": claim.text}
    rows = [said | _part_row(claim, part, numbers) for part in parts]
    for key in ("verdict", "verdict_projected"):
        if verdicts := [row[key] for row in rows if key in row]:
            rows = [row | {f"claim_{key}": claim_verdict(verdicts)} for row in rows]
    return rows


def _part_row(claim: Claim, part: Part, numbers: _Numbers) -> dict[str, str]:
    """What a row says of the part alone."""
    answers = {
        (term.method, term.dataset): numbers.answers(claim.table, term.method, term.dataset) for term in part.terms
    }
    for dataset in part.datasets:
        require_same_clips([its for (_, where), its in answers.items() if where == dataset])
    clips = {dataset: len(its.labels) for (_, dataset), its in answers.items()}
    row = {
        **{"part": part.text, "label": part.label, "datasets": " ".join(part.datasets)},
        "clips": " ".join(str(clips[name]) for name in part.datasets),
        "seeds": " ".join(map(str, numbers.seeds)),
        "scale": numbers.scale.name,
        "synthetic": "yes" if any(its.synthetic for its in answers.values()) else "no",
        "code": " ".join(sorted({code for its in answers.values() for code in its.code})),
        **_paper_figures(claim, part, numbers),
    }
    if claim.kind == "cost":
        left, right = (side.value(partial(numbers.cost, claim.table)) for side in (part.left, part.right))
        outcome = Outcome(left, right, left - right, None, HOLDS if left == right else FAILS)
        return row | {"unit": "gflops"} | _our_figures(outcome, gflops)
    row |= {"unit": "percent"} | _our_figures(compare(part, answers, projected=False), percent)
    if any(its.projected is not None for its in answers.values()):
        row |= _our_figures(compare(part, answers, projected=True), percent, "_projected")
    return row


def _paper_figures(claim: Claim, part: Part, numbers: _Numbers) -> dict[str, str]:
    """Both sides and their difference, as far as the paper prints the numbers."""
    column, text = ("gflops", gflops) if claim.kind == "cost" else ("top1", percent)
    number = partial(numbers.paper, claim.table, column)
    left, right = (side.value(number) for side in (part.left, part.right))
    difference = None if left is None or right is None else left - right
    values = {"paper_left": left, "paper_right": right, "paper_difference": difference}
    return {key: text(value) for key, value in values.items() if value is not None}


def _our_figures(outcome: Outcome, text: Callable[[float], str], suffix: str = "") -> dict[str, str]:
    """An outcome as cells of the CSV; only Y_k's, without a suffix, has a spread over seeds."""
    ours = "" if suffix else "ours_"
    values = {
        f"{ours}left{suffix}": outcome.left,
        f"{ours}right{suffix}": outcome.right,
        f"difference{suffix}": outcome.difference,
    }
    if outcome.interval:
        values |= zip((f"low{suffix}", f"high{suffix}"), outcome.interval, strict=True)
    if outcome.std is not None and not suffix:
        values["difference_std"] = outcome.std
    return {key: text(value) for key, value in values.items()} | {f"verdict{suffix}": outcome.verdict}


def percent(value: float) -> str:
    """With two decimals, and never as -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"


def gflops(value: float) -> str:
    """With six significant digits."""
    return f"{value:.6g}"
