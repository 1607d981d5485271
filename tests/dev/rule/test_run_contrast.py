"""One run minus another in a packed study, over worlds."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from dev.rule.run_contrast import Side, contrast
from multitrain.common.errors import UserError
from tests.dev.rule.test_reasons import CLIPS, study

MADE = study("desk.parquet", (0, 1, 5, 6), multitrain=200, vanilla=240)


def projected(study, run: str, count: int):
    """The study, whose run answers so many clips right by Y'_k."""
    ranks = pa.array((np.arange(CLIPS) >= count).astype(int), pa.int16())
    answers = {
        key: its.set_column(its.column_names.index("rank_projected"), its.schema.field("rank_projected"), ranks)
        for key, its in study.answers.items()
        if key.run == run
    }
    return replace(study, answers=study.answers | answers)


def test_sides_may_be_scored_by_the_sum_and_count_by_a_factor():
    both = projected(MADE, "multitrain", 300)
    worlds = [(0, 1), (5, 6)]
    plain = contrast(both, Side("vanilla"), Side("multitrain"), worlds)
    assert plain.value == pytest.approx(0.1) and plain.by_world == (0.1, 0.1)
    summed = contrast(both, Side("multitrain", projected=True), Side("multitrain", 0.5), worlds)
    assert summed.value == pytest.approx(0.75 - 0.5 * 200.5 / CLIPS)
    each = {"k400": "vanilla", "mit": "multitrain", "ssv2": "multitrain", "actnet": "multitrain"}
    assert contrast(both, Side(each), Side("multitrain"), worlds).value == pytest.approx(0.1 / 4)
    assert contrast(both, Side(each), Side("multitrain"), worlds, ("k400",)).value == pytest.approx(0.1)


def test_a_run_without_projections_has_no_score_by_the_sum():
    with pytest.raises(UserError, match=r"desk.parquet: vanilla has no answers by Y'_k on k400"):
        contrast(MADE, Side("vanilla", projected=True), Side("multitrain"), [(0, 1)])
