"""One's own folder as one more dataset of joint training: what is written can be trained as it stands."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from multitrain import cli
from multitrain.common.errors import UserError
from multitrain.engine.checkpointing.checkpoint import load_network, save_network

ROOT = Path(__file__).parents[3]


def test_the_folder_joins_as_one_more_dataset(command, videos, prepared, tmp_path):
    """The very commands that are printed train and score it."""
    out = tmp_path / "out"
    where = ["--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    result = command(videos, "--out", out, "--join", "--name", "films", *where)
    assert result.exit_code == 0, result.output
    lines = [shlex.split(line) for line in result.output.splitlines() if line.startswith("multitrain ")]
    assert [line[1] for line in lines] == ["train", "evaluate", "evaluate", "evaluate", "status"]
    for line in lines:
        done = CliRunner().invoke(cli.app, line[1:])
        assert done.exit_code == 0, done.output
    assert re.search(r"k400 [\d.]+\*, mit [\d.]+\*, films [\d.]+\*", done.output), done.output
    assert "checkpoint" not in done.output and "1 finished" in done.output
    assert "test clips (synthetic, but for my films)" in done.output
    folder = out / "runs/ci/joined/seed0"
    found = load_network(folder / "model.pt")
    assert list(found.heads) == ["k400", "mit", "films"]
    pairs = set(found.projections.weights())
    assert {("films", "k400"), ("k400", "films"), ("mit", "films"), ("films", "mit")} < pairs
    assert {path.stem for path in (folder / "predictions").glob("*.parquet")} == {"k400", "mit", "films"}
    record = json.loads((folder / "run.json").read_text())
    assert record["settings"]["informative"] and record["init"]["file"] == str(out / "start.pt")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--with", "mit,k9"], "no dataset 'k9'"),
        (["--with", ""], "--with: name datasets to train with"),
        (["--with", "ssv2"], "ssv2/manifest.parquet: no such manifest"),
        (["--name", "ssv2"], "--name ssv2: scale ci has such a dataset already"),
        (["--freeze"], "--join: the scale's joint recipe is used"),
        (["--scale", "mini"], "--scale mini: its model has frames 8, the checkpoint's 4"),
        (["--scale", "none"], "none.yaml: no such file"),
    ],
)
def test_what_cannot_be_joined(command, videos, prepared, tmp_path, arguments, told):
    where = ["--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    result = command(videos, "--out", tmp_path / "out", "--join", *where, *arguments)
    assert isinstance(result.exception, UserError), result.output
    assert told in str(result.exception) and "\n" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_the_clips_of_a_joined_training_are_not_replaced(command, videos, prepared, tmp_path):
    """A second --join with the same name: other videos, or clips of other frames, are refused; the same goes on."""
    other = tmp_path / "other"
    for path in sorted(videos.rglob("*.mp4")):
        link = other / path.parent.name / f"other-{path.name}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    where = ["--join", "--name", "films", "--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    assert command(videos, "--out", tmp_path / "one", *where).exit_code == 0
    manifest = prepared / "ci/films/manifest.parquet"
    before = manifest.read_bytes()
    found = command(other, "--out", tmp_path / "two", *where)
    assert f"ci/films: holds the clips of {videos.resolve()}: choose another --name" in str(found.exception)
    card = load_network(tmp_path / "model.pt").card
    sparse = card.datasets["mit"].model_copy(
        update={"frames": card.datasets["mit"].frames.model_copy(update={"fps": 3.0})}
    )
    card = card.model_copy(update={"datasets": {**card.datasets, "mit": sparse}})
    save_network(tmp_path / "sparse.pt", load_network(tmp_path / "model.pt"), card)
    found = command(videos, "--out", tmp_path / "three", *where, "--like", "mit", model=tmp_path / "sparse.pt")
    assert "ci/films: holds clips made as for another head: give the same --like" in str(found.exception)
    (prepared / "ci/own").mkdir()
    (prepared / "ci/own/manifest.parquet").write_bytes(before)
    found = command(videos, "--out", tmp_path / "four", *where, "--name", "own")
    assert "ci/own: holds clips of something else" in str(found.exception)
    assert manifest.read_bytes() == before and not any((tmp_path / n).exists() for n in ("two", "three", "four"))
    assert command(videos, "--out", tmp_path / "one", *where).exit_code == 0
    assert command(videos, "--out", tmp_path / "five", *where).exit_code == 0


def test_the_settings_of_a_joint_training_are_not_mixed_with_others(command, videos, prepared, tmp_path):
    where = ["--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    join = ["--join", "--name", "films", *where]
    assert command(videos, "--out", tmp_path / "tuned", "--freeze", "--name", "films").exit_code == 0
    assert command(videos, "--out", tmp_path / "joined", *join).exit_code == 0
    before = (tmp_path / "joined/config/experiments.yaml").read_bytes()
    for out, arguments, told in (
        ("tuned", join, "tuned: holds a fine-tuning without --join: choose a new folder"),
        ("joined", ["--freeze", "--name", "films"], "joined: holds the settings of a joint training: choose a new"),
        ("joined", [*join, "--with", "mit"], "with another datasets (['k400', 'mit'])"),
        ("joined", [*join, "--seed", "1"], "with another seed (0)"),
    ):
        found = command(videos, "--out", tmp_path / out, *arguments)
        assert isinstance(found.exception, UserError) and told in str(found.exception), found.output
    assert not (tmp_path / "tuned/config").exists()
    assert (tmp_path / "joined/config/experiments.yaml").read_bytes() == before
