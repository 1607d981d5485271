from pathlib import Path

import pytest

from multitrain.datasets.prepare import prepare
from tests.datasets.fetch.remote import LISTS, outcome
from tests.datasets.raw import dataset, kinetics, put
from tests.datasets.server import Server, be_impatient


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    be_impatient(monkeypatch)


@pytest.fixture
def published(tmp_path, video) -> Path:
    """What the publisher's host holds: the same files that a user could have brought."""
    folder = kinetics(tmp_path / "published", video)
    put(folder / LISTS["train"], "train/part_0.tar.gz\n\ntrain/part_1.tar.gz\n")
    put(folder / LISTS["val"], "val/part_0.tar.gz\n")
    return folder


@pytest.fixture
def server(published):
    with Server(published) as running:
        yield running


@pytest.fixture
def local(published, tmp_path) -> dict[str, bytes]:
    """What archives that the user brought give."""
    prepare("k400", dataset("kinetics"), published, tmp_path / "local")
    return outcome(tmp_path / "local")
