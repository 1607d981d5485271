"""What the tests on an accelerator measure, written where dev/gpu.py asks for it."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

REPORT = "MULTITRAIN_GPU_REPORT"  # the file of the figures


@pytest.fixture(autouse=True)
def accelerator() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no accelerator here: these tests have never been run on one")


@pytest.fixture(autouse=True)
def exact_products(monkeypatch) -> None:
    """No TensorFloat-32, with which float32 has ten bits."""
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture(scope="session")
def figures() -> Iterator[list[dict]]:
    """Rows of figures that tests add to."""
    rows: list[dict] = []
    yield rows
    if path := os.environ.get(REPORT):
        Path(path).write_text(json.dumps(rows))
