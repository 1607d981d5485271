"""Snakemake as its user calls it, but for the imports. Imports nothing of multitrain: a project has its own."""

import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.forks import Forks

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "workflow", "resources", "multitrain", "notebooks", "slurm", "environment.yml")


def linked_checkout(folder: Path) -> Path:
    """Links to all that the workflow reads of the project, in a folder that has files of its own beside it."""
    for name in PARTS:
        (folder / name).symlink_to(ROOT / name)
    return folder


def job_counts(planned: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs of each rule in the table that `snakemake -n` prints."""
    assert planned.returncode == 0, planned.stderr
    stats = planned.stdout.split("Job stats:")[1].split("total")[0]
    return {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", stats, re.M)}


@cache
def _forks() -> Forks:
    return Forks("snakemake.cli", "snakemake.executors.dryrun", "pydantic", "yaml", "pandas", __name__)


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """`snakemake --nolock ARGUMENTS` in a folder."""
    words = ["snakemake", "--nolock", *arguments]
    with tempfile.TemporaryDirectory() as place:
        said = [Path(place, name) for name in ("out", "err")]
        (code,) = _forks().exit_codes([(_run, (folder, words, said))])
        return subprocess.CompletedProcess(words, code, *(path.read_text() for path in said))


def _run(folder: Path, words: list[str], said: list[Path]) -> None:
    for number, path in enumerate(said, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = words
    from snakemake.cli import main

    main(words[1:])
