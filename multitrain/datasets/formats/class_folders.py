"""Class folders: FOLDER/class/video.mp4, or FOLDER/train/class/... beside val/ or test/.

The names of the folders are the classes, in their order by name. Files that are not named as videos take no part.
`test`, or `val` where there is no `test`, is scored, as of the other publishers. Where the folder is not divided,
`TESTED` of each class is set aside to be scored: a seeded hash of the video's name decides, so that neither the order
of files nor what can be decoded matters.
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
from multitrain.datasets.formats.video_files import named_as_video
from multitrain.datasets.publication import Annotated, Batch, Member, Publication, safe_id, youtube_video
from multitrain.datasets.splits import held_out

__all__ = ["LAYOUT", "NO_VIDEO", "OTHER_CLASS", "divided", "read"]

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
TESTED = 0.25  # of each class, where the folder has no val and no test
NO_VIDEO = "is not named as a video"  # in the words on a file that takes no part
OTHER_CLASS = ", of another class: "  # in the words on a duplicate: one of the two labels is wrong
LAYOUT = "sort the videos as FOLDER/class/video.mp4, or as FOLDER/train/class/... and FOLDER/val/class/..."


@reader("folder")
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`.

    Raises:
        UserError: no classes or only one, a class without a video, or names that differ by case alone.
    """
    clips: list[Annotated] = []
    others: list[Missing] = []
    splits = _splits(raw)
    ours = {"whole": "train", "train": "train", "val": "val", "test" if "test" in splits else "val": "test"}
    for split, folder in splits.items():
        for entry in _folders(folder):
            found, lost = _of_class(raw, entry, split, ours[split])
            clips, others = [*clips, *found], [*others, *lost]
    classes = _classes(raw, clips)
    loose = [_no_class(raw, path) for path in _loose(raw, splits)]
    kept, duplicates = _once(raw, clips)
    if {clip.publisher_split for clip in clips} == {"whole"}:
        tested = held_out(kept, TESTED, 0)
        kept = [replace(clip, split="test") if clip.video_id in tested else clip for clip in kept]
    batch = Batch("videos", lambda: members(raw, kept))
    return Publication(classes, tuple(kept), (*loose, *others, *duplicates), (batch,))


def divided(raw: Path) -> bool:
    """Whether the folder says itself what is trained on and what is scored."""
    return set(_splits(raw)) != {"whole"}


def members(raw: Path, clips: Iterable[Annotated]) -> Iterator[Member]:
    """The videos' files."""
    for clip in clips:
        if member := Member.of_file(clip.key, raw / clip.key):
            yield member


def _splits(raw: Path) -> dict[str, Path]:
    """Where the classes of each split lie; `whole` where the folder is not divided."""
    entries = {entry.name.lower(): entry for entry in _folders(raw)}
    known = {SPLITS[name]: entry for name, entry in entries.items() if name in SPLITS}
    inside = all(_folders(entry) for entry in known.values())
    if "train" not in known or len(known) < 2 or not inside:  # a class may be called train
        return {"whole": raw}
    if others := sorted(set(entries) - set(SPLITS)):
        raise UserError(f"{raw}: {others[0]!r} lies beside train and {'val' if 'val' in known else 'test'}: {LAYOUT}")
    return dict(sorted(known.items(), key=lambda item: ("test", "val", "train").index(item[0])))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, by name; hidden ones are not meant."""
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}): {LAYOUT}") from None


def _files(folder: Path) -> list[Path]:
    """The files below a folder, by path, hidden ones left out."""
    found = []
    for where, folders, names in os.walk(folder, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        if links := [name for name in folders if Path(where, name).is_symlink()]:
            raise UserError(f"{Path(where, links[0])}: a link to a folder inside a class: link the class or the files")
        found += [Path(where, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from None


def _of_class(raw: Path, folder: Path, split: str, ours: str) -> tuple[list[Annotated], list[Missing]]:
    """The videos of one class in one split, by the folder's word and by ours, and the files that are none."""
    label = unicodedata.normalize("NFC", as_text(folder.name))  # as file systems write the same letters differently
    found, lost = [], []
    for path in _files(folder):
        key = path.relative_to(raw).as_posix()
        clip_id = safe_id(key)
        video = youtube_video(PurePosixPath(key).stem) or clip_id
        clip = Annotated(clip_id, video, ours, split, label, None, None, key)
        if why := _no_file(path):
            lost.append(clip.missing("not found", f"{shown(key)} {why}"))
        elif not named_as_video(path):
            lost.append(clip.missing("undecodable", f"{shown(key)} {NO_VIDEO}"))
        else:
            found.append(clip)
    if not found:
        there = f" ({lost[0].detail})" if lost else ""
        raise UserError(f"{folder}: a class without a video{there}: put videos into it, or take the folder away")
    return found, lost


def _no_file(path: Path) -> str:
    """Why a name in a folder is of no regular file, or an empty string."""
    try:
        kind = special(path)
        return f"is {kind}, not a regular file" if kind else "" if path.exists() else "is a link that leads nowhere"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"


def _classes(raw: Path, clips: list[Annotated]) -> tuple[str, ...]:
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


def _loose(raw: Path, splits: dict[str, Path]) -> list[Path]:
    """Files that lie where classes should."""
    places = {raw, *splits.values()}
    return sorted(
        entry for place in places for entry in place.iterdir() if entry.is_file() and not entry.name.startswith(".")
    )


def _no_class(raw: Path, path: Path) -> Missing:
    key = path.relative_to(raw).as_posix()
    return Missing(safe_id(key), safe_id(key), "whole", "", "no label", f"{shown(key)} lies in no folder of a class")


def _once(raw: Path, clips: list[Annotated]) -> tuple[list[Annotated], list[Missing]]:
    """The first file of each content; the same video on both sides of a test would spoil it. Scored ones go first."""
    sizes = defaultdict(list)
    for clip in clips:
        sizes[(raw / clip.key).stat().st_size].append(clip)
    first: dict[str, Annotated] = {}
    duplicates: dict[str, Missing] = {}
    for size, same in sizes.items():
        for clip in same if size and len(same) > 1 else ():
            other = first.setdefault(_digest(raw / clip.key), clip)
            if other is not clip:
                where = "" if other.label == clip.label else f"{OTHER_CLASS}{other.label}"
                told = f"{shown(clip.key)} has the very bytes of {shown(other.key)}{where}"
                duplicates[clip.clip_id] = clip.missing("duplicate", told)
    return [clip for clip in clips if clip.clip_id not in duplicates], list(duplicates.values())


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): allow reading, or take it away") from None
