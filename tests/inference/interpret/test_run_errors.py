"""`multitrain confusion` and `multitrain calibration` on the folder of a run."""

import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from multitrain import cli
from multitrain.engine.evaluate import evaluate


@pytest.fixture(scope="module")
def run(trained):
    """The folder of a joint run whose test clips of K400 and MiT are scored."""
    for name in ("k400", "mit"):
        evaluate(trained, name, "test", trained.folder / "predictions" / f"{name}.parquet", torch.device("cpu"))
    return trained.folder


def say(*arguments: object):
    return CliRunner().invoke(cli.app, [*map(str, arguments)])


def test_confusions_of_every_dataset_with_frames(run, trained, tmp_path):
    said = say("confusion", run, "--data", trained.data, "--out", tmp_path, "--worst", 2)
    assert said.exit_code == 0, said.output
    for name in ("k400", "mit"):
        classes = pd.read_csv(tmp_path / f"{name}_classes.csv")
        pairs = pd.read_csv(tmp_path / f"{name}_confusions.csv")
        clips = len(trained.source(name, "test"))
        right = (classes["clips"] * classes["top1"].fillna(0) / 100).sum()
        assert classes["clips"].sum() == clips and right + pairs["clips"].sum() == pytest.approx(clips, abs=0.1)
        assert Image.open(tmp_path / f"{name}_confusion.png").width > 500
        assert Image.open(tmp_path / f"{name}_confusions.jpg").width > 500
    assert said.stdout.count(" -> ") == 4 and "clips taken for another class" in said.stdout


def test_without_the_clips_there_are_no_frames_and_a_line_says_so(run, tmp_path):
    said = say("confusion", run, "--data", tmp_path / "none", "--out", tmp_path, "--dataset", "mit", "--projected")
    assert said.exit_code == 0 and "no frames: " in said.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("mit_classes.csv", "mit_confusion.png", "mit_confusions.csv"),
    ]


def test_calibration_of_every_head(run, tmp_path):
    said = say("calibration", run, "--out", tmp_path)
    assert said.exit_code == 0 and said.stdout.count("ECE") == 4
    rows = pd.read_csv(tmp_path / "calibration.csv")
    assert {*zip(rows["dataset"], rows["head"], strict=True)} == {
        (name, head) for name in ("k400", "mit") for head in ("Y_k", "Y'_k")
    }
    assert (tmp_path / "calibration.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "val"], "predictions_val: no predictions: `multitrain evaluate joint DATASET --split val` first"),
        (["--dataset", "ssv2"], "ssv2.parquet: no such predictions: `multitrain evaluate joint ssv2 --split test`"),
    ],
)
@pytest.mark.parametrize("command", ["confusion", "calibration"])
def test_a_run_without_predictions_is_one_line(command, arguments, message, run, capsys):
    with pytest.raises(SystemExit):
        cli.run([command, str(run), *arguments])
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
