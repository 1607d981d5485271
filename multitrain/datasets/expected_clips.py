"""Number of annotated clips of each split, written before transcoding, to check that no clip is lost.

Of a fraction of a dataset `clips` counts its clips, and a further column those of the videos that were not drawn.
"""

from collections import Counter
from pathlib import Path

from multitrain.common.files.csv_files import write_csv
from multitrain.datasets.publication import Publication

__all__ = ["NAME", "write_annotated"]

NAME = "annotated.csv"


def write_annotated(path: Path, publication: Publication, left_out: Counter | None = None) -> None:
    """Write `publisher_split,clips`: every annotated clip of the labelled splits, with those that are missing.

    Where videos were `left_out` (clips by split), their clips are in a third column, `not_in_fraction`.
    """
    counts = Counter(clip.publisher_split for clip in publication.clips)
    counts.update(clip.publisher_split for clip in publication.missing)
    if not left_out:
        write_csv(path, ("publisher_split", "clips"), sorted(counts.items()))
        return
    rows = ([word, counts[word], left_out[word]] for word in sorted({*counts, *left_out}))
    write_csv(path, ("publisher_split", "clips", "not_in_fraction"), rows)
