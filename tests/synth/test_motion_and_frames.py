"""Frames depend on the seed and the class, and on nothing else; a class and its reverse differ in time alone."""

from dataclasses import replace

import numpy as np
import pytest

from multitrain.seeding import generator
from multitrain.synth import objects, scene
from multitrain.synth.cue import Cue
from multitrain.synth.encode import encode
from multitrain.synth.figure import ANKLE, BAR_HEIGHT, ELBOW, HEAD, KNEE, SHOULDER, WRIST, joints
from multitrain.synth.motions import MOTIONS
from multitrain.synth.objects import OBJECTS
from multitrain.synth.render import clip, take, untrimmed
from multitrain.synth.world import DATASETS

REVERSED = [
    ("Pushing [something] from left to right", "Pushing [something] from right to left"),
    ("Picking [something] up", "Putting [something] down"),
    ("Opening [something]", "Closing [something]"),
    ("Moving [something] towards the camera", "Moving [something] away from the camera"),
    ("Turning [something] clockwise", "Turning [something] counterclockwise"),
    ("Covering [something] with [something]", "Uncovering [something]"),
    ("Pouring [something] into [something]", "Pouring [something] out of [something]"),
]
EVERY = [(dataset, label) for dataset in DATASETS for label in range(len(DATASETS[dataset].classes))]


def somebody():
    return scene.body(generator(0, "somebody"), DATASETS["k400"].bias)


