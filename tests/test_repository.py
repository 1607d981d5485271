"""What a repository's services read: continuous integration, pre-commit, the citation file; and the notebooks."""

import json
import os
import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
CI = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def steps(job: str) -> list[str]:
    return [step["run"] for step in CI["jobs"][job]["steps"] if "run" in step]


def test_linux_runs_what_a_developer_runs_and_macos_the_quick_tests():
    assert CI["jobs"]["linux"]["runs-on"].startswith("ubuntu") and steps("linux") == [".ci/run"]
    assert os.access(ROOT / ".ci/run", os.X_OK)
    assert CI["jobs"]["macos"]["runs-on"].startswith("macos") and steps("macos") == ["make test"]
    assert re.search(r"^test:", (ROOT / "Makefile").read_text(), re.M)


def test_actions_are_pinned_to_commits():
    used = [step["uses"] for job in CI["jobs"].values() for step in job["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", name) for name in used)


def test_continuous_integration_may_read_alone():
    assert CI["permissions"] == {"contents": "read"}
    assert set(CI[True]) == {"push", "pull_request"}  # YAML reads `on` as true


def test_pre_commit_has_the_versions_of_the_lock():
    revisions = {hook["repo"].rpartition("/")[2].removesuffix("-pre-commit"): hook["rev"] for hook in HOOKS}
    assert set(revisions) == {"ruff", "snakefmt", "nbstripout"}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for name in ("ruff", "snakefmt"):
        assert revisions[name] == "v" + re.search(rf"^{name}==([\d.]+)", lock, re.M)[1]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_as_nbstripout_leaves_them(path):
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    assert text == json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}


def test_the_citation_has_what_its_format_requires():
    """The required keys of the Citation File Format 1.2.0, of the file and of a reference."""
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(CITATION) and CITATION["type"] in ("software", "dataset")
    paper = CITATION["preferred-citation"]
    assert {"type", "title", "authors"} <= set(paper) and paper["type"] == "conference-paper"
    assert {"name"} <= set(paper["conference"])
    for author in [*CITATION["authors"], *paper["authors"]]:
        assert set(author) == {"name"} or {"family-names", "given-names"} <= set(author)
    assert all({"type", "value"} <= set(each) for each in paper["identifiers"])
    assert isinstance(paper["year"], int) and isinstance(CITATION.get("date-released", date.min), date)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (CITATION["version"], CITATION["license"]) == (project["version"], project["license"])
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert paper["url"] in readme and paper["title"] in readme
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert project["version"] in changes
