import json

import pytest

from multitrain.datasets.transcode.journal import ClipStore, Record
from tests.datasets.raw import TRANSCODE


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "out"


def add(store: ClipStore, name: str, batch: str = "b", content: bytes = b"clip") -> Record:
    path = store.path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    record = Record(name, batch, "source", 30, 12.0, 24, 24, len(content))
    store.add([record])
    return record


def test_records_outlive_the_process(folder):
    record = add(ClipStore(folder, TRANSCODE), "a")
    store = ClipStore(folder, TRANSCODE)
    assert store.record("a") == record == store.record("a", "source")
    assert store.record("a", "another source") is None
    assert store.record("b") is None


@pytest.mark.parametrize("harm", ["gone", "shorter"])
def test_a_record_holds_as_long_as_its_file(folder, harm):
    add(ClipStore(folder, TRANSCODE), "a")
    store = ClipStore(folder, TRANSCODE)
    store.path("a").unlink() if harm == "gone" else store.path("a").write_bytes(b"cli")
    assert store.record("a") is None


def test_a_line_cut_short_costs_only_itself(folder):
    store = ClipStore(folder, TRANSCODE)
    add(store, "a")
    journal = folder / "videos/journal.jsonl"
    journal.write_text(journal.read_text() + '{"clip": "b", "bat')
    add(ClipStore(folder, TRANSCODE), "c")  # and this process dies too, before it could write the journal anew
    store = ClipStore(folder, TRANSCODE)
    assert store.record("a") and store.record("c") and not store.record("b")


def test_a_batch_is_known_under_its_stamp_while_its_clips_are_whole(folder):
    store = ClipStore(folder, TRANSCODE)
    records = [add(store, "a"), add(store, "b")]
    add(store, "c", batch="other")
    store.stamp("b", "stamp")
    store = ClipStore(folder, TRANSCODE)
    assert store.of_batch("b", "stamp") == records
    assert store.of_batch("b", "another stamp") is None
    assert store.of_batch("other", "stamp") is None
    store.path("a").unlink()
    assert store.of_batch("b", "stamp") is None


def test_a_batch_that_is_being_read_is_not_known(folder):
    store = ClipStore(folder, TRANSCODE)
    store.stamp("b", "stamp")
    store.stamp("b", "")
    assert ClipStore(folder, TRANSCODE).of_batch("b", "stamp") is None


def test_closing_keeps_what_it_is_given(folder):
    store = ClipStore(folder, TRANSCODE)
    kept = add(store, "a")
    add(store, "b")
    store.close({"a": kept}, [])
    assert [path.stem for path in (folder / "videos").glob("*/*")] == ["a"]
    assert [json.loads(line)["clip"] for line in (folder / "videos/journal.jsonl").open()] == ["a"]


def test_other_settings_clear_the_folder(folder):
    add(ClipStore(folder, TRANSCODE), "a")
    (folder / "manifest.parquet").write_bytes(b"of the old clips")
    store = ClipStore(folder, TRANSCODE.model_copy(update={"crf": 30}))
    assert store.record("a") is None
    assert not store.path("a").exists() and not (folder / "manifest.parquet").exists()
