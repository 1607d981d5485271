"""The guide to what is in a model: its commands word for word, and what they print in the form that it shows."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dev import pointing
from multitrain.analysis.packed.packed_checks import settings
from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.packed.unpack import unpack
from multitrain.analysis.single_run.calibration import BINS
from multitrain.cli import load_command
from multitrain.config.config_files import load_scale
from multitrain.engine.evaluate import evaluate
from multitrain.inference.interpret import attribution
from multitrain.inference.interpret.attribution import METHODS
from multitrain.model.network import Network, Spec
from multitrain.planning.outputs import OUTPUTS
from multitrain.synth.world import spec
from tests.cli.test_cli import call
from tests.guide_pages import blocks, commands, inline, read, table

PAGE = "look-inside.md"
ROOT = Path(__file__).parents[3]
TEXT = " ".join(read(PAGE).split())
CONFUSION, CALIBRATION, EXPLAIN, POINTING = commands(PAGE)
RUN = Path(CONFUSION[-1])
CLASSES = {name for scale in ("mini", "ci") for name in spec("k400", load_scale(scale, ROOT / "config").world).classes}


@pytest.fixture
def place(trained, videos, tmp_path, monkeypatch) -> Path:
    """A checkout's folder with a video, and where the page has a run of scale mini one of ci with its predictions."""
    baseline = replace(trained, name="k400_baseline")
    shutil.copytree(baseline.folder, tmp_path / RUN)
    evaluate(baseline, "k400", "test", tmp_path / RUN / "predictions/k400.parquet", torch.device("cpu"))
    (tmp_path / "config").symlink_to(ROOT / "config")
    (tmp_path / "data").symlink_to(trained.data)
    shutil.copy(videos / "upper half" / "0.mp4", tmp_path / "video.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def form(line: str) -> str:
    """A printed line without its classes, numbers and scale."""
    for name in sorted(CLASSES, key=len, reverse=True):
        line = line.replace(name, "CLASS")
    return re.sub(r"\d+", "N", re.sub(r"scale \w+", "scale NAME", line))


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_commands_print_what_the_page_shows_and_write_what_it_names(place: Path, capsys):
    shown = [block.splitlines() for block in blocks(PAGE)]
    printed = []
    listed = {re.sub("DATASET", "k400", name.strip("`")) for name, _ in table(PAGE, "file")}
    for program, *words in (CONFUSION, CALIBRATION, EXPLAIN):
        assert program == "multitrain" and call(*words) == 0
        printed.append(capsys.readouterr().out.splitlines())
        if words == CONFUSION[1:]:
            assert names_in(RUN / "errors") == listed
    assert names_in(RUN / "errors") - listed == {"calibration.png", "calibration.csv"}
    assert {"calibration.png", "calibration.csv"} <= set(re.findall(r"calibration\.\w+", TEXT))
    assert names_in(Path(EXPLAIN[-1])) == set(re.findall(r"explanation\.(?:png|mp4|json)", TEXT))
    assert [form(lines[0]) for lines in shown] == [form(lines[0]) for lines in printed]
    assert {form(line) for line in shown[0][1:-1]} == {form(line) for line in printed[0][1:-1]}
    assert shown[0][-1].strip() == "..." and len(printed[1]) == 2


def test_its_confusions_are_those_of_the_committed_ten_seeds_which_have_no_probabilities(tmp_path, monkeypatch, capsys):
    study = read_study(ROOT / "docs/notes/mini-table1.parquet")
    study.arrays.clear()  # confusions need answers alone
    monkeypatch.chdir(tmp_path)
    unpack(study, tmp_path / RUN.parts[0], settings(study)[0])
    capsys.readouterr()
    config = ["--config-dir", f"{RUN.parts[0]}/config"]
    assert call(*CONFUSION[1:], *config) == 0
    shown = blocks(PAGE)[0].splitlines()[:-1]
    assert len(shown) == 4 and capsys.readouterr().out.splitlines()[:4] == shown
    assert call(*CALIBRATION[1:], *config) == 1
    assert "ranks without scores, as packed studies have them" in capsys.readouterr().err


def test_a_model_is_inspected_as_the_page_says(place: Path, capsys):
    _, *words = inline(PAGE, "multitrain inspect").replace("MODEL", str(RUN / "model.pt")).split()
    assert call(*words) == 0 and "Run k400_baseline at scale ci, seed 0" in capsys.readouterr().out


def test_the_numbers_of_the_page_are_those_of_one_run():
    wrong, clips = map(int, re.search(r"(\d+) of (\d+) clips taken", TEXT).groups())
    sure, right = re.search(r"mean probability ([\d.]+) %, right ([\d.]+) %", TEXT).groups()
    assert right == f"{100 * (1 - wrong / clips):.1f}"
    assert f"Here {clips} clips" in TEXT and f"({sure}% sure, {right}% right)" in TEXT and f"in {BINS} bins" in TEXT
    assert f"top-1 {float(right):.0f}%" in TEXT
    rows = {method: cells for method, *cells in table(PAGE, "method")}
    assert {*rows} == {*METHODS, "the centre", "a random pixel"}
    hit = {method: int(cells[-1].partition("%")[0]) for method, cells in rows.items()}
    gains = re.search(r"occlusion and rollout point at it more often than chance \((\d+) points .*? and (\d+) \[", TEXT)
    assert [*map(int, gains.groups())] == [hit[name] - hit["a random pixel"] for name in ("occlusion", "rollout")]


def test_the_options_of_the_page_are_those_of_the_commands():
    for option, _ in table(PAGE, "option"):
        name, value = words = shlex.split(option.strip("`"))
        given = load_command("explain").make_context("explain", [*EXPLAIN[2:4], *words]).params
        assert str(given[{"--class": "name", "--at": "start"}.get(name, name[2:])]) == value
    (methods,) = (what for option, what in table(PAGE, "option") if option.startswith("`--method"))
    assert set(re.findall(r"`(\w+)`: ", methods)) == set(METHODS)
    _, _, *words = CONFUSION
    for option in ("--projected", "--split val", "--dataset"):
        assert f"`{option}`" in TEXT
        words += option.split()
    found = load_command("confusion").make_context("confusion", [*words, "k400"]).params
    assert (found["projected"], found["split"], found["dataset"]) == (True, "val", ["k400"])


def test_as_many_boxes_are_hidden_as_the_page_says(monkeypatch):
    scale = load_scale("mini", ROOT / "config")
    seen = []
    monkeypatch.setattr(
        attribution, "probability", lambda _, clips, *rest: seen.append(len(clips)) or clips[:, 0, 0, 0, 0]
    )
    network = Network(Spec(model=scale.model, size=scale.sizes["base"], classes={"k400": ("a", "b")}))
    clip = torch.rand(3, scale.model.frames, scale.sizes["base"], scale.sizes["base"])
    attribution.attribute(network, clip, "k400", 0, "occlusion")
    assert f", {seen[0] - 1} of them," in TEXT


def test_the_workflow_makes_the_pictures_that_the_page_names():
    files = {f"results/{file}" for rule in ("confusion", "reliability") for file in OUTPUTS[rule].files}
    assert inline(PAGE, "results/") in files and "results/errors/reliability.png" in files


def test_the_command_that_measures_the_methods_is_parsed(place: Path, monkeypatch, capsys):
    asked = []

    def rendered(about, recogniser, count, *_):
        asked.extend([about.name, len(recogniser.network.spec.classes["k400"]), count])
        return iter(())

    monkeypatch.setattr(pointing, "clips", rendered)
    monkeypatch.setattr(pointing, "report", lambda found, methods: iter([" ".join(methods)]))
    program, script, *words = POINTING
    assert program == "python" and (ROOT / script).samefile(pointing.__file__)
    monkeypatch.setattr("sys.argv", [script, *words])
    pointing.main()
    assert asked == ["k400", len(spec("k400", load_scale("ci").world).classes), 64]
    assert f"on {asked[-1]} clips" in TEXT and capsys.readouterr().out.split() == [*METHODS, "centre"]
