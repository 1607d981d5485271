"""Clips as data URIs for a self-contained page: frames side by side, or an animation with a still."""

import base64
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

from multitrain.analysis.datasets.contact_sheet import evenly_spaced, square
from multitrain.common.files.filenames import as_path
from multitrain.data.decode import read_frames
from multitrain.data.manifest import Manifest

__all__ = ["Picture", "first_clip", "frames", "moving"]

SHOWN = 8  # frames of a clip
SIDE, MOVING = 64, 96  # pixels of a frame and of a moving picture
SECONDS, RATE = 3.0, 12.0  # of a moving picture, at most; frames a second
QUALITY = 45


@dataclass(frozen=True)
class Picture:
    """An image for a page."""

    uri: str
    width: int
    height: int
    still: str = ""  # of a moving one, for who wants no movement


def first_clip(clips: Manifest, label: int) -> dict | None:
    """The first clip of a class; None where it has none."""
    rows = np.flatnonzero(clips.table["label"].to_numpy() == label)
    return clips.table.slice(int(rows[0]), 1).to_pylist()[0] if len(rows) else None


def frames(clips: Manifest, clip: dict) -> Picture:
    """Frames of a whole clip side by side."""
    indices = evenly_spaced(clip["frames"], SHOWN)
    video = read_frames(clips.folder / as_path(clip["path"]), indices, clip["fps"])
    picture = np.concatenate([square(frame, SIDE) for frame in video], axis=1)
    return Picture(_uri([Image.fromarray(picture)]), picture.shape[1], picture.shape[0])


def moving(clips: Manifest, clip: dict) -> Picture:
    """An endless animation of the first seconds of a clip."""
    step = max(round(clip["fps"] / RATE), 1)
    indices = np.arange(0, min(clip["frames"], round(SECONDS * clip["fps"])), step)
    video = read_frames(clips.folder / as_path(clip["path"]), indices, clip["fps"])
    images = [Image.fromarray(square(frame, MOVING)) for frame in video]
    return Picture(_uri(images, round(1000 * step / clip["fps"])), MOVING, MOVING, _uri(images[:1]))


def _uri(images: list[Image.Image], milliseconds: int = 0) -> str:
    """A WebP of one image, or an endless animation of several."""
    file, more = BytesIO(), images[1:]
    how = {"save_all": True, "append_images": more, "duration": milliseconds, "loop": 0} if more else {}
    images[0].save(file, "WEBP", quality=QUALITY, method=4, **how)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
