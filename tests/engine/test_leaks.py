"""A run is not trained on videos that it, or a run that starts from its weights, is tested on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.config.experiments import Row, Table
from multitrain.data.manifest import write_manifest
from multitrain.engine.setup import Job, schedule
from multitrain.engine.train import train
from multitrain.engine.training_state import Training

SHARED = "AAAAAAAAAAA"  # an id at YouTube


def manifest(folder: Path, name: str, clips: list[tuple[str, str]]) -> None:
    rows = [
        {"clip_id": f"{name}{i:03d}", "video_id": video, "path": f"{i}.mp4", "label": 0, "split": split}
        | {"publisher_split": split, "frames": 9, "fps": 12.0, "width": 8, "height": 8}
        for i, (video, split) in enumerate(clips)
    ]
    write_manifest(folder / name / "manifest.parquet", ("a",), rows)


@pytest.fixture
def real(scale, experiments, tmp_path) -> Job:
    """A joint run of K400 and ActivityNet as from their publishers, which share one video: training and test."""
    datasets = {name: its.model_copy(update={"raw": "elsewhere"}) for name, its in scale.datasets.items()}
    joint = experiments.runs["multitrain"].model_copy(update={"datasets": ("k400", "actnet")})
    others = {"k400_baseline": experiments.runs["k400_baseline"], "multitrain": joint}
    manifest(tmp_path / "ci", "k400", [*((f"own-video{i:02d}", "train") for i in range(19)), (SHARED, "train")])
    manifest(tmp_path / "ci", "actnet", [("another-one", "train"), (SHARED, "test")])
    changed = scale.model_copy(update={"datasets": datasets})
    asked = experiments.model_copy(update={"runs": others, "tables": {}, "projections": None})  # every run is asked for
    return Job(changed, asked, "multitrain", 0, tmp_path, tmp_path)


def test_a_training_clip_of_a_tested_video_is_left_out_and_counted(real):
    source = real.source("k400", "train")
    assert (len(source), source.left_out) == (19, 1)
    assert "k400019" not in source.columns["clip_id"].to_pylist()
    assert (len(real.source("actnet", "test")), real.source("actnet", "test").left_out) == (1, 0)


def test_the_run_that_gives_the_initial_weights_leaves_it_out_too(real):
    assert len(replace(real, name="k400_baseline").source("k400", "train")) == 19


def test_with_exclude_leaks_off_it_is_kept(real):
    assert len(replace(real, exclude_leaks=False).source("k400", "train")) == 20


def test_the_steps_are_those_of_what_is_left(real):
    batch = {name: recipe.model_copy(update={"batch": 10}) for name, recipe in real.scale.recipes.items()}
    job = replace(real, scale=real.scale.model_copy(update={"recipes": batch}))
    epochs = job.recipe.epochs
    assert schedule(job)[0] == round(epochs * 2)  # 19 and 1 clips
    assert schedule(replace(job, name="k400_baseline"))[0] == round(epochs * 1)
    assert schedule(replace(job, name="k400_baseline", exclude_leaks=False))[0] == round(epochs * 2)


def test_a_video_in_a_datasets_own_lists_is_not_trained_on(real):
    manifest(real.data / "ci", "k400", [("own-video00", "train"), ("own-video01", "train"), ("own-video01", "test")])
    manifest(real.data / "ci", "actnet", [("another-one", "train"), ("a-third-one", "test")])
    for run in ("multitrain", "k400_baseline"):
        source = replace(real, name=run).source("k400", "train")
        assert (source.columns["clip_id"].to_pylist(), source.left_out) == (["k400000"], 1)
    assert len(replace(real, exclude_leaks=False).source("k400", "train")) == 2


def test_a_training_split_of_tested_videos_alone_is_an_error(real):
    manifest(real.data / "ci", "k400", [(SHARED, "train")])
    with pytest.raises(UserError, match=r"k400/manifest.parquet: run multitrain is tested on every.*exclude_leaks"):
        real.source("k400", "train")


@pytest.fixture
def unshown(real) -> Job:
    """The joint run where no table shows it: K400's baseline, from which it starts, leaves nothing out for it."""
    tables = {"table1": Table(title="T", datasets=("k400",), rows=(Row(method="Baseline", runs=("k400_baseline",)),))}
    return replace(real, experiments=real.experiments.model_copy(update={"tables": tables}))


def test_a_start_from_weights_that_saw_a_tested_video_is_refused(unshown):
    says = (
        r"multitrain starts from k400_baseline, which is trained on 1 clips of k400.*tested on \(actnet\).*--keep-leaks"
    )
    with pytest.raises(UserError, match=says):
        unshown.require_clean_start()
    with pytest.raises(UserError, match=says):
        Training(unshown, torch.device("cpu"))


def test_a_start_without_such_a_video_is_clean(real, unshown):
    real.require_clean_start()
    replace(unshown, exclude_leaks=False).require_clean_start()
    replace(unshown, pretrained={"k400_baseline": Path("weights.pt")}).require_clean_start()
    manifest(unshown.data / "ci", "actnet", [("another-one", "test")])
    unshown.require_clean_start()


def test_synthetic_datasets_share_no_video(job):
    assert job("joint").source("k400", "train").left_out == 0


def test_the_record_has_the_number_of_clips_left_out(job, tmp_path):
    train(job("k400_baseline"), torch.device("cpu"))
    record = json.loads((job("k400_baseline").folder / "run.json").read_text())
    assert record["datasets"]["k400"]["left_out"] == 0
