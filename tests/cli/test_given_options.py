"""Options of a command reach the function that does its work, and their defaults do."""

import importlib
import inspect
from operator import attrgetter
from pathlib import Path
from types import SimpleNamespace

import pytest

from multitrain.cli import run
from multitrain.common.errors import UserError

ROOT = Path(__file__).parents[2]
CONFIG = ["--scale", "ci", "--config-dir", str(ROOT / "config")]
REFERENCE = str(ROOT / "tests" / "reference" / "tiny.pyth")
LOADS_MODEL = "multitrain.cli.commands.model_commands.load_recogniser"

# a command, the function that does its work, options with what the function is given for them, and without them
CASES = [
    (
        ["train", "multitrain", *CONFIG],
        "multitrain.engine.train.train",
        {
            "--seed 3": {"job.seed": (3, 0)},
            "--workers 2": {"workers": (2, 0)},
            "--checkpoint-seconds 7": {"checkpoint_seconds": (7, None)},
            "--keep-leaks": {"job.exclude_leaks": (False, True)},
            "--tensorboard": {"tensorboard": (True, False)},
            "--wait": {"wait": (True, False)},
            "--threads 3": {"device.threads": (3, 1)},
        },
    ),
    (
        ["evaluate", "multitrain", "mit", *CONFIG],
        "multitrain.engine.evaluate.evaluate",
        {
            "--split val": {"split": ("val", "test"), "out.parent.name": ("predictions_val", "predictions")},
            "--workers 2": {"workers": (2, 0)},
        },
    ),
    (
        ["temporal", "multitrain", "mit", *CONFIG],
        "multitrain.inference.interpret.temporal_probe.write_temporal",
        {
            "--split test": {"split": ("test", "val"), "out.parent.name": ("temporal_test", "temporal_val")},
            "--workers 2": {"workers": (2, 0)},
        },
    ),
    (
        ["synth", "k400", *CONFIG],
        "multitrain.synth.publishing.publish.publish",
        {"--jobs 3": {"jobs": (3, 1)}, "--wait": {"wait": (True, False)}},
    ),
    (
        ["prepare", "k400", *CONFIG],
        "multitrain.datasets.prepare.prepare",
        {"--jobs 3": {"jobs": (3, 1)}, "--wait": {"wait": (True, False)}},
    ),
    (["predict", "model.pt", "video.mp4"], LOADS_MODEL, {"--batch 5": {"batch": (5, 16)}}),
    (
        ["demo", "model.pt"],
        "multitrain.inference.demo.server.serving",
        {"--limit 7": {"limit": (7e6, 500e6)}, "--no-explain": {"explained": (False, True)}},
    ),
    (
        ["finetune", REFERENCE, "videos", "--out", "out"],
        "multitrain.inference.finetune.finetune.finetune",
        {
            "--keep-heads": {"options.keep": (True, False)},
            "--no-flip": {"options.flip": (False, True)},
            "--jobs 3": {"jobs": (3, 1)},
            "--workers 2": {"workers": (2, 0)},
        },
    ),
    (
        ["table", "table1", *CONFIG],
        "multitrain.analysis.tables.paper_tables.write_table",
        {
            "--measured other": {"measured": (Path("other"), Path("resources/measured"))},
            "--seed 3": {"seeds": ((3,), (0,))},
        },
    ),
    (
        ["sweep", "run", "base", "--config-dir", str(ROOT / "config")],
        "multitrain.planning.sweep_training.run_point",
        {"--workers 2": {"workers": (2, 0)}, "--seed 3": {"seed": (3, 0)}},
    ),
]


def given(arguments: list[str], function: str, monkeypatch: pytest.MonkeyPatch, capsys) -> SimpleNamespace:
    """What a command gives the function that does its work."""
    found = {}
    module, _, name = function.rpartition(".")
    signature = inspect.signature(getattr(importlib.import_module(module), name))

    def record(*values: object, **named: object) -> None:
        bound = signature.bind(*values, **named)
        bound.apply_defaults()
        found.update(bound.arguments)
        raise UserError("reached")

    def device(name: str, threads: int, **_: object) -> SimpleNamespace:
        return SimpleNamespace(threads=threads)

    with monkeypatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr("multitrain.engine.processes.device.select_device", device)
        patch.setattr(LOADS_MODEL, lambda *_: None)
        patch.setattr(function, record)
        run(arguments)
    assert (end.value.code, capsys.readouterr().err.splitlines()[-1]) == (1, "error: reached")
    return SimpleNamespace(**found)


@pytest.mark.parametrize(("command", "function", "options"), CASES, ids=[" ".join(case[0][:2]) for case in CASES])
def test_each_option_is_given_on_and_changes_nothing_else(command, function, options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    keys = {key: plain for its in options.values() for key, (_, plain) in its.items()}
    for option in ("", *options):
        found = given([*command, *option.split()], function, monkeypatch, capsys)
        expected = keys | {key: changed for key, (changed, _) in options.get(option, {}).items()}
        assert {key: attrgetter(key)(found) for key in keys} == expected, option
