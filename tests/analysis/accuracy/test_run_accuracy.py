"""What `multitrain evaluate` prints: accuracies and intervals of the predictions that it wrote."""

import re

import numpy as np
import pytest

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.accuracy.run_accuracy import accuracy_lines
from multitrain.common.errors import UserError
from multitrain.common.records.predictions import write_predictions

NUMBERS = r"top-1 (\S+) \[(\S+), (\S+)\], top-5 (\S+) \[(\S+), (\S+)\]"


def predictions(path, ranks: list[int], videos: list[str], projected: list[int] | None = None):
    """A file of clips of class 0 among 8 with these ranks."""

    def scores(rank: int) -> list[float]:
        return [0.5, *([0.6] * rank), *([0.1] * (7 - rank))]

    rows = [
        (f"c{i}", 0, scores(rank), scores(projected[i]) if projected else None, 1, videos[i])
        for i, rank in enumerate(ranks)
    ]
    write_predictions(path, rows, [f"class {i}" for i in range(8)])
    return path


def test_the_unit_of_the_interval_is_the_video(tmp_path):
    ranks = [0, 0, 0, 1, 1, 6, 0, 7]
    each = predictions(tmp_path / "each.parquet", ranks, [f"v{i}" for i in range(8)])
    line, about = accuracy_lines(each, "MiT")
    found = [float(number) for number in re.search(NUMBERS, line).groups()]
    right = np.array([ranks]) < 1
    low, high = estimate([right.astype(float)], [np.arange(8)]).interval_of_accuracy
    assert line.startswith("MiT by Y_k: ") and found[0] == 50.0 and found[3] == 75.0
    assert found[1:3] == pytest.approx([100 * low, 100 * high], abs=0.05)
    assert about.startswith("8 clips of 8 videos, 8 classes;") and "95% interval over videos, of this one" in about
    pairs = predictions(tmp_path / "pairs.parquet", ranks, [f"v{i // 2}" for i in range(8)])
    wider = [float(number) for number in re.search(NUMBERS, accuracy_lines(pairs, "MiT")[0]).groups()]
    assert wider[0] == 50.0 and wider[2] - wider[1] > found[2] - found[1]


def test_each_head_has_a_line(tmp_path):
    path = predictions(tmp_path / "x.parquet", [0, 1], ["a", "b"], projected=[0, 0])
    own, added, _ = accuracy_lines(path, "MiT")
    assert own.startswith("MiT by Y_k: top-1 50.0") and added.startswith("MiT by Y'_k: top-1 100.0")


def test_no_predictions_say_how_to_get_them(tmp_path):
    with pytest.raises(UserError, match="run `multitrain evaluate`"):
        accuracy_lines(tmp_path / "none.parquet", "MiT")
