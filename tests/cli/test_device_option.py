"""Every command that runs a model takes --device, and says in one line where there is none such."""

import re
from pathlib import Path

import pytest

from tests.cli.test_cli import COMMANDS, CONFIG, REFERENCE, call

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"
CI = ["--scale", "ci", *CONFIG]
LINES = {  # what else the commands need to come to their device
    ("train",): ["multitrain", *CI],
    ("evaluate",): ["multitrain", "mit", *CI],
    ("temporal",): ["multitrain", "mit", *CI],
    ("predict",): [str(REFERENCE), "video.mp4"],
    ("demo",): [str(REFERENCE)],
    ("explain",): [str(REFERENCE), "video.mp4"],
    ("features",): [str(REFERENCE), "videos", "out.parquet"],
    ("export",): [str(REFERENCE), "--program", "out.pt2"],
    ("finetune",): [str(REFERENCE), "videos", "--out", "out"],
    ("sweep", "run"): ["base", *CONFIG],
    ("doctor",): CI,
    ("estimate",): ["--measure", "--published", str(PUBLISHED), *CI],
    ("sweep", "cost"): ["--measure", "--published", str(PUBLISHED), *CONFIG],
}


def test_these_are_the_commands_with_a_device():
    named = {words for words, command in COMMANDS.items() if any(each.name == "device" for each in command.params)}
    assert named == set(LINES)


@pytest.mark.parametrize("device", ["abacus", "cuda:99"])
@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_device_that_is_not_there_is_one_line(words, device, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("video.mp4", "videos/a/clip.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert call(*words, *LINES[words], "--device", device) == 1
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.fullmatch(rf"error: --device {device}: not usable here \(.+\): choose cpu, cuda or auto", last)
    assert not (tmp_path / "out.pt2").exists() and not (tmp_path / "out").exists()
