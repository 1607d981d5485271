"""Videos that are trained on and tested, in one dataset or two: planted ones are found, and no other is."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.scale import Scale
from multitrain.data.leakage import datasets_tested_by, leaks, leaks_of_runs, trained_on, video_keys, without_leaks
from multitrain.data.manifest import Manifest, read_manifest, write_manifest

CONFIG = Path(__file__).parents[2] / "config"
SCALE = load_scale("ci", CONFIG)
WORDS = {"train": "train", "val": "train", "test": "validate"}


@pytest.fixture(scope="module")
def shipped():
    return SCALE, load_experiments(CONFIG, SCALE)


@pytest.fixture
def made(tmp_path):
    """made(name, [(video_id, split), ...]): a manifest with a clip for each."""

    def make(name: str, clips: list[tuple[str, str]]) -> Manifest:
        rows = [
            {"clip_id": f"{name}{i:03d}", "video_id": video, "path": f"{i}.mp4", "label": 0, "split": split}
            | {"publisher_split": WORDS[split], "frames": 9, "fps": 12.0, "width": 8, "height": 8}
            for i, (video, split) in enumerate(clips)
        ]
        write_manifest(tmp_path / name / "manifest.parquet", ("a",), rows)
        return read_manifest(tmp_path / name / "manifest.parquet")

    return make


A, B, C, D = "AAAAAAAAAAA", "-BBBBBBBBB_", "CCCCCCCCCCC", "DDDDDDDDDDD"


def planted(made) -> dict[str, Manifest]:
    return {
        "k400": made("k400", [(A, "test"), (B, "train"), (C, "val"), (D, "test")]),
        "k700": made("k700", [(A, "train"), (A, "train"), (B, "test"), (C, "train"), ("78687", "train")]),
        "mit": made("mit", [(f"yt-{A}_3", "train"), (f"yt-{A}_17", "train"), (f"yt-{B}_1", "test"), (D, "train")]),
        "ssv2": made("ssv2", [("78687", "test"), (A, "test"), (A, "train")]),
        "actnet": made("actnet", [(A, "test"), (A, "test"), (A, "test"), (B, "val")]),
    }


def test_planted_leaks_are_found_and_no_other(shipped, made):
    found = [tuple(row.values())[:6] for row in leaks(shipped[0], planted(made)).to_pylist()]
    assert found == [
        ("k400", "actnet", "val", B, 1, 1),
        ("k400", "k700", "test", B, 1, 1),
        ("k400", "mit", "test", B, 1, 1),
        ("k700", "actnet", "test", A, 2, 3),
        ("k700", "k400", "test", A, 2, 1),
        ("k700", "k400", "val", C, 1, 1),
        ("mit", "actnet", "test", A, 2, 3),
        ("mit", "k400", "test", A, 2, 1),
        ("ssv2", "ssv2", "test", A, 1, 1),
    ]


OWN = {  # by dataset of a reader: one video's ids in the training list and in that of its tests
    "k400": (A, A),
    "actnet": (A, A),
    "mit": (f"yt-{A}_3", f"yt-{A}_17"),
    "ssv2": ("78687", "78687"),
}


@pytest.mark.parametrize("split", ["test", "val"])
@pytest.mark.parametrize(("name", "videos"), OWN.items())
def test_a_video_in_a_publishers_own_lists_is_found_and_left_out(shipped, made, name, videos, split):
    scale, _ = shipped
    manifest = made(name, [(videos[0], "train"), ("another-one", "train"), (videos[1], split), ("third-video", split)])
    (row,) = leaks(scale, {name: manifest}).to_pylist()
    assert (row["train_dataset"], row["test_dataset"], row["test_split"]) == (name, name, split)
    train = manifest.split("train")
    assert without_leaks(scale, name, train, {name: manifest}).table["video_id"].to_pylist() == ["another-one"]
    clean = made(name, [("another-one", "train"), (videos[1], split)])
    assert not len(leaks(scale, {name: clean}))
    train = clean.split("train")
    assert without_leaks(scale, name, train, {name: clean}) is train


def test_runs_are_concerned_through_the_runs_they_start_from(shipped, made):
    scale, experiments = shipped
    table = leaks_of_runs(experiments, leaks(scale, planted(made))).to_pylist()
    of = {
        name: {(row["trained_by"], row["train_dataset"], row["test_dataset"]) for row in table if row["run"] == name}
        for name in experiments.runs
    }
    assert of["k400_baseline"] == set() == of["k700_baseline"]
    assert of["ssv2_scratch"] == {("ssv2_scratch", "ssv2", "ssv2")}
    assert of["actnet_baseline"] == {("k400_baseline", "k400", "actnet")}
    assert of["multitrain_k700"] == {
        ("k700_baseline", "k700", "actnet"),
        ("multitrain_k700", "k700", "actnet"),
        ("multitrain_k700", "mit", "actnet"),
        ("multitrain_k700", "ssv2", "ssv2"),
    }
    # tested on K400 after training on K700 only where a run is made to
    runs = {
        **experiments.runs,
        "tuned": experiments.runs["actnet_baseline"].model_copy(
            update={"datasets": ("k400",), "init": "multitrain_k700"}
        ),
    }
    chained = experiments.model_copy(update={"runs": runs})
    found = leaks_of_runs(chained, leaks(scale, planted(made))).to_pylist()
    assert {(row["trained_by"], row["test_split"], row["video_id"]) for row in found if row["run"] == "tuned"} == {
        ("multitrain_k700", "test", A),
        ("multitrain_k700", "val", C),
        ("k700_baseline", "test", A),
        ("k700_baseline", "val", C),
    }


def test_a_run_guards_what_it_and_its_successors_are_tested_on(shipped):
    synthetic, experiments = shipped
    assert not any(
        datasets_tested_by(synthetic, experiments, run, name) for run in experiments.runs for name in synthetic.datasets
    )
    scale = load_scale("paper", CONFIG)
    assert trained_on(experiments, "mit_longer") == (("mit_longer", "mit"), ("k400_baseline", "k400"))
    assert datasets_tested_by(scale, experiments, "k700_baseline", "k700") == ("k700", "mit", "ssv2", "actnet")
    assert datasets_tested_by(scale, experiments, "k400_baseline", "k400") == ("k400", "mit", "ssv2", "actnet")
    assert datasets_tested_by(scale, experiments, "multitrain", "mit") == ("k400", "mit", "ssv2", "actnet")
    assert datasets_tested_by(scale, experiments, "multitrain", "ssv2") == ("k400", "mit", "ssv2", "actnet")
    assert datasets_tested_by(scale, experiments, "mit_baseline", "mit") == ("mit",)


def test_training_leaves_out_leaked_clips_and_nothing_else(shipped, made):
    scale, _ = shipped
    manifests = planted(made)
    train = manifests["k700"].split("train")
    kept = without_leaks(scale, "k700", train, {"k400": manifests["k400"]})
    assert kept.table["video_id"].to_pylist() == ["78687"] and kept.classes == train.classes
    kept = without_leaks(scale, "k700", train, {"actnet": manifests["actnet"], "ssv2": manifests["ssv2"]})
    assert kept.table["video_id"].to_pylist() == [C, "78687"]
    assert without_leaks(scale, "k700", train, {"ssv2": manifests["ssv2"]}) is train
    assert without_leaks(scale, "k700", train, {}) is train


VIDEOS = st.sampled_from([f"{letter * 11}" for letter in "abcdefgh"])
CLIPS = st.lists(st.tuples(VIDEOS, st.sampled_from(["train", "val", "test"])), max_size=25)


def manifest_of(clips) -> Manifest:
    ids, splits = ([clip[i] for clip in clips] for i in (0, 1))
    names = pa.array([str(i) for i in range(len(clips))], pa.string())
    table = {"clip_id": names, "video_id": pa.array(ids, pa.string()), "split": pa.array(splits, pa.string())}
    return Manifest(Path("."), ("a",), pa.table(table))


@settings(max_examples=40)
@given(CLIPS, CLIPS)
def test_it_is_set_arithmetic(first, second):
    manifests = {"k400": manifest_of(first), "k700": manifest_of(second)}
    table = leaks(SCALE, manifests)
    ids = {split: {video for video, its in second if its == split} for split in ("train", "val", "test")}
    train = [video for video, its in first if its == "train"]
    rows = [row for row in table.to_pylist() if (row["train_dataset"], row["test_dataset"]) == ("k400", "k700")]
    assert {(row["test_split"], row["video_id"]) for row in rows} == {
        (split, video) for split in ("val", "test") for video in ids[split] & set(train)
    }
    assert all(row["train_clips"] == train.count(row["video_id"]) for row in rows)
    kept = without_leaks(SCALE, "k400", manifests["k400"].split("train"), manifests)
    tested = {video for video, split in [*first, *second] if split != "train"}
    assert kept.table["video_id"].to_pylist() == [v for v in train if v not in tested]
    again = {"k400": kept, "k700": manifests["k700"]}
    assert not [row for row in leaks(SCALE, again).to_pylist() if row["train_dataset"] == "k400"]


def keys(scale: Scale, dataset: str, *videos: str) -> list[str]:
    return video_keys(scale, dataset, manifest_of([(video, "train") for video in videos])).to_pylist()


def test_keys_by_publisher(shipped):
    scale, _ = shipped
    listed = scale.datasets["k400"].model_copy(update={"reader": "list"})
    scale = scale.model_copy(update={"datasets": {**scale.datasets, "mine": listed, "other": listed}})
    assert keys(scale, "k400", A, "short") == [f"youtube:{A}", "kinetics:short"]
    assert keys(scale, "actnet", f"{A}") == [f"youtube:{A}"]
    assert keys(scale, "mit", f"yt-{A}_12", f"yt-{A}", "getty-x_4") == [
        f"youtube:{A}",
        f"mit:yt-{A}",
        "mit:getty-x_4",
    ]
    assert keys(scale, "ssv2", "78687", A) == ["ssv2:78687", f"ssv2:{A}"]
    assert keys(scale, "mine", f"v_{A}", A) == [f"youtube:{A}", f"mine:{A}"]
    assert keys(scale, "other", A) == [f"other:{A}"]
