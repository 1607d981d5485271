"""Decoded videos kept in memory, for datasets so small that decoding them anew each epoch costs more than that."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

__all__ = ["FrameCache"]

Read = Callable[[np.ndarray], Tensor]  # frame indices (T,) -> frames (T, 3, H, W)


class FrameCache:
    """Keeps every frame on the grid of the videos that are asked for first, as many as fit `limit` bytes.

    A video that does not fit is decoded each time it is asked for, and then nothing more is kept.
    """

    def __init__(self, limit: int):
        self.room = limit
        self._videos: dict[tuple[int, int], Tensor] = {}

    def read(self, key: tuple[int, int], indices: np.ndarray, length: int, grid: int, read: Read) -> Tensor:
        """Frames (T, 3, H, W) of a video of `length` frames; `indices` (T,) are multiples of `grid`."""
        if key not in self._videos:
            if self.room <= 0:
                return read(indices)
            video = read(np.arange(0, length, grid))
            self.room -= video.nbytes
            if self.room < 0:
                return video[indices // grid]
            self._videos[key] = video
        return self._videos[key][indices // grid]
