"""Each publisher's format: annotations and archives agree, and the damaged files are the listed ones."""

import csv
import io
import json
import tarfile
import zipfile
from collections import Counter

import av
import pytest

from tests.synth.conftest import SPECS, summary

pytestmark = pytest.mark.xdist_group("published")  # one process, which publishes once for all of these tests


def trouble(folder, kind):
    """Id of the video with one kind of damage."""
    (found,) = (name for name, what in summary(folder)["troubles"].items() if what == kind)
    return found


def frames(data):
    """Decoded frames of a file's bytes, and its codec."""
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 12
        assert (stream.height, stream.width) == (48, 48)
        return sum(1 for _ in container.decode(stream)), stream.codec_context.name


def undecodable(data):
    try:
        return frames(data)[0] == 0
    except av.error.FFmpegError:
        return True


def tar_members(data):
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        return {m.name: archive.extractfile(m).read() for m in archive.getmembers()}


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def check_files(folder, files, listed, codec, low, high):
    """`files` are the bytes of a training split by id; all but the troubled ones decode."""
    broken, empty, absent = (trouble(folder, kind) for kind in ("broken", "empty", "absent"))
    assert listed - set(files) == {absent}
    assert files[empty] == b""
    assert files[broken] and undecodable(files[broken])
    good = set(files) - {empty, broken}
    assert len(good) == 5
    for name in good:
        count, found = frames(files[name])
        assert found == codec
        assert low <= count <= high


@pytest.mark.parametrize(("dataset", "prefix"), [("k400", "k400"), ("k700", "k700_2020")])
def test_kinetics(published, dataset, prefix):
    folder = published[dataset]
    for split, listed in (("train", 8), ("val", 3)):
        parts = (folder / split / f"{prefix}_{split}_path.txt").read_text().split()
        assert len(parts) >= (2 if split == "train" else 1)
        members = {}
        for part in parts:
            members |= tar_members((folder / part).read_bytes())
        table = rows((folder / "annotations" / f"{split}.csv").read_text())
        assert len(table) == listed
        names = {f"{r['youtube_id']}_{int(r['time_start']):06d}_{int(r['time_end']):06d}.mp4" for r in table}
        assert set(members) <= names
        assert {r["label"] for r in table} <= set(SPECS[dataset].classes)
        assert {r["split"] for r in table} == {split}
        assert ("is_cc" in table[0]) == (dataset == "k400")
        assert all(len(r["youtube_id"]) == 11 for r in table)
        files = {name[:11]: data for name, data in members.items()}
        if split == "val":
            assert {name[:11] for name in names} == set(files)
            assert all(frames(data)[0] >= 30 for data in files.values())
            continue
        if dataset == "k400":
            replaced = trouble(folder, "replaced")
            assert files[replaced] == b""
            replacements = tar_members((folder / "replacement_for_corrupted_k400.tgz").read_bytes())
            ((name, data),) = replacements.items()
            assert name.startswith(f"replacement_for_corrupted_k400/{replaced}_") and name.split("/")[1] in members
            files[replaced] = data
        check_files(folder, files, {name[:11] for name in names}, "h264", 30, 36)
    assert "label" not in (folder / "annotations/test.csv").read_text().splitlines()[0]


def test_activitynet(published):
    folder = published["actnet"]
    whole = json.loads((folder / "activity_net.v1-3.min.json").read_text())
    assert set(whole) == {"database", "taxonomy", "version"}
    leaves = {n["nodeName"] for n in whole["taxonomy"]} - {n["parentName"] for n in whole["taxonomy"]}
    assert leaves == set(SPECS["actnet"].classes)
    entries = whole["database"]
    assert Counter(e["subset"] for e in entries.values()) == {"training": 8, "validation": 3, "testing": 3}
    on_disk = {path.stem.removeprefix("v_"): path for path in (folder / "videos").iterdir()}
    assert sorted({path.suffix for path in on_disk.values()}) == [".mkv", ".mp4"]
    training = {name for name, e in entries.items() if e["subset"] == "training"}
    data = {name: on_disk[name].read_bytes() for name in training & set(on_disk)}
    check_files(folder, data, training, "h264", 45, 133)
    for name, entry in entries.items():
        assert bool(entry["annotations"]) == (entry["subset"] != "testing")
        assert entry["url"].endswith(name)
        for annotation in entry["annotations"] if name != trouble(folder, "backwards") else ():
            assert annotation["label"] in SPECS["actnet"].classes
            start, end = annotation["segment"]
            assert 0 <= start < end <= entry["duration"] + 0.005  # it has two places
    overrun = trouble(folder, "overrun")
    seconds = frames(data[overrun])[0] / 12
    start, end = entries[overrun]["annotations"][-1]["segment"]
    assert end > seconds + 1 and seconds - start >= SPECS["actnet"].bias.seconds[0] - 0.1
    start, end = entries[trouble(folder, "backwards")]["annotations"][-1]["segment"]
    assert end < start


def test_ssv2(published):
    folder = published["ssv2"]
    pieces = sorted(folder.glob("20bn-something-something-v2-??"))
    assert len(pieces) >= 2
    members = tar_members(b"".join(piece.read_bytes() for piece in pieces))
    with zipfile.ZipFile(folder / "labels.zip") as archive:
        labels, train, validation, test = (
            json.loads(archive.read(f"labels/{name}.json")) for name in ("labels", "train", "validation", "test")
        )
    for name in SPECS["ssv2"].classes:
        assert labels[name.replace("[", "").replace("]", "")] == str(SPECS["ssv2"].classes.index(name))
    assert len(labels) == len(SPECS["ssv2"].classes)
    assert (len(train), len(validation)) == (8, 3)
    for entry in train + validation:
        assert entry["template"].replace("[", "").replace("]", "") in labels
        assert len(entry["placeholders"]) == entry["template"].count("[something]")
        assert all(noun in entry["label"] for noun in entry["placeholders"])
    files = {name.removeprefix("20bn-something-something-v2/").removesuffix(".webm"): d for name, d in members.items()}
    assert not {entry["id"] for entry in test} & set(files)
    held = {entry["id"] for entry in validation}
    check_files(folder, {k: d for k, d in files.items() if k not in held}, {e["id"] for e in train}, "vp9", 24, 40)
    assert all(frames(files[name])[1] == "vp9" for name in held)


def test_mit(published):
    folder = published["mit"]
    with zipfile.ZipFile(folder / "Moments_in_Time_Raw.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    categories = [line.rsplit(",", 1) for line in members["moments_categories.txt"].decode().splitlines()]
    assert [name for name, _ in categories] == list(SPECS["mit"].classes)
    assert [int(index) for _, index in categories] == list(range(len(categories)))
    assert any("+" in name for name, _ in categories)
    assert {"README.txt", "license.txt"} <= set(members)
    for split, file, listed in (("training", "trainingSet.csv", 8), ("validation", "validationSet.csv", 3)):
        table = [line.split(",") for line in members[file].decode().splitlines()]
        assert len(table) == listed
        assert all(path.startswith(label + "/") and int(yes) > int(no) for path, label, yes, no in table)
        files = {n.removeprefix(split + "/"): d for n, d in members.items() if n.startswith(split + "/")}
        ids = {path: next((i for i in summary(folder)["troubles"] if i in path), path) for path, *_ in table}
        if split == "training":
            check_files(folder, {ids[path]: d for path, d in files.items()}, set(ids.values()), "h264", 24, 27)
        else:
            assert set(files) == {path for path, *_ in table}
