"""The paper's claims decided by our runs: a paired contrast, its interval, and a verdict by one rule for all."""

import csv
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from multitrain.analysis import claims_markdown
from multitrain.analysis.claims_numbers import Numbers, Ours, compare
from multitrain.analysis.evidence.found import read_evidence
from multitrain.analysis.verdicts import AIM, NOT_RUN, Decision, decide, joined
from multitrain.claims import Claim, Claims, Part
from multitrain.config import Scale
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.files import atomic

FORMS = ("", "_projected")  # of columns: by Y_k, and by Y'_k where a method has projections
COLUMNS = (
    *(
        "claim",
        "section",
        "quote",
        "stated_by",
        "primary",
        "same_fact_as",
        "text",
        "scope",
        "part",
        "label",
        "datasets",
    ),
    *("paper_left", "paper_right", "paper_difference"),
    *(
        "ours_left",
        "ours_right",
        "difference",
        "low",
        "high",
        "standard_error",
        "seeds_error",
        "difference_std",
    ),  # of Y_k
    *("p_value", "p_adjusted", "p_equivalent", "verdict", "holds_if_paper_right", "holds_if_aimed"),
    *("left_projected", "right_projected", "difference_projected", "low_projected", "high_projected"),
    *("p_value_projected", "p_adjusted_projected", "p_equivalent_projected"),
    *("verdict_projected", "holds_if_paper_right_projected"),
    *("by_world", "by_world_projected"),  # the difference in each of several worlds
    *("claim_verdict", "claim_verdict_projected", "margin"),
    *("clips", "videos", "seeds", "missing", "scale", "synthetic", "code"),
)
Row = dict[str, str]


@dataclass(frozen=True)
class Tested:
    """A part of a claim, what it is in the paper and, by FORMS, in our runs; the cells that no rule decides."""

    part: Part
    row: Row
    paper: float | None  # difference in points
    ours: dict[str, Ours]


