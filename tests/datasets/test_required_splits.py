"""A split that is empty, for whatever reason, is told with its cause and its cure."""

import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Scale
from multitrain.datasets.prepare import prepare
from multitrain.datasets.required_splits import require_prepared
from tests.datasets.forged import encode
from tests.datasets.raw import HEADER, activitynet, dataset, entry, kinetics, put


def test_a_column_that_overrides_the_role_of_a_list(raw, tmp_path):
    kinetics(raw, b"")
    put(raw / "annotations/train.csv", f"{HEADER}a,train000000,417,427,val,0\nb,train000001,417,427,val,0\n")
    with pytest.raises(UserError) as caught:
        prepare("k400", dataset("kinetics"), raw, tmp_path / "out")
    told = "k400: no clip to train on: the annotations list 4 as val: correct them (a column `split` decides, not the"
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out/manifest.parquet").exists()


def test_all_training_clips_are_duplicates_of_test_clips(raw, tmp_path):
    put(raw / "classes.txt", "a\nb\n")
    for name in ("train", "val"):
        put(raw / f"{name}.csv", "x.mp4 0\ny.mp4 1\n")
    told = r"own: no clip to train on: 2 of 2 are missing as `duplicate`, e.g. the same clip is in val as 'a': a video"
    with pytest.raises(UserError, match=told):
        prepare("own", dataset("list", classes_file="classes.txt"), raw, tmp_path / "out")


def test_a_list_without_any_label_to_score(raw, tmp_path):
    put(raw / "classes.txt", "a\nb\n")
    put(raw / "train.csv", "x.mp4 0\ny.mp4 1\n")
    put(raw / "val.csv", "z.mp4 -1\n")
    with pytest.raises(
        UserError, match=r"own: no clip to score: 1 of 1 are missing as `no label`, .*: give them labels"
    ):
        prepare("own", dataset("list", classes_file="classes.txt"), raw, tmp_path / "out")


@pytest.mark.parametrize(("subset", "told"), [("training", "to score"), ("validation", "to train on")])
def test_annotations_of_one_side_alone(raw, tmp_path, subset, told):
    activitynet(raw, b"", {"one": entry(subset, ("A", [0, 1])), "two": entry(subset, ("B", [0, 1]))})
    with pytest.raises(UserError, match=rf"actnet: no clip {told}: the annotations list 2 as {subset}: correct them"):
        prepare("actnet", dataset("activitynet"), raw, tmp_path / "out")


def test_videos_of_one_side_that_are_not_there(raw, tmp_path):
    """The account stays, and the command tells: preparing goes on when the videos have come."""
    put(raw / "classes.txt", "a\nb\n")
    put(raw / "train.csv", "x.mp4 0\ny.mp4 1\n")
    put(raw / "val.csv", "z.mp4 0\nw.mp4 1\n")
    for name in "xy":
        put(raw / f"{name}.mp4", encode(count=3))
    settings = dataset("list", classes_file="classes.txt")
    manifest = prepare("own", settings, raw, tmp_path / "out")
    assert len(manifest) == 2
    with pytest.raises(UserError) as caught:
        require_prepared(raw, manifest)
    missing = tmp_path / "out/missing.csv"
    told = (
        f"{raw}: no clip to score: 2 of 2 are missing as `not found`, e.g. w.mp4: bring the videos ({missing} has all)"
    )
    assert str(caught.value) == told
    put(raw / "z.mp4", encode(count=3))
    require_prepared(raw, prepare("own", settings, raw, tmp_path / "out"))


def test_the_command_tells_it(raw, tmp_path, scale: Scale, monkeypatch):
    from multitrain.cli import loading
    from multitrain.cli.commands import pipeline_commands

    put(raw / "classes.txt", "a\nb\n")
    put(raw / "train.csv", "x.mp4 0\ny.mp4 1\n")
    put(raw / "val.csv", "z.mp4 0\n")
    for name in "xy":
        put(raw / f"{name}.mp4", encode(count=3))
    own = dataset("list", classes_file="classes.txt", raw=str(raw))
    monkeypatch.setattr(loading, "load_scale", lambda *_: scale.model_copy(update={"datasets": {"own": own}}))
    with pytest.raises(UserError, match="no clip to score"):
        pipeline_commands.prepare("own", data=tmp_path / "data")
