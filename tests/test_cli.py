"""The commands as people type them: help for each, one line for what is wrong, nothing half-written."""

import json
from pathlib import Path

import pytest
import torch

import multitrain
from multitrain.cli import run

ROOT = Path(__file__).parents[1]
CONFIG = ["--config-dir", str(ROOT / "config")]
REFERENCE = ROOT / "tests" / "reference" / "tiny.pyth"


def call(*arguments: str) -> int:
    """Exit status of a command line."""
    with pytest.raises(SystemExit) as end:
        run(list(arguments))
    return end.value.code or 0


@pytest.mark.parametrize(
    "command",
    [
        *("synth", "prepare", "train", "evaluate", "table", "flops", "checkpoint", "checkpoint import"),
        *("data", "data status", "data check", "data account"),
        *("analyse", "survey", "overview", "figure", "notebook", "index"),
    ],
)
def test_every_command_has_help_for_itself_and_its_options(command, capsys):
    assert call(*command.split(), "--help") == 0
    said = capsys.readouterr().out
    assert "Usage" in said and len(said.splitlines()) > 8


def test_flops_as_json_names_every_model_of_the_scale(capsys):
    assert call("flops", "--scale", "paper", "--json", *CONFIG) == 0
    base, large = json.loads(capsys.readouterr().out)
    assert (base["pixels"], large["pixels"]) == (224, 312)
    assert (round(base["gflops"], 1), round(large["gflops"], 1)) == (223.8, 613.8)
    assert (base["backbone_parameters"], large["backbone_parameters"]) == (50_986_176, 51_269_184)


def test_an_imported_release_checkpoint_loads(tmp_path, capsys):
    assert call("checkpoint", "import", str(REFERENCE), str(tmp_path / "tiny.pt")) == 0
    assert "kinetics (7 classes)" in capsys.readouterr().out
    network = multitrain.load(tmp_path / "tiny.pt")
    clips = torch.randn(2, 3, 4, 32, 32)
    assert network.features(clips).shape == (2, 64)
    assert {name: y.shape[1] for name, y in network.logits(clips).items()} == {"kinetics": 7, "mit": 5, "ssv2": 4}
    assert network.projected(clips)["mit", "ssv2"].shape == (2, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["synth", "ucf101"], "no dataset 'ucf101'; there are k400, k700"),
        (["synth", "k400", "--scale", "paper"], "no synthetic world"),
        (["prepare", "k400", "--scale", "papper"], "papper.yaml: no such file; in that folder there are: ci, mini"),
        (["prepare", "mit", "--scale", "paper"], "raw: no such folder"),
        (["train", "multitrian"], "no run 'multitrian' in the experiments; there are k400_baseline"),
        (["train", "multitrain"], "manifest.parquet: no such manifest: run `multitrain prepare`"),
        (["train", "multitrain", "--device", "gpu"], "--device gpu: not usable here"),
        (["evaluate", "k400_baseline", "mit"], "run k400_baseline has no dataset 'mit'"),
        (["evaluate", "k400_baseline", "k400"], "model.pt: no such file: train the run"),
        (["table", "table9"], "there are table1, table2, table3, and table4 of the projections"),
        (["table", "table4"], "projections.parquet: no such"),
        (["analyse", "projections"], "run.json: no such file"),
        (["analyse", "recovery"], "projections.parquet: no such"),
        (["analyse", "claims"], "no such file"),
        (["analyse", "classes"], "no such"),
        (["analyse", "spectrum"], "no such"),
        (["analyse", "training"], "no such file"),
        (["survey", "k400"], "manifest.parquet: no such manifest"),
        (["survey", "ucf101"], "no dataset 'ucf101'"),
        (["overview"], "manifest.parquet: no such manifest"),
        (["figure", "pie"], "no figure 'pie'; there are"),
        (["figure", "accuracy"], "no such file: `snakemake results/"),
        (["notebook", "notebooks/table9.ipynb"], "notebooks/table9.ipynb: no such"),
        (["index"], "no such file"),
        (["checkpoint", "import", "absent.pyth", "out.pt"], "absent.pyth: no such file"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_1(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = [] if arguments[0] in ("checkpoint", "figure", "notebook") else CONFIG
    assert call(*arguments, *options) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and len(said.splitlines()) == 1
    assert message in said
    assert not list(tmp_path.iterdir())
