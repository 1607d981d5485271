"""The demo's server believes nothing of a request, and nobody keeps others waiting. No test waits for a clock."""

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import pytest

from multitrain.inference.demo import requests
from multitrain.inference.demo import server as demo_module
from multitrain.inference.demo.requests import LEAST_RATE, WINDOW, Handler, UploadRate, content_length, is_loopback
from multitrain.inference.demo.server import Demo, serving
from multitrain.model.files.metadata import Card, HeadData


class Quick:
    """Stands for a recogniser whose videos need no looking at."""

    card = Card(datasets={"k400": HeadData(title="K400")})


@pytest.fixture
def quick(monkeypatch) -> Iterator[Demo]:
    """A server that answers at once."""
    monkeypatch.setattr(Demo, "recognise", lambda _self, path, _send_event: {"answers": path.stat().st_size})
    with serving(Quick(), "127.0.0.1", 0, 300_000) as server:
        yield server


@pytest.fixture(autouse=True)
def no_traceback(monkeypatch) -> Iterator[None]:
    """An exception in a connection's thread is an error of the test."""
    seen = []
    monkeypatch.setattr(demo_module.ThreadingHTTPServer, "handle_error", lambda *_: seen.append(1))
    yield
    assert not seen


def connected(server: Demo) -> socket.socket:
    return socket.create_connection(server.server_address[:2], timeout=120)


def received(connection: socket.socket) -> str:
    """All that comes until the other side ends the connection."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b"")).decode()


def ended(connection: socket.socket) -> bool:
    """Wait until the other side has ended the connection, whether or not it had read all."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def asked(server: Demo, request: str) -> tuple[int, str]:
    """Status and content of the answer to a request as it is."""
    with connected(server) as connection:
        connection.sendall(request.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        head, _, content = received(connection).partition("\r\n\r\n")
    return int(head.split()[1]), content


def post(length: object, body: str = "", host: str = "localhost", **headers: str) -> str:
    more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /recognise HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n{more}\r\n{body}"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (post(3, "abc", host="[::"), 400),
        (post(3, "abc", host="["), 400),
        (post(3, "abc", host="local\u00b5host]"), 400),
        (post(3, "abc", Origin="http://["), 400),
        (post(3, "abc", Origin="http://[::1"), 400),
        ("GET / HTTP/1.1\r\nHost: [::\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: http://[\r\n\r\n", 400),
        ("GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (post("9" * 5000), 413),
        (post("0" * 5000 + "3", "abc"), 200),
        (post("x" * 5000), 411),
        (post(3, "abc"), 200),
        (post(3, "abc", host="[::1]:7860"), 200),
    ],
    ids=lambda value: str(value)[:60].replace("\r\n", " "),
)
def test_whatever_the_headers_say_there_is_an_answer(quick, request_, status):
    found, content = asked(quick, request_)
    assert found == status
    assert "error" in json.loads(content) if status != 200 else json.loads(content) == {"answers": 3}
    assert not list(quick.folder.iterdir())


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", -1),
        ("0", 0),
        ("007", 7),
        ("-5", -1),
        ("1e3", -1),
        ("\u00b2", -1),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, 10**18),
    ],
)
def test_a_length(text, length):
    assert content_length(text) == length


def test_the_pace_that_is_asked():
    now = [0.0]
    pace = UploadRate(lambda: now[0])
    for _ in range(100):  # just as fast as it has to be
        now[0] += WINDOW / 4
        pace.add(int(WINDOW / 4 * LEAST_RATE))
    now[0] += WINDOW * 0.9
    pace.add(1)  # slow, but not yet for a window
    now[0] += WINDOW * 0.2
    with pytest.raises(TimeoutError):
        pace.add(1)
    late = UploadRate(lambda: now[0])
    now[0] += 1000 * WINDOW  # a long silence is one window
    with pytest.raises(TimeoutError):
        late.add(int(999 * WINDOW * LEAST_RATE))


def test_who_sends_too_slowly_is_told_and_gone(quick, monkeypatch):
    clock = count(step=WINDOW)  # so long lies between any two looks
    monkeypatch.setattr(requests, "UploadRate", lambda: UploadRate(lambda: float(next(clock))))
    with connected(quick) as connection:
        connection.sendall(post(1000, "x").encode())
        said = received(connection)
    assert " 408 " in said and "it came too slowly" in said
    assert quick.uploads.acquire(blocking=False) and not list(quick.folder.iterdir())


