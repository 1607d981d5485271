"""Frames of a raw video are those that preparation would have written, without writing them."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.config.scale import Sampling, Transcode, Views
from multitrain.datasets.transcode.encode_clip import resample, transcode
from multitrain.inference.video_frames import (
    ConstantRateVideo,
    read_views,
    read_views_until_error,
    read_windows,
    resampled,
    window_starts,
)
from multitrain.model.files.metadata import Frames
from tests.datasets.coded import code, codes, write_video
from tests.datasets.forged import encode

SHORT = 24


def frames(fps: float | None = 12, **values) -> Frames:
    return Frames(fps=fps, grid=3, short_side=SHORT, **values)


def shown(film: ConstantRateVideo, indices: list[int]) -> list[int]:
    """What the pictures of a film say their index is."""
    (clip,) = film.clips([np.array(indices)])
    return [code(picture) for picture in clip.permute(0, 2, 3, 1).numpy()]


STUTTER = [0.0, 0.04, 0.08, 0.5, 0.54, 0.58, 1.3, 1.31, 1.4, 2.0]
VIDEOS = {
    "same rate": ({"rate": 12}, 12),
    "slower": ({"rate": 24}, 12),
    "faster": ({"rate": 5}, 12),
    "odd rate": ({"rate": Fraction(30000, 1001)}, 12),
    "own rate": ({"rate": 10}, None),
    "varying": ({"times": STUTTER}, 12),
    "varying, own rate": ({"times": STUTTER}, None),
    "starts late": ({"times": [1.5 + time for time in STUTTER]}, 12),
    "sound first": ({"times": [1.5 + time for time in STUTTER], "audio": True}, 12),
    "turned": ({"rate": 24, "rotation": 90}, 12),
    "wide pixels": ({"rate": 24, "aspect": Fraction(4, 3)}, 12),
    "B-frames": ({"rate": 24, "options": {"preset": "medium", "bf": "3"}}, 12),
    "VP9": ({"codec": "libvpx-vp9", "rate": 24}, 12),
    "with sound": ({"rate": 24, "audio": True}, 12),
}


@pytest.mark.parametrize("name", VIDEOS)
def test_every_frame_is_the_one_preparation_writes(tmp_path, name):
    how, fps = VIDEOS[name]
    suffix = "webm" if "codec" in how else "mp4"
    source = write_video(tmp_path / f"source.{suffix}", len(how.get("times", range(40))), **how)
    clip = transcode(source, tmp_path / "clip.mp4", Transcode(short_side=SHORT, fps=fps, stride=3, keyint=12, crf=10))
    with ConstantRateVideo(source, frames(fps)) as film:
        assert (film.length, float(film.rate)) == (clip.frames, pytest.approx(clip.fps))
        assert film.header_duration == film.duration  # it has all that its header says
        if how.get("rotation"):
            (pictures,) = film.clips([np.arange(film.length)])
            assert tuple(pictures.shape[-2:]) == (clip.height, clip.width)
        else:
            assert shown(film, list(range(film.length))) == codes(tmp_path / "clip.mp4")


def test_turned_pixels_are_those_of_the_prepared_clip(tmp_path):
    source = write_video(tmp_path / "source.mp4", 24, rotation=90)
    transcode(source, tmp_path / "clip.mp4", Transcode(short_side=SHORT, fps=12, stride=3, keyint=12, crf=5))
    ours, theirs = (read_views(path, frames(), 4, 16) for path in (source, tmp_path / "clip.mp4"))
    assert ours.shape == theirs.shape == (1, 3, 4, 16, 16)
    assert (ours.float() - theirs.float()).abs().mean() < 3


times = st.lists(st.integers(1, 400), min_size=1, max_size=40).map(lambda gaps: np.cumsum([0, *gaps]).tolist())


@given(times, st.integers(0, 5000), st.sampled_from([5, 12, 24, 30]), st.integers(1, 200))
def test_the_number_of_frames_is_known_from_three_times(milliseconds, start, rate, interval):
    seen = [Fraction(start + time, 1000) for time in milliseconds]
    made = sum(1 for _ in resample(iter((time, None) for time in seen), Fraction(rate), Fraction(interval, 1000)))
    ends = seen[:1] + seen[1:][-2:]
    assert resampled(ends, Fraction(rate), Fraction(interval, 1000)) == made


def test_a_file_used_as_it_is_keeps_its_size(tmp_path):
    source = write_video(tmp_path / "source.mp4", 20, size=(48, 32))
    with ConstantRateVideo(source, Frames(fps=None, grid=1, short_side=None)) as film:
        (clip,) = film.clips([np.array([3, 7])])
    assert tuple(clip.shape) == (2, 3, 32, 48)
    assert [code(picture) for picture in clip.permute(0, 2, 3, 1).numpy()] == [3, 7]


def test_a_file_used_as_it_is_is_shown_upright(tmp_path):
    pictures = []
    for rotation in (None, 90):
        source = write_video(tmp_path / f"{rotation}.mp4", 6, size=(48, 32), rotation=rotation)
        with ConstantRateVideo(source, Frames(fps=None, grid=1, short_side=None)) as film:
            (clip,) = film.clips([np.array([3])])
        pictures.append(clip[0].numpy())
    np.testing.assert_array_equal(pictures[1], np.rot90(pictures[0], 1, (1, 2)))


def test_lists_that_overlap_repeat_and_run_on_each_get_their_frames(tmp_path):
    source = write_video(tmp_path / "source.mp4", 30)
    requests = [np.array([0, 3, 3, 9]), np.array([2, 3, 10]), np.array([2, 29])]
    with ConstantRateVideo(source, frames()) as film:
        found = [[code(p) for p in clip.permute(0, 2, 3, 1).numpy()] for clip in film.clips(requests)]
    assert found == [request.tolist() for request in requests]


def test_what_lies_far_apart_is_sought_and_not_decoded(tmp_path):
    source = write_video(tmp_path / "long.mp4", 140, rate=2, options={"g": "6"})
    with ConstantRateVideo(source, frames(2)) as film:
        assert shown(film, [1, 70, 130]) == [1, 70, 130]
        assert film._video.decoded < 60


def test_views_are_those_of_the_test_protocol(tmp_path):
    source = write_video(tmp_path / "source.mp4", 40)
    both = frames(views=Views(temporal=2, spatial=3), sampling=Sampling(kind="segment"))
    views = read_views(source, both, 4, 16)
    assert views.shape == (6, 3, 4, 16, 16)
    assert not views[0].equal(views[1]) and not views[0].equal(views[3])


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_file_that_breaks_off_is_taken_as_far_as_it_goes(tmp_path, share):
    content = encode(count=60, noise=50, muxing={"movflags": "faststart"})
    path = tmp_path / "cut.mp4"
    path.write_bytes(content[: int(len(content) * share)])
    whole = tmp_path / "whole.mp4"
    whole.write_bytes(content)
    cut = read_views(path, frames(sampling=Sampling(kind="segment")), 4, 16)
    assert cut.shape == (1, 3, 4, 16, 16)
    with ConstantRateVideo(path, frames()) as film, ConstantRateVideo(whole, frames()) as complete:
        assert abs(film.length - share * complete.length) < 6
    # four different pictures: none is the last one repeated
    assert len({cut[0, :, index].numpy().tobytes() for index in range(4)}) == 4


def test_packets_that_cannot_be_decoded_shorten_the_video(tmp_path, monkeypatch):
    source = write_video(tmp_path / "source.mp4", 40)
    decode = ConstantRateVideo._nearest.__globals__["Video"].frames

    def until(self, start=Fraction(0)):
        return (pair for pair in decode(self, start) if pair[0] < 1)

    monkeypatch.setattr("multitrain.inference.video_frames.Video.frames", until)
    views = read_views(source, frames(sampling=Sampling(kind="segment")), 4, 16)
    seen = [code(np.repeat(np.repeat(views[0, :, i].permute(1, 2, 0).numpy(), 2, 0), 2, 1)) for i in range(4)]
    assert seen == [1, 4, 7, 10]


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "0 bytes"), (b"no video, a text\n" * 50, "Invalid data"), (encode(count=1), "a still of one frame")],
    ids=["empty", "text", "one frame"],
)
def test_what_is_no_video_is_one_line_that_names_it(tmp_path, content, why):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"clip\.mp4: .*{why}") as caught:
        read_views(path, frames(), 4, 16)
    assert "\n" not in str(caught.value)


def front(path: Path, out: Path) -> Path:
    """The same packets in a file whose index comes first, as of videos for the web."""
    how = {"options": {"movflags": "faststart"}} if out.suffix == ".mp4" else {}
    with av.open(str(path)) as whole, av.open(str(out), "w", **how) as container:
        streams = {stream.index: container.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                container.mux(packet)
    return out


@pytest.mark.parametrize(("suffix", "audio"), [("mp4", False), ("mp4", True), ("webm", False)])
def test_a_file_that_is_cut_says_how_far_it_goes(tmp_path, suffix, audio):
    codec = {"codec": "libvpx-vp9"} if suffix == "webm" else {"options": {"g": "12"}}
    path = front(write_video(tmp_path / f"a.{suffix}", 120, audio=audio, **codec), tmp_path / f"front.{suffix}")
    content = path.read_bytes()
    assert read_views_until_error(path, frames(), 4, 16)[1] is None
    for share in (0.8, 0.5):
        cut = tmp_path / f"cut.{suffix}"
        cut.write_bytes(content[: int(share * len(content))])
        views, reached = read_views_until_error(cut, frames(), 4, 16)
        assert len(views) and 10 * share - 1.5 < reached < 10 * share + 0.5
        with ConstantRateVideo(cut, frames()) as film:
            assert film.duration == reached and film.header_duration == pytest.approx(10, abs=0.1)


def test_a_video_that_its_edit_list_shortens_is_whole(tmp_path):
    path = write_video(tmp_path / "a.mp4", 120, options={"g": "12", "bf": "0"})
    content = bytearray(path.read_bytes())
    for name, place in ((b"mvhd", 20), (b"tkhd", 24), (b"elst", 12)):  # where each box has its duration
        start = content.index(name) + place
        half = int.from_bytes(content[start : start + 4], "big") // 2
        content[start : start + 4] = half.to_bytes(4, "big")
    path.write_bytes(content)
    with ConstantRateVideo(path, frames()) as film:
        assert film.duration == pytest.approx(5, abs=0.2) and film.header_duration == film.duration


lengths = st.floats(0.05, 50)


@given(lengths, lengths, lengths | st.just(1e9))
def test_parts_start_every_hop_and_the_last_ends_with_the_video(shown, seconds, hop):
    starts = window_starts(shown, seconds, hop)
    assert starts[0] == 0 and starts == sorted(starts)
    assert starts[-1] + seconds == pytest.approx(max(shown, seconds))
    assert np.diff(starts[:-1]) == pytest.approx(hop)
    assert len(starts) < 2 or 0 < starts[-1] - starts[-2] <= hop * (1 + 1e-6)


def test_parts_show_their_own_time(tmp_path):
    source = write_video(tmp_path / "source.mp4", 60)  # 5 s
    parts = list(read_windows(source, frames(sampling=Sampling(kind="segment")), 4, 16, 2.0, 1.0))
    assert [(start, end) for start, end, _ in parts] == [(0, 2), (1, 3), (2, 4), (3, 5)]
    for start, _, clip in parts:
        pictures = clip.permute(1, 2, 3, 0).numpy().repeat(2, 1).repeat(2, 2)
        assert [code(p) for p in pictures] == [start * 12 + 3, start * 12 + 9, start * 12 + 15, start * 12 + 21]


def test_a_long_video_is_read_a_part_at_a_time(tmp_path):
    """No picture is held that no later part needs; libav's memory is not seen by Python's own accounting."""
    source = tmp_path / "long.mp4"
    source.write_bytes(encode(count=80 * 12))
    with ConstantRateVideo(source, frames()) as film:
        clips = film.clips([np.arange(start, start + 24, 3) for start in range(0, film.length - 24, 12)])
        held = [len(clips.gi_frame.f_locals["kept"]) for _ in clips if clips.gi_frame]
    assert len(held) > 70 and max(held) <= 8


@pytest.mark.parametrize("header", [True, False], ids=["told by the header", "told by the packets"])
def test_a_jump_in_the_times_is_no_long_video(tmp_path, monkeypatch, header):
    path = write_video(tmp_path / "jump.mkv", 4, times=[0, 0.1, 0.2, 40_000 if header else 0.3])
    if not header:
        ends = [Fraction(0), Fraction(1), Fraction(40_000)]
        monkeypatch.setattr("multitrain.inference.video_frames.Video.ends", lambda self: ends)
    with pytest.raises(UserError, match=r"jump\.mkv: .*longer than 360 minutes"):
        read_views(path, frames(), 4, 16)


def test_more_parts_than_anybody_reads_are_refused(tmp_path):
    source = write_video(tmp_path / "source.mp4", 30)
    with pytest.raises(UserError, match="too many parts"):
        next(read_windows(source, frames(), 4, 16, 1.0, 1e-9))
