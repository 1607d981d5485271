"""Which files are read, and that a file whose time does not start at 0 is whole when all its frames are there."""

import os
from fractions import Fraction

import av
import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Limits, Sampling, Transcode
from multitrain.datasets.formats.video_files import SUFFIXES
from multitrain.datasets.transcode import source_video
from multitrain.datasets.transcode.encode_clip import transcode
from multitrain.datasets.transcode.refused import OverLimit, TooShort
from multitrain.datasets.transcode.source_video import Video
from multitrain.inference.video_frames import ConstantRateVideo, read_views_until_error
from multitrain.model.files.metadata import Frames
from tests.datasets.coded import code, picture, read_all
from tests.datasets.forged import encode

FRAMES = Frames(fps=12, grid=3, short_side=24, sampling=Sampling(kind="segment"))
SETTINGS = Transcode(short_side=24, fps=12, stride=3, keyint=12, crf=10, preset="ultrafast")
B = {"preset": "veryfast", "bf": "3", "g": "12"}
DV = {"container": "dv", "codec": "dvvideo", "size": (720, 576), "rate": 25}

READ = {  # suffix: how PyAV makes such a file
    "gif": {"container": "gif", "codec": "gif", "pixels": "rgb8", "rate": 10},
    "y4m": {"container": "yuv4mpegpipe", "codec": "wrapped_avframe"},
    "dv": DV,
    "mxf": {"container": "mxf", "codec": "mpeg2video", "rate": 25},
    "rm": {"container": "rm", "codec": "rv20"},
    "nut": {"container": "nut"},
    "h264": {"container": "h264", "options": B},
    "264": {"container": "h264", "rate": 50},
    "hevc": {"container": "hevc", "codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "mjpeg": {"container": "mjpeg", "codec": "mjpeg", "pixels": "yuvj420p", "rate": 25},
    "m2v": {"container": "mpeg2video", "codec": "mpeg2video", "rate": 25},
    "vob": {"container": "vob", "codec": "mpeg2video", "rate": 25},
    "3gp": {"container": "3gp"},
    "wmv": {"container": "asf", "codec": "wmv2"},
    "m2ts": {"container": "mpegts", "muxing": {"mpegts_m2ts_mode": "1"}},
}


@pytest.mark.parametrize("suffix", READ)
def test_what_the_docs_name_is_read_whatever_it_is_called(tmp_path, suffix):
    """As predict and as prepare do, at the rate that the file or the raw stream says."""
    how = READ[suffix]
    count, rate = (8, 25) if suffix == "dv" else (24, how.get("rate", 12))
    path = tmp_path / "no suffix"
    path.write_bytes(encode(count=count, **how))
    views, reached = read_views_until_error(path, FRAMES, 4, 16)
    assert views.shape == (1, 3, 4, 16, 16) and reached is None
    assert len({views[0, :, index].numpy().tobytes() for index in range(4)}) == 4  # frames that differ
    with ConstantRateVideo(path, FRAMES) as film:
        assert film.duration == pytest.approx(count / rate, rel=0.05)
    clip = transcode(path, tmp_path / "clip.mp4", SETTINGS)
    assert clip.frames == pytest.approx(count * 12 / rate, abs=1)
    assert f".{suffix}" in SUFFIXES


def test_a_raw_stream_is_read_from_its_start_for_every_part(tmp_path):
    """It has no times to seek by."""
    path, whole = tmp_path / "a.h264", tmp_path / "a.mp4"
    how = {"options": {"preset": "ultrafast", "g": "12"}, "count": 120}
    path.write_bytes(encode("h264", **how))
    whole.write_bytes(encode(**how))
    places = [Fraction(0), Fraction(5), Fraction(9)]
    for start in places:
        with Video(path) as raw, Video(whole) as timed:
            ours = next(frame for time, frame in raw.frames(start) if time >= start)
            theirs = next(frame for time, frame in timed.frames(start) if time >= start)
            assert (ours.to_ndarray() == theirs.to_ndarray()).all()


LATE = {
    "Matroska": {"container": "matroska", "times": range(120, 180)},
    "Matroska, hours in": {"container": "matroska", "times": range(120_000, 120_060)},
    "WebM": {"container": "webm", "codec": "libvpx-vp9", "times": range(120, 180)},
    "ts": {"container": "mpegts", "times": range(120, 180), "options": B},
    "ts over the end of its clock": {"container": "mpegts", "times": range(1_145_264, 1_145_324), "options": B},
    "mp4 with an empty edit": {"times": range(120, 180), "options": B},
    "mov with an empty edit": {"container": "mov", "times": range(120, 180), "options": B},
    "mp4 whose edit list cuts its start": {"times": range(-24, 36), "options": B},
    "mov whose edit list cuts its start": {"container": "mov", "times": range(-24, 36), "options": {"g": "6"}},
    "fragments": {"times": range(120, 180), "muxing": {"movflags": "frag_keyframe+empty_moov+delay_moov"}},
    "flv": {"container": "flv", "times": range(120, 180)},
    "Matroska that starts before 0": {
        "container": "matroska",
        "times": range(-24, 36),
        "muxing": {"avoid_negative_ts": "disabled"},
    },
}


@pytest.mark.parametrize("name", LATE)
def test_a_file_that_starts_late_or_early_is_whole(tmp_path, name):
    path = tmp_path / "a"
    path.write_bytes(encode(count=60, **LATE[name]))
    assert read_views_until_error(path, FRAMES, 4, 16)[1] is None
    with ConstantRateVideo(path, FRAMES) as film:
        assert film.header_duration == film.duration == pytest.approx(3 if min(LATE[name]["times"]) < 0 else 5, abs=0.1)
        assert float(film._first) == pytest.approx(0, abs=0.01)


def remuxed(content: bytes, path, shift: float) -> None:
    """The same packets `shift` seconds later, in a file whose header says how long it is, as mkvmerge writes it."""
    (path.parent / "in").write_bytes(content)
    with av.open(str(path.parent / "in")) as source, av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                late = round(shift / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts + late, packet.dts + late, stream
                out.mux(packet)
    found = path.read_bytes()
    place = found.index(b"\x44\x89\x88") + 3  # Duration, a float of 8 bytes
    import struct

    whole = struct.unpack(">d", found[place : place + 8])[0]
    path.write_bytes(found[:place] + struct.pack(">d", whole - 1000 * shift) + found[place + 8 :])


def test_a_duration_that_counts_from_the_first_frame_is_whole_too(tmp_path):
    path = tmp_path / "a.mkv"
    remuxed(encode(count=60), path, 10.0)
    with av.open(str(path)) as container:
        assert container.duration < 6e6 or container.start_time == 10_000_000
    assert read_views_until_error(path, FRAMES, 4, 16)[1] is None


@pytest.mark.parametrize("name", ["Matroska", "WebM", "mp4 with an empty edit", "mov with an empty edit"])
def test_a_late_file_that_is_cut_is_still_told(tmp_path, name):
    how = dict(LATE[name])
    if "mp4" in name or "mov" in name:
        how["muxing"] = {"movflags": "faststart"}
    content = encode(count=60, noise=50, **{**how, "options": {"g": "6"}})
    path = tmp_path / "cut"
    path.write_bytes(content[: len(content) * 6 // 10])
    _, reached = read_views_until_error(path, FRAMES, 4, 16)
    assert reached is not None and 1.5 < reached < 4
    with ConstantRateVideo(path, FRAMES) as film:
        assert film.header_duration == pytest.approx(5, abs=0.1)


STILLS = {
    "mp4": {},
    "gif": {"container": "gif", "codec": "gif", "pixels": "rgb8"},
    "y4m": {"container": "yuv4mpegpipe", "codec": "wrapped_avframe"},
    "h264": {"container": "h264"},
}


@pytest.mark.parametrize("suffix", STILLS)
def test_a_still_is_refused_as_one_everywhere(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encode(count=1, **STILLS[suffix]))
    with pytest.raises(UserError, match=r"\(a still of one frame: an action needs two at least\)$"):
        read_views_until_error(path, FRAMES, 4, 16)
    for fps in (12, None):
        with pytest.raises(TooShort, match="a still of one frame"):
            transcode(path, tmp_path / "clip.mp4", SETTINGS.model_copy(update={"fps": fps}))


@pytest.mark.parametrize(("container", "codec", "pixels"), [("mjpeg", "mjpeg", "yuvj420p"), ("apng", "apng", "rgb24")])
def test_pictures_are_said_to_be_no_video(tmp_path, container, codec, pixels):
    path = tmp_path / "a.mp4"
    path.write_bytes(encode(container, codec, count=1, pixels=pixels))
    with pytest.raises(UserError, match="a picture, sound or another kind of file that is not read as a video"):
        read_views_until_error(path, FRAMES, 4, 16)


def test_pipes_and_devices_are_refused_before_they_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "zero.mp4").symlink_to("/dev/zero")
    for name, kind in (("pipe.mp4", "a pipe"), ("zero.mp4", "a device")):
        with pytest.raises(UserError, match=rf"{name}: no video that can be used \({kind}, not a regular file\)"):
            read_views_until_error(tmp_path / name, FRAMES, 4, 16)


def test_a_stream_that_goes_on_meets_the_limit_of_length(tmp_path):
    """A raw stream says nothing of its length: the work ends where the limit is, not where the file does."""
    path = tmp_path / "a.h264"
    path.write_bytes(encode("h264", count=12, rate=12) * 60)
    with Video(path, Limits(minutes=0.1)) as endless:
        with pytest.raises(OverLimit, match=r"longer than 0\.1 minutes"):
            list(endless.frames())
        assert endless.decoded <= 0.1 * 60 * 12 + 1


def test_a_file_of_more_frames_than_any_video_meets_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(source_video, "FASTEST", 12)
    path = tmp_path / "a.h264"
    path.write_bytes(encode("h264", count=12, rate=12) * 10)
    with Video(path, Limits(minutes=0.1)) as endless, pytest.raises(OverLimit, match=r"more frames than 0\.1 minutes"):
        endless.ends()


@pytest.mark.parametrize("kind", ["y4m", "gif"])
def test_absurd_sizes_meet_the_limit_of_pixels(tmp_path, kind):
    content = encode(count=2, **READ[kind])
    huge = content.replace(b"W32 H32", b"W60000 H60000") if kind == "y4m" else content[:6] + b"\xff" * 4 + content[10:]
    path = tmp_path / f"a.{kind}"
    path.write_bytes(huge)
    with pytest.raises(UserError, match=rf"a\.{kind}: ") as caught:
        read_views_until_error(path, FRAMES, 4, 16)
    assert "\n" not in str(caught.value)


def test_frames_of_a_gif_are_the_right_ones(tmp_path):
    """The time of each is its own."""
    path = tmp_path / "a.gif"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "rgb8"
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(picture(0 if index < 5 else 60, 48, 32), "rgb24").reformat(format="rgb8")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    transcode(path, tmp_path / "clip.mp4", SETTINGS.model_copy(update={"fps": 10}))
    shown = [frame.mean() for _, frame in read_all(tmp_path / "clip.mp4")]
    assert len(shown) == 10 and max(shown[:5]) < min(shown[5:])
    assert code(picture(60, 48, 32)) == 60
