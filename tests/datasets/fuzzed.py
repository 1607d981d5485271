"""Damaged videos without number, each given by a seed and its index: eight containers in many kinds of damage."""

import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from tests.datasets.coded import picture, write_video
from tests.datasets.forged import encode, sound

FORMATS = {  # suffix: how a clip of it is encoded
    "mp4": {"container": "mp4"},
    "webm": {"container": "webm", "codec": "libvpx-vp9"},
    "avi": {"container": "avi", "codec": "mpeg4"},
    "mkv": {"container": "matroska"},
    "ts": {"container": "mpegts"},
    "mov": {"container": "mov"},
    "m2ts": {"container": "mpegts", "muxing": {"mpegts_m2ts_mode": "1"}},
    "gif": {"container": "gif", "codec": "gif", "pixels": "rgb8"},
}
WITH_SOUND = {"mp4", "avi", "mkv", "ts", "mov", "m2ts"}
LATE = {"mp4", "mkv", "ts", "mov", "m2ts", "webm"}  # time may begin anywhere
PACKET = {"ts": 188, "m2ts": 192}  # bytes


@dataclass(frozen=True)
class Fuzzed:
    """One damaged file."""

    index: int
    suffix: str
    kind: str  # of damage
    content: bytes

    @property
    def name(self) -> str:
        """Of the file: unique, with its container's suffix."""
        return f"{self.index:05d}-{self.kind.replace(' ', '-')}.{self.suffix}"


@cache
def whole(suffix: str) -> tuple[bytes, ...]:
    """Sound clips of one container: plain, with B-frames and keyframes, with a late start, with sound."""
    how = FORMATS[suffix]
    found = [encode(count=12, noise=50, **how)]
    if how.get("codec") is None:
        found.append(encode(count=12, noise=9, options={"preset": "veryfast", "bf": "2", "g": "4"}, **how))
    if suffix in LATE:
        found.append(encode(count=8, times=range(120, 128), **how))
    if suffix in WITH_SOUND:
        with tempfile.TemporaryDirectory() as folder:
            codec = how.get("codec", "libx264")
            path = write_video(Path(folder, f"a.{suffix}"), 8, size=(32, 32), codec=codec, audio=True, paint=_noisy)
            found.append(path.read_bytes())
    return tuple(found)


def _noisy(index: int, width: int, height: int) -> np.ndarray:
    return picture(index, width, height) + np.random.default_rng(index).integers(
        0, 40, (height, width, 3), dtype=np.uint8
    )


def truncated(content: bytes, _: str, chance: random.Random) -> bytes:
    """Cut off at the end, or, as of a recording that one joins, at the start."""
    place = chance.randrange(1, len(content))
    return content[:place] if chance.random() < 0.8 else content[place:]


def changed(content: bytes, _: str, chance: random.Random) -> bytes:
    """Some bytes with other values, anywhere."""
    damaged = bytearray(content)
    for _ in range(chance.choice([1, 2, 8, 32, 128])):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


def headed(content: bytes, _: str, chance: random.Random) -> bytes:
    """Bytes changed among the first and the last, where headers and indices are."""
    damaged, reach = bytearray(content), min(len(content), 1000)
    for _ in range(chance.choice([1, 4, 16])):
        place = chance.randrange(reach)
        damaged[place if chance.random() < 0.5 else -1 - place] = chance.choice([0, 1, 127, 128, 255])
    return bytes(damaged)


def blocks(content: bytes, _: str, chance: random.Random) -> bytes:
    """A block of zeros, of noise, left out, or there twice, as disks and networks do it."""
    start = chance.randrange(len(content))
    size = chance.choice([16, 188, 512, 2048])
    block = content[start : start + size]
    put = chance.choice([bytes(len(block)), chance.randbytes(len(block)), b"", block * 2])
    return content[:start] + put + content[start + size :]


def crossed(content: bytes, suffix: str, chance: random.Random) -> bytes:
    """The head of one file before the rest of another, of another container."""
    other = chance.choice(whole(chance.choice([name for name in FORMATS if name != suffix])))
    head = chance.choice([8, 64, 300, 1000, len(content) // 2])
    return (
        content[:head] + other[chance.choice([0, head]) :] if chance.random() < 0.5 else other[:head] + content[head:]
    )


def lacking(content: bytes, suffix: str, chance: random.Random) -> bytes:
    """The pictures' stream, or what says where it is, is not in the file."""
    if suffix in ("mp4", "mov"):
        name = chance.choice([b"trak", b"stbl", b"stsd", b"stco", b"avcC", b"mdhd", b"moov"])
        return content.replace(name, b"free", 1)
    if size := PACKET.get(suffix):
        packets = [content[place : place + size] for place in range(0, len(content), size)]
        number = [int.from_bytes(packet[size - 187 : size - 185], "big") & 0x1FFF for packet in packets]
        gone = chance.choice(sorted(set(number)))
        return b"".join(packet for packet, its in zip(packets, number, strict=True) if its != gone)
    if suffix == "gif":
        return content[: chance.choice([6, 13, 800])] + b";"
    if suffix == "mkv":
        return chance.choice([sound("matroska"), content.replace(b"\x16\x54\xae\x6b", b"\xec\x54\xae\x6b", 1)])
    return sound("avi") if suffix == "avi" else content.replace(b"\x16\x54\xae\x6b", b"\x16\x54\xae\x6c", 1)


def empty(content: bytes, _: str, chance: random.Random) -> bytes:
    """Nothing, or nothing but zeros."""
    return bytes(chance.choice([0, 1, len(content)]))


KINDS = {
    "truncated": truncated,
    "bytes": changed,
    "header bytes": headed,
    "more bytes": changed,
    "blocks": blocks,
    "crossed": crossed,
    "stream missing": lacking,
    "empty": empty,
    "whole": lambda content, *_: content,  # what is not damaged has to be answered
}


def fuzzed(count: int, seed: int) -> Iterator[Fuzzed]:
    """`count` files, every container in every kind of damage in turn; the same seed and index give the same bytes."""
    for index in range(count):
        chance = random.Random(f"{seed}/{index}")
        suffix = list(FORMATS)[index % len(FORMATS)]
        kind = list(KINDS)[index // len(FORMATS) % len(KINDS)]
        yield Fuzzed(index, suffix, kind, KINDS[kind](chance.choice(whole(suffix)), suffix, chance))
