"""Claims about operations and parameters, decided by the networks of the runs (networks.csv)."""

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import Answer, Finding, holds_if
from multitrain.config.claims import EvidenceClaim

__all__ = ["parameters", "test_cost", "training_cost"]

ROUNDING = 1e-8  # relative error of a difference of two numbers with ten digits


def test_cost(claim: EvidenceClaim, records: Records) -> Answer:
    """Y_k of the left network needs no more operations before its head than Y_k of the right one, on each dataset.

    The heads' operations are shown beside: their layers are a choice of the recipe, a hundred-thousandth of the cost.
    It fails where Y_k depends on projections, another dataset's head or the expander, or the left clips are larger.
    """
    findings = []
    for dataset in records.datasets(claim):
        runs = (records.run(claim, name, dataset) for name in (claim.left, claim.right))
        left, right = (records.network(run).loc[dataset] for run in runs)
        mine, theirs = (network["gflops"] - network["gflops_head"] for network in (left, right))
        ours = f"{mine:.6g} and {theirs:.6g} gFLOPs, heads {left['gflops_head']:.3g} and {right['gflops_head']:.3g}"
        findings.append(Finding(records.title(dataset), ours, mine - theirs, holds_if(mine <= theirs * (1 + ROUNDING))))
    whole = f"{left['gflops_whole']:.6g} gFLOPs with all heads and the expander, as evaluation carries it out"
    return Answer((*findings, Finding("whole forward pass", whole)), _printed(claim, records))


def training_cost(claim: EvidenceClaim, records: Records) -> Answer:
    """A training step of the left run takes at most 1 + bound times the operations of the right one, per clip.

    It fails where the informative loss needs another forward pass, as with statistics over several micro-batches.
    """
    runs = (records.joint(claim, method) for method in (claim.left, claim.right))
    left, right = (records.network(run)["gflops_step"].iloc[0] for run in runs)
    more = left / right - 1
    ours = f"{left:.6g} and {right:.6g} gFLOPs a clip, {100 * more:+.2f}%"
    return Answer((Finding("a training step", ours, more, holds_if(more <= claim.bound)),))


def parameters(claim: EvidenceClaim, records: Records) -> Answer:
    """One left network for all datasets needs fewer parameters for its scores than the right networks together.

    It fails where the heads are larger than the backbones that are saved.
    """
    runs = {
        method: dict.fromkeys(records.run(claim, method, name) for name in records.datasets(claim))
        for method in (claim.left, claim.right)
    }
    findings = []
    for part, key, decides in (("at test time", "parameters_needed", True), ("trained", "parameters", False)):
        mine, theirs = (sum(records.network(run)[key].iloc[0] for run in names) for names in runs.values())
        ours = f"{mine:,.0f} and {theirs:,.0f}"
        findings.append(Finding(part, ours, mine / theirs, holds_if(mine < theirs) if decides else ""))
    return Answer(tuple(findings))


def _printed(claim: EvidenceClaim, records: Records) -> str:
    """The cost that the paper prints for both methods, as text."""
    rows = [records.claims.paper.get(claim.table, {}).get(method) for method in (claim.left, claim.right)]
    if None in rows:
        return ""
    costs = [
        next(iter(records.paper(row.table or claim.table, row.method).values())).get("gflops") for row in rows if row
    ]
    return f"{costs[0]} and {costs[1]} gFLOPs" if all(costs) else ""
