"""Preparation status of a dataset, read from its folders at any stage."""

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from multitrain.common.errors import UserError
from multitrain.config.scale import Dataset
from multitrain.data.manifest import REASONS, read_manifest

__all__ = ["status"]


@dataclass(frozen=True)
class Status:
    """One dataset. Counts are of clips; None where the number is not known yet."""

    raw: str  # there, empty, absent or to fetch
    state: str  # prepared, in preparation, not begun, or what is wrong
    annotated: int | None
    prepared: int
    missing: dict[str, int]  # by reason
    raw_bytes: int
    prepared_bytes: int


def status(dataset: Dataset, raw: Path, folder: Path) -> Status:
    """The status from a dataset's raw folder and its folder of prepared clips, which may both be absent."""
    raw_files, raw_bytes = disk_usage(raw)
    inside = raw_bytes if raw.resolve().is_relative_to(folder.resolve()) else 0
    absent = "to fetch" if dataset.download else "absent"
    of_raw = absent if not raw.is_dir() else "there" if raw_files else "empty"
    prepared_bytes = disk_usage(folder)[1] - inside
    state, annotated, prepared, missing = _progress(folder)
    state += _fraction_note(dataset, folder / "annotated.csv")
    return Status(of_raw, state, annotated, prepared, missing, raw_bytes, prepared_bytes)


def _progress(folder: Path) -> tuple[str, int | None, int, dict[str, int]]:
    """State, annotated and prepared clips, missing ones by reason."""
    manifest, missing = folder / "manifest.parquet", folder / "missing.csv"
    journal = folder / "videos" / "journal.jsonl"
    if manifest.is_file() and missing.is_file():
        try:
            count = len(read_manifest(manifest))
            reasons = pd.read_csv(missing, dtype=str, keep_default_na=False, usecols=["reason"])["reason"]
        except UserError as error:
            return str(error), None, 0, {}
        except (ValueError, OSError) as error:
            return f"{missing}: not a readable list ({' '.join(str(error).split())})", None, 0, {}
        return "prepared", count + len(reasons), count, _ordered(Counter(reasons))
    if journal.is_file():
        made = _journal(journal)
        return "in preparation", _annotated(folder / "annotated.csv"), made.pop("", 0), _ordered(made)
    return "not begun", None, 0, {}


def _fraction_note(dataset: Dataset, path: Path) -> str:
    """A note on the fraction of a dataset that is used, with the number of clips left out once it is known."""
    if dataset.fraction == 1.0:
        return ""
    try:
        left_out = int(pd.read_csv(path, usecols=["not_in_fraction"], dtype=int)["not_in_fraction"].sum())
    except (OSError, ValueError):
        return f", fraction {dataset.fraction:g}"
    return f", fraction {dataset.fraction:g}: {left_out} clips are not in it"


def _annotated(path: Path) -> int | None:
    """The number of annotated clips, None before preparation has read the annotations."""
    try:
        return int(pd.read_csv(path, usecols=["clips"], dtype=int)["clips"].sum())
    except (OSError, ValueError):
        return None


def _journal(path: Path) -> Counter:
    """Clips by their last reason, empty for those made. The last line may be half-written."""
    last: dict[str, str] = {}
    with path.open("rb") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
                if "clip" in entry:
                    last[entry["clip"]] = entry.get("reason", "")
            except (ValueError, TypeError):
                continue
    return Counter(last.values())


def _ordered(counts: Counter) -> dict[str, int]:
    known = {reason: counts[reason] for reason in REASONS if counts[reason]}
    return {**known, **{reason: counts[reason] for reason in sorted(set(counts) - set(REASONS))}}


def disk_usage(folder: Path) -> tuple[int, int]:
    """Files below a folder and their bytes; files deleted meanwhile are not counted."""
    files = size = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
                        files += 1
        except OSError:
            continue
    return files, size
