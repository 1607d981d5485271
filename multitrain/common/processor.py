"""The kind of processor of a run: rounding, and so numbers, may differ between kinds."""

import platform
from pathlib import Path

__all__ = ["kind", "model", "processor"]

CPUINFO = Path("/proc/cpuinfo")
KIND = ("vendor_id", "cpu family", "model")  # by which libraries choose their kernels


def _cpuinfo() -> dict[str, str]:
    """Properties of the first processor from the system; empty if it gives none."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    properties: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        properties.setdefault(key.strip(), value.strip())
    return properties


def model() -> str:
    """The processor's name as the system gives it, e.g. "AMD EPYC"; its architecture where it gives none."""
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()


def kind() -> str:
    """Vendor, family and model, e.g. "AuthenticAMD 25 17"; the architecture where the system gives none."""
    properties = _cpuinfo()
    return " ".join(properties[key] for key in KIND) if all(properties.get(key) for key in KIND) else platform.machine()


def processor() -> dict[str, str]:
    """The processor's name, kind, and the instruction set of PyTorch's kernels, e.g. "AVX512"."""
    import torch

    return {"model": model(), "kind": kind(), "instructions": torch.backends.cpu.get_cpu_capability()}
