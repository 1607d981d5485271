"""Exceptions of the video decoder: of any type, they are errors about the file; our own mistakes are not hidden."""

import av
import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Limits
from multitrain.data import decode
from multitrain.data.damage import decoded_items, decoder_errors
from multitrain.data.decode import read_frames
from multitrain.datasets import integrity
from multitrain.datasets.integrity import Expected, find_problem
from multitrain.datasets.transcode import encode_clip, source_video
from multitrain.datasets.transcode.refused import Undecodable
from multitrain.datasets.transcode.source_video import Video
from multitrain.datasets.transcode.untranscoded import probe
from multitrain.inference.video_frames import read_views_until_error, video_errors
from multitrain.model.files.metadata import Frames
from tests.datasets.coded import write_video
from tests.datasets.forged import grown


class Bad(Exception):
    pass


KINDS = [
    IndexError("list index out of range"),
    ValueError("two\nlines"),
    SystemError("NULL"),
    TypeError(),
    KeyError("a"),
]


@pytest.mark.parametrize("error", KINDS, ids=lambda error: type(error).__name__)
def test_any_exception_is_damage_in_one_line(error):
    with pytest.raises(Bad) as caught, decoder_errors(Bad):
        raise error
    assert type(error).__name__ in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.__cause__ is error


def test_libavs_message_comes_without_the_path():
    with pytest.raises(Bad, match=r"^No such file or directory$"), decoder_errors(Bad):
        av.open("/nowhere/at all.mp4")


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_memory_errors_and_signals_pass(error):
    with pytest.raises(error), decoder_errors(Bad):
        raise error


def test_items_of_an_iterator_that_ends_or_fails():
    def broken():
        yield 1
        raise IndexError

    assert list(decoded_items(iter([1, 2]), Bad)) == [1, 2]
    found = decoded_items(broken(), Bad)
    assert next(found) == 1
    with pytest.raises(Bad):
        next(found)


class Stumbling:
    """A container whose demuxer raises an IndexError after the packets of these numbers."""

    def __init__(self, container, places: range):
        self._container, self._places, self._count = container, places, 0

    def __getattr__(self, name):
        return getattr(self._container, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._container.close()

    def demux(self, stream):
        for packet in self._container.demux(stream):
            self._count += 1
            yield packet
            if self._count in self._places:
                raise IndexError("list index out of range")

    def decode(self, stream):
        for packet in self.demux(stream):
            yield from packet.decode()


@pytest.fixture
def stumble(monkeypatch):
    """stumble(range): make every demuxer raise an IndexError after the packets of these numbers."""

    def make(places: range):
        class Stub:
            def __getattr__(self, name):
                return getattr(av, name)

            def open(self, file, *arguments, **options):
                container = av.open(file, *arguments, **options)
                return container if "w" in arguments else Stumbling(container, places)

        for module in (source_video, integrity, decode):
            monkeypatch.setattr(module, "av", Stub())

    return make


@pytest.fixture
def clip(tmp_path):
    return write_video(tmp_path / "a.ts", 30)


FRAMES = Frames(fps=12, grid=3, short_side=24)


def test_decoding_goes_on_after_some_damaged_packets(clip, stumble):
    stumble(range(3, 9))
    with Video(clip) as source_video:
        assert len(list(source_video.frames())) == 30 and "IndexError" in source_video.last_error


def test_decoding_ends_where_every_packet_is_damaged(clip, stumble):
    stumble(range(10, 10**9))
    views, reached = read_views_until_error(clip, FRAMES, 4, 16)
    assert len(views) == 1 and reached is None  # each time libav went on


def test_training_names_the_clip(clip, stumble):
    stumble(range(1, 10**9))
    with pytest.raises(UserError, match=r"a\.ts: no readable clip \(IndexError.*prepare the dataset again"):
        read_frames(clip, [0, 24], 12.0)


def test_training_names_a_clip_whose_frames_change_their_size(tmp_path):
    path = tmp_path / "a.webm"
    path.write_bytes(grown())
    with pytest.raises(UserError, match=r"a\.webm: no readable clip \(frames of several sizes\): prepare"):
        read_frames(path, [0, 18], 12.0)


def test_check_and_path_lists_name_the_damage(clip, stumble):
    stumble(range(5, 10**9))
    assert find_problem(Expected(clip, 30, 12.0, 48, 32)).startswith("it does not decode: IndexError")
    assert probe(clip, Limits())[0] == "undecodable"


@pytest.mark.parametrize("where", ["streams", "reformat"])
def test_predict_refuses_in_a_line(clip, monkeypatch, where):
    def fail(*_, **__):
        raise LookupError("no such stream")

    if where == "streams":
        monkeypatch.setattr(Video, "_read_header", fail)
    else:
        monkeypatch.setattr(encode_clip.VideoReformatter, "reformat", fail, raising=False)
        monkeypatch.setattr(encode_clip, "VideoReformatter", type("R", (), {"reformat": fail}))
    with pytest.raises(UserError, match=r"a\.ts: no video that can be used \(LookupError: no such stream\)"):
        read_views_until_error(clip, FRAMES, 4, 16)


def test_a_mistake_of_ours_is_no_damage(clip, monkeypatch):
    monkeypatch.setattr(Video, "ends", lambda self: {}["mistake"])
    with pytest.raises(KeyError):
        read_views_until_error(clip, FRAMES, 4, 16)


def test_too_little_memory_is_not_called_damage():
    with pytest.raises(UserError, match=r"^a\.mp4: not enough memory"), video_errors("a.mp4"):
        raise MemoryError
    with pytest.raises(UserError, match="see whether a player shows it"), video_errors("a.mp4"):
        raise Undecodable("no frame in the file")
