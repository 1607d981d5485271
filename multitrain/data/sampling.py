"""Frame sampling: the frame indices of a clip as pure functions of the video's length.

Lengths and indices count frames of the prepared, constant-rate video. Dense clips start on a multiple of `grid`, the
stride of the file's layout; frames between need no decoding.
"""

import numpy as np

__all__ = ["dense", "random_start", "segments", "view_starts"]


def span(count: int, stride: int) -> int:
    """Frames from the first to the last of a dense clip, both included."""
    return (count - 1) * stride + 1


def dense(frames: int, count: int, stride: int, start: int, grid: int = 1) -> np.ndarray:
    """Indices (count,) start, start + stride, ...; past the end, the last frame on the grid is repeated."""
    last = (frames - 1) // grid * grid
    return np.minimum(start + stride * np.arange(count), last)


def random_start(frames: int, count: int, stride: int, rng: np.random.Generator, grid: int = 1) -> int:
    """A start on the grid, uniform over those whose clip ends inside the video; 0 for a shorter video."""
    room = max(frames - span(count, stride), 0)
    return int(rng.integers(room // grid + 1)) * grid


def view_starts(frames: int, count: int, stride: int, views: int, grid: int = 1) -> list[int]:
    """Starts of the test views: i * floor((frames - span) / (views - 1)), the middle one for one; on the grid."""
    room = max(frames - span(count, stride), 0)
    starts = [room // 2] if views == 1 else [i * (room // (views - 1)) for i in range(views)]
    return [start // grid * grid for start in starts]


def segments(frames: int, count: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """One frame of each of `count` equal segments (count,): a random one, or without a generator the middle one."""
    edges = np.linspace(0, frames, count + 1)
    within = rng.random(count) if rng is not None else np.full(count, 0.5)
    return np.minimum((edges[:-1] + within * np.diff(edges)).astype(int), frames - 1)
