"""The survey of a dataset accounts for every clip of its manifest and every missing one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from multitrain.analysis.datasets import contact_sheet
from multitrain.analysis.datasets.contact_sheet import evenly_spaced, write_overview
from multitrain.analysis.datasets.survey import classes, durations, write_survey
from multitrain.common.errors import UserError
from multitrain.data.manifest import Missing, read_manifest, write_manifest, write_missing
from tests.datasets.coded import write_video

NAMES = ("running", "a < b & c", "never tested")
FRAMES = (24, 30, 48)


@pytest.fixture
def prepared(scale, tmp_path):
    """K400 at scale ci with three classes, the last without a test clip; the folder of data."""
    home = tmp_path / "data" / scale.name / "k400"
    rows = []
    for number in range(12):
        label, split = number % 3, ("train", "val", "test")[number % 4 % 3]
        split = "train" if label == 2 else split
        clip_id, frames = f"clip{number:02}", FRAMES[number % 2]
        path = f"videos/{clip_id}.mp4"
        write_video(home / path, frames, size=(64, 40))
        rows.append(
            {"clip_id": clip_id, "video_id": clip_id, "path": path, "label": label, "split": split}
            | {"publisher_split": "train", "frames": frames, "fps": 12.0, "width": 64, "height": 40}
        )
    write_manifest(home / "manifest.parquet", NAMES, rows)
    write_missing(
        home / "missing.csv",
        [Missing(f"lost{i}", f"lost{i}", "train", "NA", "empty", f"lost{i}.mp4") for i in range(5)]
        + [Missing("gone", "gone", "validate", "running", "not found", "gone")],
    )
    return tmp_path / "data"


def survey(scale, data, results):
    write_survey("k400", scale, data, results)
    return results / "datasets" / scale.name / "k400"


def test_sums_are_the_manifests(scale, prepared, tmp_path):
    folder = survey(scale, prepared, tmp_path / "results")
    table = read_manifest(prepared / scale.name / "k400" / "manifest.parquet").table.to_pandas()
    found = pd.read_csv(folder / "classes.csv")
    assert list(found["class"]) == list(NAMES) and list(found["label"]) == [0, 1, 2]
    for split in ("train", "val", "test"):
        for label in range(3):
            expected = ((table["label"] == label) & (table["split"] == split)).sum()
            assert found.loc[label, split] == expected
    assert found.loc[2, "test"] == 0
    assert (found["seconds_min"].min(), found["seconds_max"].max()) == (2.0, 2.5)
    bins = pd.read_csv(folder / "durations.csv")
    assert bins.groupby("split")["clips"].sum().to_dict() == table["split"].value_counts().to_dict()


def test_missing_clips_are_counted_by_reason(scale, prepared, tmp_path):
    found = pd.read_csv(survey(scale, prepared, tmp_path / "results") / "missing.csv")
    rows = found[["reason", "publisher_split", "clips", "examples"]].to_numpy().tolist()
    assert rows == [["not found", "validate", 1, "gone"], ["empty", "train", 5, "lost0; lost1; lost2"]]


def test_nothing_missing_is_a_header(scale, prepared, tmp_path):
    write_missing(prepared / scale.name / "k400" / "missing.csv", [])
    folder = survey(scale, prepared, tmp_path / "results")
    assert (folder / "missing.csv").read_text() == "reason,publisher_split,clips,examples,detail\n"


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["train", "val", "test"]), st.integers(1, 4000)), min_size=1, max_size=60))
def test_the_histogram_has_every_clip_in_its_bin(clips):
    table = pd.DataFrame(clips, columns=["split", "frames"]).assign(label=0, seconds=lambda its: its["frames"] / 30)
    bins = durations(table)
    assert bins["clips"].sum() == len(clips) and len(bins) <= 3 * 20
    for (split, lower, upper), count in bins.set_index(["split", "lower", "upper"])["clips"].items():
        inside = (table["split"] == split) & (table["seconds"] > lower - 1e-3) & (table["seconds"] < upper + 1e-3)
        assert count <= inside.sum()


def test_a_length_on_an_edge_belongs_to_the_bin_that_starts_there():
    table = pd.DataFrame({"label": 0, "split": "train", "seconds": [(1 - 1e-8) * k for k in (1, 2, 3, 4)]})
    bins = durations(table)
    assert bins.loc[(bins["split"] == "train") & (bins["clips"] > 0), "lower"].tolist() == [1, 2, 3, 4]


def test_a_class_without_any_clip_has_a_row():
    table = classes(pd.DataFrame({"label": [1], "split": ["val"], "seconds": [2.0]}), ("none", "one"))
    assert table[["train", "val", "test"]].to_numpy().tolist() == [[0, 0, 0], [0, 1, 0]]
    assert np.isnan(table.loc[0, "seconds_mean"])


def test_all_is_the_same_bytes_every_time(scale, prepared, tmp_path):
    first, second = (survey(scale, prepared, tmp_path / name) for name in "ab")
    names = sorted(path.name for path in first.iterdir())
    assert names == ["classes.csv", "contact_sheet.jpg", "durations.csv", "missing.csv"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_the_contact_sheet_shows_the_frames_of_the_first_test_clip(scale, prepared, tmp_path):
    picture = np.asarray(Image.open(survey(scale, prepared, tmp_path / "results") / "contact_sheet.jpg")).astype(int)
    top = contact_sheet.GAP * 2 + contact_sheet.LINE + contact_sheet.LINE
    strip = picture[top : top + contact_sheet.SIDE, contact_sheet.GAP : contact_sheet.GAP + 4 * contact_sheet.SIDE]
    middle = (
        strip[contact_sheet.SIDE // 2].reshape(4, contact_sheet.SIDE, 3).mean(axis=-1)
    )  # a row of pixels of each frame
    assert (np.diff(middle[:, 60]) > 5).sum() + (np.diff(middle[:, 10]) > 5).sum() >= 2  # brightness tells the frame
    lost = picture[top + contact_sheet.SIDE + contact_sheet.GAP + contact_sheet.LINE + 5, contact_sheet.GAP + 200]
    assert np.abs(lost - contact_sheet.GREY).max() < 6  # the class without a test clip


def test_many_classes_are_evenly_chosen():
    assert evenly_spaced(3, 40) == [0, 1, 2]
    assert evenly_spaced(400, 40)[0] == 0 and evenly_spaced(400, 40)[-1] == 399 and len(evenly_spaced(400, 40)) == 40
    assert evenly_spaced(1, 4) == [0]


def test_the_overview_has_every_dataset(scale, prepared, tmp_path):
    only = scale.model_copy(update={"datasets": {"k400": scale.datasets["k400"]}})
    write_overview(only, prepared, tmp_path / "a.jpg", classes=2)
    assert Image.open(tmp_path / "a.jpg").size[1] < 250
    with pytest.raises(UserError, match=r"k700.*no such manifest"):
        write_overview(scale, prepared, tmp_path / "b.jpg")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("missing.csv", None, "missing.csv: no such list"),
        ("missing.csv", "a,b\n1,2\n", "missing.csv: columns differ"),
        ("missing.csv", "", "missing.csv: not a readable CSV"),
        ("missing.csv", "clip_id,video_id,publisher_split,label,reason,detail\na,a,t,l,lazy,\n", "'lazy' is no reason"),
        ("manifest.parquet", "nonsense", "manifest.parquet: not a readable"),
        ("videos/clip06.mp4", "nonsense", "clip06.mp4: no readable clip"),
    ],
)
def test_what_is_wrong_is_named(scale, prepared, tmp_path, file, content, message):
    path = prepared / scale.name / "k400" / file
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        survey(scale, prepared, tmp_path / "results")
    assert "\n" not in str(caught.value)
