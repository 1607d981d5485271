"""Lists of videos as PySlowFast and codebases after it use them: {train,val,test}.csv of `path label`.

Between path and label stands white space or a comma, as most lines of the file have it; a path may hold either. A
label is the index of a class in the file of class names; of several, as lists of ActivityNet have them, the first
counts. Paths are relative to the raw folder or to its folder videos.

`val` is the publisher's validation split, which is scored. Where there is a `test` list as well it is scored and
`val` is for choices, unless both list the same: then they are one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from multitrain.config import Dataset
from multitrain.data.manifest import Missing
from multitrain.errors import UserError
from multitrain.files import read_bytes, regular, special
from multitrain.sources.annotations import decoded, first_of, json_content
from multitrain.sources.archives import unsafe
from multitrain.sources.publication import Annotated, Batch, Member, Publication, distinct, safe_id

SPLITS = ("test", "val", "train")  # the first that lists a clip keeps it
LABEL = r'"?(?P<label>-?\d+(?:\s*,\s*-?\d+)*)"?'
SPACED = re.compile(rf"(?P<path>.*[^\s,])\s+{LABEL}")
COMMA = re.compile(rf"(?P<path>.+?)\s*,\s*{LABEL}")
HEADER = re.compile(r"\W*\w*(?:path|file|video|name)\w*\W+\w*label\w*\W*", re.IGNORECASE)
NONE = "-1"  # how lists write that there is no label
AT_YOUTUBE = re.compile(r"([\w-]{11})_\d{6}_\d{6}|v_([\w-]{11})(?:_.*)?|yt-([\w-]{11})_\d+", re.ASCII)
LONGEST = 4096  # characters of a line
Row = tuple[str, str]  # path as listed, label


def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`."""
    classes = _classes(raw, dataset)
    lists = {split: list(_rows(raw / f"{split}.csv", len(classes))) for split in SPLITS if _there(raw, split)}
    if not {"train"} < set(lists):
        lacking = "train" if "train" not in lists else "val"
        raise UserError(f"{raw / lacking}.csv: no such list: bring lists of `path label` for train and val")
    if sorted(lists.get("test", ())) == sorted(lists.get("val", ())):
        del lists["test"]
    scored = "test" if "test" in lists else "val"
    ours = {"train": "train", "val": "val", scored: "test"}
    ids = _ids({path for rows in lists.values() for path, _ in rows})
    clips: list[Annotated] = []
    missing: list[Missing] = []
    for split, rows in lists.items():
        for path, label in rows:
            name = classes[int(label)] if label else ""
            clip = Annotated(ids[path], _video(path), ours[split], split, name, None, None, path)
            if label:
                clips.append(clip)
            else:
                missing.append(clip.missing("no label", f"{split}.csv: {path}"))
    clips, duplicates = distinct(clips)
    batch = Batch("videos", lambda: members(raw, clips))
    return Publication(classes, tuple(clips), (*missing, *duplicates), (batch,))


def _there(raw: Path, split: str) -> bool:
    return regular(raw / f"{split}.csv").is_file()


def members(raw: Path, clips: list[Annotated]) -> Iterator[Member]:
    """The listed files that are there, and as refused those whose names lead elsewhere."""
    for clip in clips:
        refused = unsafe(clip.key, 0)
        if refused:
            yield Member(clip.key, clip.key, 0, None, refused)
            continue
        for path in (raw / "videos" / clip.key, raw / clip.key):
            try:
                kind = special(path)
            except (OSError, ValueError):  # a name that no file can have
                continue
            if kind:
                yield Member(clip.key, clip.key, 0, None, f"it is {kind}, not a regular file")
                break
            if path.is_file():
                yield Member(clip.key, clip.key, path.stat().st_size, path)
                break


def _rows(path: Path, classes: int) -> Iterator[Row]:
    """Path and label of each line that is not blank; the label is empty where there is none."""
    lines = [line.strip() for line in decoded(read_bytes(path), str(path)).splitlines()]
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line]
    for number, line in numbered:
        if len(line) > LONGEST:
            raise UserError(f"{path}:{number}: a line of {len(line)} characters: this is no list of `path label`")
    if numbered and HEADER.fullmatch(numbered[0][1]):
        del numbered[0]
    spaced, comma = (sum(bool(form.fullmatch(line)) for _, line in numbered) for form in (SPACED, COMMA))
    form, alone = (SPACED, r"(?P<path>\S+)") if spaced >= comma else (COMMA, r"(?P<path>[^,]+),?")
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
            label = _index(match["label"].split(",")[0].strip(), classes, place)
        yield str(PurePosixPath(_unquoted(match["path"]).replace("\\", "/"))), label


def _index(text: str, classes: int, place: str) -> str:
    """A label as the index of a class without needless zeros, empty for none."""
    if text == NONE:
        return ""
    if len(text) > 9 or not 0 <= int(text) < classes:
        raise UserError(f"{place}: label {text[:20]} is none of 0 to {classes - 1}: lists and class names must fit")
    return str(int(text))


def _ids(paths: set[str]) -> dict[str, str]:
    """A clip id for each path: its folders and its name without suffix, with a hash where two would be the same."""
    plain = {path: safe_id(".".join(PurePosixPath(path).with_suffix("").parts)) for path in paths if _name(path)}
    owners = Counter(plain.values())
    return {path: plain[path] if owners[plain.get(path)] == 1 else safe_id(f"./{path}") for path in paths}


def _unquoted(text: str) -> str:
    """The text without blanks and a pair of quotes around it."""
    match = re.fullmatch(r'\s*"(.*)"\s*', text)
    return match[1] if match else text.strip()


def _name(path: str) -> str:
    return PurePosixPath(path).name


def _video(path: str) -> str:
    """The source video: v_{id} where the file's name tells the id at YouTube, else the name without suffix."""
    stem = PurePosixPath(path).stem
    match = AT_YOUTUBE.fullmatch(stem)
    return f"v_{next(filter(None, match.groups()))}" if match else safe_id(stem)


def _classes(raw: Path, dataset: Dataset) -> tuple[str, ...]:
    """Names in the order of their indices: a name a line, `name,index` a line, or JSON {name: index} or [name]."""
    if not dataset.classes_file:
        raise UserError(f"{raw}: labels in lists are indices: name the file of class names in the setting classes_file")
    path = first_of([raw], [dataset.classes_file], "file of class names", "bring it: one name a line, label 0 first")
    if path.suffix == ".json":
        content = json_content(read_bytes(path), str(path), object)
        listed = content if isinstance(content, list) else []
        pairs = content.items() if isinstance(content, dict) else [(name, i) for i, name in enumerate(listed)]
        named = [(str(name), str(index)) for name, index in pairs]
    else:
        lines = [line.strip() for line in decoded(read_bytes(path), str(path)).splitlines() if line.strip()]
        indexed = [re.fullmatch(r"(.*?)\s*[,\t]\s*(\d+)", line) for line in lines]
        named = [match.groups() for match in indexed] if all(indexed) else [(n, str(i)) for i, n in enumerate(lines)]
    names = {int(index): _unquoted(name) for name, index in named if re.fullmatch(r"\d{1,9}", index)}
    if not named or len(set(names.values())) != len(named) or sorted(names) != list(range(len(named))):
        raise UserError(f"{path}: {len(named)} class names, not each once with an index from 0 on: get the file again")
    return tuple(names[index] for index in sorted(names))
