"""The finished files of a training, kept in a folder that Snakemake does not delete.

Before Snakemake starts an unfinished job again, it deletes the job's declared files, the model among them. So they are
written into `finished` first and then linked into the run's folder. A later start of the same work links them again.
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

__all__ = ["FOLDER", "is_finished", "link_finished", "save_finished"]

FOLDER = "finished"  # in the folder of a run
FILES = (history.NAME, run_record.NAME, "model.pt")
SEAL = "work.json"  # fingerprint, code and digests of the files; written last


def save_finished(folder: Path, fingerprint: str, code: str, write: Callable[[Path], None]) -> None:
    """Save the files of a finished training, made by `write`, in the run's `folder`; valid once the seal is written."""
    kept = folder / FOLDER
    (kept / SEAL).unlink(missing_ok=True)
    write(kept)
    record = {"fingerprint": fingerprint, "code": code, "sha256": {name: _digest(kept / name) for name in FILES}}
    write_json(kept / SEAL, record)


def is_finished(folder: Path, fingerprint: str, code: str, warn: Callable[[str], None]) -> bool:
    """Whether `folder` holds the files of the same work and code; `warn` gets a message for damaged ones."""
    kept = folder / FOLDER
    try:
        record = json.loads((kept / SEAL).read_text(encoding="utf-8"))
        digests, same = dict(record["sha256"]), (record["fingerprint"], record["code"]) == (fingerprint, code)
    except FileNotFoundError:
        return False
    except (OSError, ValueError, TypeError, KeyError):
        warn(f"{kept / SEAL}: damaged: training anew")
        return False
    if not same:
        return False
    for name in FILES:
        try:
            whole = _digest(kept / name) == digests.get(name)
        except OSError:
            whole = False
        if not whole:
            warn(f"{kept / name}: not as it was written: training anew")
            return False
    return True


def link_finished(folder: Path) -> None:
    """Link the finished files into the run's folder, the model last; then remove the resume point."""
    for name in FILES:
        _link(folder / FOLDER / name, folder / name)
    shutil.rmtree(folder / "resume", ignore_errors=True)


def _link(source: Path, target: Path) -> None:
    """Hard-link a file to `target` in one step; copy it where the file system has no hard links."""
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
