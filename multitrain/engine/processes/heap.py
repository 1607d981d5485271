"""Keep freed memory in the process (glibc's malloc): each step reuses the pages of the last one.

A step frees some hundred blocks of a few MB. The C library returns the end of its heap to the system at once and
allocates it again within the same step; the system then clears every page, a tenth of a small model's step.
"""

import ctypes
import os

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
LARGEST = 32 << 20  # bytes, the highest threshold that glibc accepts
NEVER = (1 << 31) - 1
CHOSEN = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_"}


def keep_freed_memory() -> bool:
    """Keep freed memory in this process; False if the C library cannot, or the environment has its own settings."""
    if CHOSEN & os.environ.keys() or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all([mallopt(MMAP_THRESHOLD, LARGEST), mallopt(TRIM_THRESHOLD, NEVER)])
