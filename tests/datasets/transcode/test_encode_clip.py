import io
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.config.scale import Transcode
from multitrain.datasets.transcode.encode_clip import resample, transcode
from multitrain.datasets.transcode.refused import Outside, Refused, TooShort, Undecodable
from multitrain.datasets.transcode.source_video import Video
from tests.datasets.coded import codes, picture, read_all, write_video

SETTINGS = Transcode(short_side=24, fps=12, stride=3, keyint=12, crf=10, preset="ultrafast")
KEPT = SETTINGS.model_copy(update={"fps": None})


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """30 frames at 12 frames a second."""
    return write_video(tmp_path_factory.mktemp("source") / "clip.mp4", 30)


@pytest.fixture
def target(tmp_path) -> Path:
    return tmp_path / "out" / "clip.mp4"


def test_same_rate_keeps_every_frame_once(source, target):
    clip = transcode(source, target, SETTINGS)
    assert (clip.frames, clip.fps, clip.width, clip.height) == (30, 12.0, 36, 24)
    assert codes(target) == list(range(30))


@pytest.mark.parametrize("rate", [12, 25, Fraction(30000, 1001), Fraction(2997, 100), 30, Fraction(15, 2)])
def test_frame_i_is_shown_at_exactly_i_over_fps(tmp_path, target, rate):
    clip = transcode(
        write_video(tmp_path / "a.mp4", 40, rate), target, SETTINGS.model_copy(update={"fps": float(rate)})
    )
    assert [time for time, _ in read_all(target)] == [i / Fraction(rate) for i in range(40)]
    assert clip.fps == pytest.approx(float(rate), rel=1e-9)
    assert codes(target) == list(range(40))


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (24, list(range(0, 40, 2))),
        (6, [i // 2 for i in range(80)]),  # halfway between two frames the earlier is taken
        (30, [round(2.5 * i - 0.01) for i in range(16)]),
    ],
)
def test_other_rates_take_the_nearest_frame(tmp_path, target, rate, expected):
    transcode(write_video(tmp_path / "a.mp4", 40, rate), target, SETTINGS)
    assert codes(target) == expected


@given(
    gaps=st.lists(st.integers(1, 400), max_size=30),
    start=st.integers(0, 5000),
    rate=st.fractions(1, 60, max_denominator=1001),
)
def test_resampling_is_nearest_by_brute_force(gaps, start, rate):
    times = list(np.cumsum([start, *gaps]))
    times = [Fraction(int(time), 1000) for time in times]
    chosen = list(resample(iter([(time, i) for i, time in enumerate(times)]), rate, Fraction(1, 25)))
    for i, index in enumerate(chosen):
        distances = [abs(times[0] + i / rate - time) for time in times]
        assert index == distances.index(min(distances))
    length = (times[-1] - times[0] + Fraction(1, 25)) * rate
    assert abs(len(chosen) - length) <= 1


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (None, None, range(30)),
        (0, 1, range(12)),
        (1.0, 2.0, range(12, 24)),  # the frame at the end belongs to the next piece
        (1 / 12, 3 / 12, range(1, 3)),
        (1.04, 2.04, range(13, 25)),
        (2.0, 99.0, range(24, 30)),
        (-3.0, 0.5, range(6)),
        (None, 0.5, range(6)),
        (2.25, None, range(27, 30)),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "webm"])  # WebM keeps times in milliseconds
def test_trimming_takes_exactly_the_frames_of_the_segment(tmp_path, target, suffix, start, end, expected):
    codec = {"mp4": "libx264", "webm": "libvpx-vp9"}[suffix]
    path = write_video(tmp_path / f"a.{suffix}", 30, codec=codec)
    clip = transcode(path, target, SETTINGS, start, end)
    assert codes(target) == list(expected)
    assert clip.frames == len(expected)


def test_trimming_far_into_a_file_with_keyframes_between(tmp_path, target):
    path = write_video(tmp_path / "a.mp4", 130, options={"g": "10", "preset": "veryfast"})
    transcode(path, target, SETTINGS, 95 / 12, 120 / 12)
    assert codes(target) == list(range(95, 120))


def test_an_index_that_leads_past_the_segment_loses_nothing(tmp_path, target, monkeypatch):
    path = write_video(tmp_path / "a.mp4", 130, options={"g": "10"})

    def too_far(video, start):
        video._container.seek(int((start + 2) / video._stream.time_base), stream=video._stream)
        return True

    monkeypatch.setattr(Video, "_seek", too_far)
    transcode(path, target, SETTINGS, 50 / 12, 100 / 12)
    assert codes(target) == list(range(50, 100))


def test_adjacent_pieces_share_no_frame_and_lose_none(source, tmp_path):
    edges = [0, 0.61, 1.22, 1.83, 3]
    told = []
    for number, (start, end) in enumerate(pairwise(edges)):
        transcode(source, tmp_path / f"{number}.mp4", SETTINGS, start, end)
        told += codes(tmp_path / f"{number}.mp4")
    assert told == list(range(30))


@pytest.mark.parametrize(
    ("start", "end", "kind"),
    [(2.6, 9, Outside), (1, 1, Outside), (2, 1, Outside), (-2, -1, Outside), (1, 1.08, TooShort), (2.4, 9, TooShort)],
)
def test_segments_without_frames_are_refused(source, target, start, end, kind):
    with pytest.raises(kind):
        transcode(source, target, SETTINGS, start, end)
    assert list(target.parent.glob("*")) == []


