"""Something-Something-v2: numbered pieces of one gzip'd tar (each perhaps zipped), and JSON labels.

The pieces are read one after another as a stream; the joined archive is never written to the disk. A video's template,
less its brackets, is its class.
"""

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import cast
from zipfile import ZipFile

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes, regular
from multitrain.config.scale import Dataset
from multitrain.datasets.annotations import parse_json
from multitrain.datasets.fetch.archives import ConcatenatedStream, open_zip, stem, tar_members, zip_text
from multitrain.datasets.formats.readers import reader
from multitrain.datasets.publication import SPLIT_OF, AnnotatedClip, Batch, Member, Publication, distinct, safe_id

__all__ = ["read"]

PIECES = "20bn-something-something-v2-"
PIECE = re.compile(re.escape(PIECES) + r"(\d+)(\.zip)?")
PREFIX = "something-something-v2-"  # of the older JSON names


@reader("ssv2")
def read(raw: Path, dataset: Dataset) -> Publication:
    """The publication in `raw`."""
    texts = _texts(raw)
    classes = _classes(*_text(texts, "labels", raw))
    known = set(classes)
    clips = [clip for split in ("validation", "train") for clip in _clips(*_text(texts, split, raw), split, known)]
    labelled, duplicates = distinct(clip for clip in clips if clip.label)
    missing = [clip.missing("no label", "its entry has no template") for clip in clips if not clip.label]
    pieces = _pieces(raw)
    batch = Batch(PIECES + "*", lambda: _members(pieces), tuple(pieces), check_first=True)
    return Publication(classes, tuple(labelled), (*missing, *duplicates), (batch,))


def _texts(raw: Path) -> dict[str, tuple[Callable[[], bytes], str]]:
    """How to read each JSON file, by its name without prefix and suffix: a zip, a folder, or beside the pieces."""
    texts: dict[str, tuple[Callable[[], bytes], str]] = {}
    for path in sorted([*raw.glob("*.json"), *raw.glob("labels/**/*.json")]):
        texts[path.stem.removeprefix(PREFIX)] = (partial(read_bytes, path), str(path))
    for path in [] if "labels" in texts else sorted(raw.glob("*labels*.zip")):
        with open_zip(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".json") and "__MACOSX" not in name]
        for name in names:
            key = PurePosixPath(name).stem.removeprefix(PREFIX)
            texts[key] = (partial(_from_zip, path, name), f"{path}: {name}")
    return texts


def _from_zip(path: Path, name: str) -> bytes:
    with open_zip(path) as archive:
        return zip_text(archive, name, f"{path}: {name}")


def _text(texts: dict, name: str, raw: Path) -> tuple[bytes, str]:
    if name not in texts:
        raise UserError(f"{raw / 'labels.zip'}: no {name}.json in a labels zip or folder: bring the publisher's labels")
    content, where = texts[name]
    return content(), where


def _classes(content: bytes, where: str) -> tuple[str, ...]:
    try:
        indices = {name: int(index) for name, index in parse_json(content, where, dict).items()}
    except (TypeError, ValueError):
        raise UserError(f'{where}: expected {{"name": "index", ...}}: get the file again') from None
    if not indices or sorted(indices.values()) != list(range(len(indices))):
        raise UserError(f"{where}: the indices are not 0 to {len(indices) - 1}, each once: get the file again")
    return tuple(sorted(indices, key=indices.__getitem__))


def _clips(content: bytes, where: str, split: str, classes: set[str]) -> Iterator[AnnotatedClip]:
    for number, entry in enumerate(parse_json(content, where, list)):
        if not isinstance(entry, dict) or not isinstance(entry.get("id"), str | int):
            raise UserError(f"{where}: entry {number} has no id")
        name = str(entry["id"])
        label = str(entry.get("template") or "").replace("[", "").replace("]", "").strip()
        if label and label not in classes:
            raise UserError(f"{where}: entry {number} (id {name}): template {label!r} is not in labels.json")
        clip_id = safe_id(name)
        yield AnnotatedClip(clip_id, clip_id, SPLIT_OF[split], split, label, None, None, name)


def _pieces(raw: Path) -> list[Path]:
    """The pieces in order; a gap in their numbers is an error. A missing last one shows when the archive is checked."""
    numbered: dict[int, Path] = {}
    for path in sorted([*raw.glob(f"{PIECES}*"), *raw.glob(f"*/{PIECES}*")]):
        match = PIECE.fullmatch(path.name)
        if match and not path.is_dir() and regular(path).is_file():
            numbered.setdefault(int(match[1]), path)
    if not numbered:
        raise UserError(f"{raw / PIECES}00: no such archive: ask the publisher for the pieces and put them there")
    for number in range(max(numbered)):
        if number not in numbered:
            raise UserError(f"{raw / PIECES}{number:02d}: this piece is not there but later ones are: bring it")
    return [numbered[number] for number in sorted(numbered)]


def _members(pieces: list[Path]) -> Iterator[Member]:
    where = f"{pieces[0]} (to {pieces[-1].name})" if len(pieces) > 1 else str(pieces[0])
    openers = (opener for path in pieces for opener in _openers(path))
    yield from tar_members(ConcatenatedStream(openers), where, PIECES + "*", stem)


def _openers(path: Path) -> Iterator[Callable[[], io.BufferedIOBase]]:
    if path.suffix != ".zip":
        yield lambda: path.open("rb")
        return
    with open_zip(path) as archive:
        names = [name for name in archive.namelist() if PIECE.fullmatch(PurePosixPath(name).name)]
        if not names:
            raise UserError(f"{path}: no piece {PIECES}* in this zip: get it again")
        for name in sorted(names):
            yield partial(_piece, archive, name)


def _piece(archive: ZipFile, name: str) -> io.BufferedIOBase:
    return cast(io.BufferedIOBase, archive.open(name))  # an io.BufferedIOBase when it reads, whatever its stub says
