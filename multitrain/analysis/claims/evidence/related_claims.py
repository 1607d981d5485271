"""Claims about classes of several datasets, answered by projection weights and by what is known of the classes."""

import numpy as np

from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import FAILS, HOLDS, MIXED, OPEN, Answer, Finding, holds_if
from multitrain.analysis.projections.class_relations import WORLD, plain
from multitrain.analysis.projections.projection_weights import Projection
from multitrain.analysis.tables.table4 import published_rows
from multitrain.config.answered_claims import Answered

__all__ = ["overlap", "recovery", "same_name"]

LEVEL = 0.05


def overlap(claim: Answered, records: Records) -> Answer:
    """At least as large a share of the first dataset's classes as the paper states has a related one in the second.

    It fails where fewer have. What is related is the world's own list, or on real datasets classes of one name.
    """
    of, into = claim.datasets
    found = records.projections(records.joint(claim, claim.left))
    pair = next(each for each in found if (each.source, each.target) == (of, into))
    count, classes = int(pair.related.any(axis=0).sum()), len(pair.source_classes)
    stated, stated_of = (records.stated(name) for name in ("actnet_classes_in_k400", "actnet_classes"))
    how = "by the world's design" if pair.relation_from == WORLD else "by name"
    verdict = holds_if(count / classes >= stated / stated_of)
    finding = Finding(f"{records.title(of)} in {records.title(into)}", f"{count} of {classes}, {how}", count, verdict)
    return Answer((finding,), f"{stated:.0f} of {stated_of:.0f}")


def same_name(claim: Answered, records: Records) -> Answer:
    """Of classes with a namesake in another dataset, some have a larger weight from a class of another name.

    It fails where every namesake has the largest weight into its class, and is undetermined where there are none.
    """
    found, findings = records.projections(records.joint(claim, claim.left)), []
    for seed in dict.fromkeys(each.seed for each in found):
        its = [each for each in found if each.seed == seed]
        ranks = [rank for each in its for rank in namesake_ranks(each)]
        first = sum(rank == 1 for rank in ranks)
        ours = f"{first} of {len(ranks)} namesakes have the largest weight into their class"
        verdict = holds_if(first < len(ranks)) if ranks else OPEN
        findings.append(Finding(f"seed {seed}", ours, first, verdict))
    return Answer(tuple(findings), _namesakes_in_paper(records))


def namesake_ranks(found: Projection) -> list[int]:
    """For each target class with a source class of its name: that one's place among the weights into it, from 1."""
    sources = {plain(name): place for place, name in enumerate(found.source_classes)}
    ranks = []
    for target, name in enumerate(found.target_classes):
        if (source := sources.get(plain(name))) is not None:
            row = found.weight[target]
            ranks.append(1 + int((np.delete(row, source) >= row[source]).sum()))
    return ranks


def _namesakes_in_paper(records: Records) -> str:
    """The pairs of one name among those that the paper's Table 4 lists."""
    rows = published_rows(records.published / records.experiments.projections.published)
    its = [row for row in rows if plain(row["source_class"]) == plain(row["target_class"])]
    return "; ".join(
        f"{row['source_class']}: place {row['rank']} of {records.title(row['source'])} → {records.title(row['target'])}"
        for row in its
    )


def recovery(claim: Answered, records: Records) -> Answer:
    """Large weights name related classes, for more than half of the ordered pairs of datasets that have any.

    By the permutation test of each pair, twice the mean p over seeds, Holm's correction over the pairs. It fails where
    for more than half the weights name unrelated classes, by the same test of 1 - p; mixed where some pairs show it.
    """
    rows = records.recovery(records.joint(claim, claim.left))
    grouped = rows.groupby(["source", "target"], sort=False)
    names = [f"{records.title(of)} → {records.title(into)}" for of, into in grouped.groups]
    several = 2 if rows["seed"].nunique() > 1 else 1
    p = grouped["p_value"].mean().to_numpy()
    shown, opposite = (holm(np.minimum(1, several * values)) <= LEVEL for values in (p, 1 - p))
    precision, chance = (100 * grouped[key].mean().mean() for key in ("average_precision", "chance_average_precision"))
    if shown.mean() > 0.5 or opposite.mean() > 0.5:
        verdict = HOLDS if shown.mean() > 0.5 else FAILS
    else:
        verdict = MIXED if shown.any() else OPEN
    ours = (
        f"{shown.sum()} of {len(names)} pairs of datasets; average precision {precision:.1f}%, {chance:.1f}% by chance"
    )
    listed = ", ".join(name for name, so in zip(names, shown, strict=True) if not so)
    return Answer((Finding("p ≤ 0.05", f"{ours}; not shown for {listed or 'none'}", int(shown.sum()), verdict),))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p-values of p (n,), in its order."""
    order = np.argsort(p)
    adjusted = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    found = np.empty_like(adjusted)
    found[order] = np.minimum(adjusted, 1)
    return found
