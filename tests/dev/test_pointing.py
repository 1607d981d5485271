"""What acts in a scene, and the figures of a clip whose explanation is known."""

import numpy as np
import pytest
import torch

from dev.pointing import CENTRE, SHARES, acting, clips, measure, methods_for, report
from multitrain.inference.predict import Recogniser
from multitrain.model.files.metadata import make_card
from multitrain.model.network import Network, Spec
from multitrain.synth.canvas import Camera, Part, Place
from multitrain.synth.rendering.renderer import Scene, Size
from multitrain.synth.world import spec

SIZE = Size(48, 48, 12.0)


def test_only_the_part_that_moves_acts():
    time = np.linspace(0, 1, 6)[:, None, None]
    still = Part(np.tile([0.8, 0.0, 0.0], (6, 1, 1)), 0.2, (200, 0, 0))
    moved = Part(np.array([-0.8, 0, 0]) + time * (0, 0.5, 0), 0.2, (0, 200, 0))
    camera = Camera(0.0, 0.0, 0.36, (0.0, 0.0), np.zeros((6, 2)))
    place = Place(np.full((12, 12, 3), 30.0), np.zeros((0, 4)), np.zeros((0, 3)))
    where = acting(Scene([still, moved], camera, np.zeros(3), place), SIZE)
    assert where.shape == (6, 48, 48) and where.any(axis=(1, 2)).all()
    assert not where[:, :, 24:].any()  # the still one is on the right
    heights = [np.flatnonzero(each.any(axis=1)).mean() for each in where]
    assert heights == sorted(heights, reverse=True) and heights[0] - heights[-1] > 5


@pytest.fixture(scope="module")
def measured(scale, network_of_k400):
    """The figures of two rendered clips by an untrained network."""
    about = spec("k400", scale.world)
    return [measure(network_of_k400, *each, "k400", 0) for each in clips(about, network_of_k400, 2, 0, SIZE)]


@pytest.fixture(scope="module")
def network_of_k400(scale) -> Recogniser:
    torch.manual_seed(0)
    classes = spec("k400", scale.world).classes
    network = Network(Spec(model=scale.model, size=scale.sizes["base"], classes={"k400": classes})).eval()
    network.card = make_card({"k400": scale.datasets["k400"]})
    return Recogniser(network, batch=64)


def test_every_method_has_its_figures(measured, network_of_k400):
    methods = (*methods_for(network_of_k400.network), CENTRE)
    assert methods == ("occlusion", "gradcam", "rollout", CENTRE)
    for each in measured:
        assert 0 < each["chance",] < 0.9 and {each["hit", method] for method in methods[:-1]} <= {0.0, 1.0}
        assert all(abs(each[kind, method, SHARES[0]]) < 1 for kind in ("fall", "else") for method in methods)
    lines = list(report(measured, methods))
    assert len(lines) == 1 + len(SHARES) * 2 * len(methods) + 1 + len(methods)
