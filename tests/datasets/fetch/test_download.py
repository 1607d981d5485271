"""Archives from a server that misbehaves: each is counted once and whole."""

import json
import os
import signal
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.datasets.prepare import prepare
from tests.datasets.fetch.remote import ARCHIVES, PAGE, archives_in, fetched, options, outcome, total
from tests.datasets.raw import kinetics_name, put, tar_bytes
from tests.datasets.server import Fault, Server

ROOT = Path(__file__).parents[3]


def test_downloaded_is_as_brought(server, tmp_path, local):
    fetched(server, tmp_path)
    assert outcome(tmp_path / "out") == local
    assert archives_in(tmp_path / "raw") == []
    assert {path: server.asked(path) for path in ARCHIVES} == {path: [0] for path in ARCHIVES}


def test_a_second_run_asks_for_nothing(server, tmp_path, local):
    fetched(server, tmp_path)
    before = len(server.requests)
    fetched(server, tmp_path)
    assert len(server.requests) == before
    assert outcome(tmp_path / "out") == local


def test_a_lost_clip_costs_one_archive(server, tmp_path, local):
    fetched(server, tmp_path)
    server.requests.clear()
    next((tmp_path / "out/videos").glob(f"*/{kinetics_name('train-0_002')}.mp4")).unlink()
    fetched(server, tmp_path)
    assert [path for path, _ in server.requests] == ["train/part_1.tar.gz"]
    assert outcome(tmp_path / "out") == local


FAULTS = [
    Fault(drop_after=0),
    Fault(drop_after=700),
    Fault(status=403),
    Fault(status=500),
    Fault(status=503, headers=(("Retry-After", "0"),)),
    Fault(length=100),
    Fault(length=-1),
    Fault(length=-700),
    Fault(body=PAGE),
    Fault(body=b""),
    Fault(body=b"\x1f\x8b" + b"x" * 500),
    Fault(body=tar_bytes({}, "w:gz")[:-3]),
]


@pytest.mark.parametrize(
    ("path", "fault"), list(zip(cycle(ARCHIVES), FAULTS, strict=False)), ids=lambda value: str(value)[:40]
)
def test_a_fault_changes_nothing(server, tmp_path, local, path, fault):
    server.faults[path] = [fault, fault]
    fetched(server, tmp_path)
    assert outcome(tmp_path / "out") == local
    assert len(server.asked(path)) >= 2 and archives_in(tmp_path / "raw") == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(body=PAGE), "what came is no gzip archive but '<html> <h1>Please sign in</h1></html>'"),
        (Fault(length=-1), "the archive is damaged or incomplete"),
        (Fault(body=b"\x1f\x8b" + b"x" * 500), "the archive is damaged or incomplete"),
        (Fault(status=500), "the server answers 500"),
        (Fault(status=404), "the server answers 404"),
    ],
)
def test_what_stays_wrong_names_list_line_and_address(server, tmp_path, fault, told):
    server.always["train/part_1.tar.gz"] = fault
    with pytest.raises(UserError) as caught:
        fetched(server, tmp_path)
    assert f"k400_train_path.txt:3: {server.base}train/part_1.tar.gz: " in str(caught.value)
    assert told in str(caught.value)
    assert not (tmp_path / "out/manifest.parquet").exists()
    assert len(server.asked("train/part_1.tar.gz")) == (1 if fault.status == 404 else 4)


def test_after_a_failure_it_goes_on_where_it_stopped(server, tmp_path, local):
    server.always["train/part_1.tar.gz"] = Fault(drop_after=300)
    with pytest.raises(UserError):
        fetched(server, tmp_path, attempts=2)
    server.requests.clear()
    del server.always["train/part_1.tar.gz"]
    fetched(server, tmp_path)
    assert server.requests == [("train/part_1.tar.gz", 600)]
    assert outcome(tmp_path / "out") == local


@pytest.mark.parametrize("name", ["annotations/train.csv", "train/k400_train_path.txt"])
def test_a_page_in_place_of_a_list_is_refused(server, tmp_path, local, name):
    server.faults[name] = [Fault(body=PAGE), Fault(body=b"\n"), Fault(drop_after=10)]
    fetched(server, tmp_path)
    assert outcome(tmp_path / "out") == local
    server.always[name] = Fault(body=PAGE)
    with pytest.raises(UserError, match=r"what came is no text file but '<html> <h1>Please sign in</h1></html>'"):
        fetched(server, tmp_path / "b")


