"""The table of projection weights on planted matrices."""

import json
from itertools import permutations

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from multitrain.analysis.projections.projection_weights import SCHEMA, read_projections
from multitrain.common.errors import UserError
from tests.analysis.planted import CLASSES, plant, ramp, relation_files, write

DATASETS = ("k400", "mit", "ssv2", "actnet")


def frame(results) -> pd.DataFrame:
    table = pd.read_parquet(results.root / "projections.parquet")
    assert len(table)  # tests look at each row
    return table


def test_every_class_pair_of_every_ordered_pair_of_datasets_of_every_run_and_seed(results):
    for seed in (0, 3):
        plant(results, "multitrain", seed=seed)
        plant(results, "wo_actnet", seed=seed)
    write(results, "multitrain", "wo_actnet", seeds=(0, 3))
    table = frame(results)
    assert list(table.columns) == SCHEMA.names
    expected = [
        (run, seed, source, target, into, of)
        for run, datasets in (("multitrain", DATASETS), ("wo_actnet", DATASETS[:3]))
        for seed in (0, 3)
        for source, target in permutations(datasets, 2)
        for into in CLASSES[target]
        for of in CLASSES[source]
    ]
    keys = table[["run", "seed", "source", "target", "target_class", "source_class"]]
    assert list(keys.itertuples(index=False, name=None)) == expected
    assert set(table["scale"]) == {"mini"}
    assert set(table["synthetic"]) == {"yes"}


def test_a_weight_belongs_to_its_target_row_and_source_column(results):
    plant(results, "multitrain", lambda source, target: ramp(source, target) + len(source))
    write(results, "multitrain")
    for row in frame(results).itertuples():
        into, of = CLASSES[row.target].index(row.target_class), CLASSES[row.source].index(row.source_class)
        assert row.weight == 100 * into + of + len(row.source)


def test_scaled_is_by_the_source_logits_spread_on_the_targets_clips(results):
    folder = plant(results, "multitrain", lambda source, target: np.ones_like(ramp(source, target)))
    for target in DATASETS:
        path = folder / "predictions" / f"{target}.npz"
        arrays = dict(np.load(path))
        for source in DATASETS:  # a spread that says whose clips and whose class it is of
            index = np.arange(len(CLASSES[source]))
            arrays[f"logit_std.{source}"] = 100.0 * DATASETS.index(target) + 10.0 * DATASETS.index(source) + index
        np.savez(path, **arrays)
    write(results, "multitrain")
    for row in frame(results).itertuples():
        of = CLASSES[row.source].index(row.source_class)
        assert row.scaled == 100 * DATASETS.index(row.target) + 10 * DATASETS.index(row.source) + of


def test_related_pairs_are_the_worlds_or_those_of_one_name(results, tmp_path):
    plant(results, "multitrain")
    write(results, "multitrain", relations=relation_files(tmp_path))
    table = frame(results)
    related = table[table["related"]]
    assert set(table["relation_from"]) == {"world"}
    assert len(related) == 8  # four relations, both ways
    assert ("k400", "jogging", "mit", "running") in set(
        related[["source", "source_class", "target", "target_class"]].itertuples(index=False, name=None)
    )
    write(results, "multitrain")
    table = frame(results)
    assert set(table["relation_from"]) == {"same name"}
    assert set(table[table["related"]]["source_class"]) == {"clapping"}


def test_matrices_are_read_back_whatever_the_rows_order(results, tmp_path):
    plant(results, "multitrain", std={"mit": 0.5})
    plant(results, "wo_actnet")
    write(results, "wo_actnet", "multitrain", relations=relation_files(tmp_path))
    path = results.root / "projections.parquet"
    table = pq.read_table(path)
    for order in (np.arange(len(table)), np.random.default_rng(0).permutation(len(table))):
        pq.write_table(table.take(order), path)
        found = read_projections(results.root, results.scale, ("multitrain", "wo_actnet"), (0,))
        assert [each.run for each in found] == ["multitrain"] * 12 + ["wo_actnet"] * 6
        for each in found:
            wanted = ramp(each.source, each.target)
            rows = [CLASSES[each.target].index(name) for name in each.target_classes]
            columns = [CLASSES[each.source].index(name) for name in each.source_classes]
            np.testing.assert_array_equal(each.weight, wanted[np.ix_(rows, columns)])
            scale = 0.5 if (each.run, each.source) == ("multitrain", "mit") else 1
            np.testing.assert_array_equal(each.scaled, scale * each.weight)
            assert each.related.sum() == {
                frozenset({"k400", "mit"}): 2,
                frozenset({"k400", "actnet"}): 1,
                frozenset({"mit", "actnet"}): 1,
            }.get(frozenset({each.source, each.target}), 0)
            assert each.synthetic


