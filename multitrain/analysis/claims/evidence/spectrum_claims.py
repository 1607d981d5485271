"""Claims about the embedding, answered by the spectrum of the test clips' features."""

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import Answer, Finding, holds_if
from multitrain.config.answered_claims import Answered

__all__ = ["collapse"]

STILL = 0.01  # of the right run's variance: less is an embedding that hardly depends on the clip


def collapse(claim: Answered, records: Records) -> Answer:
    """z of the left run has collapsed: an effective rank below `bound` times the right run's, or next to no variance.

    It fails where z keeps its rank and varies. A constant z with noise has a high rank, so the variance is asked too.
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
        collapsed = ranks[0] < claim.required_bound * ranks[1] or variances[0] < STILL * variances[1]
        findings.append(Finding(f"seed {seed}", ours, ratio, holds_if(collapsed)))
    return Answer(tuple(findings))
