"""Seeds in worlds of their own, from rendering to predictions, and their runs copied to another machine."""

import json
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from tests.workflow.planned import snakemake
from tests.workflow.test_workflow import copy_of_project

CELLS = [f"results/runs/two/k400_baseline/seed{seed}/predictions/k400.parquet" for seed in (0, 1)]
pytestmark = pytest.mark.xdist_group("worlds")


def project(folder: Path) -> Path:
    """The project with scale `two`: ci's, a world a seed."""
    folder.mkdir()
    copy_of_project(folder)
    scale = yaml.safe_load((folder / "config/scales/ci.yaml").read_text())
    scale["name"], scale["world"]["run_seeds"] = "two", 1
    (folder / "config/scales/two.yaml").write_text(yaml.safe_dump(scale, sort_keys=False))
    return folder


def run(folder: Path, *targets: str):
    return snakemake(folder, "--cores", "2", "--config", "scale=two", "seeds=[0,1]", "--", *targets)


@pytest.mark.slow
def test_runs_of_two_worlds_are_taken_where_they_are_copied_and_not_where_settings_differ(tmp_path: Path):
    home = project(tmp_path / "home")
    first = run(home, *CELLS)
    assert first.returncode == 0, first.stderr
    clips = [set(pq.read_table(home / cell, columns=["video_id"])["video_id"].to_pylist()) for cell in CELLS]
    classes = [json.loads(pq.read_schema(home / cell).metadata[b"classes"]) for cell in CELLS]
    assert not clips[0] & clips[1] and classes[0] != classes[1]
    away = project(tmp_path / "away")
    shutil.copytree(home / "results/runs", away / "results/runs", copy_function=shutil.copy)  # with the time of now
    manifests = [f"data/two/world{world}/k400/manifest.parquet" for world in (0, 1)]
    second = run(away, *manifests, *CELLS)  # newer clips: Snakemake starts every job again
    assert second.returncode == 0, second.stderr
    for seed, cell in enumerate(CELLS):
        log = (away / f"results/logs/two/train/k400_baseline.seed{seed}.log").read_text()
        assert "this very training was finished before" in log and "steps" not in log
        model = Path(cell).parents[1] / "model.pt"
        assert (home / model).read_bytes() == (away / model).read_bytes()
        assert pq.read_table(home / cell).equals(pq.read_table(away / cell))
    other = project(tmp_path / "other")
    shutil.copytree(home / "results/runs", other / "results/runs", copy_function=shutil.copy)
    scale = yaml.safe_load((other / "config/scales/two.yaml").read_text())
    scale["recipes"]["k400_baseline"]["lr"] = 0.002
    (other / "config/scales/two.yaml").write_text(yaml.safe_dump(scale, sort_keys=False))
    assert run(other, "results/runs/two/flops.json").returncode == 0  # takes no run
    (other / "results/runs/two/flops.json").unlink()
    refused = run(other, "results/runs/two/flops.json", *CELLS)
    assert refused.returncode != 0
    assert "k400_baseline/seed0/run.json: recipe.lr is 0.001, and 0.002 in the settings: move its" in refused.stderr
