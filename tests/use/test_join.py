"""One's own folder as one more dataset of joint training: what is written can be trained as it stands."""

import json
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from multitrain import cli
from multitrain.engine.checkpoint import load_network
from multitrain.errors import UserError

ROOT = Path(__file__).parents[2]


def test_the_folder_joins_as_one_more_dataset(command, videos, prepared, tmp_path):
    """The very commands that are printed train and score it."""
    out = tmp_path / "out"
    where = ["--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    result = command(videos, "--out", out, "--join", "--name", "films", *where)
    assert result.exit_code == 0, result.output
    lines = [shlex.split(line) for line in result.output.splitlines() if line.startswith("multitrain ")]
    assert [line[1] for line in lines] == ["train", "evaluate", "evaluate", "evaluate"]
    for line in lines:
        done = CliRunner().invoke(cli.app, line[1:])
        assert done.exit_code == 0, done.output
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
