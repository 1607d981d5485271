"""Portable kernels: the same bits on every kind of processor (`machine.portable`).

The libraries choose their kernels by the processor when they load, and read these variables then. The variables are
therefore set before torch and numpy are imported. What each library promises: docs/reference/reproducibility.md.
"""

import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.config.recipes import Machine

__all__ = ["changed", "kernels", "require_kernels", "select_kernels", "wanted"]

KERNELS = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels, with sleef
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
    "MKL_CBWR": "COMPATIBLE",  # products of matrices: the one branch that is the same on Intel's processors and others
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",  # numpy's kernels above AVX2
    "OPENBLAS_CORETYPE": "Haswell",  # numpy's and scipy's products of matrices
    "OPENBLAS_NUM_THREADS": "1",
}
NEEDED = {"avx2", "fma"}  # flags of a processor that has all these kernels
CPUINFO = Path("/proc/cpuinfo")


def available() -> bool:
    """Whether this processor has the portable kernels: x86-64 with AVX2 and FMA, under Linux."""
    if platform.machine() != "x86_64":
        return False
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return set(flags) >= NEEDED


def wanted(machine: Machine) -> dict[str, str]:
    """The environment variables for this machine's kernels; none where they are the processor's own."""
    return dict(KERNELS) if machine.portable and available() else {}


def changed(machine: Machine, environment: Mapping[str, str] = os.environ) -> list[str]:
    """A note for each variable of the environment that is replaced, and one if this processor has no such kernels."""
    if machine.portable and not available():
        return ["note: no AVX2 here: numbers are those of this kind of processor alone, though machine.portable is set"]
    return [
        f"note: {name}={environment[name]} gives way to {value}, since machine.portable is set"
        for name, value in wanted(machine).items()
        if environment.get(name, value) != value
    ]


def select_kernels(machine: Machine, say: Callable[[str], None]) -> None:
    """Make this process, and those that it starts, compute as the machine's settings say; before torch is imported.

    Raises:
        UserError: torch or numpy is loaded already, with other kernels.
    """
    require_kernels(machine)  # before the variables are right: a library that is loaded does not read them again
    for line in changed(machine):
        say(line)
    os.environ.update(wanted(machine))


def require_kernels(machine: Machine) -> None:
    """Raises a UserError where torch or numpy was loaded with other kernels than the machine's settings say."""
    if wanted(machine) and (found := _other()):
        names = " ".join(f"{name}={value!r}" for name, value in KERNELS.items())
        raise UserError(
            f"machine.portable: {found} was loaded with other kernels: set {names} before Python starts, "
            "or start it with the command `multitrain`"
        )


def kernels(machine: Machine, device: str = "cpu") -> str:
    """Which kernels a process computes with: `portable`, or the processor's or accelerator's `own`."""
    return "portable" if device == "cpu" and wanted(machine) and not _other() else "own"


def _other() -> str:
    """The loaded library without the portable kernels; "" if there is none."""
    loaded = [name for name in ("torch", "numpy") if name in sys.modules]
    if loaded and (lacking := [name for name, value in KERNELS.items() if os.environ.get(name) != value]):
        return f"{loaded[0]} (without {lacking[0]})"
    if "torch" in loaded and sys.modules["torch"].backends.cpu.get_cpu_capability() != "AVX2":
        return "torch"
    return "numpy" if "numpy" in loaded and _numpy_above() else ""


def _numpy_above() -> bool:
    """Whether numpy uses kernels above AVX2."""
    from numpy._core._multiarray_umath import (  # type: ignore[import-not-found]  # private: there is no public one
        __cpu_dispatch__,
        __cpu_features__,
    )

    return any(__cpu_features__[name] for name in __cpu_dispatch__ if "V4" in name or "512" in name)
