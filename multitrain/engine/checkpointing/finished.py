"""The finished files of a training, kept in a folder that Snakemake does not delete.

Snakemake deletes the declared files of a job that it believes unfinished, the model among them, before it starts the
job again. So they are written into `finished` first and then appear in the run's folder as links to the same bytes. A
later start of the same work brings them back.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import write_json
from multitrain.common.records import history, run_record

__all__ = ["FOLDER", "is_finished", "place", "seal"]

FOLDER = "finished"  # in the folder of a run
FILES = (history.NAME, run_record.NAME, "model.pt")
SEAL = "work.json"  # what was done and the digests of the files; written last


def seal(folder: Path, fingerprint: str, code: str, write: Callable[[Path], None]) -> None:
    """Have `write` make the files of a finished training of the run in `folder`; whole from the seal on, not before."""
    kept = folder / FOLDER
    (kept / SEAL).unlink(missing_ok=True)
    write(kept)
    said = {"fingerprint": fingerprint, "code": code, "sha256": {name: _digest(kept / name) for name in FILES}}
    write_json(kept / SEAL, said)


def is_finished(folder: Path, fingerprint: str, code: str, say: Callable[[str], None]) -> bool:
    """Whether that very work, by code that ended as this one, is kept in `folder`; `say` is told of a damaged one."""
    kept = folder / FOLDER
    try:
        said = json.loads((kept / SEAL).read_text(encoding="utf-8"))
        digests, same = dict(said["sha256"]), (said["fingerprint"], said["code"]) == (fingerprint, code)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        say(f"{kept / SEAL}: damaged: training anew")
        return False
    if not same:
        return False
    for name in FILES:
        try:
            whole = _digest(kept / name) == digests.get(name)
        except OSError:
            whole = False
        if not whole:
            say(f"{kept / name}: not as it was written: training anew")
            return False
    return True


def place(folder: Path) -> None:
    """Let the finished files appear in the run's folder, the model last; then the resume point goes."""
    for name in FILES:
        _link(folder / FOLDER / name, folder / name)
    shutil.rmtree(folder / "resume", ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Let `target` be a second name of a file, in one step; a copy where the file system has no such names."""
    temporary = Path(tempfile.mkdtemp(prefix=".partial-", dir=target.parent)) / target.name
    try:
        os.link(source, temporary)
        os.replace(temporary, target)
    except OSError:
        with atomic(target) as copy:
            shutil.copyfile(source, copy)
    finally:
        shutil.rmtree(temporary.parent, ignore_errors=True)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
