"""Cache of decoded videos in memory, for small datasets."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

__all__ = ["FrameCache"]

Read = Callable[[np.ndarray], Tensor]  # frame indices (T,) -> frames (T, 3, H, W)


class FrameCache:
    """Cache of the grid frames of the first videos that are read, up to `limit` bytes.

    From the first video that does not fit, nothing more is cached; such videos are decoded at each read.
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