def test_what_the_user_brought_is_read_and_stays(server, tmp_path, local, published):
    mine = put(tmp_path / "raw/train/part_0.tar.gz", (published / "train/part_0.tar.gz").read_bytes())
    put(tmp_path / "raw/annotations/train.csv", (published / "annotations/train.csv").read_bytes())
    fetched(server, tmp_path)
    assert outcome(tmp_path / "out") == local
    assert mine.is_file()
    asked = {path for path, _ in server.requests}
    assert not asked & {"train/part_0.tar.gz", "annotations/train.csv"}


def test_the_folder_of_another_name_is_used(server, tmp_path, local, published):
    put(tmp_path / "raw/validation/part_0.tar.gz", (published / "val/part_0.tar.gz").read_bytes())
    fetched(server, tmp_path)
    assert (tmp_path / "out/manifest.parquet").read_bytes() == local["manifest.parquet"]
    assert server.asked("val/part_0.tar.gz") == []


def test_archives_stay_if_they_are_wanted(server, tmp_path, local):
    fetched(server, tmp_path, keep_archives=True)
    assert archives_in(tmp_path / "raw") == ["part_0.tar.gz", "part_0.tar.gz", "part_1.tar.gz"]
    count = total(server)
    next((tmp_path / "out/videos").glob("*/*.mp4")).unlink()
    fetched(server, tmp_path, keep_archives=True)
    assert total(server) == count
    assert outcome(tmp_path / "out") == local


def test_replacements_come_first(server, tmp_path, published, video):
    put(published / "fix/replacement_for_corrupted_k400.tgz", tar_bytes({f"r/{kinetics_name('train000001')}.mp4": b""}))
    fetched(server, tmp_path, replacement="fix/replacement_for_corrupted_k400.tgz", max_archives=1)
    order = [path for path, _ in server.requests if path.endswith("gz")]
    assert order == ["fix/replacement_for_corrupted_k400.tgz", *ARCHIVES]
    assert archives_in(tmp_path / "raw") == []


RUN = """
import sys
from pathlib import Path
from multitrain.datasets.fetch import http_download
from multitrain.datasets.prepare import prepare
from tests.datasets.fetch.remote import options
http_download.FIRST_WAIT = 0.001
home = Path(sys.argv[2])
prepare("k400", options(sys.argv[1]), home / "raw", home / "out")
"""


@pytest.mark.parametrize("request_number", range(4, 8))
def test_killed_at_any_moment_it_ends_the_same(server, tmp_path, local, request_number):
    """SIGKILL when the server has been asked that often, in the middle of what it sends; then once more to the end."""
    for path in ARCHIVES:
        server.faults[path] = [Fault(drop_after=700)]
    number = []

    def kill(path):
        number.append(path)
        if len(number) == request_number:
            os.kill(running.pid, signal.SIGKILL)
            running.wait()

    server.seen = kill
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", RUN, server.base, str(tmp_path)]
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert running.stdout.read() == b""  # ends when the processes that it had started have ended as well
    assert running.wait() == -signal.SIGKILL
    server.seen = lambda path: None
    fetched(server, tmp_path)
    assert outcome(tmp_path / "out") == local
    assert archives_in(tmp_path / "raw") == []
    for path in ARCHIVES:
        assert server.asked(path).count(0) <= 2


def test_notes_tell_where_an_archive_came_from(server, tmp_path, published):
    fetched(server, tmp_path)
    noted = json.loads((tmp_path / "raw/train/part_1.tar.gz.json").read_text())
    assert noted["url"] == f"{server.base}train/part_1.tar.gz"
    assert noted["bytes"] == (published / "train/part_1.tar.gz").stat().st_size


def test_the_synthetic_publisher_over_http(data, scale, tmp_path):
    """Archives, lists and replacement in exactly the published formats, all of them troubled on their way."""
    published = data / "ci/k400"
    with Server(published / "raw") as server:
        names = [p.relative_to(published / "raw").as_posix() for p in (published / "raw").rglob("*gz")]
        server.faults = {name: [Fault(drop_after=20_000), Fault(status=503)] for name in names}
        wanted = options(server.base, replacement="replacement_for_corrupted_k400.tgz").download
        settings = scale.datasets["k400"].model_copy(update={"download": wanted})
        prepare("k400", settings, tmp_path / "raw", tmp_path / "out")
    assert len(names) == 4 and archives_in(tmp_path / "raw") == []
    for name in ("manifest.parquet", "missing.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (published / name).read_bytes()
