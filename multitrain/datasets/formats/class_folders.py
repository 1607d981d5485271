"""Class folders: FOLDER/class/video.mp4, or FOLDER/train/class/... beside val/ or test/.

The names of the folders are the classes, in their order by name. Files without a suffix of videos are not used.
`test`, or `val` where there is no `test`, is scored, as of the other publishers. Where the folder is not divided,
`TEST_FRACTION` of each class is scored. A seeded hash of the video's name decides, whatever the order of the files
and whether they can be decoded.
"""

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import special
from multitrain.common.files.filenames import as_text, shown
from multitrain.config.scale import Dataset
from multitrain.data.manifest import Missing
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.formats.video_files import has_video_suffix
from multitrain.datasets.publication import AnnotatedClip, Batch, Member, Publication, safe_id, youtube_video
from multitrain.datasets.splits import held_out

__all__ = ["LAYOUT", "NO_VIDEO", "OTHER_CLASS", "has_splits", "read"]

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
TEST_FRACTION = 0.25  # of each class, where the folder has no val and no test
NO_VIDEO = "is not named as a video"  # in missing.csv
OTHER_CLASS = ", of another class: "  # in missing.csv, of a duplicate: one of the two labels is wrong
LAYOUT = "sort the videos as FOLDER/class/video.mp4, or as FOLDER/train/class/... and FOLDER/val/class/..."


@reader("folder")
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`.

    Raises:
        UserError: no classes or only one, a class without a video, or names that differ by case alone.
    """
    clips: list[AnnotatedClip] = []
    others: list[Missing] = []
    splits = _splits(raw)
    ours = {"whole": "train", "train": "train", "val": "val", "test" if "test" in splits else "val": "test"}
    for split, folder in splits.items():
        for entry in _folders(folder):
            found, unusable = _of_class(raw, entry, split, ours[split])
            clips, others = [*clips, *found], [*others, *unusable]
    classes = _classes(raw, clips)
    strays = [_stray(raw, path) for path in _stray_files(raw, splits)]
    kept, duplicates = _without_copies(raw, clips)
    if {clip.publisher_split for clip in clips} == {"whole"}:
        tested = held_out(kept, TEST_FRACTION, 0)
        kept = [replace(clip, split="test") if clip.video_id in tested else clip for clip in kept]
    batch = Batch("videos", lambda: members(raw, kept))
    return Publication(classes, tuple(kept), (*strays, *others, *duplicates), (batch,))


def has_splits(raw: Path) -> bool:
    """Whether the folder has train/ and val/ or test/."""
    return set(_splits(raw)) != {"whole"}


def members(raw: Path, clips: Iterable[AnnotatedClip]) -> Iterator[Member]:
    """The videos' files."""
    for clip in clips:
        if member := Member.of_file(clip.key, raw / clip.key):
            yield member


def _splits(raw: Path) -> dict[str, Path]:
    """The folder of each split; `whole` where there are no splits."""
    entries = {entry.name.lower(): entry for entry in _folders(raw)}
    known = {SPLITS[name]: entry for name, entry in entries.items() if name in SPLITS}
    inside = all(_folders(entry) for entry in known.values())
    if "train" not in known or len(known) < 2 or not inside:  # a class may be called train
        return {"whole": raw}
    if others := sorted(set(entries) - set(SPLITS)):
        raise UserError(f"{raw}: {others[0]!r} lies beside train and {'val' if 'val' in known else 'test'}: {LAYOUT}")
    return dict(sorted(known.items(), key=lambda item: ("test", "val", "train").index(item[0])))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name, without hidden ones."""
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}): {LAYOUT}") from None


def _files(folder: Path) -> list[Path]:
    """The files below a folder, by path, without hidden ones."""
    found = []
    for where, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if links := [name for name in folders if Path(where, name).is_symlink()]:
            raise UserError(f"{Path(where, links[0])}: a link to a folder inside a class: link the class or the files")
        found += [Path(where, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _of_class(raw: Path, folder: Path, split: str, ours: str) -> tuple[list[AnnotatedClip], list[Missing]]:
    """The videos of one class in one split, and the files that are none; `split` is the folder's, `ours` the split."""
    label = unicodedata.normalize("NFC", as_text(folder.name))  # file systems differ in how they write the same letters
    found, unusable = [], []
    for path in _files(folder):
        key = path.relative_to(raw).as_posix()
        clip_id = safe_id(key)
        video = youtube_video(PurePosixPath(key).stem) or clip_id
        clip = AnnotatedClip(clip_id, video, ours, split, label, None, None, key)
        if why := _why_no_file(path):
            unusable.append(clip.missing("not found", f"{shown(key)} {why}"))
        elif not has_video_suffix(path):
            unusable.append(clip.missing("undecodable", f"{shown(key)} {NO_VIDEO}"))
        else:
            found.append(clip)
    if not found:
        there = f" ({unusable[0].detail})" if unusable else ""
        raise UserError(f"{folder}: a class without a video{there}: put videos into it, or take the folder away")
    return found, unusable


def _why_no_file(path: Path) -> str:
    """Why an entry of a folder is no regular file, or an empty string."""
    try:
        kind = special(path)
        return f"is {kind}, not a regular file" if kind else "" if path.exists() else "is a link that leads nowhere"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"


def _classes(raw: Path, clips: list[AnnotatedClip]) -> tuple[str, ...]:
    names = sorted({clip.label for clip in clips})
    folded: dict[str, str] = {}
    for name in names:
        if (other := folded.setdefault(name.casefold(), name)) != name:
            raise UserError(f"{raw}: classes {other!r} and {name!r} differ by case alone: make them one, or rename one")
        if any(unicodedata.category(letter).startswith("C") for letter in name):
            raise UserError(f"{raw}: class {shown(name)!r} has letters that cannot be shown: rename the folder")
    if len(names) < 2:
        there = f"only one class, {names[0]!r}" if names else "no folder of a class"
        raise UserError(f"{raw}: {there}: two are needed at least; {LAYOUT}")
    return tuple(names)


def _stray_files(raw: Path, splits: dict[str, Path]) -> list[Path]:
    """Files beside the folders of classes."""
    places = {raw, *splits.values()}
    return sorted(
        entry for place in places for entry in place.iterdir() if entry.is_file() and not entry.name.startswith(".")
    )


def _stray(raw: Path, path: Path) -> Missing:
    key = path.relative_to(raw).as_posix()
    return Missing(safe_id(key), safe_id(key), "whole", "", "no label", f"{shown(key)} lies in no folder of a class")


def _without_copies(raw: Path, clips: list[AnnotatedClip]) -> tuple[list[AnnotatedClip], list[Missing]]:
    """Deduplication by content: the first file of each stays, test clips first; the others are missing as duplicates.

    The same video in train and test would bias the accuracy.
    """
    sizes = defaultdict(list)
    for clip in clips:
        sizes[(raw / clip.key).stat().st_size].append(clip)
    first: dict[str, AnnotatedClip] = {}
    duplicates: dict[str, Missing] = {}
    for size, same in sizes.items():
        for clip in same if size and len(same) > 1 else ():
            other = first.setdefault(_digest(raw / clip.key), clip)
            if other is not clip:
                where = "" if other.label == clip.label else f"{OTHER_CLASS}{other.label}"
                detail = f"{shown(clip.key)} has the very bytes of {shown(other.key)}{where}"
                duplicates[clip.clip_id] = clip.missing("duplicate", detail)
    return [clip for clip in clips if clip.clip_id not in duplicates], list(duplicates.values())


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): allow reading, or take it away") from None
