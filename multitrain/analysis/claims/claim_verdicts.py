"""The paper's claims decided by our runs: a paired contrast, its interval, and a verdict by one rule for all."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from multitrain.analysis.claims import claims_page
from multitrain.analysis.claims.claim_numbers import Numbers, Ours, compare
from multitrain.analysis.claims.evidence.evidence_results import FILE
from multitrain.analysis.claims.verdict_rule import AIM, NOT_RUN, Decision, decide, joined
from multitrain.analysis.render.columns import CLAIMS, EVIDENCE
from multitrain.analysis.render.table_files import Row, Rows, read_rows, settled, write_rows, write_text
from multitrain.common.errors import UserError
from multitrain.config.claims import Claim, Claims, Part
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_claims"]

FORMS = ("", "_projected")  # of columns: by Y_k, and by Y'_k where a method has projections


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
    evidence = read_rows(results / FILE, tuple(EVIDENCE)) if claims.answered else []
    write_text(results / "claims.md", claims_page.render(claims, scale, seeds, rows, evidence))
    write_rows(results / "claims.csv", rows, CLAIMS)


def _test(name: str, claim: Claim, numbers: Numbers) -> list[Tested]:
    """The parts of a claim, itself first."""
    titles = {key: dataset.title for key, dataset in numbers.scale.datasets.items()}
    said: Row = {"claim": name, "section": claim.section, "stated_by": claim.stated_by, "text": claim.text}
    said |= {
        "margin": numbers.claims.margin,
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
        **{"seeds": seeds, "missing": "; ".join(numbers.missing(claim.table, part))},
        "scale": numbers.scale.name,
    }
    left, right = (side.value(partial(numbers.paper, claim.table)) for side in part.sides)
    difference = None if left is None or right is None else left - right
    named = zip(("paper_left", "paper_right", "paper_difference"), (left, right, difference), strict=True)
    row |= named
    if not seeds:
        return Tested(part, row | {"verdict": NOT_RUN}, difference, {})
    worlds = numbers.cells(claim.table, part, seeds)
    answers = [its for cells in worlds for its in cells.values()]
    clips = [{dataset: len(its.labels) for (_, dataset), its in cells.items()} for cells in worlds]
    videos = [{dataset: len(set(its.videos)) for (_, dataset), its in cells.items()} for cells in worlds]
    row |= {
        "clips": tuple(sum(each[name] for each in clips) for name in part.datasets),
        "videos": tuple(sum(each[name] for each in videos) for name in part.datasets),
        "synthetic": "yes" if any(its.synthetic for its in answers) else "no",
        "code": " ".join(sorted({code for its in answers for code in its.code})),
    }
    forms = FORMS if any(its.projected is not None for its in answers) else FORMS[:1]
    return Tested(part, row, difference, {form: compare(part, worlds, projected=bool(form)) for form in forms})


def _rows(tested: dict[str, list[Tested]], claims: Claims) -> Rows:
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
    return settled(rows, CLAIMS)


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
    decided: dict[tuple[str, int], Decision] = {}
    for its in families:
        bounded = {key for key in its if key[0] not in plain}
        decided |= decide(its, claims.margin / 100, bounded)
    return decided


def _cells(tested: Tested, decision: Decision, form: str) -> Row:
    """A decision as cells of the CSV; only Y_k's has the error and its part by seeds."""
    ours, its = tested.ours[form], decision.estimate
    prefix = "" if form else "ours_"
    cells: Row = {f"{prefix}left": ours.left, f"{prefix}right": ours.right, "difference": 100 * its.value}
    if its.error:  # where no answer differs from another there is no spread to make an interval of
        cells |= zip(("low", "high"), (100 * bound for bound in its.interval), strict=True)
    cells |= {"p_value": its.p_value if its.seeds > 1 else None, "p_adjusted": decision.p_adjusted}
    cells |= {"p_equivalent": decision.p_equivalent, "verdict": decision.verdict}
    if tested.paper is not None:
        cells["holds_if_paper_right"] = decision.power(tested.paper / 100)
    if its.by_world:
        cells["by_world"] = tuple(100 * value for value in its.by_world)
    if not form:
        cells |= {"holds_if_aimed": decision.power(AIM / 100), "standard_error": 100 * its.error}
        cells |= {"seeds_error": 100 * its.seeds_error, "difference_std": None if its.std is None else 100 * its.std}
    return {f"{key}{form}": value for key, value in cells.items()}
