"""Motions and rendered frames: they depend on seed and class alone; a class and its reverse differ in time alone."""

from dataclasses import replace

import numpy as np
import pytest

from multitrain.common.seeding import generator
from multitrain.config.bias import BIASES, KINDS, Bias
from multitrain.config.scale import World
from multitrain.synth.canvas import camera_effects
from multitrain.synth.classes.catalogue import TEMPLATES
from multitrain.synth.classes.motion_class import TRAITS, action
from multitrain.synth.motions import objects
from multitrain.synth.motions.execution import Execution
from multitrain.synth.motions.figure import ANKLE, BAR_HEIGHT, ELBOW, HEAD, KNEE, SHOULDER, WRIST, joints
from multitrain.synth.motions.objects import OBJECTS
from multitrain.synth.motions.registry import MOTIONS
from multitrain.synth.publishing.contents import Video, render_video
from multitrain.synth.rendering import scene
from multitrain.synth.rendering.encode import encode
from multitrain.synth.rendering.renderer import Size, _active, clip, take, untrimmed
from multitrain.synth.world import specs

WORLD = World(videos={name: {"train": 100, "validation": 30} for name in KINDS})
SPECS = specs(WORLD)
EVERY = [(dataset, label) for dataset in SPECS for label in range(len(SPECS[dataset].classes))]
SMALL = Size(48, 64)


def somebody():
    bias = BIASES["k400"]
    return scene.body(generator(0, "somebody"), bias, scene.setting(generator(0), bias, 0, "run"))


def biased(dataset, **values):
    """The dataset of the world with another bias."""
    return specs(WORLD.model_copy(update={"bias": {dataset: values}}))[dataset]


@pytest.mark.parametrize("dataset", SPECS)
def test_same_seed_same_frames_in_any_order(dataset):
    def render(label):
        return clip(SPECS[dataset], label, generator(7, dataset, label), SMALL)

    forwards = [render(label) for label in (0, 1, 2)]
    backwards = [render(label) for label in (2, 1, 0)][::-1]
    for a, b in zip(forwards, backwards, strict=True):
        np.testing.assert_array_equal(a, b)
    other = clip(SPECS[dataset], 0, generator(8, dataset, 0), SMALL)
    assert other.shape != forwards[0].shape or (other != forwards[0]).any()


@pytest.mark.parametrize(("dataset", "label"), EVERY)
def test_every_class_has_frames_that_move(dataset, label):
    frames = clip(SPECS[dataset], label, generator(0, dataset, label), SMALL)
    assert frames.dtype == np.uint8
    assert frames.shape[1:] == (48, 64, 3)
    low, high = SPECS[dataset].bias.seconds
    assert round(12 * low) <= len(frames) <= round(12 * high)
    still = biased(dataset, shake=0.0, grain=0.0, light=(1.0, 1.0), idle=0.0)
    frames = clip(still, label, generator(0, dataset, label), SMALL)
    assert np.abs(frames - frames[:1].astype(int)).max() > 60


@pytest.mark.parametrize("motion", TEMPLATES)
def test_reversed_classes_are_each_other_backwards(motion):
    actions = tuple(
        action(name, f"{motion}/{way}") for name, way in zip(TEMPLATES[motion], TRAITS["direction"], strict=True)
    )
    still = replace(biased("ssv2", shake=0.0, grain=0.0), actions=actions)
    a, b = (clip(still, label, generator(3, "pair"), Size(48, 48)) for label in (0, 1))
    np.testing.assert_array_equal(a, b[::-1])
    assert (a != b).any()


def test_objects_go_where_the_class_says():
    progress = np.linspace(0, 1, 9)
    something = scene.thing(generator(0), BIASES["ssv2"], ("box",))

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
    halves = ("run/slow", "run/fast", "squat/small", "squat/large", "wave/both", "wave/one")
    split = replace(SPECS["k700"], actions=tuple(action(way, way) for way in halves))

    def takes(way):
        return [take(split, halves.index(way), generator(seed)) for seed in range(20)]

    assert max(t.rate for t in takes("run/slow")) < min(t.rate for t in takes("run/fast"))
    assert max(t.reach for t in takes("squat/small")) < min(t.reach for t in takes("squat/large"))
    assert {t.execution(4, 12).both for t in takes("wave/both")} == {True}
    assert {t.execution(4, 12).both for t in takes("wave/one")} == {False}


@pytest.mark.parametrize("name", [name for name, motion in MOTIONS.items() if motion.rate])
def test_a_motion_repeats_after_one_cycle(name):
    phase = np.linspace(0, 1, 16, endpoint=False)
    motion = MOTIONS[name]
    a, b = (joints(motion.pose(Execution(phase + shift)), somebody(), motion.hanging) for shift in (0, 1))
    np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("name", ["run", "punch", "march", "windmill", "drum", "front_crawl", "climb"])
