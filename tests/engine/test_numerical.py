"""Which modules the code hash of a run covers."""

from pathlib import Path

import multitrain
from multitrain.engine.setup import numerical

FOLDERS = ("data", "model", "losses", "engine")
LEFT_OUT = {
    "engine/finished.py": "brings finished work back as it is",
    "engine/log.py": "says what a training does",
    "engine/preemption.py": "notes that a stop was asked for",
    "engine/resume.py": "keeps and gives back a state bit for bit",
}


def test_every_module_that_computes_and_no_other():
    root = Path(multitrain.__file__).parent
    modules = {path.relative_to(root).as_posix() for folder in FOLDERS for path in (root / folder).rglob("*.py")}
    assert modules >= set(LEFT_OUT)
    found = {path.relative_to(root).as_posix() for path in numerical(root)}
    assert found == modules - set(LEFT_OUT) | {"seeding.py"}


def test_a_new_module_is_in_by_default_at_any_depth(tmp_path):
    for folder in FOLDERS:
        (tmp_path / folder / "deep").mkdir(parents=True)
        (tmp_path / folder / "deep" / "log.py").touch()
    assert numerical(tmp_path) == sorted(tmp_path / folder / "deep" / "log.py" for folder in FOLDERS)
