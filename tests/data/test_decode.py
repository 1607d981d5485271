"""Decoding of frames by index: equal to decoding all frames, for every layout of a file."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.data import decode
from multitrain.data.damage import decoded_items
from multitrain.data.decode import read_frames

LENGTH = 40


def write(path: Path, layout: str, rate: Fraction = Fraction(12), times: list[int] | None = None) -> Path:
    """Write frames of 24x16 pixels whose brightness grows with the index and whose colour is noise."""
    noise = np.random.default_rng(0).integers(0, 40, (LENGTH, 16, 24, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "x264-params": layout})
        stream.width, stream.height, stream.pix_fmt = 24, 16, "yuv420p"
        stream.codec_context.time_base = 1 / rate
        for index in range(LENGTH):
            frame = av.VideoFrame.from_ndarray((noise[index] + 5 * index).astype(np.uint8), "rgb24")
            frame.pts, frame.time_base = (times or range(LENGTH))[index], 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


LAYOUT = "keyint=12:min-keyint=12:scenecut=0:open-gop=0:bframes={}:b-adapt=0:b-pyramid=none"
LAYOUTS = {
    "stride 3": LAYOUT.format(2),
    "stride 1": LAYOUT.format(0),
    "one group": "keyint=250:bframes=2:b-adapt=0:b-pyramid=none",
    "of no use": "keyint=250:bframes=5:b-adapt=2:b-pyramid=normal",
}


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> dict[str, tuple[Path, np.ndarray]]:
    """Files of several layouts, each with all its frames by plain decoding: (N, H, W, 3)."""
    folder = tmp_path_factory.mktemp("clips")
    made = {}
    for name, layout in LAYOUTS.items():
        path = write(folder / f"{name}.mp4", layout)
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        made[name] = (path, np.stack(frames))
    return made


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(LAYOUTS)),
    indices=st.lists(st.integers(0, LENGTH - 1), min_size=1, max_size=12),
    stride=st.sampled_from([1, 2, 3, 5]),
)
@example(name="stride 3", indices=[5, 0, 5], stride=1)  # in the given order, with repeats
def test_it_equals_decoding_all_and_then_choosing(clips, name, indices, stride):
    path, frames = clips[name]
    for chosen in (indices, [index // stride * stride for index in indices]):
        np.testing.assert_array_equal(read_frames(path, chosen, 12.0, stride), frames[chosen], strict=True)


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_frame_alone(clips, name):
    path, frames = clips[name]
    for index in range(LENGTH):
        np.testing.assert_array_equal(read_frames(path, [index], 12.0)[0], frames[index])


def test_strides_leave_the_other_frames_undecoded(clips, monkeypatch):
    skips = []
    original = decode._decode
    monkeypatch.setattr(decode, "_decode", lambda *args: skips.append(args[3]) or original(*args))
    path, _ = clips["stride 3"]
    read_frames(path, np.arange(8) * 3, 12.0, 3)
    assert skips == ["NONREF"]
    skips.clear()
    read_frames(path, [0, 3, 7], 12.0, 3)
    assert skips == ["DEFAULT"]
    skips.clear()
    path, frames = clips["of no use"]
    np.testing.assert_array_equal(read_frames(path, np.arange(13) * 3, 12.0, 3), frames[::3][:13])
    assert skips == ["NONREF", "DEFAULT"]


def test_decoding_starts_at_the_last_key_frame_before(clips, monkeypatch):
    decoded = []

    def spy(source, damage):
        return (decoded.append(item) or item for item in decoded_items(source, damage))

    monkeypatch.setattr(decode, "decoded_items", spy)
    path, frames = clips["stride 1"]  # a key frame every 12 frames
    np.testing.assert_array_equal(read_frames(path, [LENGTH - 1], 12.0)[0], frames[-1])
    assert len(decoded) == LENGTH - LENGTH // 12 * 12


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(2997, 100), Fraction(25)])
def test_rates_in_the_manifests_float32(tmp_path, rate):
    path = write(tmp_path / "a.mp4", LAYOUTS["stride 3"], rate)
    every = read_frames(path, np.arange(LENGTH), float(np.float32(rate)))
    assert (np.diff(every.mean((1, 2, 3))) > 0).all()


def test_frames_are_chosen_by_time_not_by_count(tmp_path):
    """A file that lacks frame 2: what follows keeps its own index."""
    path = write(tmp_path / "a.mp4", LAYOUTS["stride 1"], times=[0, 1, *range(3, LENGTH + 1)])
    with av.open(str(path)) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(read_frames(path, [1, 3, LENGTH], 12.0), [shown[1], shown[2], shown[-1]])
    with pytest.raises(UserError, match=r"a.mp4: no frame 2 at 12 frames a second"):
        read_frames(path, [1, 2, 3], 12.0)


@pytest.mark.parametrize("index", [LENGTH, -1, 10_000])
@pytest.mark.parametrize("stride", [1, 3])
def test_an_index_beyond_the_file_is_a_user_error(clips, index, stride):
    with pytest.raises(UserError, match=rf"stride 3.mp4: no frame {index} "):
        read_frames(clips["stride 3"][0], [0, index], 12.0, stride)


def test_a_wrong_rate_is_a_user_error(clips):
    with pytest.raises(UserError, match="no frame 3 at 10 frames a second"):
        read_frames(clips["stride 3"][0], [0, 3], 10.0)


@pytest.mark.parametrize("content", [None, b"", b"no video", "truncated"])
def test_a_file_that_is_no_clip_is_a_user_error(clips, tmp_path, content):
    path = tmp_path / "a.mp4"
    if content == "truncated":
        content = clips["stride 3"][0].read_bytes()[:-300]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"a.mp4: no readable clip \(.+\): prepare"):
        read_frames(path, [0], 12.0)


def test_a_file_without_pictures_is_a_user_error(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    with pytest.raises(UserError, match=r"a.mp4: no readable clip"):
        read_frames(path, [0], 12.0)


@pytest.mark.parametrize("indices", [[], [0.5], ["a"]])
def test_indices_that_are_no_whole_numbers_are_a_value_error(clips, indices):
    with pytest.raises(ValueError, match="whole numbers"):
        read_frames(clips["stride 3"][0], indices, 12.0)
