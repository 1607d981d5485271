"""Checks of the user's files: a pipe, device or folder in the place of a regular file is an error of one line."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from multitrain.analysis.projections.class_relations import read_relations
from multitrain.cli.commands.pipeline_commands import pretrained_files
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes, regular, special
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.data.manifest import read_manifest
from multitrain.datasets.formats import activitynet, kinetics, path_lists, ssv2
from multitrain.datasets.formats.readers import readers
from multitrain.inference.features import collect, require_table
from multitrain.inference.models import load
from multitrain.model.files.model_folder import CONFIG, WEIGHTS, load_folder, save_folder
from multitrain.model.network import Network, Spec
from tests.datasets import raw as published
from tests.datasets.raw import dataset, put


def device(path: Path) -> Path:
    """A link to a device in a file's place. Reading this one ends at once: a test fails, never hangs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/null")
    return path


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (os.mkfifo, "is a pipe"),
        (device, "leads to a device"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to(path.parent), "leads to a folder"),
    ],
)
def test_special_files_are_refused_by_their_kind(tmp_path, make: Callable, kind):
    make(tmp_path / "x")
    with pytest.raises(UserError) as caught:
        regular(tmp_path / "x")
    assert str(caught.value) == f"{tmp_path / 'x'}: {kind}, not a regular file: give the file itself"
    with pytest.raises(UserError, match="not a regular file"):
        read_bytes(tmp_path / "x")


def test_a_file_a_link_to_one_and_nothing_are_let_through(tmp_path):
    put(tmp_path / "a", "text")
    (tmp_path / "b").symlink_to("a")
    for name in ("a", "b", "absent", "a/below"):
        assert regular(tmp_path / name) == tmp_path / name and special(tmp_path / name) == ""
    assert read_bytes(tmp_path / "b") == b"text"


def test_unreadable_missing_and_huge_files_are_one_line(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=r"loop: cannot be looked at \(Too many levels"):
        regular(tmp_path / "loop")
    with pytest.raises(UserError, match="cannot be looked at"):
        regular("x\0y")
    with pytest.raises(UserError, match="absent: no such file: bring it"):
        read_bytes(tmp_path / "absent", "bring it")
    with (tmp_path / "huge").open("wb") as stream:
        stream.truncate(1 << 40)  # without a block on the disk
    with pytest.raises(UserError, match="huge: 1048576 MiB, where no such text has more than 256"):
        read_bytes(tmp_path / "huge")


def lists(folder: Path, video: bytes) -> Path:
    put(folder / "classes.txt", "a\nb\n")
    put(folder / "train.csv", "a.mp4 0\nb.mp4 1\n")
    put(folder / "val.csv", "c.mp4 0\n")
    return folder


PUBLISHED = {**published.PUBLISH, "list": lists}
FILES = {
    "kinetics": ["annotations/train.csv", "annotations/val.csv", "train/part_0.tar.gz", "val/part_0.tar.gz"],
    "mit": ["Moments_in_Time_Raw.zip"],
    "ssv2": ["labels.zip", "20bn-something-something-v2-00", "20bn-something-something-v2-02"],
    "activitynet": ["activity_net.v1-3.min.json"],
    "list": ["train.csv", "val.csv", "classes.txt"],
}


@pytest.mark.parametrize(("reader", "name"), [(reader, name) for reader, names in FILES.items() for name in names])
def test_a_publishers_file_that_is_a_device(tmp_path, reader, name):
    raw = PUBLISHED[reader](tmp_path / "raw", b"no video")
    device(raw / name)
    settings = dataset(reader, **({"classes_file": "classes.txt"} if reader == "list" else {}))
    with pytest.raises(UserError, match=rf"{Path(name).name}: leads to a device, not a regular file"):
        readers()[reader].read(raw, settings)


def test_further_files_of_publishers(tmp_path):
    raw = published.kinetics(tmp_path / "kinetics", b"")
    device(raw / "replacement_for_corrupted_k400.tgz")
    with pytest.raises(UserError, match=r"replacement_for_corrupted_k400.tgz: leads to a device"):
        kinetics.read(raw, dataset("kinetics"))
    (raw / "replacement_for_corrupted_k400.tgz").unlink()
    put(raw / "train/k400_train_path.txt", "http://server/part_0.tar.gz\n")
    archive = (raw / "train/part_0.tar.gz").rename(raw / "kept")
    device(raw / "train/part_0.tar.gz")
    with pytest.raises(UserError, match=r"part_0.tar.gz: leads to a device"):
        kinetics.read(raw, dataset("kinetics"))
    archive.replace(raw / "train/part_0.tar.gz")
    device(raw / "train/k400_train_path.txt")
    with pytest.raises(UserError, match=r"k400_train_path.txt: leads to a device"):
        kinetics.read(raw, dataset("kinetics"))
    raw = published.ssv2(tmp_path / "ssv2", b"")
    device(raw / "labels/train.json")
    (raw / "labels.zip").unlink()
    put(raw / "labels/labels.json", published.ssv2_texts()["labels.json"])
    put(raw / "labels/validation.json", published.ssv2_texts()["validation.json"])
    with pytest.raises(UserError, match=r"train.json: leads to a device"):
        ssv2.read(raw, dataset("ssv2"))


def test_a_video_that_is_no_file_is_refused_in_its_own_line(tmp_path):
    raw = published.activitynet(tmp_path / "activitynet", b"x")
    device(raw / "videos/v_validation1.mp4")
    lists(tmp_path / "list", b"")
    device(tmp_path / "list/a.mp4")
    for publication, key in (
        (activitynet.read(raw, dataset("activitynet")), "validation1"),
        (path_lists.read(tmp_path / "list", dataset("list", classes_file="classes.txt")), "a.mp4"),
    ):
        members = {member.key: member for batch in publication.batches for member in batch.members()}
        assert members[key].content is None and "not a regular file" in members[key].refused


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("model.pt", load),
        ("model.pyth", load),
        (CONFIG, lambda path: load(path.parent)),
        (CONFIG, lambda path: load_folder(path.parent)),
        ("model.pt", lambda path: load(path.parent)),
        ("x.yaml", load_scale),
        ("experiments.yaml", lambda path: load_experiments(path.parent)),
        ("manifest.parquet", read_manifest),
        ("manifest.parquet", lambda path: collect(path, "test")),
        ("relations.csv", lambda path: read_relations([path], {})),
        ("features.parquet", require_table),
        ("given.pt", lambda path: pretrained_files([f"run={path}"])),
    ],
)
def test_models_settings_and_tables(tmp_path, name, read):
    device(tmp_path / name)
    with pytest.raises(UserError, match=r"not a regular file"):
        read(tmp_path / name)


def test_the_weights_of_a_saved_folder(tmp_path, scale):
    save_folder(tmp_path, Network(Spec(model=scale.model, size=16, classes={"a": ("x", "y")})))
    device(tmp_path / WEIGHTS)
    with pytest.raises(UserError, match=r"model.safetensors: .*not a regular file"):
        load(tmp_path)
