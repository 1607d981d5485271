"""A decoder that hangs or dies costs its own video; what is larger or longer than the limits is refused."""

import io
from pathlib import Path

import pytest

from multitrain.common import process_pool
from multitrain.common.errors import UserError
from multitrain.config.scale import Limits
from multitrain.datasets.prepare import prepare
from multitrain.datasets.transcode import workers
from multitrain.datasets.transcode.encode_clip import WIDEST, transcode
from multitrain.datasets.transcode.journal import ClipStore, Record
from multitrain.datasets.transcode.refused import Undecodable
from multitrain.datasets.transcode.source_video import DEFAULT, Video
from multitrain.datasets.transcode.workers import Piece, Task, TranscodePool
from tests.datasets import deadly
from tests.datasets.forged import encode, grown, shaped
from tests.datasets.raw import TRANSCODE, dataset, kinetics

TINY = encode(count=3)


def task(name: str, folder: Path, content: bytes = TINY, count: int = 1) -> Task:
    pieces = (Piece(f"{name}{i or ''}", "", folder / f"{name}{i}.mp4", None, None) for i in range(count))
    return Task("batch", f"{name}.mp4", content, tuple(pieces), TRANSCODE)


def outcome(jobs: int, tasks: list[Task], limits: Limits = DEFAULT) -> dict[str, str]:
    """Reason or empty, by clip; each clip has one record."""
    with TranscodePool(jobs, limits) as running:
        records = [record for _, made in running.transcode(tasks) for record in made]
    assert sorted(r.clip for r in records) == sorted(p.clip_id for t in tasks for p in t.pieces)
    return {record.clip: record.detail if record.reason else "" for record in records}


@pytest.fixture
def out(tmp_path, monkeypatch) -> Path:
    """Where the clips go; a process is said to be late when it has fallen asleep."""
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.setattr(process_pool._Worker, "remaining", deadly.awake(folder))
    return folder


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize(
    ("work", "words"), [(deadly.hang, "not done after 600 s, its decoder was ended"), (deadly.make, "died")]
)
def test_a_video_that_hangs_or_kills_its_process_costs_only_itself(out, monkeypatch, jobs, work, words):
    monkeypatch.setattr(workers, "make", work)
    names = ["a", "b", deadly.VICTIM, "c", "d", "e"]
    found = outcome(jobs, [task(name, out) for name in names])
    assert words in found.pop(deadly.VICTIM)
    assert set(found.values()) == {""}
    assert {path.name for path in out.glob("*.mp4")} == {f"{name}0.mp4" for name in found}


def test_every_video_may_hang_and_what_was_made_before_stays(out, monkeypatch):
    monkeypatch.setattr(workers, "make", deadly.hang_later)
    found = outcome(2, [task(name, out, count=3) for name in "abc"])
    assert {name for name, detail in found.items() if not detail} == {"a", "b", "c"}
    assert all("ended" in detail for detail in found.values() if detail) and len(found) == 9


@pytest.mark.parametrize(("work", "words"), [(deadly.hang, "ended"), (deadly.make, "died")])
def test_a_preparation_lists_what_hung_or_died(tmp_path, monkeypatch, work, words):
    raw, folder = kinetics(tmp_path / "raw", TINY), tmp_path / "out"
    monkeypatch.setattr(workers, "make", work)
    place = ClipStore(folder, TRANSCODE).path(deadly.VICTIM).parent
    monkeypatch.setattr(process_pool._Worker, "remaining", deadly.awake(place))
    assert len(prepare("k400", dataset("kinetics"), raw, folder, jobs=2)) == 4
    (line,) = (folder / "missing.csv").read_text().splitlines()[1:]
    assert line.startswith(f"{deadly.VICTIM},") and "undecodable" in line and words in line
    assert not list(folder.rglob(".partial-*")) + list(folder.rglob("asleep-*"))
    assert ClipStore(folder, TRANSCODE).record(deadly.VICTIM).limited == (words == "ended")


