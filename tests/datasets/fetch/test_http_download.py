"""One file from a server that misbehaves: it comes whole, or an error says why not."""

import errno
import itertools
import os
import socket
import sys
import threading
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import requests

from multitrain.common.errors import UserError
from multitrain.datasets.fetch import http_download
from multitrain.datasets.fetch.http_download import Downloader, WrongContent
from tests.datasets.raw import put
from tests.datasets.server import Fault, Server, be_impatient

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def published(tmp_path) -> Path:
    """What the host holds."""
    put(tmp_path / "published/file.bin", CONTENT)
    return tmp_path / "published"


@pytest.fixture
def one() -> str:
    return "file.bin"


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The seconds that were waited, which are not waited here."""
    seen = []
    monkeypatch.setattr(threading.Event, "wait", _noting(seen, threading.Event.wait))
    return seen


def _noting(seen, original):
    def wait(self, timeout=None):
        if sys._getframe(1).f_code.co_name == "wait_before_retry":
            seen.append(timeout)
            return False
        return original(self, timeout)

    return wait


def plain(_: Path) -> None:
    """Any content is right."""


def get(server: Server, name: str, folder: Path, attempts: int = 4, check=plain) -> bytes:
    Downloader(attempts).fetch(server.base + name, folder / "target", check)
    left = sorted(path.name for path in folder.iterdir() if path.name.startswith("target"))
    assert left == ["target"]
    return (folder / "target").read_bytes()


@pytest.mark.parametrize("points", [(0,), (1,), (5000,), (5000, 0, 1, 5000), (len(CONTENT) - 1,)])
def test_a_dropped_connection_is_continued(server, one, tmp_path, points):
    server.faults[one] = [Fault(drop_after=point) for point in points]
    assert get(server, one, tmp_path, attempts=5) == CONTENT
    there = [sum(points[:i]) for i in range(len(points) + 1)]
    assert server.asked(one) == [min(first, len(CONTENT)) for first in there]


@pytest.mark.parametrize("status", [403, 408, 429, 500, 502, 503])
def test_a_server_in_trouble_is_asked_again(server, one, tmp_path, status):
    server.faults[one] = [Fault(status=status)] * 3
    assert get(server, one, tmp_path) == CONTENT
    assert len(server.asked(one)) == 4


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_server_that_stays_in_trouble_is_given_up(server, one, tmp_path, status):
    server.always[one] = Fault(status=status, body=b"<Error>\n<Code>AccessDenied</Code>\x1b[2J</Error>")
    with pytest.raises(UserError) as caught:
        get(server, one, tmp_path)
    told = str(caught.value)
    assert told.startswith(f"{server.base}{one}: the server answers {status} (<Error> <Code>AccessDenied</Code>")
    assert "(4 tries)" in told and "start again later" in told and told.isprintable()
    assert len(server.asked(one)) == 4


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_what_is_gone_is_told_at_once(server, one, tmp_path, status):
    server.always[one] = Fault(status=status)
    with pytest.raises(UserError, match=f"file.bin: the server answers {status}.*see whether the address is right"):
        get(server, one, tmp_path)
    assert len(server.asked(one)) == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("17", 17.0),
        ("999999", http_download.LONGEST_WAIT),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2115 07:28:00 GMT", http_download.LONGEST_WAIT),
        ("soon", 0.001),
        ("-5", 0.001),
    ],
)
def test_retry_after_is_kept_within_bounds(server, one, tmp_path, waits, text, seconds, capsys):
    server.faults[one] = [Fault(status=503, headers=(("Retry-After", text),))]
    assert get(server, one, tmp_path) == CONTENT
    assert waits == [seconds]
    told = f"{server.base}{one}: the server answers 503 (<Error>no such key</Error>): again in {seconds:.0f} s\n"
    assert capsys.readouterr().err == (told if seconds >= 1 else "")


def test_waits_grow_and_headway_ends_them(server, tmp_path, waits, monkeypatch):
    monkeypatch.setattr(http_download, "PROGRESS_BYTES", 1000)
    server.faults["file.bin"] = [Fault(status=500), Fault(status=500), Fault(drop_after=1000), Fault(drop_after=999)]
    assert get(server, "file.bin", tmp_path, attempts=3) == CONTENT
    assert waits == [0.001, 0.002, 0.001, 0.001]


def test_a_server_that_ignores_range_is_read_from_the_start(server, one, tmp_path):
    server.faults[one] = [Fault(drop_after=5000), Fault(whole=True, drop_after=100), Fault(whole=True)]
    assert get(server, one, tmp_path) == CONTENT
    assert server.asked(one) == [0, 5000, 100]


def test_one_that_ignores_range_and_always_breaks_off_is_given_up(server, one, tmp_path):
    server.always[one] = Fault(drop_after=5000, whole=True)
    with pytest.raises(UserError, match=r"\(4 tries\)"):
        get(server, one, tmp_path)
    assert len(server.asked(one)) == 4


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        (Fault(), [0, 5000]),
        (Fault(ignores_if_range=True), [0, 5000, 0]),
        (Fault(ignores_if_range=True, tag='W/"x"'), [0, 5000, 0]),
    ],
)
def test_a_file_that_changed_meanwhile_is_read_from_the_start(server, one, published, tmp_path, changed, asked):
    server.faults[one] = [Fault(drop_after=5000), changed]
    with pytest.raises(UserError):
        get(server, one, tmp_path, attempts=1)
    put(published / one, CONTENT[::-1])
    assert get(server, one, tmp_path) == CONTENT[::-1]
    assert server.asked(one) == asked


def test_a_weak_validator_is_compared_but_not_sent(server, one, tmp_path):
    server.faults[one] = [Fault(drop_after=5000, tag='W/"1"'), Fault(tag='W/"1"')]
    assert get(server, one, tmp_path) == CONTENT
    assert server.asked(one) == [0, 5000]
    assert [headers.get("If-Range") for headers in server.headers] == [None, None]


def test_a_file_that_shrank_meanwhile_is_read_from_the_start(server, one, published, tmp_path):
    put(tmp_path / "target.part", CONTENT)
    put(published / one, CONTENT[:500])
    assert get(server, one, tmp_path) == CONTENT[:500]


def test_all_of_it_was_there_already(server, one, tmp_path):
    put(tmp_path / "target.part", CONTENT)
    assert get(server, one, tmp_path) == CONTENT
    assert server.asked(one) == [len(CONTENT)]


def test_too_long_a_content_length_ends_with_the_whole_file(server, one, tmp_path):
    server.faults[one] = [Fault(length=100)]
    assert get(server, one, tmp_path) == CONTENT


def test_a_check_that_fails_starts_over_and_is_bounded(server, one, tmp_path):
    server.faults[one] = [Fault(drop_after=5000)]

    def never(path: Path) -> None:
        raise WrongContent("wrong")

    with pytest.raises(UserError, match=r"file.bin: wrong \(4 tries\)"):
        get(server, one, tmp_path, check=never)
    assert server.asked(one) == [0, 5000, 0, 0]
    assert not list(tmp_path.glob("target*"))


def test_redirects_are_followed_but_not_to_other_protocols(server, one, tmp_path, published):
    server.always["moved"] = Fault(redirect="/file.bin")
    assert get(server, "moved", tmp_path) == CONTENT
    server.always["away"] = Fault(redirect=f"file://{published}/file.bin")
    with pytest.raises(UserError, match=r"away: No connection adapters .*file:///"):
        Downloader(4).fetch(server.base + "away", tmp_path / "other", plain)
    assert not (tmp_path / "other").exists()


def test_no_redirect_leads_from_https_to_http():
    answer = requests.Response()
    answer.status_code, answer.url = 302, "https://example.org/a"
    session = http_download._Session()
    for target in ("/b", "https://example.com/b"):
        answer.headers["location"] = target
        assert session.get_redirect_target(answer) == target
    answer.headers["location"] = "http://example.org/b"
    with pytest.raises(requests.exceptions.InvalidSchema, match=r"from https to 'http://example.org/b'"):
        session.get_redirect_target(answer)


def test_no_password_is_sent_and_nothing_packed_is_asked_for(server, one, tmp_path, monkeypatch):
    monkeypatch.setenv("NETRC", str(put(tmp_path / "netrc", "default login me password secret\n")))
    assert get(server, one, tmp_path) == CONTENT
    (headers,) = server.headers
    assert headers.get("Authorization") is None and headers["Accept-Encoding"] == "identity"


def test_the_environment_names_the_proxy(server, one, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.base)
    Downloader(1).fetch("http://example.invalid/file.bin", tmp_path / "target", plain)
    assert (tmp_path / "target").read_bytes() == CONTENT


def test_certificates_that_are_not_there_are_told(tmp_path, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(UserError, match=r"^https://127.0.0.1:1/x: .*nowhere.pem.*see whether"):
        Downloader(2).fetch("https://127.0.0.1:1/x", tmp_path / "target", plain)


def test_a_full_disk_is_told_and_what_came_stays(server, one, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"target.part: No space left on device: make room and start again"):
        get(server, one, tmp_path)
    monkeypatch.undo()
    be_impatient(monkeypatch)
    assert get(server, one, tmp_path) == CONTENT
    assert server.asked(one) == [0, len(CONTENT)]


@pytest.mark.parametrize(("rate", "given_up"), [(900, True), (1100, False)])
def test_a_trickle_is_given_up(monkeypatch, rate, given_up):
    """Blocks that come every ten seconds."""
    clock = itertools.count(0, 10)
    monkeypatch.setattr(http_download, "monotonic", lambda: next(clock))
    blocks = [bytes(10 * rate)] * 20
    answer = SimpleNamespace(raw=SimpleNamespace(read1=lambda *_, **__: blocks.pop() if blocks else b""))
    with pytest.raises(http_download._AttemptFailed, match="less than 1000 bytes") if given_up else nullcontext():
        assert len(list(http_download._blocks(answer))) == 20


def test_a_slow_start_is_waited_for(server, one, tmp_path):
    start = threading.Event()
    server.faults[one] = [Fault(wait=start)]
    server.seen = lambda path: threading.Timer(0.3, start.set).start()
    assert get(server, one, tmp_path, attempts=1) == CONTENT


def test_a_server_that_says_nothing_is_left(server, one, tmp_path, monkeypatch):
    patience = http_download.STALL
    monkeypatch.setattr(http_download, "STALL", 1)
    server.faults[one] = [Fault(wait=threading.Event())]
    server.seen = lambda path: monkeypatch.setattr(http_download, "STALL", patience)  # the next may take its time
    assert get(server, one, tmp_path, attempts=100) == CONTENT
    assert server.asked(one) == [0, 0]


def test_nobody_there(tmp_path):
    with (
        socket.socket() as taken,
        pytest.raises(UserError, match=r"file.bin: Failed to establish .*refused \(2 tries\)"),
    ):
        taken.bind(("127.0.0.1", 0))  # nobody else can get the port, and nobody listens
        Downloader(2).fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/file.bin", tmp_path / "target", plain)


@pytest.mark.parametrize("fault", [Fault(wait=threading.Event()), Fault(pause_after=5000)], ids=["headers", "body"])
def test_a_download_can_be_stopped(server, one, tmp_path, fault, monkeypatch):
    monkeypatch.setattr(http_download, "STALL", 10_000)
    asked = threading.Event()
    server.faults[one] = [fault]
    running = Downloader(4)
    caught = []
    if fault.wait:
        server.seen = lambda path: asked.set()

    def fetch():
        try:
            running.fetch(server.base + one, tmp_path / "target", plain, lambda there, total: asked.set())
        except http_download.Cancelled:
            caught.append("stopped")

    thread = threading.Thread(target=fetch)
    thread.start()
    asked.wait(600)
    running.stop()
    thread.join(600)
    assert caught == ["stopped"]
