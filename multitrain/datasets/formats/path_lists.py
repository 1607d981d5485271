"""Path-label lists, as of PySlowFast and codebases after it: {train,val,test}.csv of `path label`.

White space or a comma separates path and label, whichever most lines of the file have; a path may contain either. A
label is the index of a class in the file of class names. Further numbers are refused, since they may be labels or, in
lists of frame folders, counts of frames; where the setting `labels` says so they are labels, and the first counts.
Paths are relative to the raw folder or to its folder videos.

`val` is the publisher's validation split, which is scored. Where there is a `test` list as well it is scored and
`val` is for model selection, unless both list the same: then they are one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes, regular
from multitrain.common.files.filenames import as_path, shown
from multitrain.config.scale import Dataset
from multitrain.data.manifest import Missing
from multitrain.datasets.annotations import decode_text, find_first
from multitrain.datasets.fetch.archives import unsafe
from multitrain.datasets.formats.class_names import class_names, unquoted
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.publication import AnnotatedClip, Batch, Member, Publication, distinct, safe_id, youtube_video

__all__ = ["read"]

SPLITS = ("test", "val", "train")  # the first that lists a clip keeps it
LABEL = r'"?(?P<label>-?\d+(?:[\s,]+-?\d+)*)"?'
SPACED = re.compile(rf"(?P<path>.*?[^\s,])\s+{LABEL}")
COMMA = re.compile(rf"(?P<path>.+?)\s*,\s*{LABEL}")
HEADER = re.compile(r"\W*\w*(?:path|file|video|name)\w*\W+\w*label\w*\W*", re.IGNORECASE)
FRAMES = {2: "`folder frames label`", 3: "`folder offset frames label`"}  # by how many numbers every line has
FORM = "`path label` a line, with the index of a class as label"
NONE = "-1"  # for no label
LONGEST = 4096  # characters of a line
Row = tuple[str, str]  # path as listed, label


@reader("list")
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`."""
    classes = _classes(raw, dataset)
    multiple = dataset.labels == "first"
    lists = {
        split: list(_rows(raw / f"{split}.csv", len(classes), multiple)) for split in SPLITS if _exists(raw, split)
    }
    if not {"train"} < set(lists):
        absent = "train" if "train" not in lists else "val"
        raise UserError(f"{raw / absent}.csv: no such list: bring lists of `path label` for train and val")
    if sorted(lists.get("test", ())) == sorted(lists.get("val", ())):
        del lists["test"]
    scored = "test" if "test" in lists else "val"
    ours = {"train": "train", "val": "val", scored: "test"}
    ids = _ids({path for rows in lists.values() for path, _ in rows})
    clips: list[AnnotatedClip] = []
    missing: list[Missing] = []
    for split, rows in lists.items():
        for path, label in rows:
            name = classes[int(label)] if label else ""
            clip = AnnotatedClip(ids[path], _video(path), ours[split], split, name, None, None, path)
            if label:
                clips.append(clip)
            else:
                missing.append(clip.missing("no label", f"{split}.csv: {path}"))
    clips, duplicates = distinct(clips)
    batch = Batch("videos", lambda: members(raw, clips))
    return Publication(classes, tuple(clips), (*missing, *duplicates), (batch,))


def _exists(raw: Path, split: str) -> bool:
    return regular(raw / f"{split}.csv").is_file()


def members(raw: Path, clips: list[AnnotatedClip]) -> Iterator[Member]:
    """The listed files that exist; names that lead out of the folder are refused."""
    for clip in clips:
        if refused := unsafe(clip.key, 0):
            yield Member(clip.key, shown(clip.key), 0, None, refused)
        elif member := _member(raw, clip.key):
            yield member


def _member(raw: Path, key: str) -> Member | None:
    for path in (raw / "videos" / as_path(key), raw / as_path(key)):
        with suppress(OSError, ValueError):  # an invalid file name
            if member := Member.of_file(key, path):
                return member
    return None


