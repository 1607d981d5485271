"""What mutation testing breaks: one place, of each kind, drawn by a seed."""

import ast
from pathlib import Path

import pytest

from dev.mutation import breakages
from dev.mutation.breakages import KINDS, Source, drawn, places


def changes(source: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    monkeypatch.setattr(breakages, "ROOT", folder)
    path = folder / "made.py"
    path.write_text(source, encoding="utf-8")
    return {(each.kind, each.before, each.after) for each in places(Source(path))}


@pytest.mark.parametrize(
    ("source", "kind", "before", "after"),
    [
        ("é = a - b", "sign", "a - b", "a + b"),
        ("x = -a", "sign", "-a", "a"),
        ("x = a < b", "bound", "a < b", "a <= b"),
        ("x = a == b", "bound", "a == b", "a != b"),
        ("if a() or b:\n    c = 1", "condition", "a() or b", "not (a() or b)"),
        ("x = y.sum(dim=1)", "axis", "dim=1", "dim=0"),
        ("x = y.sum(axis=0)", "axis", "axis=0", "axis=-1"),
        ("x = a[1:]", "off by one", "1", "2"),
        ("stream.flush()", "left out", "stream.flush()", "pass"),
        ("raise ValueError(\n    1\n)", "swallowed", "raise ValueError(\n    1\n)", "pass"),
    ],
)
def test_a_breakage_changes_one_place(source, kind, before, after, tmp_path, monkeypatch):
    assert (kind, before, after) in changes(source, tmp_path, monkeypatch)


@pytest.mark.parametrize("source", ['x = "a" + b', "x = -1", "x = 1", "x = f()", "if a:\n    x = 1", "x = f(dim=n)"])
def test_what_means_the_same_or_is_no_such_place_is_left(source, tmp_path, monkeypatch):
    assert changes(source, tmp_path, monkeypatch) == set()


def test_sixty_breakages_are_of_all_kinds_and_folders_and_each_still_parses():
    chosen = drawn(60, seed=0)
    assert len(set(chosen)) == 60
    assert {each.kind for each in chosen} == set(KINDS)
    assert {"engine", "losses", "data", "model", "synth"} <= {each.path.split("/")[1] for each in chosen}
    for each in chosen:
        content = (breakages.ROOT / each.path).read_bytes()
        assert content[each.start : each.end].decode() == each.before
        ast.parse(content[: each.start] + each.after.encode() + content[each.end :])
    assert drawn(60, seed=0) == chosen != drawn(60, seed=1)
