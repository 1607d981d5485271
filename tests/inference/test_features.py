"""z of every clip: what evaluation sees, of prepared data and of any folder; what cannot be read is named."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

import multitrain
from multitrain import cli
from multitrain.common.errors import UserError
from multitrain.config.scale import Views
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpointing.checkpoint import save_network
from multitrain.engine.evaluate import evaluate
from multitrain.engine.setup import Job
from multitrain.inference import export, features
from multitrain.inference.features import collect, folder_collection, frames_for, write_features
from multitrain.inference.predict import Recogniser
from multitrain.model.files.metadata import make_card
from multitrain.model.network import Network, Spec

CPU = torch.device("cpu")


@pytest.fixture
def joint(job) -> Job:
    """A run of both datasets, with several test views."""
    own = job("joint")
    several = {"views": Views(temporal=2, spatial=3)}
    datasets = {name: its.model_copy(update=several) for name, its in own.scale.datasets.items()}
    return replace(own, scale=own.scale.model_copy(update={"datasets": datasets}))


@pytest.fixture
def model(joint, data) -> Path:
    """Its model as if it had been trained: random weights and its card."""
    classes = {name: read_manifest(data / "ci" / name / "manifest.parquet").classes for name in joint.run.datasets}
    torch.manual_seed(0)
    network = Network(Spec(model=joint.scale.model, size=joint.size, classes=classes))
    card = make_card({name: joint.scale.datasets[name] for name in classes})
    save_network(joint.folder / "model.pt", network, card)
    return joint.folder / "model.pt"


@pytest.fixture
def folder(data, tmp_path) -> Path:
    """Three videos in two folders, one of them damaged, and files that are none."""
    clips = sorted((data / "ci" / "k400" / "videos").rglob("*.mp4"))[:2]
    place = tmp_path / "my videos"
    for target, clip in zip(("b.mp4", "deep/a.MP4"), clips, strict=True):
        (place / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, place / target)
    (place / "c.mp4").write_text("no video")
    (place / "notes.txt").write_text("no video")
    return place


def run(*arguments: object):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def table_of(recogniser: Recogniser, where: Path, out: Path, **how):
    collection = collect(where, "test")
    _, frames = frames_for(recogniser, collection.dataset)
    return write_features(recogniser, collection, frames, out, **how), pq.read_table(out)


def test_features_are_those_that_evaluation_sees(joint, model, data, tmp_path):
    for dataset in ("k400", "mit"):
        evaluate(joint, dataset, "test", tmp_path / "predictions" / f"{dataset}.parquet", CPU)
        manifest = data / "ci" / dataset / "manifest.parquet"
        recogniser = Recogniser(multitrain.load(model), batch=3)
        failures, table = table_of(recogniser, manifest.parent, tmp_path / f"{dataset}.parquet")
        rows, test = table.to_pylist(), read_manifest(manifest).split("test")
        assert not failures
        for name in ("clip_id", "path", "label"):
            assert [row[name] for row in rows] == test.table[name].to_pylist()
        assert [row["class"] for row in rows] == [test.classes[row["label"]] for row in rows]
        assert {row["dataset"] for row in rows} == {dataset}
        seen = np.load(tmp_path / "predictions" / f"{dataset}.npz")
        assert sum(row["views"] for row in rows) == seen["views"] == 6 * len(test)
        z = np.array([row["z"] for row in rows])
        np.testing.assert_allclose(z.mean(0), seen["features_mean"], atol=1e-5 * np.abs(z).max())
        assert z.std(0).max() > 1e-3


def test_columns_and_what_the_table_says_of_itself(model, data, tmp_path):
    recogniser = Recogniser(multitrain.load(model))
    _, table = table_of(recogniser, data / "ci" / "mit" / "manifest.parquet", tmp_path / "z.parquet")
    assert table.schema.equals(features.schema(recogniser.network.backbone.width), check_metadata=False)
    said = json.loads(table.schema.metadata[b"multitrain"])
    assert (said["format"], said["dataset"], said["split"]) == (features.FORMAT, "mit", "test")
    assert set(said["model"]["datasets"]) == {"k400", "mit"}
    assert said["frames"] == json.loads(recogniser.card.datasets["mit"].frames.model_dump_json())


def test_a_folder_of_videos_without_those_that_are_none(model, folder, tmp_path):
    out = tmp_path / "new" / "z.parquet"
    result = run("features", model, folder, out, "--like", "mit", "--threads", 1, "--device", "cpu")
    assert result.exit_code == 1 and isinstance(result.exception, UserError)
    assert str(result.exception) == f"1 of 3 videos could not be read and are not in {out}"
    assert f"error: {folder / 'c.mp4'}: " in result.stderr and "looked at as those of mit" in result.stderr
    rows = pq.read_table(out).to_pylist()
    assert [row["clip_id"] for row in rows] == [row["path"] for row in rows] == ["b.mp4", "deep/a.MP4"]
    assert {(row["dataset"], row["label"], row["class"]) for row in rows} == {(None, None, None)}


def test_the_head_decides_which_frames_are_taken(model, folder, tmp_path):
    (folder / "c.mp4").unlink()
    recogniser = Recogniser(multitrain.load(model))
    mit = recogniser.card.datasets["mit"]
    other = mit.model_copy(update={"frames": mit.frames.model_copy(update={"fps": 4.0})})
    recogniser.card = recogniser.card.model_copy(update={"datasets": {**recogniser.card.datasets, "mit": other}})
    assert frames_for(recogniser, None) == frames_for(recogniser, "unknown") == frames_for(recogniser, "k400")
    tables = []
    for dataset in ("k400", "mit"):
        write_features(recogniser, folder_collection(folder), frames_for(recogniser, dataset)[1], tmp_path / dataset)
        tables.append(np.array(pq.read_table(tmp_path / dataset)["z"].to_pylist()))
    assert np.abs(tables[0] - tables[1]).max() > 1e-4


def test_neither_processes_nor_blocks_of_rows_change_the_bytes(model, folder, tmp_path, monkeypatch):
    recogniser = Recogniser(multitrain.load(model))
    heard = []
    table_of(recogniser, folder, tmp_path / "one.parquet", done=lambda *numbers: heard.append(numbers))
    assert heard == [(1, 3), (2, 3), (3, 3)]
    table_of(recogniser, folder, tmp_path / "two.parquet", jobs=2)
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    monkeypatch.setattr(features, "ROWS", 1)
    _, table = table_of(recogniser, folder, tmp_path / "rows.parquet")
    assert table.equals(pq.read_table(tmp_path / "one.parquet"))


def test_nothing_is_left_where_no_video_can_be_read(model, folder, tmp_path):
    for name in ("b.mp4", "deep/a.MP4"):
        (folder / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"none of 3 videos could be read; the first, .*b\.mp4: "):
        table_of(Recogniser(multitrain.load(model)), folder, tmp_path / "z.parquet")
    assert not (tmp_path / "z.parquet").exists() and not list(tmp_path.glob(".partial*"))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("features {model} {tmp}/nowhere {tmp}/z.parquet", "nowhere: no such folder"),
        ("features {model} {tmp}/empty {tmp}/z.parquet", "empty: a folder without videos"),
        ("features {model} {folder} {tmp}/z.csv", "z.csv: choose a name that ends in .parquet"),
        ("features {model} {folder} {tmp}/d.parquet", "d.parquet: is a folder: name a file in it"),
        ("features {model} {folder} {folder}/notes.txt/z.parquet", "z.parquet: cannot be written"),
        ("features {model} {folder} {tmp}/z.parquet --like ssv2", "--like ssv2: the model has heads of k400, mit"),
        ("features {tmp}/no.pt {folder} {tmp}/z.parquet", "no.pt: no such file"),
        ("features {model} {tmp}/damaged {tmp}/z.parquet", "manifest.parquet: not a readable Parquet file"),
        ("features {model} {folder} {tmp}/z.parquet --split test", "--split test: "),
        ("features {model} {data}/ci/mit {other}", "other.parquet: is there and is no table of features"),
        ("features {model} {folder} {folder}/broken.parquet", "broken.parquet: is there and is no table of features"),
        ("export {model}", "nothing to write: give --onnx OUT.onnx, --program OUT.pt2 or --folder OUT"),
        ("export {model} --program {tmp}/m.onnx", "m.onnx: choose a name that ends in .pt2"),
        ("export {model} --onnx {tmp}/m.pt2", "m.pt2: choose a name that ends in .onnx"),
        ("export {model} --program {folder}/notes.txt/m.pt2", "m.pt2: cannot be written"),
        ("export {tmp}/no.pt --program {tmp}/m.pt2", "no.pt: no such file"),
        ("export {folder}/b.mp4 --program {tmp}/m.pt2", "b.mp4: damaged, or no file of weights alone: give a whole"),
        ("export {folder}/notes.txt --program {tmp}/m.pt2", "notes.txt: "),
        ("export {model} --program {tmp}/new/m.pt2 --clips {tmp}/new", "new: no such folder"),
        ("export {model} --program {tmp}/m.pt2 --clips {tmp}/dark", "dark: none of 2 videos can be read: leave it out"),
        ("export {model} --folder {folder}/notes.txt", "notes.txt"),
        ("export {model} --folder {tmp}/new --clips {folder}", "--clips: checks --onnx and --program"),
        ("export {model} --program {tmp}/m.pt2 --clips {tmp}/empty", "empty: a folder without videos"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(command, message, model, folder, data, tmp_path):
    for name in ("empty", "d.parquet", "damaged"):
        (tmp_path / name).mkdir()
    (tmp_path / "damaged" / "manifest.parquet").write_text("no table")
    (tmp_path / "dark").mkdir()
    for broken in (tmp_path / "dark" / "a.mp4", tmp_path / "dark" / "b.mp4", folder / "broken.parquet"):
        broken.write_text("nothing")
    other = tmp_path / "other.parquet"
    pq.write_table(pa.table({"a": [1]}), other)
    places = {"model": model, "folder": folder, "data": data, "tmp": tmp_path, "other": other}
    before = sorted(tmp_path.rglob("*"))
    result = run(*(part.format(**places) for part in command.split()))
    assert isinstance(result.exception, UserError), result.output
    assert message in str(result.exception) and "\n" not in str(result.exception)
    assert sorted(tmp_path.rglob("*")) == before


def test_export_by_command_is_checked_on_videos_too(model, data, tmp_path):
    result = run("export", model, "--program", tmp_path / "m.pt2", "--clips", data / "ci" / "mit")
    assert result.exit_code == 0, result.output
    difference = re.search(r"m\.pt2: .* largest difference from the model (\S+)\n", result.stdout)[1]
    assert float(difference) <= 1e-5  # some 80 roundings of float32
    assert torch.export.load(tmp_path / "m.pt2").module()


def test_export_by_command_writes_a_folder_that_loads(model, tmp_path):
    result = run("export", model, "--folder", tmp_path / "saved")
    assert result.exit_code == 0 and "saved: model.safetensors" in result.stdout
    wanted, found = multitrain.load(model), multitrain.load(tmp_path / "saved")
    assert (found.spec, found.card) == (wanted.spec, wanted.card)
    assert all(torch.equal(weight, wanted.state_dict()[name]) for name, weight in found.state_dict().items())


def test_a_manifest_is_not_written_over_but_features_are(model, data, tmp_path):
    shutil.copytree(data / "ci" / "mit", tmp_path / "mit")
    manifest = tmp_path / "mit" / "manifest.parquet"
    before = manifest.read_bytes()
    result = run("features", model, tmp_path / "mit", manifest, "--split", "val")
    assert isinstance(result.exception, UserError) and "choose another name" in str(result.exception)
    assert manifest.read_bytes() == before
    for split in ("val", "test"):  # in place of the earlier table
        assert run("features", model, tmp_path / "mit", tmp_path / "z.parquet", "--split", split).exit_code == 0
    assert len(pq.read_table(tmp_path / "z.parquet")) == len(read_manifest(manifest).split("test"))


def test_the_check_leaves_out_videos_that_cannot_be_read(model, folder, tmp_path, monkeypatch):
    checked = []
    monkeypatch.setattr(
        export, "export_program", lambda network, out, clips, half: (checked.append(clips), out.touch(), 0.0)[2]
    )
    shutil.copy(folder / "c.mp4", folder / "a.mp4")  # the first one
    result = run("export", model, "--program", tmp_path / "m.pt2", "--clips", folder)
    assert result.exit_code == 0, result.output
    assert f"note: {folder / 'a.mp4'}: " in result.stderr and "left out of the check" in result.stderr
    assert len(checked[0]) == 2
