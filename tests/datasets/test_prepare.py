import json
import os
from collections import Counter
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.data.manifest import REASONS, SCHEMA, SPLITS
from multitrain.datasets.prepare import prepare
from multitrain.datasets.publication import safe_id
from multitrain.datasets.transcode import batches
from tests.datasets.coded import read_all
from tests.datasets.raw import (
    HEADER,
    PUBLISH,
    TRANSCODE,
    dataset,
    kinetics,
    missing_rows,
    put,
    ssv2_archive,
    ssv2_pieces,
    tar_bytes,
)

READERS = sorted(PUBLISH)


@pytest.fixture
def made(monkeypatch) -> list[str]:
    """Clips that are transcoded from here on."""
    names = []
    original = batches.Task

    def task(batch, where, content, pieces, settings):
        names.extend(piece.clip_id for piece in pieces)
        return original(batch, where, content, pieces, settings)

    monkeypatch.setattr(batches, "Task", task)
    return names


def options(reader: str, **values: object):
    return dataset(reader, clip_seconds=1.0, **values)


def files(folder: Path) -> dict[str, bytes]:
    """Everything a preparation leaves, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("reader", READERS)
def test_the_manifest_tells_the_truth(raw, video, tmp_path, reader):
    out = tmp_path / "out"
    manifest = prepare(reader, options(reader), PUBLISH[reader](raw, video), out)
    assert manifest.table.schema.equals(SCHEMA, check_metadata=False)
    assert manifest.folder == out
    rows = manifest.table.to_pylist()
    assert [row["clip_id"] for row in rows] == sorted({row["clip_id"] for row in rows})
    for row in rows:
        shown = read_all(out / row["path"])
        assert row["frames"] == len(shown)
        assert shown[0][1].shape == (row["height"], row["width"], 3)
        assert [round(float(time) * row["fps"], 4) for time, _ in shown] == list(range(len(shown)))
    assert {f"videos/{path.relative_to(out / 'videos')}" for path in (out / "videos").glob("*/*")} == {
        row["path"] for row in rows
    }
    names = ["annotated.csv", "fingerprints.parquet", "manifest.parquet", "missing.csv", "videos"]
    assert sorted(path.name for path in out.iterdir()) == names


@pytest.mark.parametrize("reader", READERS)
def test_a_second_run_makes_nothing_and_changes_no_byte(raw, video, tmp_path, reader, made):
    PUBLISH[reader](raw, video)
    prepare(reader, options(reader, holdout=0.5), raw, tmp_path / "out")
    assert made
    first = files(tmp_path / "out")
    made.clear()
    prepare(reader, options(reader, holdout=0.5), raw, tmp_path / "out")
    assert files(tmp_path / "out") == first
    assert made == []


@pytest.mark.parametrize("reader", READERS)
def test_after_a_kill_it_goes_on_and_ends_the_same(raw, video, tmp_path, reader, made):
    out = tmp_path / "out"
    prepare(reader, options(reader), PUBLISH[reader](raw, video), out)
    first = files(out)
    lost, whole = sorted(path for path in (out / "videos").glob("*/*.mp4"))[:2]
    lost.unlink()
    whole.write_bytes(whole.read_bytes()[:-1])
    put(out / "videos/.partial-abc.mp4", b"half")
    put(lost.parent / ".partial-xyz.mp4", b"half")
    put(out / ".partial-m.parquet", b"half")
    put(out / ".incoming/video", b"half")
    (out / "manifest.parquet").unlink()
    with (out / "videos/journal.jsonl").open("a") as journal:
        journal.write('{"clip": "to')  # a line cut short
    made.clear()
    prepare(reader, options(reader), raw, out)
    assert files(out) == first
    assert sorted(made) == sorted([lost.stem, whole.stem])


def test_a_run_that_stops_midway_keeps_what_it_made(raw, video, tmp_path, made):
    publish = kinetics(raw, video)
    part = raw / "train/part_1.tar.gz"
    good = part.read_bytes()
    part.write_bytes(good[:-4])
    with pytest.raises(UserError):
        prepare("k400", options("kinetics"), publish, tmp_path / "out")
    done = set(made)
    made.clear()
    assert not (tmp_path / "out/manifest.parquet").exists()
    part.write_bytes(good)
    assert len(prepare("k400", options("kinetics"), raw, tmp_path / "out")) == 5
    assert not done & set(made)


def test_another_setting_makes_everything_again(raw, video, tmp_path, made):
    kinetics(raw, video)
    prepare("k400", options("kinetics"), raw, tmp_path / "out")
    made.clear()
    smaller = TRANSCODE.model_copy(update={"short_side": 16})
    manifest = prepare("k400", options("kinetics", transcode=smaller), raw, tmp_path / "out")
    assert set(manifest.table["height"].to_pylist()) == {16}
    assert len(made) == 5


def test_only_what_changed_is_made_again(raw, video, tmp_path, made):
    kinetics(raw, video)
    prepare("k400", options("kinetics"), raw, tmp_path / "out")
    made.clear()
    name = "val00000001_000417_000427"
    other = video + b"\0"
    put(raw / "val/part_0.tar.gz", tar_bytes({f"{name}.mp4": other, "-val_000000_000417_000427.mp4": video}))
    os.utime(raw / "train/part_0.tar.gz", (1, 1))  # read again, but it holds the same
    prepare("k400", options("kinetics"), raw, tmp_path / "out")
    assert made == [name]


def test_clips_that_are_no_longer_published_go(raw, video, tmp_path):
    kinetics(raw, video)
    prepare("k400", options("kinetics"), raw, tmp_path / "out")
    put(raw / "annotations/train.csv", HEADER + "abseiling,train000001,417,427,train,0\n")
    put(raw / "val/part_0.tar.gz", tar_bytes({"-val_000000_000417_000427.mp4": video}))
    manifest = prepare("k400", options("kinetics"), raw, tmp_path / "out")
    kept = {"-val_000000_000417_000427", "train000001_000417_000427"}
    assert set(manifest.table["clip_id"].to_pylist()) == kept
    assert {path.stem for path in (tmp_path / "out/videos").glob("*/*")} == kept


def test_a_change_of_labels_needs_no_transcoding(raw, video, tmp_path, made):
    kinetics(raw, video)
    prepare("k400", options("kinetics"), raw, tmp_path / "out")
    made.clear()
    put(raw / "annotations/train.csv", HEADER + "zumba,train000001,417,427,train,0\n")
    manifest = prepare("k400", options("kinetics"), raw, tmp_path / "out")
    assert manifest.classes == ("abseiling", "air drumming", "zumba")
    assert manifest.split("train").empty_classes() == ("abseiling", "air drumming")
    assert made == []


@pytest.mark.parametrize("reader", ["kinetics", "activitynet"])
def test_processes_change_nothing_but_speed(raw, video, tmp_path, reader, monkeypatch):
    PUBLISH[reader](raw, video)
    prepare(reader, options(reader), raw, tmp_path / "one")
    monkeypatch.setattr(batches, "IN_MEMORY", len(video) - 1)  # videos go to the processes as files
    prepare(reader, options(reader), raw, tmp_path / "two", jobs=2)
    one, two = files(tmp_path / "one"), files(tmp_path / "two")
    assert one == two


@pytest.mark.parametrize("reader", READERS)
def test_every_listed_clip_is_in_the_manifest_or_missing(raw, video, tmp_path, reader):
    """One video of each kind of trouble; the account of each of the publisher's splits closes."""
    PUBLISH[reader](raw, video)
    if reader == "kinetics":
        files = {"train000000_000417_000427.mp4": b"", "train000001_000417_000427.mp4": b"x" * 99}
        put(raw / "train/part_0.tar.gz", tar_bytes(files))
        listed = {"train": 3, "val": 2}
    elif reader == "ssv2":
        ssv2_pieces(raw, ssv2_archive(video, ("2", "1420")))
        listed = {"train": 2, "validation": 1}
    elif reader == "mit":
        PUBLISH[reader](
            raw, video, trainingSet="clapping/yt-a_1.mp4,clapping,1,0\n" * 2 + "clapping/b.mp4,clapping,1,0\n"
        )
        listed = {"training": 3, "validation": 1}
    else:
        put(raw / "videos/v_5n7NCViB5TU.mp4", b"x" * 99)
        listed = {"training": 4, "validation": 3}
    manifest = prepare(reader, options(reader), raw, tmp_path / "out")
    missing = missing_rows(tmp_path / "out")
    counted = Counter(manifest.table["publisher_split"].to_pylist()) + Counter(
        row["publisher_split"] for row in missing
    )
    assert counted == listed
    assert missing and {row["reason"] for row in missing} <= set(REASONS)
    assert set(manifest.table["split"].to_pylist()) <= set(SPLITS)


