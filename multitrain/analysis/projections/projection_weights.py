"""Projection weights of Eq. 4 as a table (projections.parquet): a row for each class pair of two datasets of a run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.projections.class_relations import read_relations
from multitrain.analysis.study.run_names import method_names, ranges, seeds_of, yes_no
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.records.run_record import read_record
from multitrain.common.records.statistics import Statistics, read_statistics, statistics_path
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["Projection", "read_projections", "write_projections"]

FILE = "projections.parquet"
COMMAND = f"`snakemake results/{FILE}`"

SCHEMA = pa.schema(
    [
        pa.field("run", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),  # what the tables call the run
        pa.field("scale", pa.string(), nullable=False),
        pa.field("synthetic", pa.string(), nullable=False),  # yes or no
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),  # dataset whose logits are projected, i of Eq. 4
        pa.field("target", pa.string(), nullable=False),  # dataset they are projected into, k
        pa.field("source_class", pa.string(), nullable=False),
        pa.field("target_class", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("scaled", pa.float64(), nullable=False),
        pa.field("related", pa.bool_(), nullable=False),
        pa.field("relation_from", pa.string(), nullable=False),  # world or same name
    ]
)


@dataclass(frozen=True)
class Projection:
    """W of one run, seed and ordered pair of datasets; every matrix is (C_target, C_source)."""

    run: str
    synthetic: bool
    seed: int
    source: str
    target: str
    source_classes: tuple[str, ...]
    target_classes: tuple[str, ...]
    weight: np.ndarray
    scaled: np.ndarray
    related: np.ndarray
    relation_from: str

    def form(self, name: str) -> np.ndarray:
        """`weight` or `scaled`."""
        return {"weight": self.weight, "scaled": self.scaled}[name]


def write_projections(
    scale: Scale,
    experiments: Experiments,
    seeds: tuple[int, ...],
    results: Path,
    runs: tuple[str, ...],
    relations: Callable[[int], tuple[Path, ...]] = lambda _: (),
) -> None:
    """Write <results>/projections.parquet: every class pair of every ordered pair of datasets of every run and seed.

    `weight` is W[target class, source class]. `scaled` is that times the standard deviation of the source class's logit
    over the views of the test clips of the target dataset, the clips whose logits W changes: how far the pair moves a
    target logit from clip to clip. A weight alone does not say so, since a source logit may be small or constant.
    `relations` gives the relations.csv of every dataset of the world of a seed; without any, classes of the same name
    are the related ones. Pairs of datasets are in the run's order, classes in the heads'; a row group is one pair.
    """
    unfit = [name for name in runs if experiments.run(name).projection == "none"]
    if unfit:
        raise UserError(f"run {unfit[0]!r} has no projections: name runs whose projection is not none")
    home = results / "runs" / scale.name
    found = [
        each
        for name in dict.fromkeys(runs)
        for seed in seeds_of(home, name, seeds)
        for each in _projections(
            home / name / f"seed{seed}", name, experiments.run(name).datasets, seed, relations(seed)
        )
    ]
    names = method_names(experiments, scale)
    with atomic(results / FILE) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for each in found:
            writer.write_table(_table(each, names.get(each.run, each.run), scale.name))


def read_projections(results: Path, scale: Scale, runs: tuple[str, ...], seeds: tuple[int, ...]) -> list[Projection]:
    """The projections of these runs and seeds, in that order, from projections.parquet; else a UserError."""
    path = results / FILE
    if not runs:
        raise UserError(f"{path}: no run to read: the experiments name none with projections")
    if not path.is_file():
        raise UserError(f"{path}: no such file: {COMMAND} writes it")
    try:
        table = pq.read_table(path, columns=SCHEMA.names, filters=[("run", "in", runs), ("seed", "in", seeds)])
        frame = table.cast(SCHEMA).to_pandas()
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        text = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable table of projections ({text}): {COMMAND} writes it anew") from None
    found = [
        _matrices(path, scale, key, its) for key, its in frame.groupby(["run", "seed", "source", "target"], sort=False)
    ]
    there = {each.run for each in found}
    lacking = [(name, seeds) for name in runs if name not in there]
    lacking += [(runs[0], (seed,)) for seed in seeds if all(each.seed != seed for each in found)]
    for name, its in lacking:
        named = f"{'seeds' if len(its) > 1 else 'seed'} {ranges(its)}"
        raise UserError(f"{path}: no projections of run {name!r}, {named}: {COMMAND} writes it anew")
    return sorted(found, key=lambda each: (runs.index(each.run), seeds.index(each.seed)))


def _projections(
    folder: Path, run: str, datasets: tuple[str, ...], seed: int, relations: tuple[Path, ...]
) -> Iterator[Projection]:
    synthetic = read_record(folder)["synthetic"]
    paths = {name: statistics_path(folder, name) for name in datasets}
    found = {name: read_statistics(path) for name, path in paths.items()}
    classes = _classes(paths, found)
    known = read_relations(relations, classes)
    for source, target in permutations(datasets, 2):
        if source not in found[target].projections:
            raise UserError(f"{paths[target]}: no projection from {source}: evaluate the run again")
        weight = found[target].projections[source].astype(np.float64)  # (C_target, C_source)
        yield Projection(
            run=run,
            synthetic=synthetic,
            seed=seed,
            source=source,
            target=target,
            source_classes=classes[source],
            target_classes=classes[target],
            weight=weight,
            scaled=weight * found[target].logit_std[source],
            related=known.matrix(source, target, classes),
            relation_from=known.origin,
        )


def _classes(paths: dict[str, Path], found: dict[str, Statistics]) -> dict[str, tuple[str, ...]]:
    """The class names of every dataset, on which all of a run's files must agree."""
    classes = {name: its.classes[name] for name, its in found.items()}
    for name, its in found.items():
        for other, names in its.classes.items():
            if names != classes.get(other):
                raise UserError(f"{paths[name]}: its classes of {other} are not those of the run: evaluate it again")
    return classes


