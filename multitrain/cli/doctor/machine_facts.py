"""Facts about this machine for `multitrain doctor`: processor, memory, disks, accelerators, versions, codecs."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from multitrain.config import kernels
from multitrain.config.recipes import Machine
from multitrain.config.scale import Scale

__all__ = ["Accelerator", "Codec", "Disk", "Facts", "Memory", "Processor", "Trial", "Wanted", "gather"]

GIB = 2**30
CODECS = (  # what the product encodes with, and what publishers' and users' videos come in
    ("libx264", "w", "prepared clips", True),
    ("libvpx-vp9", "w", "synthetic WebM files", False),
    ("h264", "r", "prepared clips", True),
    ("hevc", "r", "videos", False),
    ("vp8", "r", "videos", False),
    ("vp9", "r", "videos", False),
    ("av1", "r", "videos", False),
    ("mpeg4", "r", "videos", False),
)


@dataclass(frozen=True)
class Processor:
    """The processor, and how busy it is."""

    name: str
    cores: int  # that this process may use
    load: float  # processes that wait or run, mean of a minute
    vector: str  # PyTorch's instruction set, e.g. "AVX512"
    portable: bool  # whether the kernels of `machine.portable` are to be had


@dataclass(frozen=True)
class Memory:
    """Main memory in GiB."""

    total: float
    available: float
    swapped: float  # of all processes, on the disk


@dataclass(frozen=True)
class Disk:
    """The disk below a folder, which need not exist yet."""

    folder: str
    free: float  # GiB
    kind: str  # file system, "" where the system does not say
    writable: bool


@dataclass(frozen=True)
class Accelerator:
    """One accelerator."""

    kind: str  # cuda or mps
    name: str
    memory: float | None  # GiB; None where it is the main memory


@dataclass(frozen=True)
class Codec:
    """An encoder or decoder of FFmpeg."""

    name: str
    encodes: bool
    use: str
    required: bool
    found: bool


@dataclass(frozen=True)
class Trial:
    """The result of one trial: what it gave, or why it failed."""

    works: bool
    detail: str
    speed: float | None = None  # frames a second, or clips a second


@dataclass(frozen=True)
class Wanted:
    """What the scale's settings ask of a machine."""

    scale: str
    gpus: int
    processes: int  # of a training, on one node
    workers: int  # of each process
    precision: str
    compiles: bool
    portable: bool


@dataclass(frozen=True)
class Facts:
    """All that the verdicts are made of."""

    processor: Processor
    memory: Memory
    disks: tuple[Disk, ...]
    accelerators: tuple[Accelerator, ...]
    versions: dict[str, str]
    codecs: tuple[Codec, ...]
    wanted: Wanted
    decoding: Trial
    step: Trial | None  # None: the scale's step is not measured here
    bfloat16: Trial
    compiling: Trial


def wanted(scale: Scale) -> Wanted:
    """What a scale asks for."""
    machine = scale.machine
    return Wanted(
        scale.name,
        machine.gpus,
        machine.node_processes,
        machine.workers,
        machine.precision,
        machine.compile,
        machine.portable,
    )


def gather(scale: Scale, folders: Iterable[Path], trials: dict[str, Trial | None]) -> Facts:
    """The facts of this machine, with the results of the trials by their names in `Facts`."""
    return Facts(
        processor=_processor(),
        memory=_memory(),
        disks=tuple(map(_disk, folders)),
        accelerators=_accelerators(),
        versions=_versions(),
        codecs=tuple(map(_codec, *zip(*CODECS, strict=True))),
        wanted=wanted(scale),
        **trials,  # type: ignore[arg-type]  # only `step` may be None
    )


def _processor() -> Processor:
    from multitrain.common.processor import processor

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = processor()
    portable = bool(kernels.wanted(Machine(portable=True)))
    return Processor(found["model"], cores, os.getloadavg()[0], found["instructions"], portable)


def _memory() -> Memory:
    memory = psutil.virtual_memory()
    return Memory(memory.total / GIB, memory.available / GIB, psutil.swap_memory().used / GIB)


def _disk(folder: Path) -> Disk:
    """The disk below a folder; for a folder that does not exist, below the nearest parent that does."""
    there = folder.absolute()
    while not there.exists():
        there = there.parent
    status = os.statvfs(there)
    mounts = [part for part in psutil.disk_partitions(all=True) if there.resolve().is_relative_to(part.mountpoint)]
    kind = max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else ""
    free = status.f_bavail * status.f_frsize / GIB
    return Disk(str(folder), free, kind, there.is_dir() and os.access(there, os.W_OK | os.X_OK))


def _accelerators() -> tuple[Accelerator, ...]:
    import torch

    if torch.cuda.is_available():
        each = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        return tuple(Accelerator("cuda", its.name, its.total_memory / GIB) for its in each)
    return (Accelerator("mps", platform.machine(), None),) if torch.backends.mps.is_available() else ()


def _versions() -> dict[str, str]:
    import av

    found = {name: importlib.metadata.version(name) for name in ("multitrain", "torch", "av", "snakemake")}
    libavcodec = ".".join(map(str, av.library_versions["libavcodec"]))
    return {"python": platform.python_version(), **found, "libavcodec": libavcodec}


def _codec(name: str, mode: str, use: str, required: bool) -> Codec:
    import av

    try:
        av.Codec(name, mode)  # type: ignore[arg-type]  # "r" or "w"
        found = True
    except av.codec.codec.UnknownCodecError:
        found = False
    return Codec(name, mode == "w", use, required, found)
