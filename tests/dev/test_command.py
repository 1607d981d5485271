"""A developer's command says in one line what is wrong with its input."""

import pytest

from dev.command import start
from multitrain.common.errors import UserError


def test_wrong_input_is_one_line_and_a_mistake_of_ours_a_traceback():
    def wrong() -> None:
        raise UserError("a.csv: no column run")

    def ours() -> None:
        raise KeyError("run")

    with pytest.raises(SystemExit, match=r"^error: a\.csv: no column run$"):
        start(wrong)
    with pytest.raises(KeyError):
        start(ours)
    assert start(lambda: None) is None
