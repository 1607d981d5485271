"""The guide's way from two folders of videos to a table, its commands word for word."""

import shutil
from pathlib import Path

import pytest

from multitrain.planning.jobs import Jobs
from multitrain.planning.plan import Plan
from tests.cli.test_cli import call
from tests.guide_pages import blocks, commands, read
from tests.workflow.planned import linked_checkout

PAGE = "your-data.md"
COMMANDS = commands(PAGE)


@pytest.fixture
def place(data: Path, tmp_path: Path, monkeypatch) -> Path:
    """A checkout's settings beside the guide's two folders: two classes of three clips in each."""
    for name, source in (("films", "k400"), ("verbs", "mit")):
        for number, clip in enumerate(sorted((data / "ci" / source).rglob("*.mp4"))[:6]):
            home = tmp_path / name / f"class{number % 2}"
            home.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, home / f"{number}.mp4")
    linked_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_file_is_written_and_the_workflow_makes_what_the_guide_asks_for(place: Path, capsys):
    programs = [words[0] for words in COMMANDS]
    assert programs == ["multitrain", "snakemake", "snakemake", "multitrain", "multitrain"]
    assert call(*COMMANDS[0][1:]) == 0
    for _, *words in COMMANDS[1:3]:
        study = words[words.index("--configfile") + 1]
        jobs = Jobs(Plan.load({}, study))
        made = {file.replace("{table}", table) for file in jobs.files("table") for table in ("main", "ablations")}
        made |= {file for name in jobs.outputs() for file in jobs.files(name)}
        targets = words[2 : words.index("--configfile")]
        assert set(targets) <= made and jobs.refused(targets) == ""
    assert "my/results/index.html" in made and "`my/results/index.html`" in read(PAGE)
    assert call(*COMMANDS[3][1:]) == 1  # nothing is trained
    assert "no trained run of the tables: train some" in capsys.readouterr().err


def test_the_guides_ablation_is_an_entry_of_the_file(place: Path, capsys):
    (block,) = blocks(PAGE, "yaml")
    assert call(*COMMANDS[0][1:]) == 0
    study = place / "my/my.yaml"
    key, entry = block.splitlines()
    study.write_text(study.read_text().replace(f"\n{key}\n", f"\n{key}\n{entry}\n", 1))
    run = Plan.load({}, "my/my.yaml").experiments.runs["no_projection"]
    assert (run.projection, run.informative, run.datasets) == ("none", True, ("films", "verbs"))
