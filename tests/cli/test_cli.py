"""The commands as people type them: help for each, one line for what is wrong, nothing half-written."""

import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.core import TyperCommand

import multitrain
from multitrain import cli
from multitrain.cli import run
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic

ROOT = Path(__file__).parents[2]
CONFIG = ["--config-dir", str(ROOT / "config")]
REFERENCE = ROOT / "tests" / "reference" / "tiny.pyth"


def call(*arguments: str) -> int:
    """Exit status of a command line."""
    with pytest.raises(SystemExit) as end:
        run(list(arguments))
    return end.value.code or 0


def test_the_version_is_that_of_the_package_and_the_checkout(capsys):
    assert call("--version") == 0
    said = capsys.readouterr().out
    assert re.fullmatch(r"multitrain \d+\.\d+\.\d+( \([0-9a-f]{12}\+?\))?\n", said)
    assert said.split()[1] == multitrain.__version__


def every_command() -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    """Every command with its words, those in groups too."""
    for name in cli.MODULE_OF:
        command = cli.load_command(name)
        yield from [((name, word), each) for word, each in getattr(command, "commands", {"": command}).items()]


COMMANDS = {tuple(filter(None, words)): command for words, command in every_command()}


@pytest.mark.parametrize("command", [*COMMANDS, *((group,) for group in cli.GROUPS)], ids=" ".join)
def test_every_command_has_help_for_itself_and_its_options(command, capsys):
    assert call(*command, "--help") == 0
    said = capsys.readouterr().out
    assert "Usage" in said and len(said.splitlines()) > 8


def test_the_list_of_commands_is_that_of_the_modules(capsys, monkeypatch):
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 400)
    assert call("--help") == 0
    shown = dict(line.strip("│ ").split(None, 1) for line in capsys.readouterr().out.splitlines() if line[:1] == "│")
    for module, names in cli.MODULES.items():
        app = importlib.import_module(f"multitrain.cli.commands.{module}").app
        registered = [each.name or each.callback.__name__ for each in app.registered_commands]
        assert list(names) == [name for name in cli.GROUPS if name in names] or sorted(names) == sorted(registered)
    for name in cli.MODULE_OF:
        assert shown[name] == " ".join(cli.load_command(name).help.split("\n\n")[0].split())
    assert {path.stem for path in (Path(cli.__file__).parent / "commands").glob("*_commands.py")} == set(cli.MODULES)


def test_the_list_of_commands_imports_none_of_what_they_need():
    code = "import sys; from multitrain.cli import run\ntry: run(['--help'])\nfinally: print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.splitlines()[-1].split())
    ours = {name for name in loaded if name.startswith("multitrain.")}
    common = ("common", "common.errors", "common.files", "common.files.filenames", "common.progress")
    assert ours == {f"multitrain.{name}" for name in ("cli", *common)}
    assert not loaded & {"pydantic", "yaml", "pandas", "numpy", "torch", "tqdm", "pyarrow", "matplotlib", "jinja2"}


@pytest.mark.parametrize(("path", "command"), COMMANDS.items(), ids=map(" ".join, COMMANDS))
def test_help_shows_every_word_of_an_option(path, command, monkeypatch, capsys):
    """Rich takes `[default: ...]` for markup and leaves it out, unless it is written `\\[default: ...]`."""
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 400)  # nothing is broken into lines
    assert call(*path, "--help") == 0
    said = capsys.readouterr().out
    for parameter in command.params:
        words = (getattr(parameter, "help", None) or "").replace("\\[", "[")
        assert words in said, f"{' '.join(path)}: {parameter.name}"


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
        (
            ["prepare", "k400", "--scale", "papper"],
            "papper.yaml: no such file; in that folder there are: ci, desk, gpu, lab, mini",
        ),
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
        (["analyse", "networks"], "run.json: no such file"),
        (["analyse", "evidence"], "no such"),
        (["analyse", "claims"], "table1.csv: no such file: correct or restore the published table"),
        (["analyse", "classes"], "no such"),
        (["analyse", "spectrum"], "no such"),
        (["analyse", "training"], "no such file"),
        (["analyse", "claim"], "no analysis 'claim'; there are projections, recovery, "),
        (["survey", "k400"], "manifest.parquet: no such manifest"),
        (["survey", "ucf101"], "no dataset 'ucf101'"),
        (["overview"], "manifest.parquet: no such manifest"),
        (["figure", "pie"], "no figure 'pie'; there are"),
        (["figure", "accuracy"], "no such file: `snakemake results/"),
        (["notebook", "notebooks/table9.ipynb"], "notebooks/table9.ipynb: no such"),
        (["index"], "no such file"),
        (["checkpoint", "import", "absent.pyth", "out.pt"], "absent.pyth: no such file"),
        (["checkpoint", "import", str(REFERENCE), "/dev/null/out.pt"], "/dev/null/out.pt: cannot be written: "),
        (["checkpoint", "import", str(REFERENCE), "out.pyth"], "out.pyth: a model file ends in .pt"),
        (["checkpoint", "import", str(REFERENCE), "out"], "out: a model file ends in .pt"),
        (["checkpoint", "export", "absent.pt", "out.pyth"], "absent.pt: no such file"),
        (["checkpoint", "export", "absent.pt", "out.pt"], "out.pt: a checkpoint of the release ends in .pyth"),
        (["train", "multitrain", "--pretrained", "k400_baseline"], "give RUN=FILE, e.g. k400_baseline=k400.pyth"),
        (["train", "multitrain", "--pretrained", "k400_baseline=absent.pyth"], "absent.pyth: no such file"),
        (["train", "multitrain", *2 * ("--pretrained", f"k400_baseline={REFERENCE}")], "give one file a run"),
        (
            ["train", "multitrain", "--pretrained", f"mit_baseline={REFERENCE}"],
            "--pretrained mit_baseline: run multitrain starts from k400_baseline",
        ),
        (
            ["train", "k400_baseline", "--pretrained", f"k400_baseline={REFERENCE}"],
            "run k400_baseline starts from random weights",
        ),
        (
            ["status", "--scale", "papper"],
            "papper.yaml: no such file; in that folder there are: ci, desk, gpu, lab, mini",
        ),
    ],
)
def test_what_is_wrong_is_one_line_and_status_1(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = [] if arguments[0] in ("checkpoint", "figure", "notebook") else CONFIG
    assert call(*arguments, *options) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and len(said.splitlines()) == 1
    assert message in said
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert written == ({"status.json"} if message.startswith("manifest.parquet") and arguments[0] == "train" else set())


def test_an_exported_model_is_imported_again(tmp_path, capsys):
    steps = [
        ("import", str(REFERENCE), str(tmp_path / "tiny.pt")),
        ("export", str(tmp_path / "tiny.pt"), str(tmp_path / "again.pyth")),
        ("import", str(tmp_path / "again.pyth"), str(tmp_path / "again.pt")),
    ]
    for step in steps:
        assert call("checkpoint", *step) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 3 and len({line.partition(": ")[2] for line in said}) == 1
    assert "4 frames of 32 pixels; 16 channels; 1+2+1 blocks" in said[0] and "projections; expander 4096-64" in said[0]
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "tiny.pt").read_bytes()


