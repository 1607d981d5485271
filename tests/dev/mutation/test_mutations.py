"""Mutation testing: which tests are tried with a breakage, and that it is put back."""

import json
from itertools import chain
from pathlib import Path

import pytest

from dev.mutation import mutations
from dev.mutation.breakages import Breakage
from dev.mutation.mutations import ROOT, Result, stages, try_all, try_breakage


@pytest.mark.parametrize(
    ("path", "first", "reached"),
    [
        ("common/ranks.py", "common/test_ranks.py", "analysis/accuracy/test_per_class_accuracy.py"),
        ("engine/moments.py", "engine/checkpointing/test_finished.py", "inference/test_features.py"),  # none of its own
        ("cli/commands/status_commands.py", "cli/commands/", "cli/test_cli.py"),  # its folder; in registries
        (
            "analysis/figures/projections/average_precision.py",
            "analysis/figures/test_figures.py",
            "workflow/test_worlds.py",
        ),
    ],
)
def test_the_nearest_tests_come_first_and_each_comes_once(path, first, reached):
    found, everything = (stages(f"multitrain/{path}", ROOT, every) for every in (False, True))
    near, tests = list(chain(*found)), list(chain(*everything))
    assert near[0].startswith(f"tests/{first}")
    assert f"tests/{reached}" in near
    assert tests[: len(near)] == near
    assert sorted(tests) == sorted(each.relative_to(ROOT).as_posix() for each in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize(("tested", "test"), [("1 + 2 == 3", ""), ("plus(1, 2) == 3", "tests/test_plus.py::test_plus")])
def test_the_first_test_that_fails_is_named_and_the_file_put_back(tested, test, tmp_path):
    source = "def plus(a, b):\n    return a + b\n"
    (tmp_path / "tests").mkdir()
    (tmp_path / "plus.py").write_text(source)
    (tmp_path / "tests" / "test_plus.py").write_text(
        f"from plus import plus\n\n\ndef test_plus():\n    assert {tested}\n"
    )
    start = source.index("a + b")
    broken = Breakage("sign", "plus.py", 2, start, start + 5, "a + b", "a - b")
    assert try_breakage(broken, tmp_path).test == test
    assert (tmp_path / "plus.py").read_text() == source


def test_a_known_result_is_kept_unless_it_is_asked_for_again(tmp_path, monkeypatch):
    breakage = Breakage("sign", "multitrain/common/ranks.py", 1, 0, 0, "", "")
    results = tmp_path / "results.jsonl"
    results.write_text(json.dumps({"name": breakage.name, "test": "before"}) + "\n")
    monkeypatch.setattr(mutations, "try_breakage", lambda each, copy, everything: Result(each.name, "now"))
    monkeypatch.setattr(mutations, "_copied", Path)
    assert try_all([breakage], results)[breakage.name].test == "before"
    assert try_all([breakage], results, again=True)[breakage.name].test == "now"
    assert try_all([breakage], results)[breakage.name].test == "now"
