"""Accuracy by order of the frames, and of one dataset's model on another's related classes, on cases made by hand."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multitrain.analysis.accuracy.temporal_accuracy import accuracy, read_temporal, related_accuracy
from multitrain.common.errors import UserError

CLASSES, OWN = ("run", "jump", "wave"), ("running", "leaping", "cooking")


@pytest.fixture
def write(tmp_path):
    """Write a file of scores; returns its path."""

    def make(name: str, labels: list[int], clip_classes=CLASSES, **scores: list[list[float]]):
        path = tmp_path / f"{name}.parquet"
        columns = {
            "clip_id": [f"clip{i}" for i in range(len(labels))],
            "label": pa.array(labels, pa.int32()),
            "video_id": [f"video{i}" for i in range(len(labels))],
            **{order: pa.array(its, pa.list_(pa.float32())) for order, its in scores.items()},
        }
        names = {"classes": json.dumps(CLASSES), "clip_classes": json.dumps(clip_classes)}
        pq.write_table(pa.table(columns).replace_schema_metadata(names), path)
        return path

    return make


def best(*answers: int) -> list[list[float]]:
    """Scores that say these classes."""
    return (0.1 + 0.7 * np.eye(3)[list(answers)]).tolist()


def test_accuracies_of_each_order_and_of_the_best_constant_answer(write):
    scored = read_temporal(write("a", [0, 0, 0, 1, 2], whole=best(0, 0, 1, 1, 2), static=best(0, 0, 0, 0, 0)))
    whole, static = accuracy([scored], "whole"), accuracy([scored], "static")
    assert (whole.estimate.value, static.estimate.value) == (0.8, 0.6)
    assert whole.guess == static.guess == 0.6  # always "run"
    assert (whole.clips, whole.classes) == (5, 3)


def test_several_seeds_are_averaged_and_widen_the_interval(write):
    one = read_temporal(write("one", [0, 1, 2, 0], whole=best(0, 1, 2, 1)))
    other = read_temporal(write("other", [0, 1, 2, 0], whole=best(0, 0, 0, 1)))
    found = accuracy([one, other], "whole").estimate
    assert found.value == pytest.approx((3 / 4 + 1 / 4) / 2) and found.seeds == 2
    assert found.seeds_error > 0


def test_related_classes_alone_are_answers_and_clips_without_relatives_are_left_out(write):
    # running is related to run, leaping to run and to jump, cooking to nothing; wave is nobody's relative
    related = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], bool)
    scores = [
        [0.1, 0.2, 0.7],  # a running clip, wave's but for the choice: jump, wrong
        [0.3, 0.1, 0.6],  # a running clip: run, right
        [0.3, 0.1, 0.6],  # a leaping clip: run, right
        [0.1, 0.3, 0.6],  # a leaping clip: jump, right
        [0.9, 0.05, 0.05],  # a cooking clip: not counted
    ]
    scored = read_temporal(write("b", [0, 0, 1, 1, 2], OWN, whole=scores))
    found = related_accuracy([scored], related)
    assert found.estimate.value == 0.75
    assert (found.clips, found.classes) == (4, 2)
    assert found.guess == 1.0  # always "run" is right on all four


def test_without_two_related_classes_there_is_nothing_to_choose(write):
    scored = read_temporal(write("c", [0, 1], OWN, whole=best(0, 1)))
    related = np.zeros((3, 3), bool)
    assert related_accuracy([scored], related) is None
    related[0, 0] = True
    assert related_accuracy([scored], related) is None


def test_seeds_of_other_clips_are_refused(write):
    one = read_temporal(write("one", [0, 1], whole=best(0, 1)))
    other = read_temporal(write("other", [1, 1], whole=best(0, 1)))
    with pytest.raises(UserError, match=r"other\.parquet: not the clips of .*one\.parquet"):
        accuracy([one, other], "whole")


def test_what_is_no_file_of_scores_is_one_line(write, tmp_path):
    with pytest.raises(UserError, match="multitrain temporal"):
        read_temporal(tmp_path / "absent.parquet")
    (tmp_path / "damaged.parquet").write_text("no parquet")
    with pytest.raises(UserError, match=r"damaged\.parquet: no readable scores"):
        read_temporal(tmp_path / "damaged.parquet")
    pq.write_table(pa.table({"clip_id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(UserError, match=r"other\.parquet: no readable scores"):
        read_temporal(tmp_path / "other.parquet")
    with pytest.raises(UserError, match="no scores of static clips"):
        accuracy([read_temporal(write("whole", [0], whole=best(0)))], "static")
    with pytest.raises(UserError, match="other scores than classes"):
        read_temporal(write("two", [0], whole=[[0.5, 0.5]]))
