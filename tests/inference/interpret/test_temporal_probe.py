"""Clips shown still, shuffled and backwards, and scored; the whole ones exactly as evaluation scores them."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.data.clips import ViewClips
from multitrain.data.loader import view_batches
from multitrain.engine.checkpointing.checkpoint import load_network
from multitrain.engine.evaluate import evaluate
from multitrain.inference.interpret.temporal_probe import ORDERS, ordered, places, write_temporal
from multitrain.model.network import normalise

CPU = torch.device("cpu")


def counted(clips: int = 2, views: int = 3, frames: int = 5) -> torch.Tensor:
    """Views (clips * views, 3, T, 2, 2) whose pixels are the number of their frame."""
    return torch.arange(frames).view(1, 1, -1, 1, 1).expand(clips * views, 3, -1, 2, 2)


def shown(order: str, clip_ids: tuple[str, ...], **size: int) -> list[list[int]]:
    """Numbers of the frames that each view shows."""
    video = ordered(counted(len(clip_ids), **size), clip_ids, order)
    assert video.shape == counted(len(clip_ids), **size).shape
    assert (video == video[:, :1, :, :1, :1]).all()  # frames are moved, not pixels
    return video[:, 0, :, 0, 0].tolist()


def test_a_whole_clip_is_as_it_was():
    assert shown("whole", ("a", "b")) == [[0, 1, 2, 3, 4]] * 6


def test_a_static_clip_is_its_middle_frame_alone():
    assert shown("static", ("a",), views=1) == [[2] * 5]
    assert shown("static", ("a",), views=1, frames=4) == [[2] * 4]


def test_a_reversed_clip_is_whole_when_it_is_reversed_again():
    assert shown("reversed", ("a",), views=1) == [[4, 3, 2, 1, 0]]
    assert torch.equal(ordered(ordered(counted(1), ("a",), "reversed"), ("a",), "reversed"), counted(1))


def test_a_shuffled_clip_has_all_frames_in_another_order_that_its_id_decides():
    first, *others = shown("shuffled", ("a", "b"))
    assert sorted(first) == [0, 1, 2, 3, 4] and first != [0, 1, 2, 3, 4]
    assert others[:2] == [first] * 2  # one order in all views of a clip
    assert shown("shuffled", ("b", "a"))[3] == first  # wherever it stands in a batch
    assert len({tuple(places("shuffled", 8, f"clip{i}")) for i in range(20)}) == 20


@pytest.mark.parametrize("frames", [1, 2])
def test_the_shortest_clips_are_shuffled_as_far_as_they_can_be(frames):
    assert [places("shuffled", frames, f"clip{i}").tolist() for i in range(9)] == [list(range(frames))[::-1]] * 9


@pytest.fixture(scope="module")
def scored(trained, tmp_path_factory):
    """MiT's clips of val, by the joint run."""
    out = tmp_path_factory.mktemp("scored") / "mit.parquet"
    write_temporal(trained, "mit", "val", out, CPU)
    return pq.read_table(out)


def test_whole_clips_have_the_very_scores_of_an_evaluation(trained, scored, tmp_path):
    evaluate(trained, "mit", "val", tmp_path / "mit.parquet", CPU)
    expected = pq.read_table(tmp_path / "mit.parquet")
    assert scored["whole"].to_pylist() == expected["scores"].to_pylist()
    for name in ("clip_id", "label", "video_id"):
        assert scored[name].to_pylist() == expected[name].to_pylist()


@pytest.mark.parametrize("order", ORDERS[1:])
def test_the_other_scores_are_of_the_frames_in_that_order(trained, scored, order):
    network = load_network(trained.folder / "model.pt")
    batch = next(view_batches(ViewClips([trained.source("mit", "val")], trained.scale.model.frames, trained.size), 1))
    frames = places(order, batch.video.shape[2], batch.clip_ids[0])
    with torch.no_grad():
        logits = network.logits(normalise(batch.video[:, :, frames], "clip"))["mit"]
    row = scored[order][scored["clip_id"].to_pylist().index(batch.clip_ids[0])].as_py()
    torch.testing.assert_close(torch.tensor(row), logits.softmax(-1).mean(0), rtol=1e-4, atol=1e-6)
    assert not np.allclose(row, scored["whole"][0].as_py(), atol=1e-6)


def test_clips_of_another_dataset_are_scored_by_the_head_that_is_asked_for(trained, tmp_path):
    write_temporal(trained, "mit", "val", tmp_path / "on.parquet", CPU, head="k400", orders=("whole",))
    found = pq.read_table(tmp_path / "on.parquet")
    names = {key.decode(): json.loads(value) for key, value in found.schema.metadata.items()}
    assert names == {
        "classes": list(trained.source("k400", "val").classes),
        "clip_classes": list(trained.source("mit", "val").classes),
    }
    assert found.column_names == ["clip_id", "label", "video_id", "whole"]
    assert {len(row) for row in found["whole"].to_pylist()} == {len(names["classes"])}


def test_a_head_that_the_run_lacks_is_refused(trained, tmp_path):
    with pytest.raises(UserError, match="run joint has no dataset 'ssv2'"):
        write_temporal(trained, "mit", "val", tmp_path / "x.parquet", CPU, head="ssv2")
    assert not list(tmp_path.iterdir())


def test_the_command_prints_an_accuracy_for_each_order(trained, tmp_path):
    folders = ["--scale", "ci", "--data", trained.data, "--results", trained.results]
    said = CliRunner().invoke(app, ["temporal", "k400_baseline", "k400", *map(str, folders)])
    lines = [line for line in said.stdout.splitlines() if "guess" in line]
    assert said.exit_code == 0, said.output
    assert [line.split()[0] for line in lines] == list(ORDERS)
    home = trained.results / "runs" / "ci" / "k400_baseline" / "seed0" / "temporal_val"
    assert [path.name for path in home.iterdir()] == ["k400.parquet"]
    said = CliRunner().invoke(app, ["temporal", "k400_baseline", "k400", "--clips", "mit", *map(str, folders)])
    assert said.stdout.startswith("MiT by ") and "related classes of K400" in said.stdout
    assert (home / "k400_on" / "mit.parquet").exists()
