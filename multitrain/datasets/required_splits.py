"""Required splits of a dataset: clips to train on and clips to score; the error for an empty split names the cause."""

import csv
from collections import Counter
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.data.manifest import Manifest, Missing
from multitrain.datasets.publication import Publication

__all__ = ["require_annotated", "require_prepared"]

TRAINED = {"train", "training"}  # the publishers' words
WHOLE = "whole"  # of a folder that is not divided
NEEDED = {"train": "to train on", "test": "to score"}
CURES = {
    "duplicate": "a video stays where it is scored, so bring others to train on",
    "no label": "give them labels",
    "not found": "bring the videos",
}


def require_annotated(where: str, publication: Publication) -> None:
    """Raise a UserError where a publisher gives no clip of a split; `where` names the dataset."""
    present = {clip.split for clip in publication.clips}
    for split, purpose in NEEDED.items():
        if split in present:
            continue
        divided = Counter(clip.publisher_split for clip in publication.clips)
        if set(divided) == {WHOLE}:
            why = "no class has a second video, to be set aside: bring more, or make train/ and val/"
        elif missing := _of(split, publication.missing):
            why = _reason(missing)
        else:
            counts = ", ".join(f"{count} as {word}" for word, count in sorted(divided.items()))
            why = f"the annotations list {counts}: correct them (a column `split` decides, not the file's name)"
        raise UserError(f"{where}: no clip {purpose}: {why}")


def require_prepared(where: Path, manifest: Manifest) -> None:
    """Raise a UserError where no clip of a split could be prepared; `where` holds the publisher's files."""
    for split, purpose in NEEDED.items():
        if not len(manifest.split(split)):
            why = _reason(_of(split, _read(manifest.folder / "missing.csv")))
            raise UserError(f"{where}: no clip {purpose}: {why} ({manifest.folder / 'missing.csv'} has all)")


def _of(split: str, missing: tuple[Missing, ...]) -> list[Missing]:
    """The missing clips of a split, with those whose split is unknown."""
    return [m for m in missing if m.publisher_split == WHOLE or (m.publisher_split in TRAINED) == (split == "train")]


def _reason(missing: list[Missing]) -> str:
    """The most frequent reason, with an example and the cure."""
    reason, count = Counter(line.reason for line in missing).most_common(1)[0]
    example = " ".join(next(line.detail for line in missing if line.reason == reason).split())
    return f"{count} of {len(missing)} are missing as `{reason}`, e.g. {example}: {CURES.get(reason, 'bring others')}"


def _read(path: Path) -> tuple[Missing, ...]:
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as stream:
        return tuple(Missing(**row) for row in csv.DictReader(stream))
