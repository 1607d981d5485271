"""Links and paths to documents lead somewhere: in every Markdown file, and wherever a file names a page of docs/."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^()\s]+)\)")
NAMED = re.compile(r"(?<![\w/.-])docs/[\w./-]*\w")
CODE = re.compile(r"(?<![\w/.-])(?:multitrain|workflow|dev|tests|slurm)/[\w./*-]*\w")
BUILT = ("docs/example/notebooks/",)  # pages as nbconvert wrote them


def tracked() -> list[Path]:
    """The repository's files, also those that are not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(ROOT / name for name in names if (ROOT / name).is_file())


MARKDOWN = [path for path in tracked() if path.suffix == ".md"]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a Markdown page's headings, in GitHub's form."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_relative_links_of_a_page_lead_somewhere(page):
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        found = (page.parent / target).resolve() if target else page
        if not found.exists() or not found.is_relative_to(ROOT) or (anchor and anchor not in anchors(found)):
            broken.append(link)
    assert broken == []


def test_every_path_into_docs_that_a_file_names_exists():
    missing = set()
    for path in tracked():
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(BUILT) or path.suffix in (".png", ".jpg", ".npz", ".pyth", ".gz"):
            continue
        for found in NAMED.findall(path.read_text(encoding="utf-8", errors="ignore")):
            if not (ROOT / found).exists():
                missing.add(f"{name}: {found}")
    assert sorted(missing) == []


def test_the_index_has_every_page():
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in LINK.findall(index)}
    pages = {path for path in MARKDOWN if path.is_relative_to(ROOT / "docs") and path.parent.name != "example"}
    assert sorted(pages - linked - {ROOT / "docs/index.md"}) == []


def test_every_path_into_the_code_that_a_page_names_exists():
    missing = set()
    for page in MARKDOWN:
        for found in CODE.findall(page.read_text(encoding="utf-8")):
            if not (ROOT / found).exists() and not any(ROOT.glob(found)):
                missing.add(f"{page.relative_to(ROOT).as_posix()}: {found}")
    assert sorted(missing) == []
