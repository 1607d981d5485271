"""Evaluation: every clip once, softmax averaged over views, statistics of all views."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.common.records.predictions import read_predictions
from multitrain.config.scale import Views
from multitrain.data.clips import Source, ViewClips, view_indices
from multitrain.data.loader import view_batches
from multitrain.engine.checkpointing.checkpoint import load_network
from multitrain.engine.evaluate import evaluate, view_scores
from multitrain.engine.moments import Moments
from multitrain.engine.train import train
from multitrain.model.network import Output, normalise

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def trained(scale, experiments, data, tmp_path_factory):
    """A K400 baseline and a joint run, trained at scale ci."""
    from multitrain.engine.setup import Job

    results = tmp_path_factory.mktemp("results")
    for name in ("k400_baseline", "joint"):
        train(Job(scale, experiments, name, 0, data, results), CPU)
    return results


def manifest_of(run, dataset):
    return pq.read_table(run.data / run.scale.name / dataset / "manifest.parquet").to_pydict()


def test_every_test_clip_once_with_scores_that_sum_to_one(job, trained, tmp_path):
    run = job("joint", results=trained)
    evaluate(run, "mit", "test", tmp_path / "mit.parquet", CPU)
    table = pq.read_table(tmp_path / "mit.parquet").to_pandas()
    manifest = run.source("mit", "test")
    assert sorted(table.clip_id) == sorted(manifest.columns["clip_id"].to_pylist())
    assert (table.views == 3).all()
    videos = dict(zip(*(manifest_of(run, "mit")[name] for name in ("clip_id", "video_id")), strict=True))
    assert table.video_id.to_list() == [videos[clip] for clip in table.clip_id]
    for column in ("scores", "scores_projected"):
        scores = np.stack(table[column])
        assert scores.shape == (len(manifest), len(manifest.classes))
        assert np.allclose(scores.sum(1), 1, atol=1e-5)
    assert not np.allclose(np.stack(table.scores), np.stack(table.scores_projected), atol=1e-9)
    again = tmp_path / "again.parquet"
    evaluate(run, "mit", "test", again, CPU)
    assert again.read_bytes() == (tmp_path / "mit.parquet").read_bytes()


def test_scores_are_the_mean_softmax_over_views(job, trained, tmp_path):
    run = job("joint", results=trained)
    evaluate(run, "mit", "test", tmp_path / "mit.parquet", CPU)
    table = pq.read_table(tmp_path / "mit.parquet").to_pylist()
    network = load_network(run.folder / "model.pt")
    batch = next(view_batches(ViewClips([run.source("mit", "test")], run.scale.model.frames, run.size), 1))
    with torch.no_grad():
        each = [network.logits(normalise(view[None], "clip")) for view in batch.video]
    assert table[0]["clip_id"] == batch.clip_ids[0] and len(each) == 3
    expected = torch.stack([logits["mit"].softmax(-1)[0] for logits in each]).mean(0)
    torch.testing.assert_close(torch.tensor(table[0]["scores"]), expected, rtol=1e-4, atol=1e-6)
    added = torch.stack([network.added(logits)["mit"].softmax(-1)[0] for logits in each]).mean(0)
    torch.testing.assert_close(torch.tensor(table[0]["scores_projected"]), added.detach(), rtol=1e-4, atol=1e-6)


def test_a_baseline_has_no_projected_scores(job, trained, tmp_path):
    evaluate(job("k400_baseline", results=trained), "k400", "val", tmp_path / "k.parquet", CPU)
    assert pq.read_table(tmp_path / "k.parquet")["scores_projected"].null_count > 0


def test_views_of_a_clip_stay_together():
    network = type("N", (), {"spec": type("S", (), {"projections": False})})
    logits = torch.zeros(4, 3)
    logits[2:, 1] = 40.0  # the second clip's two views are of class 1
    output = Output(torch.zeros(4, 2), torch.zeros(4, 2), {"d": logits})
    (scores,) = view_scores(network, output, "d", each=2)
    assert scores.argmax(1).tolist()[1] == 1 and scores.shape == (2, 3)
    assert torch.allclose(scores[0], torch.full((3,), 1 / 3))


def test_statistics_are_those_of_every_view(job, trained, tmp_path):
    run = job("joint", results=trained)
    evaluate(run, "mit", "test", tmp_path / "mit.parquet", CPU)
    found = np.load(tmp_path / "mit.npz", allow_pickle=False)
    network = load_network(run.folder / "model.pt")
    source = run.source("mit", "test")
    clips = ViewClips([source], run.scale.model.frames, run.size)
    with torch.no_grad():
        outputs = [network(normalise(batch.video, "clip")) for batch in view_batches(clips, 2)]
    z = torch.cat([output.features for output in outputs]).double().numpy()
    embedding = torch.cat([output.embedding for output in outputs]).double().numpy()
    assert found["views"] == len(z) == 3 * len(source)
    np.testing.assert_allclose(found["features_mean"], z.mean(0), atol=1e-5 * np.abs(z).max())
    np.testing.assert_allclose(found["features_covariance"], np.cov(z.T), atol=1e-5 * np.square(z).max())
    np.testing.assert_allclose(
        found["embedding_covariance"], np.cov(embedding.T), atol=1e-5 * np.square(embedding).max()
    )
    for name in run.run.datasets:  # every head has seen these clips
        logits = torch.cat([output.logits[name] for output in outputs]).double().numpy()
        np.testing.assert_allclose(found[f"logit_std.{name}"], logits.std(0, ddof=1), rtol=1e-3)
    weight = network.projections.weights()["k400", "mit"]
    np.testing.assert_array_equal(found["projection.k400"], weight.detach().numpy())
    assert "projection.mit" not in found
    assert found["classes.mit"].tolist() == list(source.classes)
    assert json.loads(pq.read_schema(tmp_path / "mit.parquet").metadata[b"classes"]) == list(source.classes)


def test_a_baseline_has_neither_projections_nor_an_expanded_embedding(job, trained, tmp_path):
    evaluate(job("k400_baseline", results=trained), "k400", "val", tmp_path / "k.parquet", CPU)
    names = {name.split(".")[0] for name in np.load(tmp_path / "k.npz").files}
    assert names == {"views", "features_mean", "features_covariance", "logit_std", "classes"}


@pytest.mark.parametrize("sizes", [(10,), (1, 2, 7), (9, 1)])
def test_moments_do_not_depend_on_the_batches(sizes):
    rows = 1000 + torch.randn(10, 4, generator=torch.Generator().manual_seed(0))
    moments = Moments()
    for batch in rows.split(sizes):
        moments.add(batch)
    np.testing.assert_allclose(moments.mean(), rows.double().mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.covariance(), np.cov(rows.double().numpy().T), rtol=1e-9)


@pytest.mark.parametrize("views", [1, 2, 5])
def test_segment_views_take_different_frames_of_the_same_segments(scale, views):
    settings = scale.datasets["ssv2"].model_copy(update={"views": Views(temporal=views)})
    found = view_indices(settings, 40, 8)
    assert len(found) == views
    assert sorted(np.concatenate(found).tolist()) == sorted(set(np.concatenate(found).tolist()))
    for indices in found:
        assert (indices // 5).tolist() == list(range(8))


def test_a_dataset_the_run_was_not_trained_on_is_refused(job, trained, tmp_path):
    with pytest.raises(UserError, match="k400_baseline has no dataset 'mit'"):
        evaluate(job("k400_baseline", results=trained), "mit", "test", tmp_path / "x.parquet", CPU)


def test_a_clip_that_cannot_be_read_is_named_and_nothing_is_written(job, trained, tmp_path, monkeypatch):
    run = job("k400_baseline", results=trained)
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(b"no video")
    original = Source.value
    monkeypatch.setattr(
        Source, "value", lambda self, column, row: str(damaged) if column == "path" else original(self, column, row)
    )
    with pytest.raises(UserError, match=r"damaged\.mp4"):
        evaluate(run, "k400", "test", tmp_path / "x.parquet", CPU)
    assert not (tmp_path / "x.parquet").exists()


def test_the_command_prints_the_accuracy_of_what_it_wrote(job, trained):
    run = job("joint", results=trained)
    folders = ["--scale", "ci", "--data", str(run.data), "--results", str(trained)]
    said = CliRunner().invoke(app, ["evaluate", "k400_baseline", "k400", "--split", "val", *folders])
    assert said.exit_code == 0, said.output
    found = read_predictions(trained / "runs/ci/k400_baseline/seed0/predictions_val/k400.parquet")
    assert f"K400 by Y_k: top-1 {100 * (found.rank == 0).mean():.1f} [" in said.stdout
    assert f"{len(found.labels)} clips of " in said.stdout and "Y'_k" not in said.stdout