def _rows(path: Path, classes: int, multiple: bool = False) -> Iterator[Row]:
    """Path and label of each line that is not blank; the label is empty where there is none.

    With `multiple` labels the first counts; without it a line with further numbers is a UserError.
    """
    lines = [line.strip() for line in decode_text(read_bytes(path), str(path)).splitlines()]
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line]
    for number, line in numbered:
        if len(line) > LONGEST:
            raise UserError(f"{path}:{number}: a line of {len(line)} characters: this is no list of `path label`")
    if numbered and HEADER.fullmatch(numbered[0][1]):
        del numbered[0]
    spaced, comma = (sum(bool(form.fullmatch(line)) for _, line in numbered) for form in (SPACED, COMMA))
    form, alone = (SPACED, r"(?P<path>\S+)") if spaced >= comma else (COMMA, r"(?P<path>[^,]+),?")
    counts = {}  # of numbers behind the path, by line
    for number, line in numbered:
        match = form.fullmatch(line)
        counts[number] = len(re.findall(r"-?\d+", match["label"])) if match else 0
        if match and counts[number] > 1 and multiple and not PurePosixPath(unquoted(match["path"])).suffix:
            raise UserError(f"{path}:{number}: {line[:80]!r} names a folder of frames: list videos: {FORM}")
    if numbered and not any(counts.values()):
        raise UserError(f"{path}: no line has a label, e.g. {numbered[0][1][:80]!r}: {FORM}, or leave the list away")
    if not multiple and (more := [number for number, count in counts.items() if count > 1]):
        raise _too_many(f"{path}:{more[0]}", dict(numbered)[more[0]], set(counts.values()))
    for number, line in numbered:
        match = form.fullmatch(line)
        place = f"{path}:{number}"
        if match is None:
            match = re.fullmatch(alone, line)
            if match is None:
                what = "`path label`" if form is SPACED else "`path,label`"
                raise UserError(f"{place}: expected {what} with the index of a class as label, found {line[:80]!r}")
            label = ""
        else:
            label = _index(re.split(r"[\s,]", match["label"])[0], classes, place)
        yield str(PurePosixPath(unquoted(match["path"]).replace("\\", "/"))), label


def _too_many(place: str, line: str, counts: set[int]) -> UserError:
    """The error for lines with several numbers; `counts` has how many."""
    if len(counts) == 1 and (what := FRAMES.get(*counts)):
        cure = f"list the videos instead: {FORM}; where the numbers are labels, set `labels: first`"
        return UserError(f"{place}: {line[:80]!r} looks like a line of a list of frame folders, {what}: {cure}")
    cure = "give one, or set `labels: first`; put a path that ends in a number into quotes"
    return UserError(f"{place}: {line[:80]!r} has several labels: {cure}")


def _index(text: str, classes: int, place: str) -> str:
    """The index of a class without leading zeros, empty for no label."""
    if text == NONE:
        return ""
    if len(text) > 9 or not 0 <= int(text) < classes:
        raise UserError(f"{place}: label {text[:20]} is none of 0 to {classes - 1}: lists and class names must fit")
    return str(int(text))


def _ids(paths: set[str]) -> dict[str, str]:
    """A clip id for each path: its folders and its name without suffix, with a hash where two would be the same."""
    plain = {path: safe_id(".".join(PurePosixPath(path).with_suffix("").parts)) for path in paths if _name(path)}
    owners = Counter(plain.values())
    return {path: plain[path] if owners[plain.get(path, "")] == 1 else safe_id(f"./{path}") for path in paths}


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _video(path: str) -> str:
    """The source video: v_{id} where the file's name has a YouTube id, else the name without suffix."""
    stem = PurePosixPath(path).stem
    return youtube_video(stem) or safe_id(stem)


def _classes(raw: Path, dataset: Dataset) -> tuple[str, ...]:
    if not dataset.classes_file:
        raise UserError(f"{raw}: labels in lists are indices: name the file of class names in the setting classes_file")
    cure = "bring it: one name a line, label 0 first"
    return class_names(find_first([raw], [dataset.classes_file], "file of class names", cure))
