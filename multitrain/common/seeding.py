"""Seeding by names: random numbers that do not depend on the order of events."""

import hashlib

import numpy as np

__all__ = ["derive", "generator"]


def derive(seed: int, *names: str | int) -> int:
    """A 63-bit seed for one named purpose, e.g. `derive(seed, "clip", epoch, index)`.

    Two purposes never share a stream, and a resumed or re-ordered run draws the same numbers.
    """
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A NumPy generator seeded by `derive`."""
    return np.random.default_rng(derive(seed, *names))