def test_a_single_frame_is_too_short(tmp_path, target):
    with pytest.raises(TooShort):
        transcode(write_video(tmp_path / "a.mp4", 1), target, SETTINGS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"this is no video at all\n" * 50,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nclip.mp4\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile clip.mp4\n",
        b"\x89PNG\r\n\x1a\n" + bytes(200),
        b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(500),
    ],
    ids=["empty", "text", "playlist", "concat script", "image", "header only"],
)
@pytest.mark.parametrize("as_bytes", [False, True])
def test_what_is_no_video_is_undecodable(tmp_path, source, target, content, as_bytes):
    (tmp_path / "clip.mp4").write_bytes(source.read_bytes())  # what a playlist or a script could lead to
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(Undecodable) as caught:
        transcode(io.BytesIO(content) if as_bytes else path, target, SETTINGS)
    assert str(caught.value) and str(tmp_path) not in str(caught.value)
    assert not target.exists()


def test_a_truncated_mp4_is_undecodable(source, target):
    with pytest.raises(Undecodable):
        transcode(io.BytesIO(source.read_bytes()[:-200]), target, SETTINGS)


def test_damage_in_the_middle_costs_only_what_it_hits(tmp_path, target):
    path = write_video(tmp_path / "a.mkv", 60, options={"g": "6"})
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 150] = bytes(150)
    clip = transcode(io.BytesIO(bytes(content)), target, SETTINGS)
    assert clip.frames >= 30
    assert codes(target)[:20] == list(range(20))


def test_a_jump_in_the_timestamps_is_not_filled_with_copies(tmp_path, target):
    path = write_video(tmp_path / "a.mkv", 4, times=[0, 0.1, 0.2, 50_000])
    with pytest.raises(Undecodable, match="50000"):
        transcode(path, target, SETTINGS)


def test_variable_rate_becomes_constant(tmp_path, target):
    times = [0, 0.1, 0.2, 0.5, 0.6, 1.0, 1.05, 1.1]
    path = write_video(tmp_path / "a.mkv", len(times), times=times)
    transcode(path, target, SETTINGS)
    shown = codes(target)
    for i, index in enumerate(shown[:13]):
        assert abs(times[index] - i / 12) == pytest.approx(min(abs(time - i / 12) for time in times), abs=1e-3)
    clip = transcode(path, target, KEPT)
    assert clip.fps == pytest.approx(7 / 1.1, rel=0.02)
    assert [time for time, _ in read_all(target)] == [pytest.approx(i / clip.fps, abs=1e-6) for i in range(clip.frames)]


@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("mkv", "libx264")])
@pytest.mark.parametrize("rate", [12, Fraction(30000, 1001)])
def test_without_a_rate_frames_stay_as_they_are(tmp_path, target, suffix, codec, rate):
    clip = transcode(write_video(tmp_path / f"a.{suffix}", 31, rate, codec=codec), target, KEPT)
    assert codes(target) == list(range(31))
    assert clip.fps == pytest.approx(float(rate), rel=1e-4)


@pytest.mark.parametrize(("stride", "keyint"), [(1, 12), (2, 12), (3, 12), (4, 16), (3, 48)])
def test_only_strides_are_references(tmp_path, target, stride, keyint):
    path = write_video(tmp_path / "a.mp4", 100)
    settings = SETTINGS.model_copy(update={"stride": stride, "keyint": keyint, "preset": "veryfast"})
    transcode(path, target, settings)
    with av.open(str(target)) as container:
        keys = [round(p.pts * p.time_base * 12) for p in container.demux(video=0) if p.size and p.is_keyframe]
    assert keys == list(range(0, 100, keyint))
    kept = {round(time * 12) for time, _ in read_all(target, "NONREF")}
    assert kept >= set(range(0, 100, stride))
    before_a_keyframe = {i for i in range(100) if (i + 1) % keyint == 0 or i == 99}  # a closed group ends in a P-frame
    assert kept - set(range(0, 100, stride)) <= before_a_keyframe
    assert codes(target) == list(range(100))


def test_sound_is_left_out(tmp_path, target):
    transcode(write_video(tmp_path / "a.mp4", 12, audio=True), target, SETTINGS)
    with av.open(str(target)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert codes(target) == list(range(12))


def test_bytes_depend_on_the_source_alone(source, tmp_path):
    targets = [tmp_path / f"{name}.mp4" for name in "abc"]
    transcode(source, targets[0], SETTINGS)
    transcode(source, targets[1], SETTINGS)
    transcode(io.BytesIO(source.read_bytes()), targets[2], SETTINGS)
    assert len({target.read_bytes() for target in targets}) == 1


def test_a_target_that_cannot_be_written_is_no_fault_of_the_clip(source, target, monkeypatch):
    def full(*_):
        raise av.error.OSError(28, "No space left on device", "clip.mp4")

    monkeypatch.setattr("multitrain.datasets.transcode.encode_clip._stream", full)
    with pytest.raises(UserError, match="No space left"):
        transcode(source, target, SETTINGS)


def test_every_refusal_has_a_reason_of_the_manifest():
    from multitrain.data.manifest import REASONS

    assert {kind.reason for kind in (Refused, *Refused.__subclasses__())} <= set(REASONS)


def test_the_code_tells_every_index_it_is_used_for():
    from tests.datasets.coded import code

    assert [code(picture(i, 36, 24)) for i in range(130)] == list(range(130))
