"""The processor that a run computes on: rounding, and so every number, may differ between kinds."""

import platform
from pathlib import Path

__all__ = ["kind", "model", "processor"]

CPUINFO = Path("/proc/cpuinfo")
KIND = ("vendor_id", "cpu family", "model")  # what libraries choose their kernels by


def _described() -> dict[str, str]:
    """What the system says of its first processor; nothing where it does not."""
    try:
        text = CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    said: dict[str, str] = {}
    for line in text.splitlines():
        key, _, value = line.partition(":")
        said.setdefault(key.strip(), value.strip())
    return said


def model() -> str:
    """The processor's name as the system gives it, e.g. "AMD EPYC"; its architecture where it gives none."""
    return _described().get("model name") or platform.processor() or platform.machine()


def kind() -> str:
    """Vendor, family and model, e.g. "AuthenticAMD 25 17"; the architecture where the system gives none."""
    said = _described()
    return " ".join(said[key] for key in KIND) if all(said.get(key) for key in KIND) else platform.machine()


def processor() -> dict[str, str]:
    """Its name, its kind, and the instruction set that PyTorch's kernels use, e.g. "AVX512"."""
    import torch

    return {"model": model(), "kind": kind(), "instructions": torch.backends.cpu.get_cpu_capability()}
