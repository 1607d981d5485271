"""What a prepared frame looks like: size, pixels, rotation, colours."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from multitrain.config.scale import Transcode
from multitrain.datasets.transcode.encode_clip import prepared_size, transcode
from tests.datasets.coded import codes, read_all, write_video

SETTINGS = Transcode(short_side=24, fps=12, stride=3, keyint=12, crf=10, preset="ultrafast")


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "out" / "clip.mp4"


@pytest.mark.parametrize(
    ("width", "height", "aspect", "short_side", "expected"),
    [
        (1280, 720, 1, 320, (568, 320)),
        (720, 1280, 1, 320, (320, 568)),
        (340, 256, 1, 320, (340, 256)),  # never enlarged
        (97, 95, 1, 320, (96, 94)),
        (101, 51, 1, 25, (48, 24)),
        (720, 576, Fraction(16, 15), 288, (384, 288)),
        (720, 480, Fraction(8, 9), 480, (640, 480)),
        (96, 96, 1, 72, (72, 72)),
        (1, 1, 1, 72, (2, 2)),
    ],
)
def test_sizes_are_even_square_and_never_enlarged(width, height, aspect, short_side, expected):
    assert prepared_size(width, height, Fraction(aspect), short_side) == expected


def test_pixels_that_are_not_square_become_square(tmp_path, target):
    path = write_video(tmp_path / "a.mp4", 3, size=(48, 48), aspect=Fraction(2))
    clip = transcode(path, target, SETTINGS)
    assert (clip.width, clip.height) == (48, 24)
    with av.open(str(target)) as container:
        assert container.streams.video[0].sample_aspect_ratio in (None, 1)
    assert codes(target) == [0, 1, 2]


def quadrant(index: int, width: int, height: int) -> np.ndarray:
    """White in the top left quarter, black elsewhere."""
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2, : width // 2] = 255
    return frame


@pytest.mark.parametrize("rotation", [0, 90, 180, -90])
def test_rotation_is_applied(tmp_path, target, rotation):
    path = write_video(tmp_path / "a.mp4", 3, size=(48, 32), rotation=rotation, paint=quadrant)
    with av.open(str(path)) as container:
        turns = next(container.decode(video=0)).rotation // 90  # counter-clockwise, as libav reads the file
    assert turns % 4 == rotation // 90 % 4
    clip = transcode(path, target, SETTINGS)
    assert (clip.width, clip.height) == ((36, 24) if rotation % 180 == 0 else (24, 36))
    expected = np.rot90(quadrant(0, 36, 24), turns)
    for _, frame in read_all(target):
        assert np.abs(frame.astype(int) - expected).mean() < 12
    with av.open(str(target)) as container:
        assert next(container.decode(video=0)).rotation == 0


@pytest.mark.parametrize("size", [(33, 47), (47, 33), (31, 31)])
def test_odd_sizes(tmp_path, target, size):
    path = write_video(tmp_path / "a.webm", 3, size=size, codec="libvpx-vp9")
    clip = transcode(path, target, SETTINGS)
    assert clip.width % 2 == clip.height % 2 == 0 and min(clip.width, clip.height) == 24
    assert codes(target) == [0, 1, 2]


def test_colours_survive(tmp_path, target):
    def paint(index, width, height):
        return np.full((height, width, 3), [(200, 40, 40), (40, 200, 40), (40, 40, 200)][index], np.uint8)

    transcode(write_video(tmp_path / "a.mp4", 3, paint=paint), target, SETTINGS)
    frames = list(read_all(target))
    assert len(frames) == 3
    for index, (_, frame) in enumerate(frames):
        assert np.abs(frame.astype(int) - paint(index, 36, 24)).max() <= 8


@pytest.mark.parametrize("size", [(2, 2), (6, 4), (4000, 4)])
def test_sizes_nobody_expects(tmp_path, target, size):
    path = write_video(tmp_path / "a.mkv", 3, size=size, codec="ffv1")
    clip = transcode(path, target, SETTINGS)
    assert (clip.frames, clip.width, clip.height) == (3, *size)
