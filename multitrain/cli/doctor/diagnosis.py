"""Diagnosis of a machine: a verdict for each fact, green, yellow or red, with the cure of what is not green."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from multitrain.cli.doctor.machine_facts import Codec, Disk, Facts, Trial

__all__ = ["Verdict", "diagnose"]

Colour = Literal["green", "yellow", "red"]
FULL, NEARLY_FULL = 1.0, 10.0  # GiB free on a disk
LITTLE, SMALL = 1.0, 2.0  # GiB of memory of a training process
SWAPPED = 0.5  # GiB
BUSY = 0.5  # of the cores
NETWORK = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "sshfs", "fuse.sshfs", "9p", "davfs", "ceph"}
SLOW_FRAMES = 500.0  # decoded in a second, of 320x240: less than a laptop's core by far
ENCODER = "install PyAV from its wheel: pip install --force-reinstall av"


@dataclass(frozen=True)
class Verdict:
    """One line of the diagnosis."""

    what: str
    colour: Colour
    found: str
    cure: str = ""


def diagnose(facts: Facts) -> list[Verdict]:
    """The verdicts, in the order in which they are shown."""
    return [
        *_processor(facts),
        *_memory(facts),
        *map(_disk, facts.disks),
        *_accelerators(facts),
        Verdict("versions", "green", ", ".join(f"{name} {number}" for name, number in facts.versions.items())),
        *_codecs(facts.codecs),
        *_speeds(facts),
        _feature("bfloat16", facts.bfloat16, facts.wanted.precision == "bfloat16", "set machine.precision to float32"),
        _feature("torch.compile", facts.compiling, facts.wanted.compiles, "set machine.compile to false"),
    ]


def _processor(facts: Facts) -> Iterator[Verdict]:
    has, wanted = facts.processor, facts.wanted
    needed = wanted.processes * (1 + wanted.workers)
    found = f"{has.name}, {has.cores} cores, {has.vector}"
    if has.cores < needed:
        few = f"{found}; a training of scale {wanted.scale} uses {needed}"
        yield Verdict("processor", "yellow", few, "lower machine.workers, or expect the data to be waited for")
    elif has.cores < 2:
        yield Verdict("processor", "yellow", found, "use two cores or more: trainings run side by side")
    else:
        yield Verdict("processor", "green", found)
    if wanted.portable and not has.portable:
        cure = "use x86-64 with AVX2 under Linux, or compare no digests"
        yield Verdict("portable kernels", "yellow", "not available: results are this processor's own", cure)
    else:
        yield Verdict("portable kernels", "green", "available" if has.portable else "not available, not asked for")
    if has.load > BUSY * has.cores:
        yield Verdict("load", "yellow", f"{has.load:.1f} on {has.cores} cores", "wait: the speeds below are too low")


def _memory(facts: Facts) -> Iterator[Verdict]:
    has, each = facts.memory, facts.memory.available / facts.wanted.processes
    found = f"{has.available:.1f} of {has.total:.1f} GiB available"
    colour: Colour = "red" if each < LITTLE else "yellow" if each < SMALL else "green"
    cure = "end other programs, or take fewer processes; `multitrain estimate` says what a run needs"
    yield Verdict("memory", colour, found, "" if colour == "green" else cure)
    if has.swapped > SWAPPED:
        yield Verdict("swap", "yellow", f"{has.swapped:.1f} GiB in use", "end other programs: swapped memory is slow")


def _disk(disk: Disk) -> Verdict:
    what = f"disk of {disk.folder}"
    found = f"{disk.free:.1f} GiB free{f', {disk.kind}' if disk.kind else ''}"
    if not disk.writable:
        return Verdict(what, "red", "cannot be written", "change its permissions, or name another folder")
    if disk.free < FULL:
        return Verdict(what, "red", found, "make room, or name a folder on another disk")
    if disk.kind in NETWORK:
        cure = "name a folder on a disk of this machine: clips are many small files"
        return Verdict(what, "yellow", f"{found}: a network disk", cure)
    if disk.free < NEARLY_FULL:
        return Verdict(what, "yellow", found, "make room; docs/reference/scaling.md says what the datasets take")
    return Verdict(what, "green", found)


def _accelerators(facts: Facts) -> Iterator[Verdict]:
    wanted, count = facts.wanted, sum(each.kind == "cuda" for each in facts.accelerators)
    found = ", ".join(
        f"{each.kind} {each.name}{'' if each.memory is None else f' {each.memory:.0f} GiB'}"
        for each in facts.accelerators
    )
    if wanted.gpus > count:
        asked = f"{found or 'none'}; scale {wanted.scale} asks for {wanted.gpus} a node"
        cure = "run it on such a node, set machine.gpus, or take scale mini or desk"
        yield Verdict("accelerators", "red", asked, cure)
    elif count and not wanted.gpus:
        unused = f"{found}; scale {wanted.scale} asks for none"
        yield Verdict("accelerators", "yellow", unused, "set machine.gpus to use them")
    else:
        yield Verdict("accelerators", "green", found or "none, and none is asked for")


def _codecs(codecs: tuple[Codec, ...]) -> Iterator[Verdict]:
    for encodes, what in ((True, "encoders"), (False, "decoders")):
        its = [codec for codec in codecs if codec.encodes == encodes]
        lacking = [codec for codec in its if not codec.found]
        if not lacking:
            yield Verdict(what, "green", ", ".join(codec.name for codec in its))
            continue
        colour: Colour = "red" if any(codec.required for codec in lacking) else "yellow"
        yield Verdict(what, colour, "; ".join(f"no {codec.name} ({codec.use})" for codec in lacking), ENCODER)


def _speeds(facts: Facts) -> Iterator[Verdict]:
    decoding, step = facts.decoding, facts.step
    if not decoding.works:
        yield Verdict("decoding", "red", decoding.detail, ENCODER)
    elif decoding.speed is not None and decoding.speed < SLOW_FRAMES:
        yield Verdict("decoding", "yellow", decoding.detail, "expect data to be waited for: raise machine.workers")
    else:
        yield Verdict("decoding", "green", decoding.detail)
    if step is None:
        asks = "it asks for accelerators" if facts.wanted.gpus else "its videos are real"
        yield Verdict("training step", "green", f"not measured for scale {facts.wanted.scale}: {asks}")
    elif step.works:
        yield Verdict("training step", "green", step.detail)
    else:
        yield Verdict("training step", "red", step.detail, "see the message; `make test` says more")


def _feature(what: str, trial: Trial, asked: bool, cure: str) -> Verdict:
    """The verdict on an optional feature: its failure is red where the scale asks for it."""
    if trial.works:
        return Verdict(what, "green", trial.detail)
    if asked:
        return Verdict(what, "red", trial.detail, cure)
    return Verdict(what, "yellow", trial.detail, "leave it off, as this scale does")