def test_the_same_runs_give_the_same_bytes(results):
    plant(results, "multitrain")
    write(results, "multitrain")
    first = (results.root / "projections.parquet").read_bytes()
    write(results, "multitrain")
    assert (results.root / "projections.parquet").read_bytes() == first


def test_what_a_run_lacks_is_one_message_and_leaves_no_table(results):
    with pytest.raises(UserError, match="run 'vanilla' has no projections"):
        write(results, "vanilla")
    folder = plant(results, "multitrain")
    path = folder / "predictions" / "mit.npz"
    arrays = dict(np.load(path))
    np.savez(path, **{name: array for name, array in arrays.items() if name != "projection.ssv2"})
    with pytest.raises(UserError, match=r"mit.npz: no projection from ssv2: evaluate"):
        write(results, "multitrain")
    np.savez(path, **{**arrays, "classes.ssv2": np.array(["x", "y"])})
    with pytest.raises(UserError, match=r"mit.npz: its classes of ssv2 are not those of the run"):
        write(results, "multitrain")
    path.unlink()
    with pytest.raises(UserError, match=r"multitrain/seed0/predictions/mit.npz: no such statistics"):
        write(results, "multitrain")
    (folder / "run.json").write_text(json.dumps({"synthetic": "perhaps"}))
    with pytest.raises(UserError, match=r"run.json: not the record of a run .synthetic: "):
        write(results, "multitrain")
    assert not list(results.root.glob("*projections*"))


def test_a_table_that_is_not_whole_is_named(results):
    def read(*runs: str, seeds: tuple[int, ...] = (0,)):
        return read_projections(results.root, results.scale, runs or ("multitrain",), seeds)

    path = results.root / "projections.parquet"
    with pytest.raises(UserError, match=r"projections.parquet: no such file: `snakemake results/projections.parquet`"):
        read()
    plant(results, "multitrain")
    write(results, "multitrain")
    with pytest.raises(UserError, match=r"no projections of run 'multitrain', seed 1"):
        read(seeds=(0, 1))
    with pytest.raises(UserError, match=r"no projections of run 'multitrain_large', seed 0"):
        read("multitrain", "multitrain_large")
    with pytest.raises(UserError, match="no run to read"):
        read_projections(results.root, results.scale, (), (0,))
    good = pq.read_table(path)
    last = len(good) - 1
    for wrong in (good.slice(1), good.take([*range(last), last - 1]), good.take([*range(last + 1), last])):
        pq.write_table(wrong, path)
        with pytest.raises(UserError, match="not one finite weight for each pair of classes"):
            read()
    weight = good["weight"].to_numpy().copy()
    weight[5] = np.nan
    pq.write_table(good.set_column(SCHEMA.names.index("weight"), "weight", [weight]), path)
    with pytest.raises(UserError, match="not one finite weight"):
        read()
    for column in ("weight", "related", "source"):
        pq.write_table(good.drop_columns([column]), path)
        with pytest.raises(UserError, match="not a readable table of projections"):
            read()
    path.write_bytes(b"nonsense")
    with pytest.raises(UserError, match="not a readable table of projections"):
        read()
    plant(results, "multitrain")
    write(results, "multitrain")
    with pytest.raises(UserError, match="at scale paper"):
        read_projections(results.root, results.scale.model_copy(update={"name": "paper"}), ("multitrain",), (0,))
