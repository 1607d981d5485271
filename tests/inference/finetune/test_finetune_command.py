"""`multitrain finetune` as a person types it, with right and wrong input, stopped on the way, and by its page."""

import os
import signal
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from multitrain.cli.commands import finetune_commands, model_commands
from multitrain.common.errors import UserError
from multitrain.engine.checkpointing.checkpoint import save_network
from multitrain.engine.processes.preemption import EXIT_PREEMPTED
from multitrain.engine.training_state import Training
from multitrain.inference.finetune import finetune as tuning
from multitrain.model.network import Network
from tests.guide_pages import commands

ROOT = Path(__file__).parents[3]
STATUS = {signal.SIGTERM: EXIT_PREEMPTED, signal.SIGUSR1: EXIT_PREEMPTED, signal.SIGINT: 130}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--like", "ssv2"], "--like ssv2: the model has heads of k400, mit"),
        (["--name", "mit", "--freeze"], "--name mit: the model has such a head already"),
        (["--name", "My Films"], "--name My Films: "),
        (["--freeze", "--lr", "1"], "--lr: a head alone is fitted until"),
        (["--device", "tpu"], "--device tpu"),
        *((["--lr", value], f"--lr {value}: give a number from") for value in ("inf", "nan", "1e+09", "0")),
        *((["--epochs", value], f"--epochs {value}: give a number from") for value in ("inf", "nan", "0")),
    ],
)
def test_options_that_cannot_be(command, videos, tmp_path, arguments, told):
    result = command(videos, "--out", tmp_path / "out", *arguments)
    assert isinstance(result.exception, UserError) and told in str(result.exception)
    assert "\n" not in str(result.exception) and not (tmp_path / "out/model.pt").exists()


def test_places_that_cannot_be(command, videos, tmp_path):
    (tmp_path / "one/a").mkdir(parents=True)
    (tmp_path / "one/a/x.mp4").write_text("no video")
    (tmp_path / "text.pt").write_text("no model")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/something").write_text("")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/finetune.json").write_text("{")
    for where, out, model, told in (
        (tmp_path / "absent", "o1", "model.pt", "absent: no such folder"),
        (tmp_path / "one", "o2", "model.pt", "only one class, 'a'"),
        (tmp_path / "model.pt", "o3", "model.pt", "model.pt: no such folder"),
        (videos, "o4", "text.pt", "text.pt: damaged"),
        (videos, "o5", "absent.pt", "absent.pt: no such file"),
        (videos, "full", "model.pt", "full: holds other files"),
        (videos, "damaged", "model.pt", "damaged/finetune.json: damaged"),
        (videos, videos / "out", "model.pt", "lies in the folder of videos"),
        (videos, tmp_path / "text.pt", "model.pt", "text.pt: is a file"),
    ):
        result = command(where, "--out", tmp_path / out, model=tmp_path / model)
        assert isinstance(result.exception, UserError), result.output
        assert told in str(result.exception) and "\n" not in str(result.exception)
        assert not (tmp_path / out / "model.pt").exists()


@pytest.mark.parametrize(
    ("options", "number"),
    [
        (["--freeze"], signal.SIGTERM),
        (["--freeze"], signal.SIGINT),
        (["--epochs", "2"], signal.SIGUSR1),
        (["--epochs", "2"], signal.SIGINT),
    ],
)
def test_asked_to_stop_it_says_so_and_goes_on(command, videos, tmp_path, monkeypatch, number, options):
    """A scheduler's signal, or Ctrl-C, during the first batch: its status, and what was done is not done again."""
    out, seen = tmp_path / "out", []
    owner, name = (Network, "features") if "--freeze" in options else (Training, "step")
    method = getattr(owner, name)

    def counted(self, *args):
        seen.append(1)
        if len(seen) == 1:
            os.kill(os.getpid(), number)
        return method(self, *args)

    monkeypatch.setattr(owner, name, counted)
    stopped = command(videos, "--out", out, *options)
    assert stopped.exit_code == STATUS[number] and f"asked to stop by {number.name} at" in stopped.stderr
    assert len(seen) == 1 and not (out / "model.pt").exists()
    resumed = command(videos, "--out", out, *options)
    assert resumed.exit_code == 0 and "Accuracy" in resumed.stdout
    both = len(seen)
    whole = command(videos, "--out", tmp_path / "whole", *options)
    assert whole.exit_code == 0 and len(seen) == 2 * both  # the two starts did together what one does
    assert (out / "model.pt").read_bytes() == (tmp_path / "whole/model.pt").read_bytes()


@pytest.mark.parametrize(
    ("place", "number"),
    [  # every place, and every signal
        ("prepare", signal.SIGTERM),
        ("load_network", signal.SIGUSR1),
        ("evaluate", signal.SIGINT),
        ("write_report", signal.SIGTERM),
    ],
)
def test_stopped_beside_the_training_it_says_so_too(command, videos, tmp_path, monkeypatch, number, place):
    work = getattr(tuning, place)
    before = [signal.getsignal(its) for its in STATUS]

    def stopped(*arguments):
        os.kill(os.getpid(), number)
        return work(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(tuning, place, stopped)
        found = command(videos, "--out", tmp_path / "out", "--freeze")
    assert found.exit_code == STATUS[number]
    assert found.stderr.splitlines()[-1] == f"asked to stop by {number.name}: start it again to go on"
    assert [signal.getsignal(its) for its in STATUS] == before
    assert command(videos, "--out", tmp_path / "out", "--freeze").exit_code == 0


def test_a_stop_in_the_last_step_counts_for_what_follows(command, videos, tmp_path, monkeypatch):
    step = Training.step

    def last(self, *arguments):
        if self.done == self.steps - 1:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, *arguments)

    monkeypatch.setattr(Training, "step", last)
    found = command(videos, "--out", tmp_path / "out", "--epochs", 1)
    assert found.exit_code == 130 and "asked to stop by SIGINT: start" in found.stderr
    assert (tmp_path / "out/model.pt").exists() and not (tmp_path / "out/report.md").exists()
    assert command(videos, "--out", tmp_path / "out", "--epochs", 1).exit_code == 0


def test_the_page_can_be_followed_to_the_letter(network, videos, prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tuning, "EPOCHS", (1, 2))  # fewer than a person has
    save_network(Path("model.pt"), network)
    for label, name in (("upper half", "falling"), ("à gauche", "jumping")):
        Path("my-videos", name).mkdir(parents=True)
        for path in sorted((videos / label).iterdir()):
            Path("my-videos", name, path.name).symlink_to(path)
    app = typer.Typer()
    app.command()(finetune_commands.finetune)
    app.command()(model_commands.predict)
    lines = commands("finetune.md")
    assert [program for program, *_ in lines] == ["multitrain"] * 4
    for _, *words in lines:
        if "--scale" in words:
            words[words.index("mini")] = "ci"
            words += ["--config-dir", str(ROOT / "config")]
        result = CliRunner().invoke(app, words)
        told = str(result.exception or "")
        assert not told or "broken.mp4" in result.output, (words, told)  # the one that is no video
    made = ("tuned/report.md", "tuned-all/model.pt", "joined/config/experiments.yaml")
    assert all(Path(name).is_file() for name in made)
    assert Path("tuned/finetune/own/missing.csv").read_text().count("undecodable") == 1
