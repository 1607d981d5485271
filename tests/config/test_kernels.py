"""Portable kernels: set before torch and numpy load, and an error if these were loaded with others."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.config import kernels as portable
from multitrain.config.recipes import Machine

ROOT = Path(__file__).parents[2]
PORTABLE, OWN = Machine(portable=True), Machine()
here = pytest.mark.skipif(not portable.available(), reason="this processor has no portable kernels")


def test_only_a_portable_machine_asks_for_kernels(monkeypatch):
    monkeypatch.setattr(portable, "available", lambda: True)
    assert portable.wanted(PORTABLE) == portable.KERNELS and portable.wanted(OWN) == {}
    assert portable.changed(OWN, {"MKL_CBWR": "AVX2"}) == []


@pytest.mark.parametrize(
    ("architecture", "flags", "there"),
    [
        ("x86_64", "flags\t\t: fpu avx2 fma avx512f", True),
        ("x86_64", "flags\t\t: fpu avx fma", False),
        ("x86_64", "flags\t\t: fpu avx2", False),
        ("x86_64", None, False),
        ("aarch64", "flags\t\t: avx2 fma", False),
    ],
)
def test_they_need_an_x86_processor_with_avx2_and_fma(monkeypatch, tmp_path, architecture, flags, there):
    said = tmp_path / "cpuinfo"
    if flags:
        said.write_text(f"processor\t: 0\n{flags}\n")
    monkeypatch.setattr(portable, "CPUINFO", said)
    monkeypatch.setattr(portable.platform, "machine", lambda: architecture)
    assert portable.available() is there
    lines = portable.changed(PORTABLE, {})
    assert lines == [] if there else "numbers are those of this kind of processor alone" in lines[0]


def test_a_variable_of_the_environment_is_replaced_with_a_note(monkeypatch):
    monkeypatch.setattr(portable, "available", lambda: True)
    environment = {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
    (line,) = portable.changed(PORTABLE, environment)
    assert line == "note: ONEDNN_MAX_CPU_ISA=SSE41 gives way to AVX2, since machine.portable is set"


def in_a_process(code: str, **environment: str) -> subprocess.CompletedProcess:
    """Run code in a new Python process, with none of the kernels' variables but those given."""
    plain = {key: value for key, value in os.environ.items() if key not in portable.KERNELS}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env={**plain, **environment}
    )


USE = """
import json, sys
from multitrain.config import kernels as portable
from multitrain.config.recipes import Machine
machine, lines = Machine(portable=True), []
portable.select_kernels(machine, lines.append)
"""
SAY = """
import numpy, torch
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
above = [name for name in __cpu_dispatch__ if __cpu_features__[name] and name != "X86_V3"]
print(json.dumps([torch.backends.cpu.get_cpu_capability(), above, portable.kernels(machine), lines]))
"""


@here
def test_a_process_computes_with_them_whatever_its_environment_says():
    said = in_a_process(USE + SAY, ATEN_CPU_CAPABILITY="default", NPY_DISABLE_CPU_FEATURES="")
    assert said.returncode == 0, said.stderr
    capability, above, kernels, lines = json.loads(said.stdout)
    assert (capability, above, kernels) == ("AVX2", [], "portable")
    assert len(lines) == 2 and "ATEN_CPU_CAPABILITY=default gives way" in lines[0]


@here
def test_a_process_that_has_loaded_a_library_before_is_refused():
    said = in_a_process("import numpy" + USE)
    assert "machine.portable: numpy (without" in said.stderr and "MKL_CBWR='COMPATIBLE'" in said.stderr


@here
def test_a_training_and_an_evaluation_are_refused_with_other_kernels(job, tmp_path, monkeypatch):
    import torch

    from multitrain.engine.evaluate import evaluate
    from multitrain.engine.train import train

    monkeypatch.setenv("MKL_CBWR", "AUTO")
    run = job("k400_baseline")
    with pytest.raises(UserError, match=r"machine\.portable: torch \(without MKL_CBWR\) was loaded"):
        train(run, torch.device("cpu"))
    with pytest.raises(UserError, match=r"machine\.portable: torch \(without MKL_CBWR\) was loaded"):
        evaluate(run, "k400", "test", tmp_path / "k400.parquet", torch.device("cpu"))


def test_the_command_line_loads_no_library_before_it_knows_the_scale():
    said = in_a_process("import sys, multitrain.cli; print([n for n in ('numpy', 'torch') if n in sys.modules])")
    assert said.stdout.strip() == "[]", said.stderr
