"""Class means, the nearest classes of other datasets, and how often these are related, where the answer is known."""

import json
import sys
from importlib.machinery import ModuleSpec
from itertools import combinations
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.text import Text

from multitrain.analysis.projections import class_drawing, class_map
from multitrain.analysis.projections.class_map import class_means, closest_pairs, found_related, nearest, positions
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_scale

CONFIG = Path(__file__).parents[3] / "config"
DATASETS = ("k400", "mit", "ssv2", "actnet")
CLASSES, WIDTH = 5, 12


def features(path: Path, z: np.ndarray, labels: np.ndarray, dataset: str = "k400", **said: object) -> Path:
    """A table as `multitrain features` writes it."""
    columns = {
        "label": pa.array(labels, pa.int32()),
        "class": [f"{dataset} {label}" for label in labels],
        "z": pa.array(list(z.astype(np.float32)), pa.list_(pa.float32(), z.shape[1])),
    }
    text = json.dumps({"format": class_map.FORMAT, "dataset": dataset, **said})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata({"multitrain": text}), path)
    return path


@pytest.fixture
def results(tmp_path) -> Path:
    """Class i of every dataset is in direction i, each dataset far off by an offset of its own; 3 clips a class."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "runs" / "mini" / "multitrain" / "seed0"
    for place, dataset in enumerate(DATASETS):
        labels = np.repeat(np.arange(CLASSES), 3)[::-1]
        z = np.eye(WIDTH)[labels] + 20 * np.eye(WIDTH)[CLASSES + place] + 0.05 * rng.standard_normal((15, WIDTH))
        features(folder / "features" / f"{dataset}.parquet", z, labels, dataset)
    (folder / "run.json").write_text(json.dumps({"synthetic": True}))
    scale = load_scale("mini", CONFIG)
    class_map.write_class_means(scale, load_experiments(CONFIG, scale), (0, 1), tmp_path)
    return tmp_path


@pytest.fixture
def means(results) -> pd.DataFrame:
    return pd.read_parquet(results / class_map.FILE)


def test_the_mean_of_each_class(tmp_path):
    rng = np.random.default_rng(1)
    labels, z = np.array([2, 0, 2, 2, 0]), rng.standard_normal((5, 3)).astype(np.float32)
    rows = class_means(features(tmp_path / "z.parquet", z, labels), "k400")
    assert [(row["label"], row["class"], row["clips"]) for row in rows] == [(0, "k400 0", 2), (2, "k400 2", 3)]
    np.testing.assert_allclose(rows[0]["z"], z[[1, 4]].astype(float).mean(0), rtol=1e-12)


def test_the_table_names_run_and_datasets(means):
    assert list(means) == class_map.SCHEMA.names
    assert means["dataset"].unique().tolist() == list(DATASETS) and len(means) == 4 * CLASSES
    assert set(means[["run", "scale", "synthetic", "seed"]].itertuples(index=False, name=None)) == {
        ("multitrain", "mini", "yes", 0)
    }


def test_the_nearest_class_is_found_whatever_a_dataset_has_of_its_own(means):
    near = nearest(means)
    assert len(near) == 4 * CLASSES * 3 and not (near["dataset"] == near["other"]).any()
    assert (near["class"].str.split().str[1] == near["other_class"].str.split().str[1]).all()
    assert near["mutual"].all() and near["cosine"].between(0.9, 1).all()
    pairs = closest_pairs(near, 7)
    assert len(pairs) == 7 and pairs["cosine"].is_monotonic_decreasing
    every = closest_pairs(near, 1000)
    assert len(every) == CLASSES * 6  # each pair of classes once


def test_a_pair_is_mutual_only_where_each_is_the_others_nearest():
    z = {"a": [[1.0, 0.0], [-1.0, 0.0]], "b": [[1.0, 0.0], [1.0, 0.2], [-2.0, -0.2]]}
    rows = [(name, f"{name}{i}", row) for name, its in z.items() for i, row in enumerate(its)]
    near = nearest(pd.DataFrame(rows, columns=["dataset", "class", "z"])).set_index("class")
    assert near["other_class"].to_dict() == {"a0": "b0", "a1": "b2", "b0": "a0", "b1": "a0", "b2": "a1"}
    assert near["mutual"].to_dict() == {"a0": True, "a1": True, "b0": True, "b1": False, "b2": True}


def test_related_classes_are_counted_against_chance(means):
    near = nearest(means)
    own = means[["dataset", "class", "label"]]
    pairs = own.merge(own, how="cross", suffixes=("", "_other"))
    pairs = pairs[pairs["dataset"] != pairs["dataset_other"]]
    weights = pairs.set_axis(["source", "source_class", "a", "target", "target_class", "b"], axis=1)
    same = weights.assign(related=(weights["a"] == weights["b"]) & (weights["a"] < 2))
    assert found_related(near, same) == (24, 24, pytest.approx(1 / CLASSES), 0)
    shifted = weights.assign(related=weights["b"] == (weights["a"] + 1) % CLASSES)
    assert found_related(near, shifted) == (0, 60, pytest.approx(1 / CLASSES), 0)
    assert found_related(near, weights.assign(related=False)) == (0, 0, 0, 0)
    some = nearest(means[means["class"] != "mit 0"])  # as where a class has no test clip
    found = found_related(some, same)
    assert (found.hits, found.tries, found.left_out) == (18, 18, 3)  # of the other three's class 0 into mit
    assert found.chance == pytest.approx((15 / CLASSES + 3 / (CLASSES - 1)) / 18)


def test_components_are_those_of_most_variance(means):
    z = positions(means, by_dataset=True)
    np.testing.assert_allclose(z.reshape(4, CLASSES, -1).mean(1), 0, atol=1e-12)
    points, (first, _) = class_drawing.principal(z)
    values, vectors = np.linalg.eigh(z.T @ z)
    np.testing.assert_allclose(np.abs(points), np.abs(z @ vectors[:, [-1, -2]]), atol=1e-9)
    assert f"{values[-1] / values.sum():.0%}" in first
    assert (points[np.abs(points).argmax(0), [0, 1]] > 0).all()
    assert class_drawing.principal(np.zeros((3, 4)))[0].shape == (3, 2)


def test_the_drawing_says_what_it_shows(results, means, monkeypatch):
    monkeypatch.setattr(class_drawing.importlib.util, "find_spec", lambda name: None)
    figure = class_drawing.draw(results)
    said = " ".join(text.get_text() for text in figure.findobj(Text)).replace("\n", " ")
    assert "MultiTrain, synthetic world mini, seed 0." in said and "K400" in said and "UMAP" not in said
    assert len(figure.axes) == 2 and len(figure.axes[0].collections) == len(DATASETS)
    marks = np.stack([each.get_offsets() for each in figure.axes[0].collections])  # a colour for each dataset's own
    np.testing.assert_allclose(marks.reshape(-1, 2), class_drawing.principal(positions(means, by_dataset=False))[0])
    for axes in figure.axes:  # classes of one kind lie together, and so would their numbers
        figure.draw_without_rendering()
        boxes = [Text.get_window_extent(text) for text in axes.texts]  # without what joins it to its line
        assert not [pair for pair in combinations(boxes, 2) if pair[0].shrunk(0.8, 0.8).overlaps(pair[1])]
    assert {text.get_text() for text in figure.axes[0].texts} == {str(i) for i in range(1, class_drawing.PAIRS + 1)}


class Umap:
    """In place of umap-learn's, which compiles itself for a minute: the first two columns."""

    def __init__(self, **settings: object):
        assert settings["random_state"] == 0

    def fit_transform(self, z: np.ndarray) -> np.ndarray:
        return z[:, :2]


