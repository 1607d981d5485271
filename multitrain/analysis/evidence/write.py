"""evidence.csv: an answer for each claim that other records than accuracies answer."""

from collections.abc import Callable
from pathlib import Path

from multitrain.analysis.evidence import costs, histories, printed, related, spectra
from multitrain.analysis.evidence.found import COLUMNS, FILE, Answer
from multitrain.analysis.evidence.records import Records
from multitrain.analysis.runs import yes_no
from multitrain.answered import Answered
from multitrain.claims import Claims
from multitrain.common.csv_files import write_csv
from multitrain.config import Scale
from multitrain.experiments import Experiments

KINDS: dict[str, Callable[[Answered, Records], Answer]] = {
    "test_cost": costs.test_cost,
    "training_cost": costs.training_cost,
    "parameters": costs.parameters,
    "collapse": spectra.collapse,
    "loss": histories.loss,
    "spread": histories.spread,
    "setback": histories.setback,
    "overlap": related.overlap,
    "same_name": related.same_name,
    "recovery": related.recovery,
    "printed": printed.printed,
}


def write_evidence(
    scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/evidence.csv: a row a claim and part of `answered` in claims.yaml."""
    records = Records(scale, experiments, claims, seeds, results, published)
    rows = [row for name, claim in claims.answered.items() for row in _rows(name, claim, records)]
    write_csv(results / FILE, COLUMNS, rows)


def _rows(name: str, claim: Answered, records: Records) -> list[dict[str, str]]:
    answer = KINDS[claim.kind](claim, records)
    said = {
        "claim": name,
        **{key: getattr(claim, key) for key in ("section", "quote", "text", "note", "kind", "left", "right")},
        "bound": "" if claim.bound is None else f"{claim.bound:g}",
        "paper": answer.paper,
        "claim_verdict": answer.verdict,
        "seeds": " ".join(map(str, records.seeds)),
        "scale": records.scale.name,
        "synthetic": yes_no(records.synthetic),
    }
    return [
        {
            **said,
            "part": each.part,
            "ours": each.ours,
            "value": "" if each.value is None else f"{each.value:.6g}",
            "verdict": each.verdict,
        }
        for each in answer.findings
    ]
