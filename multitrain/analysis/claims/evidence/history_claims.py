"""Claims about the course of training, decided by means over each tenth of the recorded steps."""

import numpy as np
import pandas as pd

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import Answer, Finding, holds_if
from multitrain.analysis.claims.verdict_rule import FAILS, HOLDS, OPEN
from multitrain.config.claims import EvidenceClaim

__all__ = ["loss", "setback", "spread"]

TENTHS = 10
FEWEST = 4  # recorded steps in a tenth for a verdict
ERRORS = 3  # standard errors that a rise has to exceed


def loss(claim: EvidenceClaim, records: Records) -> Answer:
    """The classification loss of the last tenth is at least `bound` times that of the first: nothing was learned.

    The sum of L_k over the datasets decides. Eq. 6's total, shown beside it, can fall by the sigmas alone. The claim
    fails where the loss falls by more.
    """
    run, findings = records.joint(claim, claim.left), []
    for seed in records.seeds_of(run):
        steps = records.history(run, seed)
        (summed, _), (total, _) = tenths(summed_loss(steps)), tenths(steps["total"])
        ours = f"sum of Lₖ {summed[0]:.3f} → {summed[-1]:.3f}, total {total[0]:.3f} → {total[-1]:.3f}"
        left = float(summed[-1] / summed[0])
        findings.append(_of_seed(seed, ours, left, steps, holds_if(left >= claim.required_bound)))
    return Answer(tuple(findings))


def spread(claim: EvidenceClaim, records: Records) -> Answer:
    """The variance term of the last tenth is at most `bound`: the dimensions of Z' have a deviation of about 1.

    L^v is 1 where nothing varies and 0 where every dimension's deviation is 1 or more. The claim fails where L^v stays
    high.
    """
    run, findings = records.joint(claim, claim.left), []
    for seed in records.seeds_of(run):
        steps = records.history(run, seed)
        first, *_, last = tenths(steps["variance"])[0]
        ours = f"Lᵛ {first:.3f} → {last:.3f}"
        findings.append(_of_seed(seed, ours, float(last), steps, holds_if(last <= claim.required_bound)))
    return Answer(tuple(findings))


def setback(claim: EvidenceClaim, records: Records) -> Answer:
    """The classification loss rises again by at least `bound` of its fall: the training is unstable.

    A rise counts if it exceeds ERRORS standard errors. The claim fails if there is no rise of that size, and one would
    have been visible above the noise; else it is undetermined. The sum over the datasets is used: a single L_k depends
    on how many clips of its dataset a step had, which a history does not record.
    """
    run, findings = records.joint(claim, claim.left), []
    for seed in records.seeds_of(run):
        steps = records.history(run, seed)
        rise, fall, noise = largest_setback(*tenths(summed_loss(steps)))
        ours = f"rises by {rise:.3f} ± {noise / ERRORS:.3f} after a fall of {fall:.3f}"
        size = rise / fall if fall > 0 else (np.inf if rise > noise else 0.0)
        verdict = OPEN
        if rise > noise and size >= claim.required_bound:
            verdict = HOLDS
        elif size < claim.required_bound and claim.required_bound * fall > noise:
            verdict = FAILS
        findings.append(_of_seed(seed, ours, size, steps, verdict))
    return Answer(tuple(findings))


def summed_loss(steps: pd.DataFrame) -> pd.Series:
    """Sum of L_k over the run's datasets, the batch's mean loss; columns of other datasets are empty."""
    return steps.filter(regex=r"^classification\.").sum(axis=1)


def tenths(values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Mean of each tenth of the recorded steps and its standard error, (10,) each; fewer than 10 for fewer steps."""
    parts = np.array_split(values.to_numpy(), min(TENTHS, len(values)))
    errors = [part.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.inf for part in parts]
    return np.array([part.mean() for part in parts]), np.array(errors)


def largest_setback(means: np.ndarray, errors: np.ndarray) -> tuple[float, float, float]:
    """Largest rise above the lowest mean before it, total fall from the first mean, and ERRORS standard errors."""
    high = int((means - np.minimum.accumulate(means)).argmax())
    low = int(means[: high + 1].argmin())
    noise = ERRORS * float(np.hypot(errors[high], errors[low]))
    return float(means[high] - means[low]), float(means[0] - means.min()), noise


def _of_seed(seed: int, ours: str, value: float, steps: pd.DataFrame, verdict: str) -> Finding:
    if len(steps) < FEWEST * TENTHS:
        return Finding(f"seed {seed}", f"{ours} ({len(steps)} steps)", value, OPEN)
    return Finding(f"seed {seed}", ours, value, verdict)
