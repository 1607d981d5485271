"""Models and videos for all tests of a model's use."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from multitrain.cli.commands import finetune_commands
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.inference.predict import Recogniser
from multitrain.model.files.metadata import make_card
from multitrain.model.network import Network, Spec
from tests.datasets.coded import write_video

CLASSES = {"k400": ("a", "b", "c"), "mit": ("d", "e")}


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


@pytest.fixture(scope="session")
def recogniser(model) -> Recogniser:
    """A recogniser of that model; tests leave its network as it is."""
    return Recogniser(load_network(model))


def half(index: int, width: int, height: int, axis: int, number: int) -> np.ndarray:
    """(H, W, 3): one half bright, brighter with each frame; a spot crosses it, in each video another way."""
    frame = np.full((height, width, 3), 20, np.uint8)
    frame[(slice(height // 2), slice(None)) if axis == 0 else (slice(None), slice(width // 2))] = 180 + index
    top, left = (5 * number + index) % (height - 12), (11 * number + (1 + number % 3) * index) % (width - 12)
    frame[top : top + 12, left : left + 12] = 100
    return frame


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    """Two classes any backbone tells apart: the upper half is bright, or the left one. Eight each, no two alike."""
    folder = tmp_path_factory.mktemp("films") / "my films"
    for axis, label in enumerate(("upper half", "à gauche")):
        for number in range(8):
            paint = partial(half, axis=axis, number=number)
            write_video(folder / label / f"{number}.mp4", 20 + number, size=(64, 48), paint=paint)
    (folder / "upper half" / "broken.mp4").write_text("no video")
    return folder


@pytest.fixture
def network(scale) -> Network:
    torch.manual_seed(0)
    spec = Spec(model=scale.model, size=scale.sizes["base"], classes=CLASSES, projections=True)
    network = Network(spec).eval()
    network.card = make_card({name: scale.datasets[name] for name in CLASSES})
    return network


@pytest.fixture
def command(network, tmp_path):
    """`multitrain finetune` with a model file of its own; returns (exit status, error)."""
    save_network(tmp_path / "model.pt", network)
    app = typer.Typer()
    app.command()(finetune_commands.finetune)

    def call(*arguments: object, model: object = tmp_path / "model.pt"):
        return CliRunner().invoke(app, [str(model), *map(str, arguments)])

    return call


@pytest.fixture
def prepared(data, tmp_path) -> Path:
    """A folder of data to which a dataset can be added."""
    place = tmp_path / "data" / "ci"
    place.mkdir(parents=True)
    for name in ("k400", "mit"):
        (place / name).symlink_to(data / "ci" / name)
    return tmp_path / "data"