def test_who_is_still_sending_keeps_nobody_waiting(quick, monkeypatch):
    """His bytes are taken meanwhile: the turn is his when his video has arrived."""
    taken, add = threading.Event(), UploadRate.add
    monkeypatch.setattr(UploadRate, "add", lambda self, size: (add(self, size), taken.set()))
    with connected(quick) as slow:
        slow.sendall(post(6, "abc").encode())
        assert taken.wait(120)
        assert asked(quick, post(3, "abc")) == (200, '{"answers": 3}\n')
        slow.sendall(b"def")
        assert received(slow).endswith('{"answers": 6}\n')


def test_one_video_is_looked_at_at_a_time(quick):
    with quick.busy, connected(quick) as connection:
        connection.sendall(post(3, "abc").encode())
        said = connection.makefile("rb")
        lines = iter(said.readline, b"")
        assert any(b"Waiting for the videos before it" in line for line in lines)
        quick.busy.release()  # the one before it is done
        assert json.loads(next(lines)) == {"answers": 3}
        assert quick.busy.acquire(timeout=120)


def test_the_end_does_not_wait_for_a_turn(monkeypatch):
    monkeypatch.setattr(Demo, "recognise", lambda *_: {"answers": 0})
    with serving(Quick(), "127.0.0.1", 0, 1000) as server, connected(server) as connection:
        assert server.busy.acquire(blocking=False)
        connection.sendall(post(3, "abc").encode())
        assert any(b"Waiting" in line for line in iter(connection.makefile("rb").readline, b""))
    assert not server.folder.exists()


def test_so_many_videos_are_taken_at_once(quick):
    with ExitStack() as held:
        while quick.uploads.acquire(blocking=False):
            held.callback(quick.uploads.release)
        assert asked(quick, post(3, "abc"))[0] == 503
    assert asked(quick, post(3, "abc"))[0] == 200
    for _ in range(demo_module.UPLOADS):
        assert quick.uploads.acquire(blocking=False)


def test_a_disk_that_is_nearly_full(quick, monkeypatch):
    usage = shutil.disk_usage(quick.folder)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=requests.FREE_BYTES))
    status, content = asked(quick, post(3, "abc"))
    assert (status, json.loads(content)) == (507, {"error": "no room for it on the disk"})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=requests.FREE_BYTES + 3))
    assert asked(quick, post(3, "abc"))[0] == 200


def test_a_disk_that_fills_meanwhile(quick, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Handler, "_receive", full)
    status, content = asked(quick, post(3, "abc"))
    assert (status, json.loads(content)) == (507, {"error": "it cannot be kept here (No space left on device)"})


def test_idle_connections_give_way(monkeypatch):
    """Many that ask nothing take a bounded number of threads, and whoever asks is answered."""
    monkeypatch.setattr(demo_module, "CONNECTIONS", 3)
    monkeypatch.setattr(Demo, "recognise", lambda *_: {"answers": 0})
    most, begin = [0], Demo.process_request_thread

    def counted(self, *arguments):
        most[0] = max(most[0], len(self._connections))
        begin(self, *arguments)

    monkeypatch.setattr(Demo, "process_request_thread", counted)
    with serving(Quick(), "127.0.0.1", 0, 1000) as server, ExitStack() as opened:
        idle = [opened.enter_context(connected(server)) for _ in range(40)]
        idle[0].sendall(b"GET / HT")  # nor does half a request count
        assert asked(server, post(3, "abc"))[0] == 200
        assert ended(idle[0]) and ended(idle[20])  # the oldest went first
        assert 0 < most[0] <= 3


def test_who_has_been_refused_gives_way(monkeypatch):
    """He may go on sending, so that his browser hears why, but not at others' cost."""
    monkeypatch.setattr(demo_module, "CONNECTIONS", 2)
    monkeypatch.setattr(Handler, "timeout", None)
    with serving(Quick(), "127.0.0.1", 0, 1000) as server, ExitStack() as opened:
        refused = [opened.enter_context(connected(server)) for _ in range(6)]
        for connection in refused:
            connection.sendall(post(5000, "abc").encode())
        assert asked(server, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 404


def test_a_connection_that_is_answered_does_not_give_way(monkeypatch):
    monkeypatch.setattr(demo_module, "CONNECTIONS", 2)
    asking, answer = threading.Event(), threading.Event()
    monkeypatch.setattr(Demo, "recognise", lambda *_: (asking.set(), answer.wait(120), {"answers": 0})[2])
    with serving(Quick(), "127.0.0.1", 0, 1000) as server, ExitStack() as opened:
        first = opened.enter_context(connected(server))
        first.sendall(post(3, "abc").encode())
        assert asking.wait(120)
        for _ in range(10):
            opened.enter_context(connected(server))
        assert asked(server, "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n")[0] == 404
        answer.set()
        assert received(first).endswith('{"answers": 0}\n')


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_loopback(host, local):
    assert is_loopback(host) is local
