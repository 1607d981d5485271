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

__all__ = ["BEST", "FOLDER", "is_finished", "link_finished", "save_finished"]

FOLDER = "finished"  # in the folder of a run
BEST = "best.pt"  # of a training that scores val
FILES = (history.NAME, run_record.NAME, "model.pt")
SEAL = "work.json"  # fingerprint, code and digests of the files; written last


def save_finished(folder: Path, fingerprint: str, code: str, write: Callable[[Path], None]) -> None:
    """Save the files of a finished training, made by `write`, in the run's `folder`; valid once the seal is written."""
    kept = folder / FOLDER
    for name in (SEAL, BEST):
        (kept / name).unlink(missing_ok=True)
    write(kept)
    record = {"fingerprint": fingerprint, "code": code, "sha256": {name: _digest(kept / name) for name in _files(kept)}}
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
    for name in dict.fromkeys((*FILES, *digests)):
        try:
            whole = _digest(kept / name) == digests.get(name)
        except OSError:
            whole = False
        if not whole:
            warn(f"{kept / name}: not as it was written: training anew")
            return False
    return True


def link_finished(folder: Path, best: bool = False) -> None:
    """Link the finished files into the run's folder, the model last; then remove the resume point.

    With `best` the model is that of the best score on val.
    """
    (folder / BEST).unlink(missing_ok=True)
    for name in _files(folder / FOLDER):
        _link(folder / FOLDER / (BEST if best and name == FILES[-1] else name), folder / name)
    shutil.rmtree(folder / "resume", ignore_errors=True)


def _files(kept: Path) -> tuple[str, ...]:
    """Names of the finished files in a folder: FILES, and the best model where there is one."""
    return (BEST, *FILES) if (kept / BEST).exists() else FILES


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
