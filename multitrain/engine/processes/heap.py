"""Keep freed memory in the process (glibc's malloc): each step reuses the pages of the last one.

A step frees some hundred blocks of a few MB. The C library gives the end of its heap back to the system at once and
asks for it again within the same step; the system then clears every page, a tenth of a small model's step.
"""

import ctypes
import os

__all__ = ["keep_freed_memory"]

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # as glibc's malloc.h numbers them
LARGEST = 32 << 20  # bytes; larger blocks are the system's in any case: no higher threshold is taken
NEVER = (1 << 31) - 1
CHOSEN = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_MMAP_MAX_", "MALLOC_TOP_PAD_"}


def keep_freed_memory() -> bool:
    """Make this process keep what it frees from now on; False where the C library cannot, or the environment chose."""
    if CHOSEN & os.environ.keys() or "glibc.malloc." in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all([mallopt(MMAP_THRESHOLD, LARGEST), mallopt(TRIM_THRESHOLD, NEVER)])
