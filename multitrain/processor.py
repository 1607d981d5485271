"""The processor that a run computes on: rounding, and so every number, may differ between kinds."""

import platform
from pathlib import Path


def model() -> str:
    """The processor's name as the system gives it, e.g. "AMD EPYC"; its architecture where it gives none."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(filter(None, named), "") or platform.processor() or platform.machine()


def processor() -> dict[str, str]:
    """Its name, and the instruction set that PyTorch's kernels use, e.g. "AVX512"."""
    import torch

    return {"model": model(), "instructions": torch.backends.cpu.get_cpu_capability()}
