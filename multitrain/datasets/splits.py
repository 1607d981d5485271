"""Holdout: the split of the publisher's training videos into train and val."""

from collections.abc import Iterable

from multitrain.common.seeding import derive
from multitrain.datasets.publication import AnnotatedClip

__all__ = ["held_out"]


def held_out(clips: Iterable[AnnotatedClip], fraction: float, seed: int) -> set[str]:
    """The ids of the training videos of val: that fraction of each class, all clips of a video together.

    A video belongs to the class of its first clip. Within a class a seeded hash of the id decides, so neither the
    order of files nor what could be decoded matters. A class keeps at least one video for training. A video that the
    publisher tests as well is never in val, where choices are made.
    """
    clips = list(clips)
    tested = {clip.video_id for clip in clips if clip.split == "test"}
    labels: dict[str, str] = {}
    for clip in sorted(clips, key=lambda clip: clip.clip_id):
        if clip.split == "train" and clip.video_id not in tested:
            labels.setdefault(clip.video_id, clip.label)
    classes: dict[str, list[str]] = {}
    for video, label in labels.items():
        classes.setdefault(label, []).append(video)
    chosen: set[str] = set()
    for videos in classes.values():
        videos.sort(key=lambda video: (derive(seed, "holdout", video), video))
        chosen.update(videos[: min(int(fraction * len(videos) + 0.5), len(videos) - 1)])
    return chosen
