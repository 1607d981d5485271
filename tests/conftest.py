"""A small prepared world that tests train on: published and prepared by the product itself, once a test process."""

import os
import signal
from multiprocessing import forkserver
from pathlib import Path

from multitrain.config import kernels
from multitrain.config.recipes import Machine

os.environ.setdefault("OMP_NUM_THREADS", "1")
# Before torch and numpy are loaded: trained here is scale ci, whose kernels are portable.
os.environ.update(kernels.wanted(Machine(portable=True)))

import hypothesis
import pytest
import torch

from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.engine.setup import Job

ROOT = Path(__file__).parents[1]
torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for `pytest &`; what is tested hears Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)
hypothesis.settings.register_profile("untimed", deadline=None, derandomize=True)  # neither time nor chance decides
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def fork_server() -> None:
    """Worker processes are forked from a server that has torch already: else each imports it, for two seconds."""
    forkserver.set_forkserver_preload(["multitrain.common.process_pool", "multitrain.inference.features"])
    forkserver.ensure_running()


@pytest.fixture(scope="session")
def scale() -> Scale:
    return load_scale("ci", ROOT / "config")


@pytest.fixture(scope="session")
def experiments(scale) -> Experiments:
    """The shipped runs, and a joint one on the two datasets of the prepared world with its step-matched control."""
    shipped = load_experiments(ROOT / "config", scale)
    joint = shipped.runs["multitrain"].model_copy(update={"datasets": ("k400", "mit")})
    longer = shipped.runs["mit_longer"].model_copy(update={"steps_of": "joint"})
    return shipped.model_copy(update={"runs": {**shipped.runs, "joint": joint, "longer": longer}})


@pytest.fixture(scope="session")
def data(tmp_path_factory, scale) -> Path:
    """K400 and MiT at scale ci, from archives to manifests."""
    from multitrain.datasets.prepare import prepare
    from multitrain.synth.publishing.publish import publish

    folder = tmp_path_factory.mktemp("data")
    for name in ("k400", "mit"):
        dataset, home = scale.datasets[name], folder / "ci" / name
        publish(name, scale.world, home / "raw", dataset.reader)
        prepare(name, dataset, home / "raw", home)
    return folder


@pytest.fixture
def job(scale, experiments, data, tmp_path):
    """Make a job: job("k400_baseline", seed=1)."""

    def make(name: str, seed: int = 0, results: Path = tmp_path, **recipe: object) -> Job:
        changed = scale
        if recipe:
            recipes = {key: value.model_copy(update=recipe) for key, value in scale.recipes.items()}
            changed = scale.model_copy(update={"recipes": recipes})
        return Job(changed, experiments, name, seed, data, results)

    return make
