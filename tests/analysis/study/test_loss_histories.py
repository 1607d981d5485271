"""Histories of made-up runs as one table."""

import json
from itertools import pairwise

import pyarrow.parquet as pq
import pytest

from multitrain.analysis.study.loss_histories import write_training
from multitrain.analysis.study.run_names import method_names
from multitrain.common.errors import UserError
from multitrain.common.records.history import MOST, thinned
from multitrain.config.experiments import Row

PAIRS = {"multitrain": ("k400", "mit"), "multitrain_k700": ("k700", "mit"), "vanilla": ("k400", "mit")}


def line(step: int, datasets: tuple[str, ...]) -> dict:
    """Every number of a step says where it comes from."""
    return {
        **{"step": step, "epoch": step / 10, "rate": 1e-3, "total": 10.0 + step, "variance": 0.5, "covariance": 2.0},
        "classification": {name: len(name) + step for name in datasets},
        "sigma": dict.fromkeys(datasets, 1.0),
        "gradient_norm": 3.0,
    }


def add(results, run: str, steps: int = 2, seed: int = 0) -> None:
    folder = results.folder / run / f"seed{seed}"
    folder.mkdir(parents=True)
    record = {"synthetic": True, "datasets": {name: {"classes": 3, "clips": 20} for name in PAIRS[run]}}
    (folder / "run.json").write_text(json.dumps(record))
    lines = [json.dumps(line(step, PAIRS[run])) for step in range(steps)]
    (folder / "history.jsonl").write_text("\n".join([*lines, ""]))


@pytest.fixture
def joint(results):
    """Three joint runs on two datasets each, and a baseline that is none; two of them in rows of one name."""
    runs = {name: results.experiments.runs[name].model_copy(update={"datasets": its}) for name, its in PAIRS.items()}
    rows = {
        "table1": (Row(method="Baseline", runs=("k400_baseline",)), Row(method="MultiTrain", runs=("multitrain",))),
        "table2": (Row(method="MultiTrain", runs=("multitrain_k700",)),),
        "table3": (Row(method="All", runs=("multitrain",)), Row(method="Vanilla", runs=("vanilla",))),
    }
    tables = {name: results.experiments.tables[name].model_copy(update={"rows": its}) for name, its in rows.items()}
    results.experiments = results.experiments.model_copy(
        update={"runs": {**results.experiments.runs, **runs}, "tables": tables}
    )
    for name in PAIRS:
        add(results, name)
    return results


def write(results, *seeds: int):
    write_training(results.scale, results.experiments, seeds or (0,), results.root)
    return pq.read_table(results.root / "training.parquet")


def test_one_row_a_step_of_every_joint_run(joint):
    table = write(joint)
    rows = table.to_pylist()
    assert [(row["run"], row["step"]) for row in rows] == [(run, step) for run in PAIRS for step in (0, 1)]
    assert rows[1]["total"] == 11.0
    assert (rows[1]["classification.k400"], rows[1]["classification.mit"], rows[1]["sigma.mit"]) == (5.0, 4.0, 1.0)
    assert {(row["clips"], row["scale"], row["synthetic"], row["seed"]) for row in rows} == {(40, "mini", "yes", 0)}


def test_the_loss_of_a_clip_and_the_scores_on_val_stand_beside_the_terms(joint):
    path = joint.folder / "multitrain" / "seed0" / "run.json"
    record = json.loads(path.read_text())
    record["datasets"]["mit"]["clips"] = 60
    record["val"] = [{"step": step, "epoch": 0.1, "top1": {"k400": 0.5, "mit": 0.25}} for step in (0, 7)]
    path.write_text(json.dumps(record))
    rows = write(joint).to_pylist()
    assert (rows[1]["per_clip.k400"], rows[1]["per_clip.mit"]) == (5.0 * 80 / 20, 4.0 * 80 / 60)
    assert [row["val.mit"] for row in rows] == [0.25, 0.25, None, None, None, None]
    assert [row["per_clip.k700"] for row in rows[:3]] == [None, None, 8.0]


def test_a_dataset_that_a_run_lacks_is_null(joint):
    rows = write(joint).to_pylist()
    assert [row["classification.k700"] for row in rows] == [None, None, 4.0, 5.0, None, None]
    assert [row["sigma.k400"] is None for row in rows] == [False, False, True, True, False, False]
    assert "sigma.ssv2" not in rows[0]


