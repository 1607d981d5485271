"""Verdicts on the paper's claims (claims.csv, claims.md): paired contrasts of our runs and one rule for all."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from multitrain.analysis.claims import claims_page
from multitrain.analysis.claims.claim_numbers import Comparison, Numbers, compare
from multitrain.analysis.claims.evidence.evidence_results import FILE
from multitrain.analysis.claims.verdict_rule import AIM, NOT_RUN, Decision, combined, decide
from multitrain.analysis.render.columns import CLAIMS, EVIDENCE
from multitrain.analysis.render.table_files import Row, Rows, as_printed, read_rows, write_rows, write_text
from multitrain.analysis.study.run_names import yes_no
from multitrain.common.errors import UserError
from multitrain.config.claims import Claim, Claims, Part
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["decide_claims", "write_claims"]

FORMS = ("", "_projected")  # suffixes of columns: by Y_k, and by Y'_k where a method has projections


@dataclass(frozen=True)
class TestedPart:
    """A part of a claim: the paper's difference, our comparison by FORMS, and the cells that need no rule."""

    part: Part
    row: Row
    paper: float | None  # difference in points
    ours: dict[str, Comparison]


def write_claims(
    scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/claims.csv and .md from the runs in `results` and the paper's tables in `published`.

    claims.md also shows evidence.csv, which `write_evidence` writes.
    """
    rows = decide_claims(scale, experiments, claims, seeds, results / "runs" / scale.name, published)
    evidence = read_rows(results / FILE, tuple(EVIDENCE)) if claims.evidence_claims else []
    write_text(results / "claims.md", claims_page.render(claims, scale, seeds, rows, evidence))
    write_rows(results / "claims.csv", rows, CLAIMS)


def decide_claims(
    scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], runs: Path, published: Path
) -> Rows:
    """The rows of claims.csv, by these seeds of the runs in the folder `runs`, one a run.

    Raises:
        UserError: no claim has all of its runs.
    """
    numbers = Numbers(scale, experiments, claims, seeds, runs, published)
    tested = {name: _test(name, claim, numbers) for name, claim in claims.claims.items()}
    rows = _rows(tested, claims)
    if all(row.get("verdict") == NOT_RUN for row in rows):
        name, parts = next(iter(tested.items()))
        path = numbers.missing_record(claims.claims[name].table, parts[0].part)
        raise UserError(f"{path}: no such file: `multitrain train` writes it, and no claim has all of its runs")
    return rows


def _test(name: str, claim: Claim, numbers: Numbers) -> list[TestedPart]:
    """The parts of a claim; the first is the claim itself, and where that is not run none is decided."""
    titles = {key: dataset.title for key, dataset in numbers.scale.datasets.items()}
    shared: Row = {
        **{"claim": name, "section": claim.section, "stated_by": claim.stated_by, "text": claim.text},
        **{"margin": numbers.claims.margin, "primary": yes_no(claim.primary)},
        **{"same_fact_as": claim.same_fact_as or "", "quote": claim.quote},
    }
    parts = claim.parts(numbers.experiments.tables[claim.table].datasets, titles)
    whole, *single = (_test_part(claim, part, shared, numbers) for part in parts)
    if not whole.ours:  # the correction within the claim would be for fewer datasets than it has
        single = [replace(each, row=each.row | {"verdict": NOT_RUN}, ours={}) for each in single]
    return [whole, *single]


def _test_part(claim: Claim, part: Part, shared: Row, numbers: Numbers) -> TestedPart:
    seeds = numbers.shared_seeds(claim.table, part)
    row = shared | {
        **{"scope": "claim" if part.whole else "dataset", "part": part.text, "label": part.label},
        "datasets": " ".join(part.datasets),
        **{"seeds": seeds, "missing": "; ".join(numbers.missing_runs(claim.table, part))},
        "scale": numbers.scale.name,
    }
    left, right = (side.value(partial(numbers.paper, claim.table)) for side in part.sides)
    difference = None if left is None or right is None else left - right
    row |= {"paper_left": left, "paper_right": right, "paper_difference": difference}
    if not seeds:
        return TestedPart(part, row | {"verdict": NOT_RUN}, difference, {})
    worlds = numbers.cells(claim.table, part, seeds)
    answers = [each for cells in worlds for each in cells.values()]
    clips = [{dataset: len(each.labels) for (_, dataset), each in cells.items()} for cells in worlds]
    videos = [{dataset: len(set(each.videos)) for (_, dataset), each in cells.items()} for cells in worlds]
    row |= {
        "clips": tuple(sum(each[name] for each in clips) for name in part.datasets),
        "videos": tuple(sum(each[name] for each in videos) for name in part.datasets),
        "synthetic": yes_no(any(each.synthetic for each in answers)),
        "code": " ".join(sorted({code for each in answers for code in each.code})),
    }
    forms = FORMS if any(each.projected is not None for each in answers) else FORMS[:1]
    return TestedPart(part, row, difference, {form: compare(part, worlds, projected=bool(form)) for form in forms})


def _rows(tested: dict[str, list[TestedPart]], claims: Claims) -> Rows:
    """All rows, with verdicts."""
    decided = {form: _decide(tested, claims, form) for form in FORMS}
    rows = []
    for name, parts in tested.items():
        rows_of_claim = [dict(each.row) for each in parts]
        for form in FORMS:
            for place, (row, each) in enumerate(zip(rows_of_claim, parts, strict=True)):
                if decision := decided[form].get((name, place)):
                    row |= _cells(each, decision, form)
            if f"verdict{form}" in rows_of_claim[0]:
                whole = combined(*(row[f"verdict{form}"] for row in rows_of_claim if f"verdict{form}" in row))
                rows_of_claim = [row | {f"claim_verdict{form}": whole} for row in rows_of_claim]
        rows += rows_of_claim
    return as_printed(rows, CLAIMS)


def _decide(tested: dict[str, list[TestedPart]], claims: Claims, form: str) -> dict[tuple[str, int], Decision]:
    """Decisions by claim and index of the part.

    Families of the correction: the primary claims, the other claims, and the datasets of each claim.
    """
    families: list[dict] = [{}, {}, *({} for _ in tested)]
    for number, (name, parts) in enumerate(tested.items()):
        for place, each in enumerate(parts):
            if form in each.ours:
                index = (0 if claims.claims[name].primary else 1) if each.part.whole else 2 + number
                families[index][name, place] = each.ours[form].estimate
    plain = {name for name, claim in claims.claims.items() if (claim.left_factor, claim.right_offset) == (1, 0)}
    decided: dict[tuple[str, int], Decision] = {}
    for family in families:
        bounded = {key for key in family if key[0] not in plain}
        decided |= decide(family, claims.margin / 100, bounded)
    return decided


def _cells(tested: TestedPart, decision: Decision, form: str) -> Row:
    """Cells of the CSV for a decision; the standard error and its part by seeds for Y_k only."""
    ours, estimate = tested.ours[form], decision.estimate
    prefix = "" if form else "ours_"
    cells: Row = {f"{prefix}left": ours.left, f"{prefix}right": ours.right, "difference": 100 * estimate.value}
    if estimate.error:  # no interval where no answer differs from another
        cells |= zip(("low", "high"), (100 * bound for bound in estimate.interval), strict=True)
    cells |= {"p_value": estimate.p_value if estimate.seeds > 1 else None, "p_adjusted": decision.p_adjusted}
    cells |= {"p_equivalent": decision.p_equivalent, "verdict": decision.verdict}
    if tested.paper is not None:
        cells["holds_if_paper_right"] = decision.power(tested.paper / 100)
    if estimate.by_world:
        cells["by_world"] = tuple(100 * value for value in estimate.by_world)
    if not form:
        cells |= {"holds_if_aimed": decision.power(AIM / 100), "standard_error": 100 * estimate.error}
        cells |= {"seeds_error": 100 * estimate.seeds_error, "seeds_to_decide": decision.seeds_to_decide()}
        cells |= {"difference_std": None if estimate.std is None else 100 * estimate.std}
    return {f"{key}{form}": value for key, value in cells.items()}
