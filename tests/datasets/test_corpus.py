"""Nothing of the corpus crashes, hangs or gets lost: each video and archive ends in a clip, a line, or an error."""

import io
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Limits
from multitrain.data.manifest import REASONS
from multitrain.datasets.fetch.archives import LARGEST_TEXT, open_zip, tar_members, zip_members, zip_text
from multitrain.datasets.prepare import prepare
from multitrain.datasets.transcode.journal import Record
from multitrain.datasets.transcode.workers import Piece, Task, TranscodePool
from tests.datasets import corpus
from tests.datasets.coded import read_all
from tests.datasets.corpus_archives import member, pax, tars, zips
from tests.datasets.forged import encode
from tests.datasets.raw import MIT_FILES, MIT_VIDEOS, TRANSCODE, dataset, kinetics, missing_rows, put, put_zip

VIDEOS = corpus.videos()
TINY = encode(count=3)
CLIPS = ("train000000_000417_000427", "train000001_000417_000427")


@pytest.mark.parametrize("given", ["as bytes", "as files"])
def test_every_video_ends_as_a_clip_or_with_a_reason(given, tmp_path):
    """Beside the files lies what must not be read, and nothing but clips is written."""
    put(tmp_path / "in/bait.mp4", TINY)
    tasks, places = [], {name: tmp_path / f"out/{index}.mp4" for index, name in enumerate(VIDEOS)}
    for index, (name, (content, _)) in enumerate(VIDEOS.items()):
        source = content if given == "as bytes" else put(tmp_path / f"in/{index}.mp4", content)
        tasks.append(Task(name, name, source, (Piece(name, "", places[name], None, None),), TRANSCODE))
    with TranscodePool(2, Limits(seconds=600)) as pool:
        done = [(task.batch, records) for task, records in pool.transcode(tasks)]
    assert sorted(name for name, _ in done) == sorted(VIDEOS)
    records = {name: record for name, (record,) in done}
    wrong = {name: why for name, record in records.items() if (why := fault(name, record, places[name], tmp_path))}
    assert not wrong
    assert {*places[name].parent.iterdir()} == {places[name] for name in VIDEOS if not records[name].reason}


def fault(name: str, record: Record, path: Path, folder: Path) -> str:
    """What is wrong with what became of a video; nothing where all is as it must be."""
    if record.clip != name or VIDEOS[name][1] not in (corpus.ANY, record.reason or "clip"):
        return f"{record.clip}: {record.reason or 'clip'}: {record.detail}"
    if record.reason:
        told = record.reason in REASONS and record.detail.startswith(f"{name}: ") and str(folder) not in record.detail
        ended = "ended" in record.detail or "died" in record.detail
        return "" if told and not ended and not path.exists() else f"{record.reason}: {record.detail}"
    shown = [picture.shape for _, picture in read_all(path)]
    whole = len(shown) == record.frames >= 2 and {*shown} == {(record.height, record.width, 3)}
    return "" if whole else f"{len(shown)} frames of {record.frames}, { ({*shown}) }"


def account(reader: str, raw: Path, out: Path, archive: str) -> tuple[str, str]:
    """How preparing ended, "error", "refused" or "whole" (ANY: otherwise), and its words; the account must close."""
    before = {path for path in raw.parent.rglob("*") if out not in path.parents and path != out}
    try:
        manifest = prepare(reader, dataset(reader), raw, out)
    except UserError as error:
        words = str(error)
        assert archive in words and words.isprintable()
        assert not (out / "manifest.parquet").exists()
        return "error", words
    finally:
        assert {path for path in raw.parent.rglob("*") if out not in path.parents and path != out} == before
    missing = {row["clip_id"]: row for row in missing_rows(out)}
    found = manifest.table["clip_id"].to_pylist()
    listed = {"kinetics": 5, "mit": 3}[reader]
    assert len({*found, *missing}) == len(found) + len(missing) == listed
    assert {row["reason"] for row in missing.values()} <= set(REASONS)
    details = " ".join(row["detail"] for row in missing.values())
    assert details.isprintable()
    refused = len(missing) == 1 and "refused" in details
    return "whole" if not missing else "refused" if refused else corpus.ANY, details


TARS = tars(tuple(f"{clip}.mp4" for clip in CLIPS), TINY)


