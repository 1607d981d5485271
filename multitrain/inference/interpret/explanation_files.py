"""Files of an explanation: a picture of frames, a video, and the values."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.figure import Figure
from PIL import Image

from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import write_json
from multitrain.inference.interpret.explain import MARKED, Explanation
from multitrain.inference.timelines.curves import RC

__all__ = ["draw_frames", "overlay", "shown_frames", "write_explanation"]

SHOWN = 8  # frames of the picture, at most
SIDE = 240  # pixels of a frame of the video, at least
HEAT, OUTLINE = "inferno", "#56B4E9"


def write_explanation(its: Explanation, video: str, folder: Path) -> None:
    """Write explanation.png, explanation.mp4 and explanation.json into a folder."""
    with atomic(folder / "explanation.png") as temporary:
        draw_frames(its, video).savefig(temporary, format="png", metadata={"Software": None})
    with atomic(folder / "explanation.mp4") as temporary:
        _write_video(its, temporary)
    about: dict[str, Any] = {"video": video, "dataset": its.dataset, "class": its.name, "method": its.method}
    about |= {"probability": its.probability, "marked_share": MARKED}
    about |= {"probability_marked_hidden": its.hidden, "probability_elsewhere_hidden": its.elsewhere}
    about["frames"] = [
        {"seconds": round(time, 3), "share_of_marked": round(share, 4)}
        for time, share in zip(its.times.tolist(), its.moments.tolist(), strict=True)
    ]
    write_json(folder / "explanation.json", about)


def overlay(its: Explanation, frame: int) -> np.ndarray:
    """A frame (S, S, 3) uint8 with its relevance as heat: what did not count is grey and dark."""
    picture, heat = its.frames[frame].astype(float), its.relevance[frame][..., None]
    grey = 0.6 * picture.mean(axis=-1, keepdims=True)
    coloured = 255 * colormaps[HEAT](its.relevance[frame])[..., :3]
    return ((1 - 0.6 * heat) * (grey + heat * (picture - grey)) + 0.6 * heat * coloured).clip(0, 255).astype(np.uint8)


def shown_frames(its: Explanation) -> list[int]:
    """Indices of the frames of the picture, evenly spaced."""
    return np.unique(np.linspace(0, len(its.frames) - 1, SHOWN).round().astype(int)).tolist()


def draw_frames(its: Explanation, video: str) -> Figure:
    """Frames, below them the same with their relevance and the marked places outlined, and each frame's share."""
    places = shown_frames(its)
    with rc_context({**RC, "axes.grid": False}):
        figure = Figure(figsize=(1.3 * len(places) + 0.6, 4.3), dpi=120, layout="constrained")
        rows = figure.subplots(3, len(places), squeeze=False, height_ratios=(4, 4, 1))
        for column, place in enumerate(places):
            above, below, bar = rows[:, column]
            above.imshow(its.frames[place], interpolation="nearest")
            above.set_title(f"{its.times[place]:.2f} s", fontsize=9)
            below.imshow(overlay(its, place), interpolation="nearest")
            if its.mask[place].any() and not its.mask[place].all():
                below.contour(its.mask[place], levels=[0.5], colors=OUTLINE, linewidths=1.2)
            share = its.moments[place]
            bar.barh(0, share, color=OUTLINE)
            bar.set(xlim=(0, max(its.moments.max(), 1e-9)), xlabel=f"{100 * share:.0f} %")
            bar.spines[:].set_visible(False)
            for axes in (above, below, bar):
                axes.set(xticks=[], yticks=[])
        for axes, name in zip(rows[:, 0], ("seen", "what decided", "share"), strict=True):
            axes.set_ylabel(name)
        figure.suptitle(_title(its, video).replace("$", r"\$"), fontsize=10)
    return figure


def _title(its: Explanation, video: str) -> str:
    return (
        f"{video}: {its.title}, {its.name} ({100 * its.probability:.1f} %), by {its.method}\n"
        f"with the marked {MARKED:.0%} hidden {100 * its.hidden:.1f} %; as much elsewhere {100 * its.elsewhere:.1f} %"
    )


def _write_video(its: Explanation, path: Path) -> None:
    """H.264 in MP4: what was seen on the left, what decided on the right, each frame for its time."""
    gap = np.diff(its.times).mean() if len(its.times) > 1 else 1.0
    rate = Fraction(1 / max(gap, 1 / 60)).limit_denominator(1000)
    times = 2 * -(-SIDE // (2 * its.frames.shape[1]))  # an even side, which the codec wants
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = (
            2 * times * its.frames.shape[2],
            times * its.frames.shape[1],
            "yuv420p",
        )
        for place in range(len(its.frames)):
            both = Image.fromarray(np.concatenate([its.frames[place], overlay(its, place)], axis=1))
            large = both.resize((stream.width, stream.height), Image.Resampling.NEAREST)
            container.mux(stream.encode(av.VideoFrame.from_image(large)))
        container.mux(stream.encode())
