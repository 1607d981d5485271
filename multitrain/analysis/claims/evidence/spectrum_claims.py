"""Claims about collapse of the embedding, decided by the spectrum of the test clips' features."""

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import Answer, Finding, holds_if
from multitrain.config.claims import EvidenceClaim

__all__ = ["collapse"]

CONSTANT = 0.01  # of the right run's variance: below it the embedding hardly depends on the clip


def collapse(claim: EvidenceClaim, records: Records) -> Answer:
    """z of the left run has collapsed: an effective rank below `bound` times the right run's, or almost no variance.

    The claim fails where z keeps rank and variance. The variance is tested too because a constant z with noise has a
    high rank.
    """
    runs, findings = [records.joint(claim, method) for method in (claim.left, claim.right)], []
    for seed in records.seeds_of(*runs):
        ranks, variances = [], []
        for run in runs:
            rows = records.spectrum(run, seed)
            ranks.append(float(rows["effective_rank"].iloc[0]))
            variances.append(float(rows["eigenvalue"].sum()))
        size = int(rows["dimensions"].iloc[0])
        ours = (
            f"effective rank {ranks[0]:.1f} and {ranks[1]:.1f} of {size}, variance {variances[0]:.3g} and"
            f" {variances[1]:.3g}"
        )
        ratio = ranks[0] / ranks[1] if ranks[1] else float("inf")
        collapsed = ranks[0] < claim.required_bound * ranks[1] or variances[0] < CONSTANT * variances[1]
        findings.append(Finding(f"seed {seed}", ours, ratio, holds_if(collapsed)))
    return Answer(tuple(findings))
