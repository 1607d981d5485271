"""Claims about how training went, answered by the recorded steps; windows are epochs, each of which sees every clip."""

import numpy as np
import pandas as pd

from multitrain.analysis.evidence.found import OPEN, Answer, Finding, holds_if
from multitrain.analysis.evidence.records import Records
from multitrain.answered import Answered

FEWEST = 4  # epochs for a verdict


def loss(claim: Answered, records: Records) -> Answer:
    """The classification loss of the last epoch is at least `bound` times that of the first: nothing was learned.

    The sum of L_k over the datasets decides: Eq. 6's total falls by its sigma alone where L_k stands still. The total
    is shown. It fails where the loss falls by more.
    """
    findings = []
    for seed in records.seeds:
        steps = records.history(records.joint(claim, claim.left), seed)
        epochs = by_epoch(steps)
        summed = epochs.filter(like="classification.").sum(axis=1).to_numpy()  # NaN of absent datasets counts 0
        total = epochs["total"].to_numpy()
        ours = f"sum of Lₖ {summed[0]:.3f} → {summed[-1]:.3f}, total {total[0]:.3f} → {total[-1]:.3f}"
        left = float(summed[-1] / summed[0])
        findings.append(_of_seed(seed, ours, left, epochs, left >= claim.bound))
    return Answer(tuple(findings))


def spread(claim: Answered, records: Records) -> Answer:
    """The variance term of the last epoch is at most `bound`: dimensions of Z' deviate by about 1, as it asks.

    L^v is 1 where nothing varies and 0 where every dimension's deviation is 1 or more. It fails where it stays high.
    """
    findings = []
    for seed in records.seeds:
        epochs = by_epoch(records.history(records.joint(claim, claim.left), seed))
        first, last = epochs["variance"].to_numpy()[[0, -1]]
        findings.append(_of_seed(seed, f"Lᵛ {first:.3f} → {last:.3f}", float(last), epochs, last <= claim.bound))
    return Answer(tuple(findings))


def setback(claim: Answered, records: Records) -> Answer:
    """The loss of some dataset rises again by at least `bound` of what it had fallen by: the training is unstable.

    It fails where the loss of every dataset goes down with smaller setbacks.
    """
    findings = []
    for seed in records.seeds:
        epochs = by_epoch(records.history(records.joint(claim, claim.left), seed))
        found = {name: largest_setback(epochs[f"classification.{name}"].to_numpy()) for name in records.datasets(claim)}
        worst = max(found, key=found.get)
        risen = "a rise without a fall" if found[worst] == np.inf else f"at most {100 * found[worst]:.1f}%"
        ours = f"{risen} ({records.title(worst)})"
        findings.append(_of_seed(seed, ours, found[worst], epochs, found[worst] >= claim.bound))
    return Answer(tuple(findings))


def by_epoch(steps: pd.DataFrame) -> pd.DataFrame:
    """Means over the recorded steps of each whole epoch, in order."""
    return steps.groupby(np.floor(steps["epoch"]).astype(int), sort=True).mean(numeric_only=True)


def largest_setback(values: np.ndarray) -> float:
    """The largest rise above the lowest value so far, as a share of the whole fall; infinite where nothing fell."""
    lowest = np.minimum.accumulate(values)
    rise, fall = float((values - lowest).max()), float(values[0] - lowest[-1])
    if rise <= 0:
        return 0.0
    return rise / fall if fall > 0 else np.inf


def _of_seed(seed: int, ours: str, value: float, epochs: pd.DataFrame, so: bool) -> Finding:
    if len(epochs) < FEWEST:
        return Finding(f"seed {seed}", f"{ours} ({len(epochs)} epochs)", value, OPEN)
    return Finding(f"seed {seed}", ours, value, holds_if(so))
