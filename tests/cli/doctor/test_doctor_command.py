"""`multitrain doctor` with what it tries given: table, JSON, exit status; and the limits of a trial."""

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from multitrain import cli
from multitrain.cli.doctor import machine_facts, trials
from multitrain.cli.doctor.machine_facts import Trial
from multitrain.common.errors import UserError
from tests.cli.doctor.test_diagnosis import GOOD

CPU = torch.device("cpu")

CONFIG = str(Path(__file__).parents[3] / "config")


@pytest.fixture
def doctor(monkeypatch):
    """Call the command on a machine of these facts."""

    def call(facts, *arguments: str):
        monkeypatch.setattr(trials, "try_all", lambda *_: {})
        monkeypatch.setattr(machine_facts, "gather", lambda *_: facts)
        return CliRunner().invoke(cli.app, ["doctor", "--scale", "ci", "--config-dir", CONFIG, *arguments])

    return call


def test_a_machine_without_a_red_line_has_status_0(doctor):
    done = doctor(GOOD)
    assert done.exit_code == 0 and "green" in done.stdout and "red" not in done.stdout


def test_a_red_line_has_status_1_and_its_cure(doctor):
    done = doctor(machine_facts.Facts(**{**vars(GOOD), "decoding": Trial(False, "no clip")}))
    assert done.exit_code == 1 and "pip install" in done.stdout


def test_json_has_the_verdicts_and_the_facts(doctor):
    said = json.loads(doctor(GOOD, "--json").stdout)
    assert {each["colour"] for each in said["verdicts"]} == {"green"} and said["facts"]["processor"]["cores"] == 8


def test_the_facts_of_this_machine_are_gathered(scale, tmp_path):
    ran = {name: Trial(True, "") for name in ("decoding", "step", "bfloat16", "compiling")}
    found = machine_facts.gather(scale, (tmp_path / "new" / "data",), ran)
    assert found.processor.cores >= 1 and found.memory.total >= found.memory.available > 0
    assert found.disks[0].free > 0 and found.disks[0].writable and not (tmp_path / "new").exists()
    assert all(codec.found for codec in found.codecs if codec.required) and found.wanted.scale == "ci"


def test_an_unknown_codec_is_not_found():
    assert not machine_facts._codec("no_such_codec", "r", "videos", False).found


def test_decoding_and_bfloat16_are_tried_here():
    decoding = trials.try_decoding()
    assert decoding.works and decoding.speed and trials.try_bfloat16("cpu").works


def test_a_scale_with_accelerators_or_real_videos_has_no_measured_step(scale, experiments):
    gpus = scale.model_copy(update={"machine": scale.machine.model_copy(update={"gpus": 1})})
    assert trials.try_step(gpus, experiments, CPU) is None
    assert trials.try_step(scale.model_copy(update={"world": None}), experiments, CPU) is None


def test_a_training_step_of_a_synthetic_scale_is_measured(scale, experiments):
    recipe = scale.recipes[experiments.runs["joint"].recipe]
    found = trials.try_step(scale, experiments, CPU)
    assert found is not None and found.works and found.speed and found.speed > 0
    assert f"for {recipe.batch * recipe.repeats} clips of scale ci" in found.detail


def test_a_step_that_fails_is_a_trial_with_its_message(scale, experiments, monkeypatch):
    def fail(*_):
        raise UserError("the loss is nan")

    monkeypatch.setattr("multitrain.planning.measure.measure_step", fail)
    assert trials.try_step(scale, experiments, CPU) == Trial(False, "the loss is nan")


@pytest.mark.parametrize(
    ("source", "seconds", "works", "said"),
    [
        ("print()", 60.0, True, "works"),
        ("raise ValueError('no {device} compiler')", 60.0, False, "fails: ValueError: no cpu compiler"),
        ("import time\ntime.sleep(600)", 0.1, False, "not done after 0.1 s"),
    ],
)
def test_compiling_ends_with_a_result_in_any_case(source, seconds, works, said):
    trial = trials.CompileTrial("cpu", seconds, source)
    try:
        found = trial.result()
    finally:
        trial.close()
    assert found.works == works and found.detail.startswith(said)
    assert trial.process.poll() is not None and not Path(trial.cache.name).exists()
