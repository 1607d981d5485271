"""What a guide shows, as a reader copies it: blocks of code, command lines, text in backticks, tables."""

import re
import shlex
from pathlib import Path

__all__ = ["blocks", "commands", "inline", "read", "table"]

GUIDES = Path(__file__).parents[1] / "docs" / "guides"


def read(page: str) -> str:
    """The whole text of a page of docs/guides."""
    return (GUIDES / page).read_text(encoding="utf-8")


def blocks(page: str, language: str = "") -> list[str]:
    """The page's blocks of a language, in order; without one, of what a command prints."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", read(page), re.M | re.S)
    return [source for its, source in fenced if its == language]


def commands(page: str) -> list[list[str]]:
    """The words of each command line of the page's bash blocks."""
    return [shlex.split(line) for block in blocks(page, "bash") for line in block.splitlines()]


def inline(page: str, start: str) -> str:
    """The page's one text in backticks that starts so."""
    (found,) = re.findall(rf"`({re.escape(start)}[^`]*)`", read(page))
    return found


def table(page: str, heading: str) -> list[list[str]]:
    """Cells of each row of the page's one table whose first column has that heading."""
    (found,) = re.findall(rf"^\| {re.escape(heading)} \|.*\n((?:\|.*\n)+)", read(page), re.M)
    _, *rows = found.splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
