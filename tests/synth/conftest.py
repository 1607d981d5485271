"""A small world, published once for all tests of this folder."""

import json

import pytest

from multitrain.config.bias import KINDS
from multitrain.config.scale import World
from multitrain.synth.publishing.publish import publish
from multitrain.synth.world import specs

READER = {name: kind.reader for name, kind in KINDS.items()}


def world(seed=0, **counts):
    videos = {name: {"train": 5, "validation": 3} for name in KINDS} | counts
    return World(seed=seed, height=48, width=48, videos=videos)


SPECS = specs(world())


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """Folder of each published dataset."""
    root = tmp_path_factory.mktemp("published")
    for name in KINDS:
        publish(name, world(), root / name, READER[name])
    return {name: root / name for name in KINDS}


def summary(folder):
    return json.loads((folder / "published.json").read_text())