@pytest.mark.parametrize(("installed", "maps"), [(True, ["PCA ", "PCA,", "UMAP"]), (False, ["PCA ", "PCA,"])])
def test_umap_is_shown_where_it_is_installed(results, monkeypatch, installed, maps):
    module = ModuleType("umap")
    module.UMAP, module.__spec__ = Umap, ModuleSpec("umap", None)
    monkeypatch.setitem(sys.modules, "umap", module if installed else None)
    assert [axes.get_title()[:4] for axes in class_drawing.draw(results).axes] == maps


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda path: path.unlink(), "no such features: run `multitrain features`"),
        (lambda path: path.write_text("x"), "not a readable table"),
        (lambda path: pq.write_table(pa.table({"x": [1]}), path), "not the features of the prepared dataset k400"),
        (lambda path: features(path, np.ones((2, 3)), np.array([0, 1]), "mit"), "not the features of"),
        (lambda path: features(path, np.full((2, 3), np.nan), np.array([0, 1])), "z is not all finite numbers"),
    ],
)
def test_wrong_features_are_named(break_it, message, tmp_path):
    path = features(tmp_path / "k400.parquet", np.ones((2, 3)), np.array([0, 1]))
    break_it(path)
    with pytest.raises(UserError, match=message) as caught:
        class_means(path, "k400")
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
