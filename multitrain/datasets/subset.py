"""Subset of a dataset: a seeded, stratified sample of its videos for the setting `fraction`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

from multitrain.common.seeding import derive
from multitrain.datasets.publication import Publication

__all__ = ["draw_subset"]

Video = tuple[str, str]  # the publisher's split, and the video's id in it


@dataclass(frozen=True)
class Subset:
    """A publication of the drawn videos alone, and the number of annotated clips of the others."""

    publication: Publication
    left_out: Counter  # by the publisher's split: neither prepared nor missing


def draw_subset(publication: Publication, fraction: float, seed: int) -> Subset:
    """That fraction of each class's videos, in every split, all clips of a video together.

    Within a class a seeded hash of the id decides, as it does for `holdout`: a larger fraction contains the smaller
    one, and neither the order of files nor what can be decoded matters. Each class keeps at least one video in every
    split it has one in. Annotated videos without a usable clip are drawn separately.
    """
    if fraction == 1.0:
        return Subset(publication, Counter())
    clips = [(clip.publisher_split, clip.video_id, clip.label) for clip in publication.clips]
    kept = _draw(clips, fraction, seed, least=1)
    unusable = [(line.publisher_split, line.video_id, line.label) for line in publication.missing]
    known = {row[:2] for row in clips}
    kept |= _draw([row for row in unusable if row[:2] not in known], fraction, seed, least=0)
    drawn = tuple(clip for clip in publication.clips if (clip.publisher_split, clip.video_id) in kept)
    missing = tuple(line for line in publication.missing if (line.publisher_split, line.video_id) in kept)
    keys = {clip.key for clip in drawn}
    batches = tuple(
        replace(batch, members=partial(batch.only, keys)) if batch.only else batch for batch in publication.batches
    )
    left_out = Counter(row[0] for row in (*clips, *unusable) if row[:2] not in kept)
    return Subset(replace(publication, clips=drawn, missing=missing, batches=batches), left_out)


def _draw(rows: Iterable[tuple[str, str, str]], fraction: float, seed: int, least: int) -> set[Video]:
    """The videos drawn from rows of split, video and label; a video of several classes counts for the first by name.

    With `least`, the first video of each class is kept whichever class it counts for.
    """
    of_class: dict[tuple[str, str], dict[str, None]] = {}
    first: dict[Video, str] = {}
    for split, video, label in sorted(rows):
        of_class.setdefault((split, label), {})[video] = None
        first.setdefault((split, video), label)
    kept: set[Video] = set()
    for (split, label), videos in of_class.items():
        ranked = sorted(videos, key=lambda video: (derive(seed, "fraction", video), video))
        own = [video for video in ranked if first[split, video] == label]
        kept.update((split, video) for video in own[: int(fraction * len(own) + 0.5)])
        kept.update((split, video) for video in ranked[:least])
    return kept
