"""How many clips the annotations list: written before accounting looks, so that a lost clip shows."""

import csv
from collections import Counter
from pathlib import Path

from multitrain.files import atomic
from multitrain.sources.publication import Publication

NAME = "annotated.csv"


def write_annotated(path: Path, publication: Publication) -> None:
    """Write `publisher_split,clips`: every annotated clip of the labelled splits, also those that cannot be had."""
    counts = Counter(clip.publisher_split for clip in (*publication.clips, *publication.missing))
    with atomic(path) as temporary, temporary.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["publisher_split", "clips"])
        writer.writerows(sorted(counts.items()))
