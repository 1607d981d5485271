"""Name and kind of the processor, from /proc/cpuinfo or the platform."""

import platform
from pathlib import Path

import pytest

from multitrain.common.processor import kind, model

CPUINFO = "processor\t: 0\nmodel\t\t: 17\nmodel name\t: AMD EPYC: 2 \nprocessor\t: 1\nmodel name\t: other\n"


@pytest.mark.parametrize(("said", "name"), [(CPUINFO, "AMD EPYC: 2"), ("model name\t:\n", "arm"), (None, "arm")])
def test_the_name_is_the_system_s_and_else_the_architecture(monkeypatch, said, name):
    def read(path, **_):
        if said is None:
            raise FileNotFoundError(path)
        return said

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(platform, "processor", lambda: "")
    monkeypatch.setattr(platform, "machine", lambda: "arm")
    assert model() == name


def test_the_kind_is_vendor_family_and_model_and_else_the_architecture(monkeypatch):
    said = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: Xeon\n"
    monkeypatch.setattr(Path, "read_text", lambda path, **_: said)
    monkeypatch.setattr(platform, "machine", lambda: "arm")
    assert kind() == "GenuineIntel 6 85"
    said = "processor\t: 0\nmodel name\t: ARMv8\n"
    assert kind() == "arm"
