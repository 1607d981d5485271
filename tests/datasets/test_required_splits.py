"""A split that is empty, for whatever reason, is told with its cause and its cure."""

import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Scale
from multitrain.datasets.prepare import prepare
from multitrain.datasets.required_splits import require_prepared
from tests.datasets.forged import encode
from tests.datasets.raw import HEADER, activitynet, dataset, entry, kinetics, path_lists, put

LISTED = dataset("list", classes_file="classes.txt")
TWO = "x.mp4 0\ny.mp4 1\n"


def other_split_in_the_column(raw):
    kinetics(raw, b"")
    put(raw / "annotations/train.csv", f"{HEADER}a,train000000,417,427,val,0\nb,train000001,417,427,val,0\n")


def one_subset(raw, subset: str):
    activitynet(raw, b"", {"one": entry(subset, ("A", [0, 1])), "two": entry(subset, ("B", [0, 1]))})


@pytest.mark.parametrize(
    ("publish", "settings", "told"),
    [
        (
            other_split_in_the_column,
            dataset("kinetics"),
            "to train on: the annotations list 4 as val: correct them (a column `split` decides, not the",
        ),
        (
            lambda raw: path_lists(raw, TWO, TWO),
            LISTED,
            "to train on: 2 of 2 are missing as `duplicate`, e.g. the same clip is in val as 'a': a video",
        ),
        (
            lambda raw: path_lists(raw, TWO, "z.mp4 -1\n"),
            LISTED,
            "to score: 1 of 1 are missing as `no label`, e.g. val.csv: z.mp4: give them labels",
        ),
        (
            lambda raw: one_subset(raw, "training"),
            dataset("activitynet"),
            "to score: the annotations list 2 as training: correct them",
        ),
        (
            lambda raw: one_subset(raw, "validation"),
            dataset("activitynet"),
            "to train on: the annotations list 2 as validation: correct them",
        ),
    ],
    ids=["column split", "duplicates", "no label", "training alone", "validation alone"],
)
def test_an_empty_split_of_the_annotations(raw, tmp_path, publish, settings, told):
    publish(raw)
    with pytest.raises(UserError) as caught:
        prepare("own", settings, raw, tmp_path / "out")
    assert f"own: no clip {told}" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "out/manifest.parquet").exists()


def test_videos_of_one_side_that_are_not_there(raw, tmp_path):
    """The account stays, and the command tells: preparing goes on when the videos have come."""
    path_lists(raw, TWO, "z.mp4 0\nw.mp4 1\n")
    for name in "xy":
        put(raw / f"{name}.mp4", encode(count=3))
    manifest = prepare("own", LISTED, raw, tmp_path / "out")
    assert len(manifest) == 2
    with pytest.raises(UserError) as caught:
        require_prepared(raw, manifest)
    missing = tmp_path / "out/missing.csv"
    told = (
        f"{raw}: no clip to score: 2 of 2 are missing as `not found`, e.g. w.mp4: bring the videos ({missing} has all)"
    )
    assert str(caught.value) == told
    put(raw / "z.mp4", encode(count=3))
    require_prepared(raw, prepare("own", LISTED, raw, tmp_path / "out"))


def test_the_command_tells_it(raw, tmp_path, scale: Scale, monkeypatch):
    from multitrain.cli import loading
    from multitrain.cli.commands import pipeline_commands

    path_lists(raw, TWO, "z.mp4 0\n")
    for name in "xy":
        put(raw / f"{name}.mp4", encode(count=3))
    own = LISTED.model_copy(update={"raw": str(raw)})
    monkeypatch.setattr(loading, "load_scale", lambda *_: scale.model_copy(update={"datasets": {"own": own}}))
    with pytest.raises(UserError, match="no clip to score"):
        pipeline_commands.prepare("own", data=tmp_path / "data")