def test_runs_are_called_as_the_first_row_that_shows_them(joint):
    names = method_names(joint.experiments, joint.scale)
    assert names == {
        "k400_baseline": "Baseline",
        "multitrain": "MultiTrain",
        "multitrain_k700": "MultiTrain (K700 set)",
        "vanilla": "Vanilla",
    }


def test_shipped_joint_runs_have_names_of_their_own(results):
    names = method_names(results.experiments, results.scale)
    joint = [names[name] for name in names if len(results.experiments.run(name).datasets) > 1]
    assert len(set(joint)) == len(joint) > 5
    assert names["multitrain_k700_large"] == "MultiTrain (large) (K700 set)"


def test_several_seeds_follow_each_other_and_bytes_repeat(joint):
    for name in PAIRS:
        add(joint, name, steps=3, seed=1)
    first = write(joint, 0, 1)
    assert first.column("seed").to_pylist()[:5] == [0, 0, 1, 1, 1]
    content = (joint.root / "training.parquet").read_bytes()
    write(joint, 0, 1)
    assert (joint.root / "training.parquet").read_bytes() == content


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda good: "{", "line 2: not a recorded step"),
        (lambda good: "[]", "line 2: not a recorded step"),
        (lambda good: "", "line 2: not a recorded step"),
        (lambda good: json.dumps({key: good[key] for key in good if key != "rate"}), "line 2: no 'rate'"),
        (lambda good: json.dumps({**good, "total": "high"}), "line 2: not a recorded step"),
        (lambda good: json.dumps({**good, "step": 1.5}), "line 2: not a recorded step .step is not a whole number"),
        (lambda good: json.dumps({**good, "sigma": {"k400": 1.0}}), "line 2: .*sigma of k400, not of k400, mit"),
        (lambda good: json.dumps({**good, "sigma": 1.0}), "line 2: not a recorded step"),
    ],
)
def test_a_damaged_line_is_named(joint, damage, said: str):
    path = joint.folder / "vanilla" / "seed0" / "history.jsonl"
    good = line(1, PAIRS["vanilla"])
    path.write_text("\n".join([json.dumps(good), damage(good), json.dumps(good)]))
    with pytest.raises(UserError, match=rf"vanilla/seed0/history.jsonl: {said}"):
        write(joint)
    assert not (joint.root / "training.parquet").exists()


def test_missing_and_empty_histories_are_named(joint):
    path = joint.folder / "vanilla" / "seed0" / "history.jsonl"
    path.write_text("")
    with pytest.raises(UserError, match="no steps: train the run again"):
        write(joint)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not a history"):
        write(joint)
    path.unlink()
    with pytest.raises(UserError, match="no such file: `multitrain train` writes it"):
        write(joint)


def test_a_record_without_clips_is_named(joint):
    (joint.folder / "vanilla" / "seed0" / "run.json").write_text('{"synthetic": true, "datasets": {"k400": {}}}')
    with pytest.raises(UserError, match=r"vanilla/seed0/run.json: not the record of a run .datasets.k400.clips: "):
        write(joint)


def test_without_a_joint_run_there_is_nothing_to_collect(results):
    table = results.experiments.tables["table1"]
    table = table.model_copy(update={"rows": (Row(method="Baseline", runs=("k400_baseline",)),)})
    results.experiments = results.experiments.model_copy(update={"tables": {"table1": table}})
    with pytest.raises(UserError, match="no joint training"):
        write(results)


@pytest.mark.parametrize("count", [1, 2, MOST - 1, MOST, MOST + 1, 2 * MOST, 2 * MOST + 1, 999, 3000, 4000])
def test_a_long_history_keeps_its_ends_and_is_thinned_once(count):
    kept = thinned(range(count))
    assert (kept[0], kept[-1]) == (0, count - 1) and len(kept) <= MOST and thinned(kept) == kept
    assert len({after - before for before, after in pairwise(kept[:-1])}) <= 1
    assert count > MOST or kept == list(range(count))


def test_a_joint_run_has_at_most_so_many_rows(joint):
    (joint.folder / "vanilla/seed0/history.jsonl").unlink()
    (joint.folder / "vanilla/seed0/run.json").unlink()
    (joint.folder / "vanilla/seed0").rmdir()
    add(joint, "vanilla", steps=MOST + 1)
    steps = [row["step"] for row in write(joint).to_pylist() if row["run"] == "vanilla"]
    assert steps[-1] == MOST and 2 < len(steps) <= MOST
