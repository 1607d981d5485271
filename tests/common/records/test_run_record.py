"""The record of a run: read as it was written, or refused with the field that is wrong."""

import json

import pytest

from multitrain.common.errors import UserError
from multitrain.common.records.run_record import RunRecord, has_record, parse_record, read_record, write_record

RECORD: RunRecord = {
    "run": "joint",
    "synthetic": True,
    "datasets": {"k400": {"classes": 3, "clips": 20, "left_out": 0}},
    "settings": {"weighting": "uncertainty", "init": None},
    "steps": 10,
    "seconds": 3,
    "code": "abc",
    "commit": None,
}


def test_a_record_is_read_as_it_was_written(tmp_path):
    assert not has_record(tmp_path)
    write_record(tmp_path, RECORD)
    assert has_record(tmp_path)
    assert (tmp_path / "run.json").read_text() == json.dumps(RECORD, indent=2) + "\n"
    found = read_record(tmp_path, "commit", "settings.init", "datasets.k400.clips")
    assert found == RECORD and list(found) == list(RECORD) and isinstance(found["seconds"], int)


@pytest.mark.parametrize(
    ("changes", "needs", "says"),
    [
        ({"synthetic": 1}, (), "synthetic: "),
        ({"steps": 1.5}, (), "steps: "),
        ({"steps": True}, (), "steps: "),
        ({"seconds": "3"}, (), "seconds: "),
        ({"datasets": {"k400": {"classes": 3}}}, (), "datasets.k400.clips: "),
        ({"datasets": []}, (), "datasets: "),
        ({"sigma": {"k400": None}}, (), "sigma.k400: "),
        ({}, ("sigma",), "no sigma"),
        ({}, ("steps", "settings.steps_of"), "no settings.steps_of"),
        ({}, ("code.of",), "no code.of"),
    ],
)
def test_the_field_that_is_wrong_is_named(tmp_path, changes, needs, says):
    write_record(tmp_path, {**RECORD, **changes})
    with pytest.raises(
        UserError, match=rf"run.json: not the record of a run \({says}.*\): train the run again"
    ) as told:
        read_record(tmp_path, *needs)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", "null"])
def test_a_text_that_is_no_record_is_named_by_its_place(text):
    with pytest.raises(UserError, match="study: run joint: not the record of a run"):
        parse_record(text, "study: run joint")