def test_alternating_arms_are_half_a_cycle_apart(name):
    now, later = (MOTIONS[name].pose(Execution(np.linspace(0, 1, 9) + shift)) for shift in (0, 0.5))
    for limb in ("arm", "forearm"):
        left, right = getattr(now, limb)[:, 0], getattr(later, limb)[:, 1]
        np.testing.assert_allclose(np.exp(1j * left), np.exp(1j * right))  # equal up to a full turn


@pytest.mark.parametrize("name", MOTIONS)
def test_limbs_keep_their_length_and_nobody_sinks(name):
    motion, body = MOTIONS[name], somebody()
    points = joints(motion.pose(Execution(np.linspace(0, 1, 16))), body, motion.hanging)
    for i, j, length in ((SHOULDER, ELBOW, body.arm), (ELBOW, WRIST, body.arm), (KNEE, ANKLE, body.leg)):
        np.testing.assert_allclose(np.linalg.norm(points[:, i] - points[:, j], axis=-1), length)
    if motion.hanging:
        np.testing.assert_allclose(points[:, WRIST, 1].mean(1), BAR_HEIGHT)
    else:
        assert points[..., 1].min() > -1e-9


def test_poses_look_as_named():
    body, middle = somebody(), np.array([0.0, 0.5])

    def at(name):
        return joints(MOTIONS[name].pose(Execution(middle)), body, MOTIONS[name].hanging)

    hands = at("star_jump")[:, WRIST, 1] - at("star_jump")[:, [HEAD], 1]
    assert (hands[0] < 0).all() and (hands[1] > 0).all()
    squat = at("squat")[:, HEAD, 1]
    assert squat[1] < squat[0] - 0.25
    chin = at("pull_up")[:, HEAD, 1]
    assert chin[0] < BAR_HEIGHT < chin[1] + 0.1
    situp = at("sit_up")[:, HEAD, 1]
    assert situp[1] > situp[0] + 0.3


def jumps(**values):
    """ActivityNet's jumping jacks before a camera that does not move, without noise."""
    still = biased("actnet", shake=0.0, grain=0.0, **values)
    return replace(still, actions=(action("Jumping jacks", "star_jump"),))


def change(frames):
    """Mean grey levels by which each frame differs from the one before it (T - 1,)."""
    return np.abs(np.diff(frames.astype(float), axis=0)).mean((1, 2, 3))


def test_segments_hold_the_action_and_the_rest_is_idle():
    about = jumps(idle=0.0)
    frames, segments = untrimmed(about, 0, generator(2), Size(48, 48))
    inside = np.zeros(len(frames), bool)
    for start, end in segments:
        assert about.bias.seconds[0] - 0.1 <= end - start <= about.bias.seconds[1] + 0.1  # to the nearest frame
        inside[round(12 * start) : round(12 * end)] = True
    assert 0.3 < inside.mean() < 0.8
    assert change(frames)[inside[1:]].mean() > 2 * change(frames)[~inside[1:]].mean()


@pytest.mark.parametrize("idle", [0.0, 0.2, 0.4])
def test_a_figure_stands_idle_in_the_part_of_a_segment_that_the_bias_says(idle):
    drawn = np.stack([_active(60, [(10, 40)], generator(seed), idle) for seed in range(400)])
    assert not drawn[:, :6].any() and not drawn[:, 54:].any()
    assert (drawn == 1)[:, 10:50].mean() == pytest.approx(1 - idle, abs=0.05)  # standard error 0.01, and whole frames
    still, ever = (
        np.mean(
            [(change(clip(jumps(idle=share), 0, generator(seed), Size(48, 48))) < 0.5).mean() for seed in range(20)]
        )
        for share in (idle, 0.0)
    )
    assert still - ever >= 0.1 * idle  # below half a grey level; an idle figure sways more than that


def test_a_video_may_end_in_its_last_segment():
    frames, segments = untrimmed(SPECS["actnet"], 0, generator(2), Size(48, 48), to_the_end=True)
    assert round(12 * segments[-1][1]) == len(frames)


def test_a_hand_is_drawn_over_what_it_holds():
    something = scene.thing(generator(0), BIASES["ssv2"], ("box",))
    placed = OBJECTS["slide"].place(np.linspace(0, 1, 3), something)
    assert min(part.nearer for part in objects.hand(placed, something)) > max(part.nearer for part in placed.parts)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
