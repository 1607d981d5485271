"""Few archives lie on the disk at once, and the next one comes while one is read."""

import threading

import pytest

from multitrain.datasets.fetch import download
from tests.datasets.fetch.remote import LISTS, archives_in, fetched, outcome
from tests.datasets.raw import kinetics_name, put, tar_bytes


@pytest.fixture
def many(published, video) -> int:
    """The clips to train on in eight archives, most of which hold nothing that is wanted."""
    for number in range(2, 8):
        put(published / f"train/part_{number}.tar.gz", tar_bytes({f"unlisted{number}.mp4": video}))
    put(published / LISTS["train"], "".join(f"train/part_{number}.tar.gz\n" for number in range(8)))
    return 9


@pytest.mark.parametrize("bound", [1, 2, 3, 20])
def test_few_archives_lie_on_the_disk_at_once(server, tmp_path, many, local, bound, monkeypatch):
    counts = []

    def count(*_):
        counts.append(len(archives_in(tmp_path / "raw")))

    monkeypatch.setattr(download, "_verified_digest", _before(count, download._verified_digest))
    server.seen = count
    fetched(server, tmp_path, max_archives=bound)
    assert len(counts) > many and max(counts) <= bound
    assert outcome(tmp_path / "out") == local


def _before(first, then):
    def both(*arguments):
        first()
        return then(*arguments)

    return both


def test_the_next_archive_comes_while_one_is_read(server, tmp_path, many, monkeypatch):
    """With room for two, the second is asked for although the first is not left before that."""
    asked = threading.Event()
    server.seen = lambda path: path == "train/part_0.tar.gz" and asked.set()
    seen = []
    original = download.ArchiveDownloads.available.__wrapped__

    def available(self, remote):
        for _ in original(self, remote):
            if not seen:
                seen.append(asked.wait(600))
            yield

    monkeypatch.setattr(download.ArchiveDownloads, "available", download.contextmanager(available))
    fetched(server, tmp_path, max_archives=2)
    assert seen == [True]


def test_leftovers_of_a_killed_run_do_not_break_the_bound(server, tmp_path, local, many):
    """Archives that were read already, and such that come much later, have no right to the disk."""
    fetched(server, tmp_path, keep_archives=True)
    put(tmp_path / "raw/train/part_7.tar.gz.part", b"x")
    next((tmp_path / "out/videos").glob("*/*.mp4")).unlink()
    fetched(server, tmp_path, max_archives=1)
    assert archives_in(tmp_path / "raw") == []
    assert outcome(tmp_path / "out") == local


def test_an_archive_replaced_at_the_publisher_is_read_anew(server, tmp_path, published, video):
    fetched(server, tmp_path, max_archives=1)
    files = {f"{kinetics_name(name)}.mp4": video + b"\0" for name in ("train000000", "train000001")}
    put(published / "train/part_0.tar.gz", tar_bytes(files))
    next((tmp_path / "out/videos").glob(f"*/{kinetics_name('train000001')}.mp4")).unlink()
    assert len(fetched(server, tmp_path, max_archives=1)) == 5
    assert archives_in(tmp_path / "raw") == []
    before = len(server.requests)
    fetched(server, tmp_path, max_archives=1)
    assert len(server.requests) == before
