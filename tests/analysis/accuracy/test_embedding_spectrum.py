"""Spectra of covariances whose rank is known."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multitrain.analysis.accuracy.embedding_spectrum import pooled, spectrum, write_spectrum
from multitrain.analysis.render.columns import SPECTRUM
from multitrain.common.errors import UserError
from multitrain.common.records.statistics import Statistics
from tests.csv_rows import csv_rows


def test_a_line_has_rank_one_and_an_even_spread_the_full_rank():
    line = spectrum(np.outer([1.0, 2.0, 2.0], [1.0, 2.0, 2.0]))
    assert line.eigenvalues == pytest.approx([9, 0, 0], abs=1e-12)
    assert (line.effective_rank, line.participation_ratio) == pytest.approx((1, 1))
    even = spectrum(3 * np.eye(7))
    assert (even.effective_rank, even.participation_ratio) == pytest.approx((7, 7))


def test_known_shares():
    """Eigenvalues 3 and 1: entropy of (3/4, 1/4), and 1 / (9/16 + 1/16)."""
    found = spectrum(np.diag([1.0, 3.0]))
    assert found.shares == pytest.approx([0.75, 0.25])
    assert found.effective_rank == pytest.approx(4 / 3**0.75)
    assert found.participation_ratio == pytest.approx(1.6)


def test_a_constant_embedding_has_rank_zero():
    constant = spectrum(np.zeros((4, 4)))
    assert (constant.effective_rank, constant.participation_ratio, constant.shares.sum()) == (0, 0, 0)


@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8), st.floats(1e-3, 1e3))
def test_ranks_lie_between_one_and_the_dimensions_whatever_the_units(values: list[float], unit: float):
    one, other = spectrum(np.diag(values)), spectrum(unit * np.diag(values))
    assert 1 - 1e-9 <= one.participation_ratio <= one.effective_rank + 1e-9 <= len(values) + 1e-6
    assert other.effective_rank == pytest.approx(one.effective_rank)
    assert (np.diff(one.eigenvalues) <= 0).all()


def add(results, run: str, moments: dict[str, tuple], embedding: np.ndarray | None = None, views: int = 5) -> None:
    """A run whose features of each dataset have that mean and covariance."""
    folder = results.folder / run / "seed0"
    (folder / "predictions").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"synthetic": True}))
    for dataset, (mean, covariance) in moments.items():
        arrays = {"views": views, "features_mean": np.array(mean), "features_covariance": np.array(covariance)}
        if embedding is not None:
            arrays |= {"embedding_mean": np.zeros(len(embedding)), "embedding_covariance": embedding}
        arrays |= {f"logit_std.{dataset}": np.ones(2), f"classes.{dataset}": np.array(["jump", "run"])}
        np.savez(folder / "predictions" / f"{dataset}.npz", **arrays)


def write(results, *runs: str) -> list[dict]:
    """The spectrum of runs on k400 and mit."""
    changed = {
        name: results.experiments.runs[name].model_copy(update={"datasets": ("k400", "mit")})
        for name in ("multitrain", "vanilla")
    }
    experiments = results.experiments.model_copy(update={"runs": {**results.experiments.runs, **changed}})
    write_spectrum(results.scale, experiments, (0,), results.root, runs)
    return csv_rows(results.root / "spectrum.csv")


def test_datasets_are_pooled_with_the_spread_of_their_means(results):
    """Each dataset varies along x alone; their means differ along y: 8 of 10 rows' spread over x, 10 over y."""
    along_x = np.diag([1.0, 0.0])
    add(results, "multitrain", {"k400": ([0.0, 1.0], along_x), "mit": ([0.0, -1.0], along_x)})
    rows = write(results, "multitrain")
    assert tuple(rows[0]) == tuple(SPECTRUM)
    assert [float(row["eigenvalue"]) for row in rows] == pytest.approx([10 / 9, 8 / 9], rel=1e-5)
    assert {(row["space"], row["views"], row["dimensions"]) for row in rows} == {("z", "10", "2")}
    assert [row["index"] for row in rows] == ["1", "2"]
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1, abs=1e-5)


def test_the_embedding_is_there_where_there_is_an_expander(results):
    same = {"k400": ([0.0], [[1.0]]), "mit": ([0.0], [[1.0]])}
    add(results, "multitrain", same, np.eye(3))
    add(results, "vanilla", same)
    rows = write(results, "multitrain", "vanilla")
    found = {(row["run"], row["method"], row["space"], row["effective_rank"]) for row in rows}
    assert found == {
        ("multitrain", "MultiTrain", "z", "1.0000"),
        ("multitrain", "MultiTrain", "z'", "3.0000"),
        ("vanilla", "Vanilla", "z", "1.0000"),
    }
    assert {(row["seed"], row["scale"], row["synthetic"]) for row in rows} == {("0", "mini", "yes")}


def test_what_is_missing_is_said_and_nothing_is_written(results):
    with pytest.raises(UserError, match="no table shows the run 'multitrian'; runs of tables are"):
        write(results, "multitrian")
    add(results, "multitrain", {"k400": ([0.0], [[1.0]])})
    with pytest.raises(UserError, match=r"multitrain/seed0/predictions/mit.npz: no such statistics"):
        write(results, "multitrain")
    assert not (results.root / "spectrum.csv").exists()


def moments(rows: np.ndarray) -> Statistics:
    covariance = np.cov(rows, rowvar=False) if len(rows) > 1 else np.zeros(2 * rows.shape[1:])
    return Statistics(len(rows), rows.mean(0), covariance.reshape(2 * rows.shape[1:]), None, None, {}, {}, {})


@settings(max_examples=50)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) > 1),
    dimensions=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_pooled_moments_are_those_of_all_rows_in_one_table(sizes, dimensions, seed):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(rng.normal(0, 5), rng.uniform(0.1, 3), size=(size, dimensions)) for size in sizes]
    rows = np.concatenate(parts)
    count, mean, covariance = pooled([moments(part) for part in parts], "features")
    assert count == len(rows)
    np.testing.assert_allclose(mean, rows.mean(0), atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(rows, rowvar=False).reshape(covariance.shape), atol=1e-10)


def test_the_embedding_is_pooled_by_its_own_moments():
    found = Statistics(4, np.arange(3.0), np.eye(3), np.zeros(2), np.eye(2), {}, {}, {})
    count, mean, covariance = pooled([found, found], "embedding")
    assert count == 8
    assert mean.tolist() == [0, 0]
    np.testing.assert_allclose(covariance, np.eye(2) * 6 / 7)  # 2 x (4 - 1) over 8 - 1


def test_what_cannot_be_pooled_says_why():
    one = moments(np.random.default_rng(0).normal(size=(5, 3)))
    with pytest.raises(UserError, match="no expander"):
        pooled([one], "embedding")
    with pytest.raises(UserError, match="not of one run"):
        pooled([one, moments(np.zeros((4, 2)))], "features")
    with pytest.raises(UserError, match="no statistics"):
        pooled([], "features")