def write_claims(
    scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/claims.csv and .md from the runs in `results` and the paper's tables in `published`.

    claims.md shows evidence.csv as well, which `write_evidence` writes.
    """
    numbers = Numbers(scale, experiments, claims, seeds, results / "runs" / scale.name, published)
    tested = {name: _test(name, claim, numbers) for name, claim in claims.claims.items()}
    rows = _rows(tested, claims)
    if all(row.get("verdict") == NOT_RUN for row in rows):
        claim, each = next((claims.claims[name], its[0]) for name, its in tested.items())
        path = numbers.lacking(claim.table, each.part)
        raise UserError(f"{path}: no such file: `multitrain train` writes it, and no claim has all of its runs")
    evidence = read_evidence(results) if claims.answered else []
    with atomic(results / "claims.md") as temporary:
        temporary.write_text(claims_markdown.render(claims, scale, seeds, rows, evidence), encoding="utf-8")
    with atomic(results / "claims.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _test(name: str, claim: Claim, numbers: Numbers) -> list[Tested]:
    """The parts of a claim, itself first."""
    titles = {key: dataset.title for key, dataset in numbers.scale.datasets.items()}
    said = {"claim": name, "section": claim.section, "stated_by": claim.stated_by, "text": claim.text}
    said |= {
        "margin": f"{numbers.claims.margin:g}",
        "primary": "yes" if claim.primary else "no",
        "same_fact_as": claim.same_fact_as or "",
        "quote": claim.quote,
    }
    parts = claim.parts(numbers.experiments.tables[claim.table].datasets, titles)
    return [_test_part(claim, part, said, numbers) for part in parts]


def _test_part(claim: Claim, part: Part, said: Row, numbers: Numbers) -> Tested:
    seeds = numbers.shared(claim.table, part)
    row = said | {
        **{"scope": "claim" if part.whole else "dataset", "part": part.text, "label": part.label},
        "datasets": " ".join(part.datasets),
        **{"seeds": " ".join(map(str, seeds)), "missing": "; ".join(numbers.missing(claim.table, part))},
        "scale": numbers.scale.name,
    }
    paper = [side.value(partial(numbers.paper, claim.table)) for side in part.sides]
    difference = None if None in paper else paper[0] - paper[1]
    named = zip(("paper_left", "paper_right", "paper_difference"), (*paper, difference), strict=True)
    row |= {key: percent(value) for key, value in named if value is not None}
    if not seeds:
        return Tested(part, row | {"verdict": NOT_RUN}, difference, {})
    worlds = numbers.cells(claim.table, part, seeds)
    answers = [its for cells in worlds for its in cells.values()]
    clips = [{dataset: len(its.labels) for (_, dataset), its in cells.items()} for cells in worlds]
    videos = [{dataset: len(set(its.videos)) for (_, dataset), its in cells.items()} for cells in worlds]
    row |= {
        "clips": " ".join(str(sum(each[name] for each in clips)) for name in part.datasets),
        "videos": " ".join(str(sum(each[name] for each in videos)) for name in part.datasets),
        "synthetic": "yes" if any(its.synthetic for its in answers) else "no",
        "code": " ".join(sorted({code for its in answers for code in its.code})),
    }
    forms = FORMS if any(its.projected is not None for its in answers) else FORMS[:1]
    return Tested(part, row, difference, {form: compare(part, worlds, projected=bool(form)) for form in forms})


def _rows(tested: dict[str, list[Tested]], claims: Claims) -> list[Row]:
    """All rows, with verdicts."""
    decided = {form: _decide(tested, claims, form) for form in FORMS}
    rows = []
    for name, parts in tested.items():
        its = [dict(each.row) for each in parts]
        for form in FORMS:
            for place, (row, each) in enumerate(zip(its, parts, strict=True)):
                if decision := decided[form].get((name, place)):
                    row |= _cells(each, decision, form)
            verdicts = [row[f"verdict{form}"] for row in its if f"verdict{form}" in row]
            if f"verdict{form}" in its[0]:
                whole = joined(*verdicts)
                its = [row | {f"claim_verdict{form}": whole} for row in its]
        rows += its
    return rows


def _decide(tested: dict[str, list[Tested]], claims: Claims, form: str) -> dict[tuple[str, int], Decision]:
    """Decisions by claim and place of the part: primary claims are one family, the others another, and the datasets
    of each claim one of their own.
    """
    families: list[dict] = [{}, {}, *({} for _ in tested)]
    for number, (name, parts) in enumerate(tested.items()):
        for place, each in enumerate(parts):
            if form in each.ours:
                family = (0 if claims.claims[name].primary else 1) if each.part.whole else 2 + number
                families[family][name, place] = each.ours[form].estimate
    plain = {name for name, claim in claims.claims.items() if (claim.times, claim.plus) == (1, 0)}
    decided = {}
    for family in families:
        bounded = {key for key in family if key[0] not in plain}
        decided |= decide(family, claims.margin / 100, bounded)
    return decided


def _cells(tested: Tested, decision: Decision, form: str) -> Row:
    """A decision as cells of the CSV; only Y_k's has the error and its part by seeds."""
    ours, its = tested.ours[form], decision.estimate
    prefix = "" if form else "ours_"
    points = {f"{prefix}left": ours.left, f"{prefix}right": ours.right, "difference": 100 * its.value}
    if its.error:  # where no answer differs from another there is no spread to make an interval of
        points |= zip(("low", "high"), (100 * bound for bound in its.interval), strict=True)
    shares = {"p_value": its.p_value if its.seeds > 1 else None, "p_adjusted": decision.p_adjusted}
    shares |= {"p_equivalent": decision.p_equivalent}
    if tested.paper is not None:
        shares["holds_if_paper_right"] = decision.power(tested.paper / 100)
    if not form:
        shares["holds_if_aimed"] = decision.power(AIM / 100)
    cells = {key: percent(value) for key, value in points.items()} | {"verdict": decision.verdict}
    cells |= {key: f"{value:.4g}" for key, value in shares.items() if value is not None}
    cells |= {"by_world": " ".join(percent(100 * value) for value in its.by_world)} if its.by_world else {}
    if not form:
        cells |= {"standard_error": percent(100 * its.error), "seeds_error": percent(100 * its.seeds_error)}
        cells |= {} if its.std is None else {"difference_std": percent(100 * its.std)}
    return {f"{key}{form}": text for key, text in cells.items()}


def percent(value: float) -> str:
    """With two decimals, and never as -0.00."""
    return f"{round(value, 2) + 0.0:.2f}"
