"""A joint model trained at scale ci, for all tests of a model's use."""

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def trained(scale, experiments, data, tmp_path_factory):
    """The job of a joint run on K400 and MiT that has been trained; its folder holds model.pt."""
    from multitrain.engine.setup import Job
    from multitrain.engine.train import train

    results = tmp_path_factory.mktemp("results")
    for name in ("k400_baseline", "joint"):  # the one starts from the other
        job = Job(scale, experiments, name, 0, data, results)
        train(job, torch.device("cpu"))
    return job


@pytest.fixture(scope="session")
def model(trained) -> Path:
    """The model file of that run."""
    return trained.folder / "model.pt"