def test_encoding_is_repeatable_and_smaller_at_lower_quality(suffix):
    frames = clip(SPECS["k400"], 7, generator(0), Size(48, 48))
    assert encode(frames, 12, suffix, 20) == encode(frames, 12, suffix, 20)
    assert len(encode(frames, 12, suffix, 40)) < 0.7 * len(encode(frames, 12, suffix, 20))


def backdrop(dataset, seed, motion, **values):
    """The texture behind a motion in a video, by that video's seed."""
    return scene.setting(generator(seed), biased(dataset, **values).bias, WORLD.seed, motion).place.texture


def test_appearance_is_the_probability_of_the_usual_place():
    def likeness(share):
        """Correlation of 200 pairs of videos of one motion."""
        seen = np.stack([backdrop("k400", seed, "run", appearance=share).ravel() for seed in range(40)])
        return np.corrcoef(seen)[np.triu_indices(40, 1)]

    assert np.quantile(likeness(1.0), 0.05) > 0.4
    assert np.quantile(likeness(0.0), 0.95) < 0.4
    usual = np.corrcoef(np.stack([backdrop("k400", seed, "run", appearance=0.5).ravel() for seed in range(60)]))[0]
    assert (usual > 0.5).mean() < 0.75  # about half, beside whatever the first one is


def test_a_motion_has_the_same_usual_place_in_every_dataset_and_another_one_in_another_world():
    a, b = (backdrop(dataset, 0, "run", appearance=1.0, contrast=0.0) for dataset in ("k400", "mit"))
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.6
    assert len({scene.usual_place(0, motion) for motion in MOTIONS}) > scene.PLACES / 2
    assert any(scene.usual_place(0, motion) != scene.usual_place(1, motion) for motion in MOTIONS)
    assert (scene.usual_setting(0, 0).place.texture != scene.usual_setting(1, 0).place.texture).any()


def test_each_dataset_has_its_own_look():
    grey = np.full((40, 48, 48, 3), 100, np.uint8)
    seen = camera_effects(grey, generator(0), (1.1, 1.0, 0.9), 0.8, 5.0).astype(float)
    np.testing.assert_allclose(seen.mean((0, 1, 2)), [88, 80, 72], atol=0.7)  # half a grey level is cut off
    np.testing.assert_allclose(seen.std((0, 1, 2)), 5.0, rtol=0.05)
    np.testing.assert_array_equal(camera_effects(grey, generator(0), (1.0, 1.0, 1.0), 1.0, 0.0), grey)
    sharp, soft = (clip(biased("mit", blur=blur, grain=0.0), 0, generator(0), SMALL) for blur in (0.0, 2.0))
    assert np.abs(np.diff(soft.astype(float), axis=2)).max() < 0.7 * np.abs(np.diff(sharp.astype(float), axis=2)).max()


OTHERWISE = {  # a value that no dataset has
    "seconds": (1.0, 1.5),
    "appearance": 0.01,
    "idle": 0.6,
    "yaw": 0.05,
    "elevation": (0.9, 1.0),
    "zoom": (0.3, 0.4),
    "shift": 0.4,
    "shake": 0.2,
    "tempo": (0.4, 0.5),
    "reach": (0.3, 0.4),
    "habit": 0.5,
    "contrast": 1.0,
    "clutter": 9,
    "colours": 0.01,
    "props": 1.0,
    "hold": 0.9,
    "hand": None,
    "tint": (0.5, 1.0, 1.5),
    "light": (0.3, 0.4),
    "blur": 3.0,
    "grain": 20.0,
    "crf": 45,
}
LISTED = {"relatives", "tail", "noise"}  # seen in the lists of classes and videos, and tested with those


@pytest.mark.parametrize("name", sorted(Bias.model_fields.keys() - LISTED))
def test_every_value_of_a_bias_is_seen_in_the_published_files(name):
    of_things = name in ("hold", "hand")
    ways = {"hold": "slide/forward", "props": "dribble"}
    actions = (action("it", ways.get(name, "slide/forward" if of_things else "run")),)
    value = not BIASES["k400"].hand if name == "hand" else OTHERWISE[name]
    video = Video("train", 0, 0, 0, "a", ".mp4")
    small = WORLD.model_copy(update={"height": 48, "width": 48})
    usual, other = (
        render_video(replace(about, actions=actions), small, video).data
        for about in (SPECS["k400"], biased("k400", **{name: value}))
    )
    assert usual != other


def test_without_variation_of_colours_the_clothes_are_the_settings():
    bias = BIASES["k400"].model_copy(update={"colours": 0.0})
    setting = scene.usual_setting(0, 3)
    body = scene.body(generator(0), bias, setting)
    assert (body.shirt, body.trousers) == (setting.shirt, setting.trousers)