def test_status_of_a_scale_nothing_is_done_of(tmp_path, capsys):
    results = ["--results", str(tmp_path / "results"), *CONFIG]
    assert call("status", *results) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split() == ["run", "seed", "state", "steps", "time"] and said[-1].endswith(" waiting")
    assert call("status", "--json", "--seed", "3", "--seed", "5", *results) == 0
    found = json.loads(capsys.readouterr().out)
    assert {(row["seed"], row["state"]) for row in found} == {(3, "waiting"), (5, "waiting")}
    assert not (tmp_path / "results").exists()


def test_a_watch_prints_until_it_is_interrupted(tmp_path, capsys, monkeypatch):
    waited = []

    def sleep(seconds):
        waited.append(seconds)
        if len(waited) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("multitrain.cli.commands.status_commands.time.sleep", sleep)
    assert call("status", "--watch", "7", "--results", str(tmp_path), *CONFIG) == 0
    assert waited == [7, 7, 7] and capsys.readouterr().out.count("run  ") == 3


def test_the_status_of_a_folder_that_is_not_there_says_so(capfd, tmp_path):
    assert call("status", "--scale", "ci", "--results", str(tmp_path / "nowhere")) == 0
    assert "nowhere: no such folder" in capfd.readouterr().err
    assert call("status", "--scale", "ci", "--results", str(tmp_path)) == 0
    assert not capfd.readouterr().err


@pytest.fixture
def signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_request_to_end_leaves_no_partial_file(signals, tmp_path, monkeypatch):
    def work(args):
        with atomic(tmp_path / "out.csv") as temporary:
            temporary.write_text("half")
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)

    monkeypatch.setattr(cli, "app", work)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(SystemExit) as caught:
        run([])
    assert caught.value.code == 143 and not list(tmp_path.iterdir())


def test_what_the_system_refuses_is_one_line(monkeypatch, capsys):
    def work(args):
        raise PermissionError(13, "Permission denied", "/some/place")

    monkeypatch.setattr(cli, "app", work)
    with pytest.raises(SystemExit) as caught:
        run([])
    assert caught.value.code == 1 and capsys.readouterr().err == "error: /some/place: Permission denied\n"


def test_a_reader_that_has_gone_is_status_1_without_a_word():
    code = "from multitrain import cli\ndef work(args): raise BrokenPipeError\ncli.app = work\ncli.run([])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_file_is_replaced_where_it_is_and_nothing_else_is(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real/file")
    for text in ("one", "two"):
        with atomic(tmp_path / "link") as temporary:
            temporary.write_text(text)
        assert (tmp_path / "link").is_symlink() and (tmp_path / "real/file").read_text() == text
    os.mkfifo(tmp_path / "pipe")
    for name, kind in (("real", "a folder"), ("pipe", "no regular file")):
        with pytest.raises(UserError, match=f"{name}: is {kind}"), atomic(tmp_path / name):
            pass
    assert {path.name for path in tmp_path.iterdir()} == {"real", "link", "pipe"}


def test_neither_import_nor_export_writes_over_what_it_reads(tmp_path, capsys):
    for name in ("tiny.pyth", "tiny.pt"):
        shutil.copy(REFERENCE, tmp_path / name)
        for way in ("import", "export"):
            assert call("checkpoint", way, str(tmp_path / name), str(tmp_path / name)) == 1
        assert (tmp_path / name).read_bytes() == REFERENCE.read_bytes()
    said = capsys.readouterr().err
    assert "tiny.pt: is the file that is read" in said and "tiny.pyth: is the file that is read" in said


def test_a_saved_folder_is_exported_as_the_file_it_was_saved_from(tmp_path):
    multitrain.save(multitrain.load(REFERENCE), tmp_path / "saved")
    assert call("checkpoint", "import", str(REFERENCE), str(tmp_path / "tiny.pt")) == 0
    for model in ("saved", "tiny.pt"):
        assert call("checkpoint", "export", str(tmp_path / model), str(tmp_path / f"{model}.pyth")) == 0
    assert (tmp_path / "saved.pyth").read_bytes() == (tmp_path / "tiny.pt.pyth").read_bytes()
