"""Verdicts on made-up machines: each colour with its cure, whatever this machine is."""

from dataclasses import replace

import pytest

from multitrain.cli.doctor.diagnosis import diagnose
from multitrain.cli.doctor.machine_facts import (
    Accelerator,
    Codec,
    Disk,
    Facts,
    Memory,
    Processor,
    Trial,
    Wanted,
)

GOOD = Facts(
    processor=Processor("A Processor", 8, 0.5, "AVX512", True),
    memory=Memory(32.0, 24.0, 0.0),
    disks=(Disk("data", 100.0, "ext4", True), Disk("results", 100.0, "ext4", True)),
    accelerators=(),
    versions={"python": "3.12.0", "torch": "2.9.0"},
    codecs=(
        Codec("libx264", True, "prepared clips", True, True),
        Codec("h264", False, "prepared clips", True, True),
        Codec("vp9", False, "videos", False, True),
    ),
    wanted=Wanted("mini", 0, 1, 0, "float32", False, False),
    decoding=Trial(True, "2000 frames a second", 2000.0),
    step=Trial(True, "0.20 s for 32 clips", 160.0),
    bfloat16=Trial(True, "works on cpu"),
    compiling=Trial(True, "works"),
)
LAB = Wanted("lab", 8, 8, 6, "bfloat16", True, False)
GPU = Accelerator("cuda", "H100", 79.6)


def changed(**values: object) -> Facts:
    return replace(GOOD, **values)


def without(name: str) -> tuple[Codec, ...]:
    return tuple(replace(codec, found=codec.name != name) for codec in GOOD.codecs)


def test_a_good_machine_is_green_without_a_cure():
    assert {(each.colour, each.cure) for each in diagnose(GOOD)} == {("green", "")}


@pytest.mark.parametrize(
    ("facts", "what", "colour", "cure"),
    [
        (changed(processor=Processor("A", 1, 0.1, "AVX2", True)), "processor", "yellow", "two cores"),
        (changed(wanted=replace(GOOD.wanted, workers=9)), "processor", "yellow", "machine.workers"),
        (changed(processor=Processor("A", 8, 4.1, "AVX2", True)), "load", "yellow", "too low"),
        (
            changed(
                processor=Processor("A", 8, 0.1, "NEON", False), wanted=Wanted("ci", 0, 1, 0, "float32", False, True)
            ),
            "portable kernels",
            "yellow",
            "AVX2",
        ),
        (changed(memory=Memory(4.0, 1.5, 0.0)), "memory", "yellow", "estimate"),
        (changed(memory=Memory(4.0, 0.9, 0.0)), "memory", "red", "end other programs"),
        (changed(memory=Memory(32.0, 7.9, 0.0), wanted=replace(LAB, gpus=0)), "memory", "red", "fewer processes"),
        (changed(memory=Memory(32.0, 24.0, 0.6)), "swap", "yellow", "slow"),
        (changed(disks=(Disk("data", 100.0, "ext4", False),)), "disk of data", "red", "permissions"),
        (changed(disks=(Disk("data", 0.9, "nfs", True),)), "disk of data", "red", "make room"),
        (changed(disks=(Disk("data", 9.0, "nfs4", True),)), "disk of data", "yellow", "of this machine"),
        (changed(disks=(Disk("data", 9.0, "ext4", True),)), "disk of data", "yellow", "scaling.md"),
        (changed(wanted=LAB, accelerators=(GPU,) * 7), "accelerators", "red", "mini or desk"),
        (changed(wanted=LAB, accelerators=(Accelerator("mps", "arm64", None),) * 8), "accelerators", "red", "such"),
        (changed(accelerators=(GPU,)), "accelerators", "yellow", "machine.gpus"),
        (changed(codecs=without("libx264")), "encoders", "red", "PyAV"),
        (changed(codecs=without("vp9")), "decoders", "yellow", "PyAV"),
        (changed(codecs=without("h264")), "decoders", "red", "PyAV"),
        (changed(decoding=Trial(False, "cannot be read")), "decoding", "red", "PyAV"),
        (changed(decoding=Trial(True, "400 frames a second", 400.0)), "decoding", "yellow", "machine.workers"),
        (changed(step=Trial(False, "the loss is nan")), "training step", "red", "make test"),
        (changed(bfloat16=Trial(False, "fails")), "bfloat16", "yellow", "leave it off"),
        (changed(bfloat16=Trial(False, "fails"), wanted=LAB), "bfloat16", "red", "machine.precision"),
        (changed(compiling=Trial(False, "no compiler")), "torch.compile", "yellow", "leave it off"),
        (changed(compiling=Trial(False, "no compiler"), wanted=LAB), "torch.compile", "red", "machine.compile"),
    ],
)
def test_what_is_wrong_has_its_colour_and_its_cure(facts: Facts, what: str, colour: str, cure: str):
    (found,) = [each for each in diagnose(facts) if each.what == what]
    assert found.colour == colour and cure in found.cure and "\n" not in found.found + found.cure


def test_a_scale_for_accelerators_is_not_measured_and_says_so():
    facts = changed(wanted=LAB, accelerators=(GPU,) * 8, step=None, processor=replace(GOOD.processor, cores=64))
    found = {each.what: each for each in diagnose(replace(facts, memory=Memory(256.0, 200.0, 0.0)))}
    assert {each.colour for each in found.values()} == {"green"}
    assert "not measured" in found["training step"].found and "cuda H100 80 GiB" in found["accelerators"].found
