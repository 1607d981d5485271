"""The world's card: its numbers are the files', and the page stands alone."""

import json
import re
from html import unescape

import numpy as np
import pytest
import torch

from multitrain.analysis.accuracy.temporal_accuracy import read_temporal
from multitrain.analysis.datasets.world_facts import dials, motions, read_facts
from multitrain.analysis.projections.class_relations import Relations
from multitrain.analysis.render.index_page import links
from multitrain.analysis.render.world_card import COLUMNS, ORDERS, write_card
from multitrain.common.errors import UserError
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpointing.checkpoint import save_network
from multitrain.inference.interpret import temporal_probe
from multitrain.model.network import Network, Spec
from tests.csv_rows import csv_rows

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def small(scale):
    """Scale ci with the two datasets that are prepared for tests."""
    return scale.model_copy(update={"datasets": {name: scale.datasets[name] for name in ("k400", "mit")}})


@pytest.fixture(scope="module")
def made(small, experiments, data, tmp_path_factory):
    """A results folder with the card, of models with random weights and two seeds."""
    from multitrain.engine.setup import Job

    results = tmp_path_factory.mktemp("results")
    for seed in (0, 1):
        for name in ("k400_baseline", "mit_baseline", "mit_scratch"):
            job = Job(small, experiments, name, seed, data, results)
            (own,) = job.run.datasets
            torch.manual_seed(seed)
            classes = {own: job.source(own, "val").classes}
            save_network(job.folder / "model.pt", Network(Spec(model=small.model, size=job.size, classes=classes)))
            for clips in ("k400", "mit"):
                file = f"{own}.parquet" if clips == own else f"{own}_on/{clips}.parquet"
                temporal_probe.write_temporal(job, clips, "val", job.folder / "temporal_val" / file, CPU, head=own)
    write_card(small, experiments, (0, 1), data, results)
    return results


@pytest.fixture(scope="module")
def rows(made):
    return csv_rows(made / "world_card.csv")


def value(rows, dataset, what, of, split=None) -> float:
    (row,) = [
        row
        for row in rows
        if (row["dataset"], row["what"], row["of"]) == (dataset, what, of) and split in (None, row["split"])
    ]
    return float(row["value"])


def test_accuracies_are_those_of_the_scores_over_seeds(made, rows):
    folders = [made / "runs" / "ci" / "mit_baseline" / f"seed{seed}" / "temporal_val" for seed in (0, 1)]
    scored = [read_temporal(folder / "mit.parquet") for folder in folders]
    for order in ORDERS:
        expected = np.mean([each.scores[order].argmax(1) == each.labels for each in scored])
        assert value(rows, "mit", "top1", order) == pytest.approx(100 * expected, abs=0.01)
    assert {row["run"] for row in rows if row["what"] == "top1 on related classes"} == {"k400_baseline", "mit_scratch"}


def test_counts_are_the_manifests_and_the_publishers(rows, data, small):
    for name in small.datasets:
        table = read_manifest(data / "ci" / name / "manifest.parquet").table.to_pandas()
        said = json.loads((data / "ci" / name / "raw" / "published.json").read_text())
        for split in ("train", "val", "test"):
            its = table[table["split"] == split]
            assert value(rows, name, "clips", split) == len(its)
            assert value(rows, name, "videos", split) == its["video_id"].nunique()
            wrong = sum(any(each in video for each in said["wrong_labels"]) for video in its["video_id"])
            assert value(rows, name, "clips with a wrong label", split) == wrong
            counts = its["label"].value_counts().reindex(range(len(said["classes"])), fill_value=0)
            for label, title in enumerate(said["classes"]):
                assert value(rows, name, "clips of a class", title, split) == counts[label]
    assert sum(value(rows, "mit", "clips with a wrong label", split) for split in ("train", "val")) > 0
    assert value(rows, "mit", "clips with a wrong label", "test") == 0


def test_the_page_has_everything_in_it_and_is_small(made, small):
    html = (made / "world_card.html").read_text(encoding="utf-8")
    assert {link for link in links(html) if not link.startswith("data:")} == {"world_card.csv"}
    assert not re.search(r"https?://|url\(", html)
    assert html.count("data:image/webp") > 2 * 16  # frames of a class of both, and moving ones
    assert len(html) < 3_000_000
    for name in small.datasets:
        assert small.datasets[name].title in html
    assert "Smoke test" in html


def test_every_dial_of_the_world_is_shown_with_its_meaning(made, rows, small):
    html = unescape((made / "world_card.html").read_text(encoding="utf-8"))
    for name, field in type(small.world.bias_of("mit")).model_fields.items():
        assert f"<code>{name}</code>" in html and field.description.split(":")[0] in html
    found = {dial.name: dial.values for dial in dials({"mit": small.world.bias_of("mit")})}
    noise = small.world.bias_of("mit").noise
    assert found["noise"] == {"mit": f"{noise:g}"} and " to " in found["tempo"]["mit"]
    assert list(rows[0]) == list(COLUMNS)


def test_a_motion_is_shown_in_all_datasets_that_have_it_and_a_class_once(small, data):
    facts = {name: read_facts(name, small, data) for name in small.datasets}
    (run, jump, *_), (move, *_) = facts["k400"].classes, facts["mit"].classes
    from multitrain.analysis.projections.class_relations import plain

    pairs = {("k400", plain(run), "mit", plain(move)), ("k400", plain(jump), "mit", plain(move))}
    pairs |= {(c, d, a, b) for a, b, c, d in pairs}
    assert motions(facts, Relations(frozenset(pairs)), 6) == [{"k400": run, "mit": move}]
    assert motions(facts, Relations(frozenset()), 6) == []


def test_a_scale_without_a_world_has_no_card(small, experiments, data, tmp_path):
    with pytest.raises(UserError, match="scale ci has no synthetic world"):
        write_card(small.model_copy(update={"world": None}), experiments, (0,), data, tmp_path)


def test_what_is_missing_is_named(small, experiments, data, tmp_path):
    with pytest.raises(UserError, match=r"k400_baseline.seed0.temporal_val.k400\.parquet: no such scores"):
        write_card(small, experiments, (0,), data, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_dataset_that_no_run_is_trained_on_alone_is_named(experiments):
    assert experiments.baseline("mit") == "mit_baseline" and experiments.baseline("mit", scratch=True) == "mit_scratch"
    joint = experiments.model_copy(update={"runs": dict.fromkeys(experiments.runs, experiments.runs["multitrain"])})
    with pytest.raises(UserError, match="no row of a table has a run on k400 alone"):
        joint.baseline("k400")
