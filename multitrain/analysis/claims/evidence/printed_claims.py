"""Claims against published methods, decided by the paper's own tables and, on real datasets, by our runs."""

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import NOT_COMPARABLE, Answer, Finding
from multitrain.analysis.claims.verdict_rule import FAILS, HOLDS, OPEN
from multitrain.common.errors import UserError
from multitrain.config.claims import EvidenceClaim

__all__ = ["printed"]


def printed(claim: EvidenceClaim, records: Records) -> Answer:
    """On each dataset the left method is above the published one, at no more than `bound` times its cost.

    Our runs are compared with published numbers on real datasets only. The claim fails there if the interval is below
    the published number.
    """
    row = records.claims.paper.get(claim.table, {}).get(claim.left)
    if row is None:
        raise UserError(f"claims.yaml: paper.{claim.table} names no published row for {claim.left!r}: add it")
    mine, theirs = records.paper(row.table or claim.table, row.method), records.paper(claim.table, claim.right)
    findings, differences = [], []
    for dataset in records.datasets(claim):
        if not (theirs.get(dataset, {}).get("top1") and mine.get(dataset, {}).get("top1")):
            continue
        number = float(theirs[dataset]["top1"])
        differences.append(f"{records.title(dataset)} {float(mine[dataset]['top1']) - number:+.1f}")
        findings.append(_compared(claim, records, dataset, number))
    if not findings:
        raise UserError(f"claims.yaml: {claim.right!r} has no number on a dataset of {claim.left!r}: name others")
    cost = float(next(iter(mine.values()))["gflops"]) / float(next(iter(theirs.values()))["gflops"])
    within = "" if claim.bound is None or cost <= claim.bound else f", above {claim.bound:g}"
    return Answer(tuple(findings), f"{', '.join(differences)}; {cost:.2f} of its cost{within}")


def _compared(claim: EvidenceClaim, records: Records, dataset: str, number: float) -> Finding:
    """Our number on a dataset compared with a published one."""
    title = records.title(dataset)
    if records.synthetic:
        return Finding(title, "", None, NOT_COMPARABLE)
    row = records.ours(claim.table, claim.left)[dataset]
    top1, low, high = (float(row[key]) for key in ("top1", "top1_low", "top1_high"))
    verdict = HOLDS if low > number else FAILS if high < number else OPEN
    return Finding(title, f"{top1:.1f} [{low:.1f}, {high:.1f}] and {number:.1f}", top1 - number, verdict)
