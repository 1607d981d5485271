"""Gains by class on predictions whose right and wrong clips are chosen."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multitrain.analysis.accuracy.per_class_accuracy import write_classes
from multitrain.analysis.render.columns import PER_CLASS
from multitrain.common.errors import UserError
from multitrain.config.experiments import Row
from tests.csv_rows import csv_rows

NAMES = ("jump", "run", "sit")


def add(results, run: str, right: str, labels: str, seed: int = 0, projected: str | None = None, **changed) -> None:
    """A run on k400 whose i-th clip, of class labels[i], is right where right[i] is 1; the same for Y'_k."""
    folder = results.folder / run / f"seed{seed}"
    (folder / "predictions").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"synthetic": True}))
    label = np.array([int(letter) for letter in labels])

    def scores(pattern: str | None) -> list:
        if pattern is None:
            return [None] * len(label)
        chosen = [its if hit == "1" else (its + 1) % 3 for its, hit in zip(label, pattern, strict=True)]
        return np.eye(3, dtype=np.float32)[chosen].tolist()

    columns = {
        "clip_id": pa.array([f"clip{i}" for i in range(len(label))]),
        "label": pa.array(label, pa.int32()),
        "scores": pa.array(scores(right), pa.list_(pa.float32())),
        "scores_projected": pa.array(scores(projected), pa.list_(pa.float32())),
        "video_id": pa.array([f"video{i}" for i in range(len(label))]),
    }
    metadata = {"classes": json.dumps(changed.get("classes", NAMES))} if changed.get("classes", NAMES) else {}
    table = pa.table(columns).replace_schema_metadata(metadata)
    pq.write_table(table, folder / "predictions" / "k400.parquet")


def write(results, *seeds: int, methods: tuple[str, ...] = ("Baseline", "MultiTrain")) -> list[dict]:
    table = results.experiments.tables["table1"]
    rows = tuple(
        Row(method=method, runs=(run,)) for method, run in zip(methods, ("k400_baseline", "multitrain"), strict=False)
    )
    table = table.model_copy(update={"datasets": ("k400",), "rows": rows})
    experiments = results.experiments.model_copy(update={"tables": {"table1": table}})
    write_classes(results.scale, experiments, seeds or (0,), results.root)
    return csv_rows(results.root / "per_class.csv")


def test_gains_of_both_kinds_of_logits_are_those_planted(results):
    add(results, "k400_baseline", "1000" + "1111", "0000" + "1111")
    add(results, "multitrain", "1110" + "0000", "0000" + "1111", projected="1111" + "1100")
    jump, run, _ = write(results)
    assert tuple(jump) == tuple(PER_CLASS)
    said = ("table", "dataset", "title", "class", "clips", "baseline", "method", "seeds", "scale", "synthetic")
    wanted = ("table1", "k400", "K400", "jump", "4", "Baseline", "MultiTrain", "0", "mini", "yes")
    assert tuple(jump[name] for name in said) == wanted
    assert (jump["top1_baseline"], jump["top1"], jump["gain"]) == ("25.00", "75.00", "50.00")
    assert (jump["top1_projected"], jump["gain_projected"]) == ("100.00", "75.00")
    # two of four: t of three degrees of freedom, within what a gain can be
    assert (jump["gain_low"], jump["gain_high"]) == (f"{50 - 318.245 * np.sqrt(0.25 / 3):.2f}", "100.00")
    assert (run["gain"], run["gain_low"], run["gain_high"]) == ("-100.00", "-100.00", "-100.00")
    assert run["gain_projected"] == "-50.00"


def test_the_interval_is_paired(results):
    """Two methods right on the same half of the clips: the difference is 0 for certain."""
    add(results, "k400_baseline", "10" * 10, "0" * 20)
    add(results, "multitrain", "10" * 10, "0" * 20, projected="01" * 10)
    jump = write(results)[0]
    assert (jump["gain"], jump["gain_low"], jump["gain_high"]) == ("0.00", "0.00", "0.00")
    assert float(jump["gain_projected_low"]) < -20 < 20 < float(jump["gain_projected_high"])


def test_a_class_without_clips_is_there_without_numbers(results):
    add(results, "k400_baseline", "11", "01")
    add(results, "multitrain", "11", "01")
    rows = write(results)
    assert [row["class"] for row in rows] == list(NAMES)
    assert (rows[2]["clips"], rows[2]["top1"], rows[2]["gain"], rows[2]["gain_projected_low"]) == ("0", "", "", "")


def test_without_projections_their_columns_are_empty(results):
    add(results, "k400_baseline", "11", "01")
    add(results, "multitrain", "11", "01")
    assert write(results)[0]["top1_projected"] == ""


def test_several_seeds_are_averaged(results):
    for seed, right in enumerate(("1111", "1100")):
        add(results, "k400_baseline", "0000", "0000", seed)
        add(results, "multitrain", right, "0000", seed)
    jump = write(results, 0, 1)[0]
    assert (jump["top1"], jump["gain"], jump["seeds"], jump["clips"]) == ("75.00", "75.00", "0 1", "4")


def test_runs_of_other_clips_or_classes_are_refused(results):
    add(results, "k400_baseline", "11", "01")
    add(results, "multitrain", "11", "00")
    with pytest.raises(UserError, match=r"multitrain/seed0/predictions/k400.parquet: not the clips of"):
        write(results)
    assert not (results.root / "per_class.csv").exists()


def test_classes_must_be_named_and_the_same(results):
    add(results, "k400_baseline", "11", "01")
    add(results, "multitrain", "11", "01", classes=("jump", "sit", "run"))
    with pytest.raises(UserError, match="not the classes of"):
        write(results)


@pytest.mark.parametrize(
    ("classes", "said"), [((), "no class names"), (("jump",), "not 3 texts"), ("abc", "not 3 texts")]
)
def test_missing_and_wrong_names_are_said(results, classes, said: str):
    add(results, "k400_baseline", "11", "01", classes=classes)
    add(results, "multitrain", "11", "01")
    with pytest.raises(UserError, match=rf"k400_baseline/seed0/predictions/k400.parquet: .*{said}"):
        write(results)


def test_a_study_calls_its_methods_as_it_likes(results):
    """The first row is the baseline, and the first joint run the method."""
    add(results, "k400_baseline", "1000", "0000")
    add(results, "multitrain", "1111", "0000")
    jump = write(results, methods=("Alone", "Together"))[0]
    assert (jump["baseline"], jump["method"], jump["gain"]) == ("Alone", "Together", "75.00")


def test_a_table_of_a_baseline_alone_has_no_gains(results):
    add(results, "k400_baseline", "1000", "0000")
    jump = write(results, methods=("Alone",))[0]
    assert (jump["title"], jump["top1_baseline"], jump["method"], jump["gain"]) == ("K400", "25.00", "", "")


def test_the_record_must_say_whether_the_data_are_synthetic(results):
    add(results, "k400_baseline", "11", "01")
    add(results, "multitrain", "11", "01")
    (results.folder / "multitrain" / "seed0" / "run.json").write_text("{}")
    with pytest.raises(UserError, match=r"multitrain/seed0/run.json: not the record of a run .synthetic: "):
        write(results)
