"""Expected calibration error of heads whose probabilities are known to be right or wrong."""

import numpy as np
import pytest

from multitrain.analysis.single_run.calibration import calibration
from multitrain.analysis.single_run.reliability import draw_reliability


def heads(confidence: list[float], right: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, 3) whose best class has this probability, and labels that it is right or wrong for."""
    scores = np.array([[each, (1 - each) * 0.6, (1 - each) * 0.4] for each in confidence], np.float32)
    return scores, np.array([0 if each else 2 for each in right])


def test_a_probability_that_is_what_it_says_costs_nothing():
    found = calibration(*heads([0.8] * 10, [1] * 8 + [0] * 2), np.arange(10))
    assert found.ece == pytest.approx(0, abs=1e-6) and found.accuracy == 0.8
    (only,) = found.bins
    assert only.clips == 10 and only.confidence == pytest.approx(0.8) and only.low < 0.8 < only.high
    assert found.log_loss == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.08), rel=1e-5)


def test_the_error_is_the_mean_gap_over_clips():
    found = calibration(*heads([0.9] * 10 + [0.5] * 30, [1] * 6 + [0] * 4 + [1] * 15 + [0] * 15), np.arange(40))
    assert found.ece == pytest.approx(0.25 * 0.3, abs=1e-6) and len(found.bins) == 2
    certain = calibration(*heads([1.0] * 4, [1, 1, 0, 0]), np.arange(4))
    assert certain.ece == pytest.approx(0.5) and certain.ece_calibrated == 0


def test_what_chance_alone_gives_falls_with_clips_and_rises_where_they_share_videos():
    few, many = (calibration(*heads([0.7] * n, [1] * n), np.arange(n)).ece_calibrated for n in (20, 2000))
    assert few > 5 * many
    assert few == pytest.approx(np.sqrt(2 / np.pi) * np.sqrt(0.7 * 0.3 / 20), rel=0.1)
    shared = calibration(*heads([0.7] * 20, [1] * 20), np.arange(20) // 10)
    assert shared.ece_calibrated > 2 * few and shared.ece_limit >= shared.ece_calibrated


def test_the_figure_has_a_panel_a_head():
    its = calibration(*heads([0.9, 0.4, 0.6], [1, 0, 1]), np.arange(3))
    figure = draw_reliability({"K400, Y_k": its, "K400, Y'_k": its, "MiT, Y_k": its}, "Calibration")
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == ["K400, Y_k", "K400, Y'_k", "MiT, Y_k"]
    assert len(panels[0].collections[-1].get_offsets()) == len(its.bins)
