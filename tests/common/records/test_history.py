"""The history of a training: read, and written as columns again."""

import json
import math

from multitrain.common.records.history import read_columns, read_history, write_columns

STEP = {
    **{"step": 0, "epoch": 0.0, "rate": 0.1, "total": 2.0, "variance": 0.5, "covariance": 0.1},
    **{"classification": {"k400": 2.0}, "sigma": {"k400": 1.0}, "gradient_norm": 3.0, "skipped": 0},
}


def test_a_step_that_half_precision_left_out_is_read_and_packed_without_its_norm(tmp_path):
    path, packed = tmp_path / "history.jsonl", tmp_path / "packed.jsonl"
    lines = [STEP, {**STEP, "step": 1, "gradient_norm": None, "skipped": 1}]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    first, second = read_history(path, ("k400",))
    assert first["gradient_norm"] == 3.0 and math.isnan(second["gradient_norm"])
    write_columns(packed, read_columns(path))
    assert packed.read_text() == path.read_text()
