"""Snakemake trains again after a new run in the experiments only if other clips are left out (scale paper)."""

from pathlib import Path

import pytest
import yaml

from tests.planning.test_plan import manifest
from tests.workflow.test_workflow import copy_of_project, snakemake

A, B = "AAAAAAAAAAA", "BBBBBBBBBBB"
COMMAND = """
import shutil
import sys
from pathlib import Path

command, name = sys.argv[1:3]
with open("done.txt", "a") as stream:
    print(command, name, file=stream)
if command == "prepare":
    folder = Path("data/paper") / name
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(f"given/paper/{name}/manifest.parquet", folder)
    files = [folder / "missing.csv", folder / "annotated.csv"]
elif command == "evaluate":
    folder = Path("results/runs/paper") / name / "seed0/predictions"
    files = [folder / f"{sys.argv[3]}.parquet", folder / f"{sys.argv[3]}.npz"]
else:
    files = [Path("results/runs/paper") / name / "seed0" / file for file in ("model.pt", "run.json", "history.jsonl")]
for file in files:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
"""
TUNED = "tuned: { datasets: [k700], recipe: baseline, init: k400_baseline }"  # k400_baseline is then tested on K700
SHOWN = "own: { title: Own, datasets: [k700], rows: [{ method: Tuned, runs: [tuned] }] }"
BOTH = ("k400_baseline", "actnet_baseline")
DONE = [f"{command} {name}" for command in ("evaluate", "train") for name in BOTH]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with fake commands that log themselves, after two trainings; one leaves out a clip of ActivityNet."""
    folder = copy_of_project(tmp_path)
    (folder / "multitrain/cli/__main__.py").write_text(COMMAND)
    (folder / "multitrain/planning/copied_runs.py").write_text(
        "def conflict(plan, files):\n    return ''\n"
    )  # records are empty here
    scale = folder / "config/scales/paper.yaml"
    scale.write_text(yaml.safe_dump({**yaml.safe_load(scale.read_text()), "machine": {}}))
    for name, clips in {
        "k400": {A: "train", B: "train"},
        "actnet": {A: "test", "a": "train"},
        "mit": {"m": "test"},
        "ssv2": {"s": "test"},
    }.items():
        manifest(folder / "given", name, clips)
    run(folder)
    return folder


def run(folder: Path, *arguments: str) -> list[str]:
    """Run Snakemake for the two runs and `arguments`; the trainings and evaluations that it starts."""
    (folder / "done.txt").write_text("")
    scores = [f"results/runs/paper/{name}/seed0/predictions/{name.split('_')[0]}.parquet" for name in BOTH]
    models = [f"results/runs/paper/{name}/seed0/model.pt" for name in arguments]
    ended = snakemake(folder, *scores, *models, "--cores", "1", "--config", "scale=paper")
    assert ended.returncode == 0, ended.stderr
    return [line for line in (folder / "done.txt").read_text().splitlines() if not line.startswith("prepare")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("videos", "table", "again"),
    [({A: "test"}, SHOWN, []), ({B: "test"}, SHOWN, DONE), ({B: "test"}, "", [])],  # no table: no result to guard
)
@pytest.mark.parametrize("prepared", [True, False])
def test_another_run_trains_again_only_where_other_clips_are_left_out(project: Path, videos, table, again, prepared):
    assert run(project) == []
    manifest(project / "given", "k700", {**videos, "k": "train"})
    if prepared:
        assert (
            snakemake(project, "data/paper/k700/manifest.parquet", "--cores", "1", "--config", "scale=paper").returncode
            == 0
        )
    path = project / "config/experiments.yaml"
    text = path.read_text().replace("  vanilla: {", f"  {TUNED}\n  vanilla: {{", 1)
    path.write_text(text.replace("\ntables:\n", f"\ntables:\n  {table}\n", 1))
    if prepared:
        model = "results/runs/paper/actnet_baseline/seed0/model.pt"
        ended = snakemake(project, "-n", model, "--config", "scale=paper")
        assert ("Nothing to be done" in ended.stdout + ended.stderr) == (not again)
    assert sorted(run(project, "tuned")) == sorted([*again, "train tuned"])
    assert run(project, "tuned") == []
