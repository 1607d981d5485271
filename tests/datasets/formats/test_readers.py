"""The registry of readers, and what holds for each of them."""

import json
from typing import get_args

import pytest

from multitrain.config.scale import Dataset
from multitrain.datasets.formats.readers import reader, readers
from tests.datasets.raw import HEADER, PUBLISH, dataset, put, put_zip, ssv2_texts


def test_a_scale_names_the_registered_readers():
    assert sorted(readers()) == sorted(get_args(Dataset.model_fields["reader"].annotation))


def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match=r"^reader 'mit' is registered twice$"):
        reader("mit")(readers()["kinetics"].read)


ROW = "abseiling,train000000,417,427,train,0\n"
PUSHING = {"template": "Pushing [something]"}
ENTRIES = [{"id": 2, **PUSHING}, {"id": "2", **PUSHING}, {"id": "8"}]


@pytest.mark.parametrize(
    ("name", "change", "missing"),
    [
        (
            "kinetics",
            lambda raw: put(
                raw / "annotations/train.csv", f"{HEADER}{ROW}{ROW},nolabel0000,1,2,train,0\nx,tested,1,2,test,0\n"
            ),
            [("nolabel0000_000001_000002", "no label"), ("train000000_000417_000427", "duplicate")],
        ),
        (
            "mit",
            lambda raw: PUBLISH["mit"](
                raw, b"", trainingSet="clapping/yt-a_1.mp4,clapping,3,0\n" * 2 + "clapping/x.mp4,,3,0\n"
            ),
            [("clapping.x", "no label"), ("clapping.yt-a_1", "duplicate")],
        ),
        (
            "ssv2",
            lambda raw: put_zip(raw / "labels.zip", {**ssv2_texts(), "train.json": json.dumps(ENTRIES)}),
            [("2", "duplicate"), ("8", "no label")],
        ),
    ],
)
def test_duplicates_and_rows_without_a_label_are_missing(raw, name, change, missing):
    change(PUBLISH[name](raw, b""))
    publication = readers()[name].read(raw, dataset(name))
    assert sorted((line.clip_id, line.reason) for line in publication.missing) == missing
    assert "x" not in publication.classes
