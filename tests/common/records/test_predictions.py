"""Predictions: written and read; only predictions of the same clips are compared."""

from dataclasses import replace

import numpy as np
import pytest

from multitrain.common.errors import UserError
from multitrain.common.records.predictions import (
    read_predictions,
    require_same_clips,
    require_same_forms,
    write_predictions,
)

ROWS = [("one", 0, [0.9, 0.1], [0.2, 0.8], 3, "v"), ("two", 1, [0.7, 0.3], [0.4, 0.6], 3, "v")]


@pytest.fixture
def found(tmp_path):
    write_predictions(tmp_path / "mit.parquet", ROWS, ("a", "b"))
    return read_predictions(tmp_path / "mit.parquet")


def test_predictions_are_read_as_they_were_written(found):
    assert found.clip_ids.tolist() == ["one", "two"] and found.videos.tolist() == ["v", "v"]
    assert (found.labels.tolist(), found.classes) == ([0, 1], ("a", "b"))
    assert (found.rank.tolist(), found.projected.tolist()) == ([0, 1], [1, 0])


@pytest.mark.parametrize("changed", [{"clip_ids": ["two", "one"]}, {"videos": ["v", "w"]}, {"labels": [0, 0]}])
def test_results_of_other_clips_are_not_compared(found, changed):
    require_same_forms([found, found, found])
    other = replace(found, path="other", **{name: np.array(values) for name, values in changed.items()})
    with pytest.raises(UserError, match=r"^other: not the clips of .*mit.parquet: prepare both again$"):
        require_same_clips([found, found, other], "prepare both again")
    with pytest.raises(UserError, match=r"^other: not the clips of"):
        require_same_forms([found, other])


def test_results_with_and_without_projections_are_not_joined(found):
    with pytest.raises(UserError, match=r"^other: unlike .*mit.parquet as to projections"):
        require_same_forms([found, replace(found, path="other", projected=None)])
