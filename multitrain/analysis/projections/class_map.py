"""Class means of the features z over test clips, and nearest classes of other datasets."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.study.run_names import seeds_of, yes_no
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.records.run_record import read_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = [
    "FILE",
    "FORMAT",
    "class_means",
    "closest_pairs",
    "found_related",
    "nearest",
    "positions",
    "write_class_means",
]

FILE = "class_means.parquet"
FORMAT = "multitrain-features-1"  # of the tables that `multitrain features` writes
NEEDED = ("label", "class", "z")
AGAIN = "run `multitrain features` again"

SCHEMA = pa.schema(
    [
        pa.field("run", pa.string(), nullable=False),
        pa.field("method", pa.string(), nullable=False),  # what the table calls the run
        pa.field("scale", pa.string(), nullable=False),
        pa.field("synthetic", pa.string(), nullable=False),  # yes or no
        pa.field("seed", pa.int64(), nullable=False),
        pa.field("dataset", pa.string(), nullable=False),
        pa.field("title", pa.string(), nullable=False),
        pa.field("label", pa.int32(), nullable=False),
        pa.field("class", pa.string(), nullable=False),
        pa.field("clips", pa.int32(), nullable=False),
        pa.field("z", pa.list_(pa.float64()), nullable=False),
    ]
)


def write_class_means(scale: Scale, experiments: Experiments, seeds: tuple[int, ...], results: Path) -> None:
    """Write <results>/class_means.parquet: a row a class of the first table's joint run, of the first seed.

    Raises:
        UserError: a dataset's features are missing, damaged, or those of another dataset.
    """
    if (run := experiments.mapped_run()) is None:
        raise UserError("the first table has no row of one run on several datasets, whose classes could be mapped")
    method, home = experiments.compared()[0].method, results / "runs" / scale.name
    seed = seeds_of(home, run, seeds)[0]
    folder = home / run / f"seed{seed}"
    said = {"run": run, "method": method, "scale": scale.name, "seed": seed}
    said["synthetic"] = yes_no(read_record(folder)["synthetic"])
    rows = []
    for dataset in experiments.run(run).datasets:
        means = class_means(folder / "features" / f"{dataset}.parquet", dataset)
        rows += [{**said, "dataset": dataset, "title": scale.dataset(dataset).title, **row} for row in means]
    with atomic(results / FILE) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)


def class_means(path: Path, dataset: str) -> list[dict]:
    """label, class, clips and z (D,) of each class of a table of features, by label, in float64.

    Raises:
        UserError: no such file, not such a table, or of another dataset.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such features: run `multitrain features` for this run and dataset first")
    try:
        table = pq.read_table(path)
        said = json.loads((table.schema.metadata or {}).get(b"multitrain", b"{}"))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable table ({' '.join(str(error).split())}): {AGAIN}") from None
    if said.get("format") != FORMAT or said.get("dataset") != dataset or not set(NEEDED) <= set(table.column_names):
        raise UserError(f"{path}: not the features of the prepared dataset {dataset}: {AGAIN}")
    labels = table["label"].to_numpy()
    names = dict(zip(labels.tolist(), table["class"].to_pylist(), strict=True))
    z = np.stack(table["z"].to_numpy(zero_copy_only=False)).astype(np.float64)  # (N, D)
    clips = table["clips"].to_numpy() if "clips" in table.column_names else None  # a packed study has the means
    if not np.isfinite(z).all():
        raise UserError(f"{path}: z is not all finite numbers: {AGAIN}, or train it anew if it diverged")
    rows = []
    for label in sorted(names):
        its = labels == label
        count = int(its.sum() if clips is None else clips[its].sum())
        rows.append({"label": label, "class": names[label], "clips": count, "z": z[its].mean(0)})
    return rows


def positions(means: pd.DataFrame, by_dataset: bool) -> np.ndarray:
    """Class means z (C, D), centred over all classes, or with `by_dataset` over the classes of each dataset.

    What all classes of a dataset share, such as how its videos look, tells nothing of the action.
    """
    z, groups = np.stack(means["z"].to_list()), means["dataset"].to_numpy()
    if not by_dataset:
        return z - z.mean(0)
    return z - np.stack([z[groups == name].mean(0) for name in groups])


def nearest(means: pd.DataFrame) -> pd.DataFrame:
    """Nearest classes: for each class and other dataset the class of the largest cosine, each dataset centred.

    Columns: dataset, class, other, other_class, cosine, mutual (each is the other's nearest).
    """
    z, groups = positions(means, by_dataset=True), means["dataset"].to_numpy()
    unit = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    cosine = unit @ unit.T  # (C, C)
    names = list(dict.fromkeys(groups))
    best = {name: np.flatnonzero(groups == name)[cosine[:, groups == name].argmax(1)] for name in names}  # (C,) each
    rows = [
        (groups[i], means["class"].iloc[i], name, means["class"].iloc[j], cosine[i, j], best[groups[i]][j] == i)
        for i in range(len(z))
        for name in names
        if name != groups[i]
        for j in [best[name][i]]
    ]
    return pd.DataFrame(rows, columns=["dataset", "class", "other", "other_class", "cosine", "mutual"])


def closest_pairs(near: pd.DataFrame, count: int) -> pd.DataFrame:
    """The pairs of mutually nearest classes, each once, by descending cosine."""
    pairs = near[near["mutual"]]
    order = {name: place for place, name in enumerate(dict.fromkeys(near["dataset"]))}
    once = pairs[pairs["dataset"].map(order) < pairs["other"].map(order)]
    return once.sort_values("cosine", ascending=False, kind="stable").head(count).reset_index(drop=True)


class Found(NamedTuple):
    """How often the nearest class is a related one."""

    hits: int
    tries: int  # classes that have a related class among the other dataset's, one a dataset
    chance: float  # share of hits that any of these classes would give
    left_out: int  # what would be tries, had one of the related classes a mean


def found_related(near: pd.DataFrame, weights: pd.DataFrame) -> Found:
    """Counts of related classes among the nearest ones.

    `weights` are the rows of one run of projections.parquet, which knows all pairs of classes and which of them are
    related. Classes without a test clip are no class's nearest, so they count neither as related nor for chance.
    """
    keys = ["source", "source_class", "target", "target_class"]
    related = weights.drop_duplicates(keys).set_index(keys)["related"].sort_index()
    there = set(zip(near["dataset"], near["class"], strict=True))
    reachable = related[[target in there for target in zip(*map(related.index.get_level_values, (2, 3)), strict=True)]]
    known = related.groupby(level=[0, 1, 2]).sum()
    possible = reachable.groupby(level=[0, 1, 2]).agg(["sum", "size"])
    hits, tries, chance, left_out = 0, 0, 0.0, 0
    for dataset, name, other, other_class, *_ in near.itertuples(index=False):
        key = dataset, name, other
        if key not in known.index or not known[key]:
            continue
        if not possible.loc[key, "sum"]:
            left_out += 1
            continue
        some, all_ = possible.loc[key]
        tries, chance = tries + 1, chance + some / all_
        hits += bool(related[dataset, name, other, other_class])
    return Found(hits, tries, chance / max(tries, 1), left_out)