@pytest.mark.parametrize("name", TARS)
def test_a_tar_is_read_whole_or_named(name, tmp_path):
    content, expected = TARS[name]
    raw = kinetics(tmp_path / "raw", TINY)
    put(raw / "train/part_0.tar.gz", content)
    ended, words = account("kinetics", raw, tmp_path / "out", "part_0.tar.gz")
    assert expected in (ended, corpus.ANY), words


def mit(changes: dict[str, bytes | None]) -> bytes:
    """The archive of Moments in Time with members added, or left out where None."""
    files = {**{name: text.encode() for name, text in MIT_FILES.items()}, **dict.fromkeys(MIT_VIDEOS, TINY), **changes}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            if content is not None:
                archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


ZIPS = zips(MIT_VIDEOS[0], mit, TINY)


@pytest.mark.parametrize("name", ZIPS)
def test_a_zip_is_read_whole_or_named(name, tmp_path):
    content, expected = ZIPS[name]
    archive = put(tmp_path / "raw/Moments_in_Time_Raw.zip", content)
    ended, words = account("mit", archive.parent, tmp_path / "out", archive.name)
    assert expected in (ended, corpus.ANY), words


def test_the_corpus_is_large_enough():
    assert len(VIDEOS) >= 60 and len(TARS) + len(ZIPS) >= 60


def bomb(path: Path, name: str, claim: int, size: int = 64 << 20) -> Path:
    """A zip whose member inflates to `size` bytes of zeros and claims fewer."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as stream:
        for _ in range(size >> 20):
            stream.write(bytes(1 << 20))
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\1\2")
    content[entry + 24 : entry + 28] = claim.to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.fixture
def memory():
    """The most bytes that Python has held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


def test_a_member_that_inflates_beyond_its_claim_fills_no_memory(tmp_path, memory):
    inflating = next(members := zip_members(bomb(tmp_path / "a.zip", "a.mp4", 1000), str))
    with pytest.raises(zipfile.BadZipFile), inflating.content() as stream:
        stream.read()
    members.close()
    with open_zip(tmp_path / "a.zip") as archive, pytest.raises(UserError, match="damaged"):
        zip_text(archive, "a.mp4", "a.zip: a.mp4")
    assert memory() < 20 << 20


def test_a_text_of_an_absurd_size_is_refused_before_it_is_read(tmp_path, memory):
    path = bomb(tmp_path / "a.zip", "a.csv", LARGEST_TEXT + 1, 1 << 20)
    with open_zip(path) as archive, pytest.raises(UserError, match=r"a.zip: a.csv: it claims \d+ bytes"):
        zip_text(archive, "a.csv", f"{path}: a.csv")
    assert memory() < 20 << 20


def test_a_text_is_read_as_it_is(tmp_path):
    text = bytes(range(256)) * 4000
    path = put_zip(tmp_path / "a.zip", {"a.csv": text})
    with open_zip(path) as archive:
        assert zip_text(archive, "a.csv", "a.csv") == text


class Endless(io.RawIOBase):
    """A stream, as a small archive may inflate to, that goes on for as long as it is read."""

    def __init__(self, head: bytes, filler: bytes):
        self._head, self._filler, self._given = head, filler, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        assert self._given < 16 << 20, "reads on and on"
        block = (self._head or self._filler * 32)[: len(buffer)]
        self._head = self._head[len(block) :]
        self._given += len(block)
        buffer[: len(block)] = block
        return len(block)


HOLES = {"GNU__sparse__major": "1", "GNU__sparse__minor": "0", "GNU__sparse__realsize": "9"}


@pytest.mark.parametrize(
    ("head", "filler"),
    [
        (member("x", b"", type=tarfile.GNUTYPE_LONGNAME, size=1 << 32), bytes(512)),
        (member("x", b"", type=tarfile.XHDTYPE, size=1 << 32), bytes(512)),
        (pax(size=str(1 << 40)) + member("x", b""), bytes(512)),
        (pax(**HOLES) + member("x", b"", size=1 << 30) + b"999999999\n", b"1\n" * 256),
    ],
    ids=["long name", "extended header", "size", "map of holes"],
)
def test_a_tar_that_claims_the_absurd_is_not_read_to_find_out(head, filler):
    with pytest.raises(UserError, match=r"a\.tar: the archive is damaged"):
        list(tar_members(Endless(head, filler), "a.tar", "a", str))