def test_missing_lines_do_not_depend_on_where_the_folder_lies(raw, video, tmp_path):
    kinetics(raw, video)
    put(raw / "train/part_0.tar.gz", tar_bytes({"train000000_000417_000427.mp4": b"x" * 99}))
    prepare("k400", options("kinetics"), raw, tmp_path / "out")
    assert str(tmp_path) not in (tmp_path / "out/missing.csv").read_text()


def test_progress_ends_at_the_total(raw, video, tmp_path):
    calls = []
    kinetics(raw, video)
    (raw / "val/part_0.tar.gz").write_bytes(tar_bytes({}))
    prepare("k400", options("kinetics"), raw, tmp_path / "out", progress=lambda *call: calls.append(call))
    assert calls == [(1, 5), (2, 5), (3, 5), (5, 5)]


def test_nothing_to_prepare_is_told(raw, video, tmp_path):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        prepare("k400", options("kinetics"), tmp_path / "nowhere", tmp_path / "out")
    kinetics(raw, b"x" * 99)
    with pytest.raises(UserError, match=r"not one clip of k400.*missing.csv says why"):
        prepare("k400", options("kinetics"), raw, tmp_path / "out")
    assert len((tmp_path / "out/missing.csv").read_text().splitlines()) == 6
    for split in ("train", "val"):
        put(raw / f"annotations/{split}.csv", HEADER)
    with pytest.raises(UserError, match="list no clip with a label"):
        prepare("k400", options("kinetics"), raw, tmp_path / "out")


def test_settings_are_kept_readable(raw, video, tmp_path):
    prepare("k400", options("kinetics"), kinetics(raw, video), tmp_path / "out")
    settings = json.loads((tmp_path / "out/videos/settings.json").read_text())
    assert settings["short_side"] == 24


@pytest.mark.parametrize("name", ["-_a+b.c", "0wR5jVB-WPk_000417_000427", "_x"])
def test_plain_ids_stay(name):
    assert safe_id(name) == name


@pytest.mark.parametrize(
    "name", ["../x", "a/b", ".hidden", ".partial-x", "", "a b", "é", "x" * 300, "a\nb", "a\0b", "日本"]
)
def test_other_ids_become_plain_and_stay_apart(name):
    plain = safe_id(name)
    assert safe_id(plain) == plain and len(plain) <= 200 and not set(plain) & set("/\\ .\n\0")
    assert safe_id(name + "?") != plain
