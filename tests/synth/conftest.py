"""A small world, published once for all tests of this folder."""

import json

import pytest

from multitrain.config import World
from multitrain.synth.publish import publish
from multitrain.synth.world import DATASETS

READER = {name: spec.reader for name, spec in DATASETS.items()}


def world(seed=0, **counts):
    videos = {name: {"train": 5, "validation": 3} for name in DATASETS} | counts
    return World(seed=seed, height=48, width=48, videos=videos)


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Folder of each published dataset."""
    root = tmp_path_factory.mktemp("published")
    for name in DATASETS:
        publish(name, world(), root / name, READER[name])
    return {name: root / name for name in DATASETS}


def summary(folder):
    return json.loads((folder / "published.json").read_text())
