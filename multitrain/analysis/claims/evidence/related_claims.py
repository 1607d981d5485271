"""Claims about related classes of two datasets, decided by class lists and projection weights."""

import numpy as np

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import Answer, Finding, holds_if
from multitrain.analysis.claims.verdict_rule import FAILS, HOLDS, MIXED, OPEN, holm
from multitrain.analysis.projections.class_relations import WORLD, plain
from multitrain.analysis.projections.projection_weights import Projection
from multitrain.analysis.tables.table4 import published_rows
from multitrain.config.claims import EvidenceClaim

__all__ = ["overlap", "recovery", "same_name"]

LEVEL = 0.05


def overlap(claim: EvidenceClaim, records: Records) -> Answer:
    """The share of the first dataset's classes with a related class in the second is at least the paper's.

    It fails where the share is smaller. Related classes are those that the world lists, on real datasets those of equal
    name.
    """
    source, target = claim.datasets
    projections = records.projections(records.joint(claim, claim.left))
    pair = next(each for each in projections if (each.source, each.target) == (source, target))
    count, classes = int(pair.related.any(axis=0).sum()), len(pair.source_classes)
    stated, stated_of = (records.stated(name) for name in ("actnet_classes_in_k400", "actnet_classes"))
    how = "by the world's design" if pair.relation_from == WORLD else "by name"
    verdict = holds_if(count / classes >= stated / stated_of)
    finding = Finding(
        f"{records.title(source)} in {records.title(target)}", f"{count} of {classes}, {how}", count, verdict
    )
    return Answer((finding,), f"{stated:.0f} of {stated_of:.0f}")


def same_name(claim: EvidenceClaim, records: Records) -> Answer:
    """Some class has a class of equal name in another dataset, and a larger weight from a class of another name.

    It fails where every namesake has the largest weight into its class, and is undetermined where there are none.
    """
    projections, findings = records.projections(records.joint(claim, claim.left)), []
    for seed in dict.fromkeys(each.seed for each in projections):
        ranks = [rank for each in projections if each.seed == seed for rank in namesake_ranks(each)]
        first = sum(rank == 1 for rank in ranks)
        ours = f"{first} of {len(ranks)} namesakes have the largest weight into their class"
        verdict = holds_if(first < len(ranks)) if ranks else OPEN
        findings.append(Finding(f"seed {seed}", ours, first, verdict))
    return Answer(tuple(findings), _namesakes_in_paper(records))


def namesake_ranks(projection: Projection) -> list[int]:
    """Rank, from 1, of the weight from the source class of equal name, for each target class that has one."""
    sources = {plain(name): place for place, name in enumerate(projection.source_classes)}
    ranks = []
    for target, name in enumerate(projection.target_classes):
        if (source := sources.get(plain(name))) is not None:
            row = projection.weight[target]
            ranks.append(1 + int((np.delete(row, source) >= row[source]).sum()))
    return ranks


def _namesakes_in_paper(records: Records) -> str:
    """The pairs of equal name in the paper's Table 4, with their ranks, as text; "" without such a table."""
    projections = records.experiments.projections
    if projections is None or projections.published is None:
        return ""
    rows = published_rows(records.published / projections.published)
    namesakes = [row for row in rows if plain(row["source_class"]) == plain(row["target_class"])]
    return "; ".join(
        f"{row['source_class']}: place {row['rank']} of {records.title(row['source'])} → {records.title(row['target'])}"
        for row in namesakes
    )


def recovery(claim: EvidenceClaim, records: Records) -> Answer:
    """Large weights belong to related classes, in more than half of the ordered pairs of datasets that have any.

    The test: a permutation test for each pair, twice the mean p over seeds, Holm's correction over the pairs. The claim
    fails if the same test of 1 - p rejects for more than half of the pairs; it is mixed if only some pairs show it.
    """
    rows = records.recovery(records.joint(claim, claim.left))
    grouped = rows.groupby(["source", "target"], sort=False)
    names = [f"{records.title(source)} → {records.title(target)}" for source, target in grouped.groups]
    factor = 2 if rows["seed"].nunique() > 1 else 1  # twice the mean of several p values is a p value
    p = grouped["p_value"].mean().to_numpy()
    shown, opposite = (np.array(holm(np.minimum(1, factor * values))) <= LEVEL for values in (p, 1 - p))
    precision, chance = (100 * grouped[key].mean().mean() for key in ("average_precision", "chance_average_precision"))
    if shown.mean() > 0.5 or opposite.mean() > 0.5:
        verdict = HOLDS if shown.mean() > 0.5 else FAILS
    else:
        verdict = MIXED if shown.any() else OPEN
    ours = (
        f"{shown.sum()} of {len(names)} pairs of datasets; average precision {precision:.1f}%, {chance:.1f}% by chance"
    )
    not_shown = ", ".join(name for name, is_shown in zip(names, shown, strict=True) if not is_shown)
    return Answer((Finding("p ≤ 0.05", f"{ours}; not shown for {not_shown or 'none'}", int(shown.sum()), verdict),))
