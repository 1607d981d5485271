"""Training and evaluation of a point of the sweep; a second start keeps the finished runs."""

import pyarrow.parquet as pq
import pytest
import torch

from multitrain.config.config_files import load_experiments
from multitrain.planning.sweep_points import BASE, JOINT, load_points
from multitrain.planning.sweep_training import COLUMNS, run_point
from tests.planning.test_sweep_points import CONFIG

CPU = torch.device("cpu")


@pytest.fixture
def point(scale, tmp_path):
    """The base point of a sweep with two datasets."""
    (tmp_path / "sweep.yaml").write_text(
        "{seeds: [0], epochs_factor: 0.2, world_seed_offset: 9, test_videos: 8, datasets: [k400, mit],"
        " factors: {noise: [0.2]}}"
    )
    return load_points(scale, load_experiments(CONFIG, scale), tmp_path).point(BASE)


@pytest.mark.slow
def test_every_run_of_a_point_is_trained_and_scores_every_test_clip(point, data, tmp_path, capsys):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / point.scale.name).symlink_to(data / "ci")
    run_point(point, 0, tmp_path / "data", tmp_path, CPU)
    out = tmp_path / BASE / "seed0.parquet"
    table = pq.read_table(out).to_pandas()
    assert tuple(table.columns) == COLUMNS
    runs = {(run, name) for run in JOINT.values() for name in ("k400", "mit")}
    runs |= {("k400_longer", "k400"), ("mit_longer", "mit")}
    assert set(zip(table["run"], table["dataset"], strict=True)) == runs
    for (run, name), rows in table.groupby(["run", "dataset"]):
        manifest = pq.read_table(data / "ci" / name / "manifest.parquet").to_pandas()
        assert sorted(rows["clip_id"]) == sorted(manifest.loc[manifest["split"] == "test", "clip_id"])
        scored = tmp_path / BASE / "runs" / point.scale.name / run / "seed0" / "predictions" / f"{name}.parquet"
        expected = pq.read_table(scored).to_pandas()
        right = [max(row.scores) == row.scores[row.label] for row in expected.itertuples()]
        assert rows["right"].tolist() == right
    before, _ = out.read_bytes(), capsys.readouterr()
    out.unlink()
    run_point(point, 0, tmp_path / "data", tmp_path, CPU)
    assert out.read_bytes() == before
    assert capsys.readouterr().err.count("was finished before") == len(point.experiments.runs)
