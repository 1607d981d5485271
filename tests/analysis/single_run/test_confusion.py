"""Which class a clip counts as taken for, and the order of confusions."""

from dataclasses import replace

import numpy as np
import pytest

from multitrain.analysis.packed.packed_answers import answers
from multitrain.analysis.single_run.confusion import read_predicted
from multitrain.analysis.single_run.confusion_matrix import MOST, draw_confusion
from multitrain.common.errors import UserError
from multitrain.common.records.predictions import read_scores, write_columns, write_predictions

NAMES, LONG = ["a", "b", "c"], 10 * "long name "
CLIPS = [  # label, scores; a tie is not right, whichever class comes first
    *[(0, [0.6, 0.3, 0.1])] * 2,
    *[(0, [0.4, 0.4, 0.2])] * 2,
    (1, [0.1, 0.2, 0.7]),
    (1, [0.4, 0.4, 0.2]),
    (2, [0.1, 0.45, 0.45]),
]


@pytest.fixture
def path(tmp_path):
    rows = [(f"c{i}", label, scores, None, 1, f"v{i}") for i, (label, scores) in enumerate(CLIPS)]
    write_predictions(tmp_path / "mit.parquet", rows, NAMES)
    return tmp_path / "mit.parquet"


def test_every_clip_is_in_one_cell(path):
    found = read_predicted(path)
    assert found.matrix().tolist() == [[2, 2, 0], [1, 0, 1], [0, 1, 0]]
    worst = found.worst(9)
    assert [(each.true, each.answered, each.clips, each.of) for each in worst] == [
        *((0, 1, ("c2", "c3"), 4), (2, 1, ("c6",), 1), (1, 0, ("c5",), 2), (1, 2, ("c4",), 2)),
    ]
    assert found.worst(1) == worst[:1]


def test_each_class_has_its_accuracy_and_first_confusion(path):
    first, second, third = read_predicted(path).by_class()
    assert (first["clips"], first["top1"], first["top5"], first["taken_for"]) == (4, 50, 100, "b")
    assert first["top1_low"] < 50 < first["top1_high"]
    assert (second["top1"], second["taken_for_clips"]) == (0, 1) and second["top1_high"] > 50
    assert (third["top1_low"], third["top1_high"]) == (0, 100)  # one video says nothing


def test_a_packed_study_has_the_same_confusions_and_no_probabilities(path, tmp_path):
    table, classes = answers(path)
    packed = tmp_path / "packed.parquet"
    write_columns(packed, table.rename_columns(["clip_id", "video_id", *table.column_names[2:]]), classes)
    assert read_predicted(packed).matrix().tolist() == read_predicted(path).matrix().tolist()
    np.testing.assert_allclose(read_scores(path)[0], [scores for _, scores in CLIPS], rtol=1e-6)
    with pytest.raises(UserError, match=r"packed.parquet: ranks without scores.*: evaluate the run again"):
        read_scores(packed)


def test_a_head_that_is_not_there_is_named(path):
    with pytest.raises(UserError, match=r"no scores by Y'_k.*leave --projected out"):
        read_predicted(path, projected=True)


def test_of_many_classes_those_of_the_worst_confusions_are_drawn(tmp_path):
    count = MOST + 20
    scores = np.eye(count)
    scores[7], scores[9] = scores[9], scores[9]  # class 7 is taken for class 9
    rows = [(f"c{i}", i, scores[i].tolist(), None, 1, f"v{i}") for i in range(count)]
    write_predictions(tmp_path / "x.parquet", rows, [f"class {i}" if i != 1 else LONG for i in range(count)])
    figure = draw_confusion(read_predicted(tmp_path / "x.parquet"), "title")
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["class 7", "class 9"]
    assert "2 of 60 classes" in figure.get_supxlabel() and "shortened" not in figure.get_supxlabel()


def test_the_caption_says_that_a_name_is_shortened_where_one_is(path):
    found = read_predicted(path)
    assert "shortened" not in draw_confusion(found, "title").get_supxlabel()
    figure = draw_confusion(replace(found, classes=("a", LONG, "c")), "title")
    assert "Long class names are shortened" in figure.get_supxlabel()
    assert "…" in figure.axes[0].get_yticklabels()[1].get_text()
