"""Contact sheets of prepared clips: frames of one test clip a class, side by side."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.config.scale import Dataset, Scale
from multitrain.data.clips import view_indices
from multitrain.data.decode import read_frames
from multitrain.data.manifest import Manifest, read_manifest

__all__ = [
    "evenly_spaced",
    "frames_of_clip",
    "save_sheet",
    "source_text",
    "square",
    "write_contact_sheet",
    "write_overview",
]

FRAMES = 8  # shown of a clip, or as many as the scale's clips have
SIDE = 72  # pixels of a shown frame; a smaller one is enlarged
COLUMNS = 2
LINE = 15  # pixels of a line of text
GAP = 12
QUALITY = 75
GREY = (232, 232, 232)


def write_contact_sheet(
    path: Path, title: str, clips: Manifest, settings: Dataset, frames: int, labels: Sequence[int]
) -> None:
    """Write a contact sheet: `frames` frames of each of the classes `labels`, of its first clip's first view."""
    pictures = [(clips.classes[label], _frames_of_class(clips, settings, frames, label)) for label in labels]
    save_sheet(path, title, pictures)


def source_text(scale: Scale, world: int) -> str:
    """The source of clips as text for a title: real, synthetic, or which of several synthetic worlds."""
    if scale.several_worlds:
        return f"synthetic, world {world}"
    return "synthetic" if scale.world else "real"


def write_overview(scale: Scale, data: Path, path: Path, classes: int = 4, world: int = 0) -> None:
    """Write a contact sheet of some classes of every prepared dataset of a scale, evenly chosen."""
    pictures = []
    for name, settings in scale.datasets.items():
        clips = read_manifest(scale.clips_folder(name, data, world) / "manifest.parquet").split("test")
        for label in evenly_spaced(len(clips.classes), classes):
            caption = f"{settings.title}: {clips.classes[label]}"
            pictures.append((caption, _frames_of_class(clips, settings, scale.model.frames, label)))
    title = f"Scale {scale.name} ({source_text(scale, world)}): frames of one test clip of some classes of each dataset"
    save_sheet(path, title, pictures)


def evenly_spaced(count: int, most: int) -> list[int]:
    """At most `most` of 0 .. count - 1, evenly spread, first and last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist()


def _frames_of_class(clips: Manifest, settings: Dataset, frames: int, label: int) -> np.ndarray | None:
    """Frames (SIDE, n * SIDE, 3) of the first clip of a class; None where it has no clip."""
    places = np.flatnonzero(clips.table["label"].to_numpy() == label)
    return frames_of_clip(clips, settings, frames, int(places[0])) if len(places) else None


def frames_of_clip(clips: Manifest, settings: Dataset, frames: int, place: int) -> np.ndarray:
    """Frames (SIDE, n * SIDE, 3) of the first view of the clip in row `place`."""
    row = {name: clips.table[name][place].as_py() for name in ("path", "frames", "fps")}
    indices = view_indices(settings, row["frames"], frames)[0][evenly_spaced(frames, FRAMES)]
    video = read_frames(clips.folder / row["path"], indices, row["fps"], settings.grid)
    return np.concatenate([square(frame, SIDE) for frame in video], axis=1)


def square(frame: np.ndarray, size: int) -> np.ndarray:
    """The middle of a frame (H, W, 3) as (size, size, 3)."""
    height, width = frame.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = Image.fromarray(np.ascontiguousarray(frame[top : top + side, left : left + side]))
    return np.asarray(middle.resize((size, size), Image.Resampling.BICUBIC))


def save_sheet(path: Path, title: str, pictures: list[tuple[str, np.ndarray | None]]) -> None:
    """Write pictures (SIDE, W, 3), each with a caption, in two columns; None stands for a class without a clip."""
    if not pictures:
        raise UserError(f"{path}: no class to show: prepare a dataset first")
    shown = max((picture.shape[1] for _, picture in pictures if picture is not None), default=FRAMES * SIDE)
    font = ImageFont.truetype(Path(get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", 11)  # the same everywhere
    letters = int(shown // font.getlength("n"))
    captions = [textwrap.wrap(caption, letters)[:2] or [""] for caption, _ in pictures]
    head = textwrap.wrap(title, letters * COLUMNS)
    above = LINE * max(len(lines) for lines in captions)
    step = above + SIDE + GAP
    size = (COLUMNS * (shown + GAP) + GAP, GAP + LINE * len(head) + GAP + step * -(-len(pictures) // COLUMNS))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    draw.multiline_text((GAP, GAP), "\n".join(head), "black", font, spacing=4)
    for place, ((_, picture), lines) in enumerate(zip(pictures, captions, strict=True)):
        x, y = GAP + place % COLUMNS * (shown + GAP), 2 * GAP + LINE * len(head) + place // COLUMNS * step
        draw.multiline_text((x, y + above - LINE * len(lines)), "\n".join(lines), "black", font, spacing=4)
        if picture is None:
            draw.rectangle((x, y + above, x + shown - 1, y + above + SIDE - 1), GREY)
            draw.text((x + GAP, y + above + SIDE // 2 - LINE // 2), "no test clip", "black", font)
        else:
            canvas.paste(Image.fromarray(picture), (x, y + above))
    with atomic(path) as temporary:
        canvas.save(temporary, "JPEG", quality=QUALITY, optimize=True)