def test_what_a_limit_refused_is_tried_again_under_another(out):
    limits = Limits(pixels=100)
    store = ClipStore(out, TRANSCODE, limits)
    with TranscodePool(1, limits) as running:
        for number, content in enumerate([TINY, b"no video"]):
            for _, records in running.transcode([task(f"clip{number}", out, content)]):
                store.add(records)
    store.add([Record("other", "another batch", "", reason="undecodable")])
    store.stamp("batch", "stamp")
    store.stamp("another batch", "stamp")
    again = ClipStore(out, TRANSCODE, limits)
    assert again.record("clip0").limited and not again.record("clip1").limited and again.of_batch("batch", "stamp")
    for wider in (ClipStore(out, TRANSCODE, Limits(pixels=101)), ClipStore(out, TRANSCODE, Limits(pixels=101))):
        assert wider.record("clip0") is None and wider.of_batch("batch", "stamp") is None
        assert wider.record("clip1") and wider.of_batch("another batch", "stamp")


def test_what_cannot_be_written_is_no_fault_of_the_video(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with TranscodePool(1) as running, pytest.raises(UserError, match="file: a clip could not be written: "):
        list(running.transcode([task("a", tmp_path / "file")]))  # a file where the folder should be


def test_absurd_numbers_are_the_fault_of_the_video(tmp_path, monkeypatch):
    def raises(*_):
        raise OverflowError("a time\nof centuries")

    monkeypatch.setattr(workers, "transcode", raises)
    (record,) = workers.make(task("a", tmp_path), Limits())
    assert (record.reason, record.detail) == (
        "undecodable",
        "a.mp4: makes no sense (OverflowError: a time of centuries)",
    )


@pytest.mark.parametrize(
    ("content", "limits", "words"),
    [
        (encode(size=(64, 48)), Limits(pixels=64 * 48 - 1), "64x48: a frame has more than 3071 pixels"),
        (encode("webm", "libvpx-vp9", size=(64, 48)), Limits(pixels=3071), "more than 3071 pixels"),
        (encode(count=26), Limits(minutes=2 / 60), "its header says 2 s: longer than 0.0333333 minutes"),
        (encode("webm", "libvpx-vp9", count=26, muxing={"live": "1"}), Limits(minutes=2 / 60), "a frame at 2 s"),
    ],
    ids=["pixels", "pixels of webm", "minutes", "minutes that no header tells"],
)
def test_a_video_beyond_a_limit_is_refused(tmp_path, content, limits, words):
    with pytest.raises(Undecodable, match=words):
        transcode(io.BytesIO(content), tmp_path / "a.mp4", TRANSCODE, limits=limits)
    assert list(tmp_path.iterdir()) == []


def test_a_video_at_the_limit_is_taken(tmp_path):
    limits = Limits(pixels=64 * 48, minutes=2 / 60)
    assert transcode(io.BytesIO(encode(size=(64, 48), count=24)), tmp_path / "a.mp4", TRANSCODE, limits=limits)


def test_pieces_before_the_limit_need_no_frame_behind_it(tmp_path):
    content = encode("webm", "libvpx-vp9", count=40, muxing={"live": "1"})
    clip = transcode(io.BytesIO(content), tmp_path / "a.mp4", TRANSCODE, 0, 1, Limits(minutes=2 / 60))
    assert clip.frames == 12


def test_frames_that_grow_behind_the_header_are_not_decoded():
    with Video(io.BytesIO(grown()), Limits(pixels=100 * 100)) as video:
        sizes = {(frame.width, frame.height) for _, frame in video.frames()}
    assert sizes == {(32, 32)}
    with Video(io.BytesIO(grown())) as video:
        assert (320, 240) in {(frame.width, frame.height) for _, frame in video.frames()}


@pytest.mark.parametrize(("horizontal", "vertical"), [(1000, 1), (65535, 1)])
def test_a_clip_wider_than_any_screen_is_refused(tmp_path, horizontal, vertical):
    with pytest.raises(Undecodable, match=r"the clip would be \d{5,}x24"):
        transcode(io.BytesIO(shaped(encode(), horizontal, vertical)), tmp_path / "a.mp4", TRANSCODE)


def test_the_widest_clip_can_be_written(tmp_path):
    clip = transcode(io.BytesIO(encode(size=(WIDEST, 2), count=2)), tmp_path / "a.mp4", TRANSCODE)
    assert (clip.width, clip.height) == (WIDEST, 2)
