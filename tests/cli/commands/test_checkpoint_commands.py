"""`checkpoint import --classes`: the class names that the release does not store."""

from pathlib import Path

import pytest

import multitrain
from multitrain.cli import run
from multitrain.cli.commands.checkpoint_commands import _class_names
from multitrain.common.errors import UserError
from multitrain.model.files.release import import_release

REFERENCE = Path(__file__).parents[2] / "reference" / "tiny.pyth"


def test_imported_heads_have_the_class_names_of_the_files(tmp_path, capsys):
    heads = import_release(REFERENCE).spec.classes
    words = []
    for head, numbers in heads.items():
        names = tmp_path / f"{head}.txt"
        names.write_text("".join(f"{head} {number}\n" for number in numbers), encoding="utf-8")
        words += ["--classes", f"{head}={names}"]
    run_to_end("checkpoint", "import", str(REFERENCE), str(tmp_path / "model.pt"), *words)
    found = multitrain.load(tmp_path / "model.pt").spec.classes
    assert found == {head: tuple(f"{head} {number}" for number in numbers) for head, numbers in heads.items()}


def run_to_end(*arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        run(list(arguments))
    assert not end.value.code


@pytest.mark.parametrize(
    ("value", "heads", "said"),
    [
        ("{file}", ("a", "b"), "the heads are a, b: give HEAD=FILE"),
        ("c={file}", ("a", "b"), "no head 'c'"),
        ("a={file}s", ("a",), "cannot be read"),
        ("{file}", ("a",), "3 names, and the head a has 2 classes"),
        ("{twice}", ("a",), "'x' comes twice"),
    ],
)
def test_a_list_of_classes_that_does_not_fit_is_one_line(value, heads, said, tmp_path):
    file, twice = tmp_path / "names.txt", tmp_path / "twice.txt"
    file.write_text("x\ny\nz\n")
    twice.write_text("x\nx\n")
    with pytest.raises(UserError, match=said) as error:
        _class_names(value.format(file=file, twice=twice), dict.fromkeys(heads, ("0", "1")))
    assert "\n" not in str(error.value)


def test_one_head_needs_no_name(tmp_path):
    (tmp_path / "names.txt").write_text("walk\n\nrun\n")
    assert _class_names(str(tmp_path / "names.txt"), {"own": ("0", "1")}) == ("own", ("walk", "run"))
