"""Files, folders and addresses become videos, or a reason each."""

import os
import socket
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.inference import video_inputs
from multitrain.inference.answers import Failure
from multitrain.inference.video_inputs import local_file, videos
from tests.datasets.forged import encode
from tests.datasets.server import Fault, Server, be_impatient

VIDEO = encode()


def put(path, content=b"x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_a_folder_stands_for_its_videos_at_any_depth_by_name(tmp_path):
    wanted = [put(tmp_path / "all" / name) for name in ("A.MP4", "b.webm", "z.mkv", "deep/er/c.mov")]
    for name in ("notes.txt", ".hidden.mp4", ".git/d.mp4", "mp4", "pic.jpg"):
        put(tmp_path / "all" / name)
    os.symlink(tmp_path / "all", tmp_path / "all/loop")
    lone = put(tmp_path / "no_suffix")
    assert videos([lone, str(tmp_path / "all"), "https://a.b/c.mp4"]) == [lone, *wanted, "https://a.b/c.mp4"]


def test_what_is_nothing_is_told_and_the_rest_is_kept(tmp_path):
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    good = put(tmp_path / "a.mp4")
    names = [str(tmp_path / name) for name in ("empty", "gone", "pipe", "a.mp4", "a.mp4/b")]
    names += ["", "ftp://a.b/c.mp4", "x" * 5000, "a\0b"]
    found = videos(names)
    assert found.pop(3) == good
    assert [(one.path, one.reason.split(":")[0]) for one in found] == [
        (names[0], "a folder without videos"),
        (names[1], "no such file or folder"),
        (names[2], "neither a file nor a folder"),
        (names[4], "no such file or folder"),
        (names[5], "an empty name"),
        (names[6], "an address that is not http or https"),
        (names[7], "cannot be looked at"),
        (names[8], "cannot be looked at"),
    ]


def test_a_folder_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    good, scan = put(tmp_path / "a.mp4"), os.scandir
    put(tmp_path / "closed/b.mp4")

    def scandir(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    first, second = videos([str(tmp_path)])
    assert first == good
    assert second == Failure(str(tmp_path / "closed"), "cannot be looked into: Permission denied")


@pytest.fixture
def server(tmp_path, monkeypatch):
    be_impatient(monkeypatch)
    (tmp_path / "served").mkdir()
    put(tmp_path / "served/a clip.mp4", VIDEO)
    with Server(tmp_path / "served") as server:
        yield server


def test_an_address_may_be_written_as_people_write_it(server, tmp_path):
    with local_file(f"{server.base}a clip.mp4", tmp_path) as path:
        assert path.read_bytes() == VIDEO


def test_an_address_is_a_file_for_as_long_as_it_is_needed(server, tmp_path):
    (tmp_path / "own").mkdir()
    with local_file(f"{server.base}a%20clip.mp4?key=1#part", tmp_path / "own") as path:
        assert path.read_bytes() == VIDEO and path.suffix == ".mp4"
    assert not list((tmp_path / "own").iterdir())


FAULTS = {
    "not there": (Fault(status=404), "the server answers 404"),
    "a page": (Fault(body=b"  <!DOCTYPE html><p>Sign in</p>"), "sends a page"),
    "JSON": (Fault(body=b'{"error": "no"}'), "sends a page"),
    "nothing": (Fault(body=b""), "sends nothing"),
    "in trouble": (Fault(status=500), "the server answers 500.*tries"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_no_file_is_refused_in_a_line(server, tmp_path, name):
    server.always["a clip.mp4"], why = FAULTS[name]
    address = f"{server.base}a%20clip.mp4"
    with pytest.raises(UserError, match=why) as caught, local_file(address, tmp_path):
        pass
    assert str(caught.value).startswith(f"{address}: ") and "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


@pytest.mark.parametrize("told", [True, False])
def test_a_file_without_end_is_called_off(server, tmp_path, monkeypatch, told):
    put(tmp_path / "served/large.mp4", bytes(10 << 20))
    if not told:
        server.always["large.mp4"] = Fault(headers=(("Transfer-Encoding", "identity"),))
    with (
        pytest.raises(UserError, match="more than 1 MiB"),
        local_file(f"{server.base}large.mp4", tmp_path, largest=1 << 20),
    ):
        pass
    assert video_inputs.LARGEST > 1 << 30


def test_no_server_is_a_line(tmp_path, monkeypatch):
    be_impatient(monkeypatch)
    with socket.socket() as taken:  # by somebody who does not listen
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v.mp4"
        with pytest.raises(UserError, match=address) as caught, local_file(address, tmp_path):
            pass
    assert str(caught.value).endswith("start again later")  # nothing of it is kept
