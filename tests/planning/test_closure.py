"""Import closure of modules and notebooks, on a small package that has each kind of import once."""

import json
from pathlib import Path

import pytest

from multitrain.planning import closure

FILES = {
    "__init__.py": "if TYPE_CHECKING:\n    import multitrain.heavy\ndef load():\n    from multitrain import heavy\n",
    "heavy.py": "",
    "errors.py": "",
    "command.py": "from multitrain import options\ndef run():\n    from multitrain.work import one, other\n",
    "options.py": "import multitrain.errors\n",
    "work/__init__.py": "from multitrain.work.shared import name\ndef late():\n    from multitrain import heavy\n",
    "work/one.py": "from multitrain.work.deep import helper\nTEMPLATES = 'templates'\nPAGE = 'page.j2'\n",
    "work/other.py": "from . import two\nfrom ..errors import Error\nimport os, json.decoder\n",
    "work/two.py": "if True:\n    from multitrain.work import name\n",
    "work/shared.py": "",
    "work/unused.py": "from multitrain.work import one\n",
    "work/deep/__init__.py": "from multitrain.work.deep.inner import helper\n",
    "work/deep/inner.py": "def helper():\n    import multitrain.errors\n",
    "work/templates/page.j2": "",
    "work/templates/other.j2": "",
    "work/templates/folder/a.css": "",
    "analysis/__init__.py": "",
    "analysis/figures/__init__.py": "",
    "analysis/figures/accuracy.py": "",
    "analysis/figures/cost.py": "",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "multitrain" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(closure, "PACKAGE", tmp_path / "multitrain")
    closure._closure.cache_clear()
    yield tmp_path / "multitrain"
    closure._closure.cache_clear()  # the other tests read the real package


def names(files: list[str]) -> set[str]:
    assert all(name.startswith("multitrain/") for name in files)
    return {name.removeprefix("multitrain/") for name in files}


PACKAGES = {"__init__.py", "work/__init__.py", "work/shared.py"}  # packages with their imports at module level


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("work.shared", set()),
        (
            "work.one",
            {"work/one.py", "work/deep/__init__.py", "work/deep/inner.py", "errors.py", "work/templates/page.j2"},
        ),
        ("work.two", {"work/two.py", "heavy.py"}),  # it imports a package by name: its functions count
        ("work.other", {"work/other.py", "work/two.py", "heavy.py", "errors.py"}),
    ],
)
def test_imports_at_module_level_and_in_functions_count(package: Path, module: str, expected: set[str]):
    assert names(closure.code_files(f"multitrain.{module}")) == PACKAGES | expected


def test_of_a_command_only_imports_at_module_level_count(package: Path):
    alone = names(closure.code_files("multitrain.work.shared"))
    both = names(closure.code_files("multitrain.work.shared", command="multitrain.command"))
    assert both - alone == {"command.py", "options.py", "errors.py"}


def test_all_files_of_a_named_data_folder_count(package: Path):
    (package / "work/shared.py").write_text("A = 'templates'\nB = 'folder'\n")
    assert "work/templates/folder/a.css" in names(closure.code_files("multitrain.work.shared"))
    assert "work/templates/other.j2" not in names(closure.code_files("multitrain.work.shared"))


def test_all_modules_of_a_registered_package_count(package: Path):
    (package / "work/shared.py").write_text("MODULES = 'multitrain.work.*'\n")
    found = names(closure.code_files("multitrain.work.shared"))
    assert {"work/one.py", "work/other.py", "work/two.py", "work/unused.py"} <= found
    assert "command.py" not in found


def test_a_notebooks_imports_and_figures_count(package: Path, tmp_path: Path):
    cells = [
        {"cell_type": "markdown", "source": ["from multitrain import heavy"]},
        {"cell_type": "code", "source": ["from multitrain.work import shared\n", "shared.draw('accuracy')"]},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    found = names(closure.notebook_code_files(tmp_path / "a.ipynb", "multitrain.errors"))
    drawn = {"analysis/__init__.py", "analysis/figures/__init__.py", "analysis/figures/accuracy.py"}
    assert found == PACKAGES | drawn | {"errors.py"}


def test_a_missing_module_is_an_error(package: Path):
    with pytest.raises(ValueError, match=r"^multitrain.wrk: no such module$"):
        closure.code_files("multitrain.wrk")
