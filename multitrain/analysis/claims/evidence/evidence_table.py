"""evidence.csv: verdicts on claims that other records than accuracies decide."""

from collections.abc import Callable
from pathlib import Path

from multitrain.analysis.claims.evidence import (
    cost_claims,
    history_claims,
    printed_claims,
    related_claims,
    spectrum_claims,
)
from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import FILE, Answer
from multitrain.analysis.render.columns import EVIDENCE
from multitrain.analysis.render.table_files import Rows, write_rows
from multitrain.analysis.study.run_names import yes_no
from multitrain.config.claims import Claims, EvidenceClaim
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["write_evidence"]

KINDS: dict[str, Callable[[EvidenceClaim, Records], Answer]] = {
    "test_cost": cost_claims.test_cost,
    "training_cost": cost_claims.training_cost,
    "parameters": cost_claims.parameters,
    "collapse": spectrum_claims.collapse,
    "loss": history_claims.loss,
    "spread": history_claims.spread,
    "setback": history_claims.setback,
    "overlap": related_claims.overlap,
    "same_name": related_claims.same_name,
    "recovery": related_claims.recovery,
    "printed": printed_claims.printed,
}


def write_evidence(
    scale: Scale, experiments: Experiments, claims: Claims, seeds: tuple[int, ...], results: Path, published: Path
) -> None:
    """Write <results>/evidence.csv: a row for each part of each claim in `evidence_claims` in claims.yaml."""
    records = Records(scale, experiments, claims, seeds, results, published)
    rows = [row for name, claim in claims.evidence_claims.items() for row in _rows(name, claim, records)]
    write_rows(results / FILE, rows, EVIDENCE)


def _rows(name: str, claim: EvidenceClaim, records: Records) -> Rows:
    answer = KINDS[claim.kind](claim, records)
    shared = {
        "claim": name,
        **{key: getattr(claim, key) for key in ("section", "quote", "text", "note", "kind", "left", "right")},
        "bound": claim.bound,
        "paper": answer.paper,
        "claim_verdict": answer.verdict,
        "seeds": records.seeds,
        "scale": records.scale.name,
        "synthetic": yes_no(records.synthetic),
    }
    return [
        {**shared, "part": each.part, "ours": each.ours, "value": each.value, "verdict": each.verdict}
        for each in answer.findings
    ]