def _table(found: Projection, method: str, scale: str) -> pa.Table:
    """One projection as rows, target classes one after the other."""
    targets, sources = found.weight.shape
    count = targets * sources
    columns = {
        "run": [found.run] * count,
        "method": [method] * count,
        "scale": [scale] * count,
        "synthetic": [yes_no(found.synthetic)] * count,
        "seed": [found.seed] * count,
        "source": [found.source] * count,
        "target": [found.target] * count,
        "source_class": list(found.source_classes) * targets,
        "target_class": [name for name in found.target_classes for _ in range(sources)],
        "weight": found.weight.ravel(),
        "scaled": found.scaled.ravel(),
        "related": found.related.ravel(),
        "relation_from": [found.relation_from] * count,
    }
    return pa.table(columns, schema=SCHEMA)


def _matrices(path: Path, scale: Scale, key: tuple[str, int, str, str], rows: pd.DataFrame) -> Projection:
    """The matrices of one projection from its rows in any order."""
    run, seed, source, target = key
    columns, sources = pd.factorize(rows["source_class"])
    lines, targets = pd.factorize(rows["target_class"])
    place = lines * len(sources) + columns
    whole = len(rows) == len(sources) * len(targets) == len(np.unique(place))
    if not whole or set(rows["scale"]) != {scale.name} or not np.isfinite(rows[["weight", "scaled"]]).all(axis=None):
        raise UserError(
            f"{path}: {source} to {target} of run {run}, seed {seed}: not one finite weight for each pair of classes at"
            f" scale {scale.name}: {COMMAND} writes it anew"
        )
    order = np.argsort(place)
    shape = (len(targets), len(sources))
    return Projection(
        run=run,
        synthetic=rows["synthetic"].iloc[0] == "yes",
        seed=int(seed),
        source=source,
        target=target,
        source_classes=tuple(sources),
        target_classes=tuple(targets),
        weight=rows["weight"].to_numpy()[order].reshape(shape),
        scaled=rows["scaled"].to_numpy()[order].reshape(shape),
        related=rows["related"].to_numpy()[order].reshape(shape),
        relation_from=rows["relation_from"].iloc[0],
    )
