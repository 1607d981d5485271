"""Digests of a run of the workflow: a changed bit is found, and the first stage that has one is named."""

import csv
import gzip
import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from dev import digests
from multitrain.common.errors import UserError
from multitrain.data.manifest import write_manifest
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.model.network import Network, Spec
from multitrain.synth.rendering.encode import encode

RUN = Path("results/runs/ci/alone/seed0")
HOME = Path("data/ci/k400")
ROW = {
    **{"clip_id": "a", "video_id": "a", "path": "videos/a.mp4", "label": 0, "split": "test", "publisher_split": "val"},
    **{"frames": 4, "fps": 12.0, "width": 32, "height": 32, "start": None, "end": None},
}


def packed(level: int) -> bytes:
    """An archive of one video, packed as well as `level` says."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        member = tarfile.TarInfo("a.mp4")
        member.size = 1000
        archive.addfile(member, io.BytesIO(bytes(range(250)) * 4))
    return gzip.compress(tar.getvalue(), level, mtime=0)


def table(folder: Path, top1: str, code: str = "abc", hours: str = "0.1") -> None:
    with (folder / "results/table1.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["method", "top1", "code", "hours"], ["MultiTrain", top1, code, hours]])


def scored(folder: Path, score: float) -> None:
    path = folder / RUN / "predictions/k400.parquet"
    pq.write_table(pa.table({"clip_id": ["a"], "scores": pa.array([[score]], pa.list_(pa.float32()))}), path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, scale) -> Path:
    folder = tmp_path_factory.mktemp("made")
    for path in (HOME / "raw", HOME / "videos", RUN / "predictions"):
        (folder / path).mkdir(parents=True)
    (folder / HOME / "raw/part_0.tar.gz").write_bytes(packed(1))
    (folder / HOME / "raw/published.json").write_text("{}")
    (folder / HOME / "missing.csv").write_text("clip_id\n")
    write_manifest(folder / HOME / "manifest.parquet", ["x"], [ROW])
    (folder / HOME / "videos/a.mp4").write_bytes(encode(np.full((4, 32, 32, 3), 90, np.uint8), 12, ".mp4"))
    torch.manual_seed(0)
    save_network(folder / RUN / "model.pt", Network(Spec(model=scale.model, size=32, classes={"k400": ("x",)})))
    (folder / RUN / "run.json").write_text(json.dumps({"processor": {"kernels": "portable"}}))
    scored(folder, 0.5)
    table(folder, "51.2")
    found = digests.digests(folder / "results", folder / "data", "ci")
    assert all(found.values())
    digests.write(found, folder / "kept.yaml")
    return folder


def world(folder: Path) -> None:
    (folder / HOME / "raw/relations.csv").write_text("a,b\n")


def clips(folder: Path) -> None:
    write_manifest(folder / HOME / "manifest.parquet", ["x"], [{**ROW, "fps": float(np.nextafter(np.float32(12), 0))}])


def frames(folder: Path) -> None:
    changed = np.full((4, 32, 32, 3), 90, np.uint8)
    changed[3, :16, :16] = 100
    (folder / HOME / "videos/a.mp4").write_bytes(encode(changed, 12, ".mp4"))


def weights(folder: Path) -> None:
    network = load_network(folder / RUN / "model.pt")
    weight = network.heads["k400"].get_parameter(next(name for name, _ in network.heads["k400"].named_parameters()))
    weight.data.view(-1).view(torch.int32)[0] ^= 1  # the last bit of one number
    save_network(folder / RUN / "model.pt", network)


def predictions(folder: Path) -> None:
    scored(folder, float(np.nextafter(np.float32(0.5), 1)))


def tables(folder: Path) -> None:
    table(folder, "51.3")


@pytest.mark.parametrize("change", [world, clips, frames, weights, predictions, tables], ids=lambda f: f.__name__)
def test_a_changed_bit_names_its_stage_the_processor_and_the_kernels(whole, tmp_path, capsys, change):
    folder = shutil.copytree(whole, tmp_path / "copy")
    change(folder)
    found = digests.digests(folder / "results", folder / "data", "ci")
    assert digests.check(found, folder / "kept.yaml", folder / "results") == 1
    said = capsys.readouterr().out
    assert f"the first that differ: {change.__name__}\n" in said
    assert f"processor {digests.kind()}" in said and "kernels portable" in said
    before = digests.STAGES[: digests.STAGES.index(change.__name__)]
    assert f"equal: {', '.join(before) or 'nothing'};" in said


def test_how_it_was_made_is_no_content(whole, tmp_path, capsys):
    folder = shutil.copytree(whole, tmp_path / "copy")
    table(folder, "51.2", code="other", hours="0.2")
    (folder / "results/deviations.csv").write_text("kind,what\ncommit,two\n")
    (folder / HOME / "raw/part_0.tar.gz").write_bytes(packed(9))
    (folder / HOME / "raw/published.json").write_text('{"bytes": 1}')
    found = digests.digests(folder / "results", folder / "data", "ci")
    assert digests.check(found, folder / "kept.yaml", folder / "results") == 0
    assert "the same bits in all" in capsys.readouterr().out


def test_who_has_confirmed_stays_as_long_as_nothing_else_changes(whole, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(whole, tmp_path / "copy")
    found, file = digests.digests(folder / "results", folder / "data", "ci"), folder / "kept.yaml"
    monkeypatch.setattr(digests, "kind", lambda: "GenuineIntel 6 85")
    assert digests.check(found, file, folder / "results") == 0
    assert "the first time on this kind of processor" in capsys.readouterr().out
    digests.write(found, file)
    assert len(digests._read(file)["confirmed"]) == 2
    found["tables"]["table1.csv"] = "another"
    digests.write(found, file)
    assert digests._read(file)["confirmed"] == ["GenuineIntel 6 85"]


def test_runs_that_are_new_or_gone_are_named(whole):
    kept = digests._read(whole / "kept.yaml")
    found = {stage: dict(kept[stage]) for stage in digests.STAGES}
    found["weights"]["more/seed0"] = found["weights"].pop("alone/seed0")
    assert digests.differences(found, kept) == [
        "weights that are new: more/seed0",
        "weights that are not here: alone/seed0",
    ]


@pytest.mark.parametrize("content", [None, "{", "[]", "versions: {}"])
def test_a_file_that_is_none_is_said_in_a_line(tmp_path, content):
    path = tmp_path / "kept.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=r"kept\.yaml: .*--write"):
        digests._read(path)


def test_the_committed_file_is_one_of_every_dataset_and_run(experiments, scale):
    kept = digests._read(Path(__file__).parents[1] / "digests.yaml")
    assert set(kept["frames"]) == set(kept["world"]) == set(scale.datasets)
    assert all(kept[stage] for stage in digests.STAGES) and kept["confirmed"]
    assert {name.partition("/")[0] for name in kept["weights"]} <= set(experiments.runs)