@pytest.mark.parametrize("dataset", DATASETS)
def test_same_seed_same_frames_in_any_order(dataset):
    def render(label):
        return clip(dataset, label, generator(7, dataset, label), 48, 64)

    forwards = [render(label) for label in (0, 1, 2)]
    backwards = [render(label) for label in (2, 1, 0)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(a, b)
    other = clip(dataset, 0, generator(8, dataset, 0), 48, 64)
    assert other.shape != forwards[0].shape or (other != forwards[0]).any()


@pytest.mark.parametrize(("dataset", "label"), EVERY)
def test_every_class_has_frames_that_move(dataset, label):
    frames = clip(dataset, label, generator(0, dataset, label), 48, 64, fps=12)
    assert frames.dtype == np.uint8
    assert frames.shape[1:] == (48, 64, 3)
    low, high = DATASETS[dataset].bias.seconds
    assert round(12 * low) <= len(frames) <= round(12 * high)
    still = replace(DATASETS[dataset].bias, shake=0.0)
    frames = clip(dataset, label, generator(0, dataset, label), 48, 64, fps=12, bias=still)
    assert np.abs(frames - frames[:1].astype(int)).max() > 60


@pytest.mark.parametrize(("forward", "backward"), REVERSED)
def test_reversed_classes_are_each_other_backwards(forward, backward):
    names = DATASETS["ssv2"].classes
    still = replace(DATASETS["ssv2"].bias, shake=0.0)
    a, b = (clip("ssv2", names.index(name), generator(3, "pair"), 48, 48, bias=still) for name in (forward, backward))
    np.testing.assert_array_equal(a, b[::-1])
    assert (a != b).any()


def test_every_class_of_the_direction_set_has_its_reverse():
    assert sorted(name for pair in REVERSED for name in pair) == sorted(DATASETS["ssv2"].classes)


def test_objects_go_where_the_class_says():
    progress = np.linspace(0, 1, 9)
    something = scene.thing(generator(0), DATASETS["ssv2"].bias, ("box",))

    def track(motion):
        return OBJECTS[motion].place(progress, something).grip

    assert (np.diff(track("slide")[:, 0]) > 0).all()  # to the right
    assert (np.diff(track("lift")[:, 1]) > 0).all()  # up
    assert (np.diff(track("approach")[:, 2]) > 0).all()  # to the camera
    end = track("turn")[:, :2]
    assert (end[:-1, 0] * end[1:, 1] < end[:-1, 1] * end[1:, 0]).all()  # clockwise
    lid = OBJECTS["lid"].place(progress, something).parts[-1].points
    assert (np.diff(lid[:5, 1, 1]) > 0).all()  # its free end rises


def test_classes_split_by_a_trait_carry_it():
    names = DATASETS["k700"].classes
    bias = DATASETS["k700"].bias

    def takes(name):
        return [take("k700", names.index(name), generator(seed), bias) for seed in range(20)]

    assert max(t.rate for t in takes("jogging")) < min(t.rate for t in takes("sprinting"))
    assert max(t.reach for t in takes("half squat")) < min(t.reach for t in takes("full squat"))
    assert {t.cue(4, 12).both for t in takes("waving both hands")} == {True}
    assert {t.cue(4, 12).both for t in takes("waving one hand")} == {False}


@pytest.mark.parametrize("name", [name for name, motion in MOTIONS.items() if motion.rate])
def test_a_motion_repeats_after_one_cycle(name):
    phase = np.linspace(0, 1, 16, endpoint=False)
    motion = MOTIONS[name]
    a, b = (joints(motion.pose(Cue(phase + shift)), somebody(), motion.hanging) for shift in (0, 1))
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("name", MOTIONS)
def test_limbs_keep_their_length_and_nobody_sinks(name):
    motion, body = MOTIONS[name], somebody()
    points = joints(motion.pose(Cue(np.linspace(0, 1, 16))), body, motion.hanging)
    for i, j, length in ((SHOULDER, ELBOW, body.arm), (ELBOW, WRIST, body.arm), (KNEE, ANKLE, body.leg)):
        np.testing.assert_allclose(np.linalg.norm(points[:, i] - points[:, j], axis=-1), length)
    if motion.hanging:
        np.testing.assert_allclose(points[:, WRIST, 1].mean(1), BAR_HEIGHT)
    else:
        assert points[..., 1].min() > -1e-9


def test_poses_look_as_named():
    body, middle = somebody(), np.array([0.0, 0.5])

    def at(name):
        return joints(MOTIONS[name].pose(Cue(middle)), body, MOTIONS[name].hanging)

    hands = at("star_jump")[:, WRIST, 1] - at("star_jump")[:, [HEAD], 1]
    assert (hands[0] < 0).all() and (hands[1] > 0).all()
    squat = at("squat")[:, HEAD, 1]
    assert squat[1] < squat[0] - 0.25
    chin = at("pull_up")[:, HEAD, 1]
    assert chin[0] < BAR_HEIGHT < chin[1] + 0.1
    situp = at("sit_up")[:, HEAD, 1]
    assert situp[1] > situp[0] + 0.3


def test_segments_hold_the_action_and_the_rest_is_idle(monkeypatch):
    bias = replace(DATASETS["actnet"].bias, shake=0.0)  # a moving camera changes every pixel, idle or not
    monkeypatch.setitem(DATASETS, "actnet", replace(DATASETS["actnet"], bias=bias))
    label = DATASETS["actnet"].classes.index("Doing star jumps")
    frames, segments = untrimmed("actnet", label, generator(2), 48, 48, fps=12)
    inside = np.zeros(len(frames), bool)
    for start, end in segments:
        assert bias.seconds[0] <= end - start <= bias.seconds[1]
        inside[round(12 * start) : round(12 * end)] = True
    assert 0.3 < inside.mean() < 0.8
    change = np.abs(np.diff(frames.astype(float), axis=0)).mean((1, 2, 3))
    assert change[inside[1:]].mean() > 2 * change[~inside[1:]].mean()


def test_a_video_may_end_in_its_last_segment():
    frames, segments = untrimmed("actnet", 0, generator(2), 48, 48, fps=12, to_the_end=True)
    assert round(12 * segments[-1][1]) == len(frames)


def test_a_hand_is_drawn_over_what_it_holds():
    something = scene.thing(generator(0), DATASETS["ssv2"].bias, ("box",))
    placed = OBJECTS["slide"].place(np.linspace(0, 1, 3), something)
    assert min(part.nearer for part in objects.hand(placed, something)) > max(part.nearer for part in placed.parts)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_encoding_is_repeatable(suffix):
    frames = clip("k400", 7, generator(0), 48, 48)
    assert encode(frames, 12, suffix) == encode(frames, 12, suffix)
