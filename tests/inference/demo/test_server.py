"""The demo's page takes one video at a time, says what is wrong in the page, and keeps nothing."""

import http.client
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.inference.demo import server as demo_module
from multitrain.inference.demo.requests import Handler
from multitrain.inference.demo.server import serving
from multitrain.inference.predict import Recogniser
from multitrain.inference.timelines.timeline import make_timeline
from multitrain.inference.timelines.timeline_page import LEFT, RIGHT
from tests.datasets.coded import write_video
from tests.inference.browser import browser

LIMIT = 300_000


@pytest.fixture(scope="module")
def server(recogniser):
    with serving(recogniser, "127.0.0.1", 0, LIMIT) as running:
        yield running


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "clip.mp4", 72)


def ask(server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, list[dict] | str]:
    """Status and events (or the page) of a request."""
    connection = http.client.HTTPConnection(*server.server_address[:2], timeout=120)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    content = response.read().decode()
    connection.close()
    if response.headers["Content-Type"] != "application/x-ndjson":
        return response.status, content
    return response.status, [json.loads(line) for line in content.splitlines()]


def test_a_video_gets_the_answers_that_predict_gives(server, video):
    status, events = ask(server, "POST", "/recognise", video.read_bytes())
    stages = [event.get("stage") for event in events[:2]]
    assert status == 200 and stages == ["Looking at the whole video", "Looking at its parts"]
    done = [event["done"] for event in events[1:-1] if event["stage"] == stages[1]]
    assert done == sorted(done) and done[-1] == 1
    answer = server.recogniser.answer(video)
    for name, classes in answer.top(5).items():
        assert server.titles[name] in events[-1]["answers"]
        for label, share in classes:
            assert f'>{label}</span><span class="share">{100 * share:.1f} %<' in events[-1]["answers"]
    assert events[-1]["data"]["seconds"] == pytest.approx(6)
    assert not list(server.folder.iterdir())


def test_what_decided_the_surest_moment_of_each_dataset_is_shown(server, video):
    _, events = ask(server, "POST", "/recognise", video.read_bytes())
    stages = [event["stage"] for event in events[:-1]]
    assert stages[-2:] == ["Looking for what decided"] * 2 and stages.count(stages[-1]) == 2
    page = events[-1]["panels"]
    assert page.count("data:image/png;base64,") == page.count('class="explained"') == 2
    timeline = make_timeline(server.recogniser, video, 6.0)
    marks = [float(x) for x in re.findall(r'class="explained" d="M(\S+) ', page)]
    for x, (name, classes) in zip(marks, timeline.classes.items(), strict=True):
        moment, label = np.unravel_index(timeline.scores[name].argmax(), timeline.scores[name].shape)
        assert x == pytest.approx(LEFT + (RIGHT - LEFT) * timeline.middles[moment] / 6, abs=20)
        surest = classes[label]
        (said,) = re.findall(rf"What decided {surest} at .*?: (\S+) %;", page)
        assert float(said) == pytest.approx(100 * timeline.scores[name].max(), abs=0.06)  # as the curve has it


def test_without_explanations_there_are_curves_alone(recogniser, video):
    with serving(recogniser, "127.0.0.1", 0, LIMIT, explained=False) as server:
        _, events = ask(server, "POST", "/recognise", video.read_bytes())
    assert "data:image" not in events[-1]["panels"] and "What decided" not in events[-1]["panels"]


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a text, not a video" * 50, "no video that can be used"), (b"\x00" * 5000, "no video that can be used")],
)
def test_a_wrong_file_gives_a_message_and_leaves_nothing(server, content, said):
    status, events = ask(server, "POST", "/recognise", content)
    assert status == 200 and events[-1]["error"].startswith(said)
    assert str(server.folder) not in json.dumps(events) and not list(server.folder.iterdir())


def test_an_error_of_the_program_is_a_message_too(server, video, monkeypatch):
    monkeypatch.setattr(demo_module, "video_seconds", lambda *_: 1 / 0)
    _, events = ask(server, "POST", "/recognise", video.read_bytes())
    assert events[-1] == {"error": "something went wrong here (ZeroDivisionError); the terminal says more"}
    assert not list(server.folder.iterdir()) and not server.busy.locked()


def test_a_later_error_does_not_say_where_the_file_lay(server, video, monkeypatch):
    def fail(_: Recogniser, path: Path) -> float:
        raise UserError(f"{path}: odd")

    monkeypatch.setattr(demo_module, "video_seconds", fail)
    assert ask(server, "POST", "/recognise", video.read_bytes())[1][-1] == {"error": "odd"}


def test_too_large_a_video_is_refused_unread(server):
    status, events = ask(server, "POST", "/recognise", b"x" * (LIMIT + 1))
    assert (status, events) == (413, [{"error": "larger than 0 MB"}])
    with socket.create_connection(server.server_address[:2], timeout=60) as connection:  # nothing but a claim is sent
        connection.sendall(b"POST /recognise HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999999999\r\n\r\n")
        assert b" 413 " in connection.recv(100)


@pytest.mark.parametrize("length", ["", "0", "-5", "1e3", "²"])
def test_a_length_that_is_none_is_refused(server, length):
    with socket.create_connection(server.server_address[:2], timeout=60) as connection:
        request = f"POST /recognise HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        connection.sendall(request.encode("latin-1", "replace"))
        connection.shutdown(socket.SHUT_WR)
        assert b" 411 " in connection.recv(100)


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}, {"Host": ""}]
)
def test_other_sites_cannot_use_it(server, headers):
    assert ask(server, "GET", "/", **headers)[0] == 403
    assert ask(server, "POST", "/recognise", b"abc", **headers)[0] == 403


def test_one_video_after_another(server, video):
    assert [ask(server, "POST", "/recognise", video.read_bytes())[0] for _ in range(2)] == [200, 200]


def test_who_leaves_while_sending_leaves_nothing(server, monkeypatch):
    recognise, ended = Handler._recognise, threading.Event()

    def told(self, size):
        try:
            recognise(self, size)
        finally:
            ended.set()

    monkeypatch.setattr(Handler, "_recognise", told)
    with socket.create_connection(server.server_address[:2], timeout=60) as connection:
        connection.sendall(b"POST /recognise HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
    assert ended.wait(120)
    assert not list(server.folder.iterdir()) and not server.busy.locked()


def test_the_page_may_ask_nobody_else(server):
    status, html = ask(server, "GET", "/")
    assert status == 200 and "://" not in html and "K400" in html and "synthetic" in html
    assert "connect-src 'self'" in server.policy and "default-src 'none'" in server.policy
    assert ask(server, "GET", "/etc/passwd")[0] == ask(server, "GET", "/../x")[0] == 404


def test_nothing_is_left_when_it_ends_in_the_midst_of_a_video(recogniser, video, monkeypatch):
    looked, ended = threading.Event(), threading.Event()
    original = demo_module.video_seconds

    def slow(*arguments):
        looked.set()
        assert ended.wait(120)
        return original(*arguments)

    monkeypatch.setattr(demo_module, "video_seconds", slow)
    events = []
    with serving(recogniser, "127.0.0.1", 0, LIMIT) as server:
        asking = threading.Thread(
            target=lambda: events.extend(ask(server, "POST", "/recognise", video.read_bytes())[1])
        )
        asking.start()
        assert looked.wait(120) and list(server.folder.iterdir())
        server.stopping.set()
        ended.set()
    asking.join()
    assert not server.folder.exists() and [event for event in events if "answers" in event] == []


def test_a_silent_connection_does_not_hold_up_the_end(recogniser, monkeypatch):
    monkeypatch.setattr(Handler, "timeout", None)
    opened, done = threading.Event(), threading.Event()
    monkeypatch.setattr(Handler, "handle", lambda self: (opened.set(), BaseHTTPRequestHandler.handle(self)))

    def end():
        with serving(recogniser, "127.0.0.1", 0, LIMIT) as server:
            silent.connect(server.server_address[:2])
            assert opened.wait(120)
        done.set()

    with socket.socket() as silent:
        threading.Thread(target=end).start()
        assert done.wait(60)


def test_a_long_video_is_looked_at_in_so_many_parts(server, video, monkeypatch):
    monkeypatch.setattr(demo_module, "PARTS", 4)
    _, events = ask(server, "POST", "/recognise", video.read_bytes())
    assert 4 <= len(events[-1]["data"]["middles"]) <= 5


def test_other_machines_are_told_a_name_they_can_use(recogniser):
    with serving(recogniser, "0.0.0.0", 0, LIMIT) as server:
        assert server.address == f"http://{platform.node()}:{server.server_address[1]}/" and not server.loopback


def test_a_place_that_is_taken_is_named(server, model):
    host, port = server.server_address[:2]
    result = CliRunner().invoke(app, ["demo", str(model), "--port", str(port)])
    assert isinstance(result.exception, UserError) and f"at {host}, port {port} (" in str(result.exception)
    result = CliRunner().invoke(app, ["demo", str(model), "--host", "256.1.1.1", "--port", "0"])
    assert isinstance(result.exception, UserError) and "256.1.1.1" in str(result.exception)
    result = CliRunner().invoke(app, ["demo", str(model), "--host", "", "--port", "0"])
    assert isinstance(result.exception, UserError) and "--host: is empty" in str(result.exception)


@contextmanager
def command(model, *options: str):
    """`multitrain demo` as a process of its own, and the address it says."""
    arguments = [
        sys.executable,
        "-c",
        "from multitrain.cli import run; run()",
        "demo",
        str(model),
        "--port",
        "0",
        *options,
    ]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_ends_the_command(model, number):
    with command(model) as (process, said):
        assert said.startswith("Open http://127.0.0.1:") and "/ in a browser" in said
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0 and len(errors.splitlines()) == 1 and "synthetic" in errors


def test_in_a_browser(server, video, tmp_path):
    big, text, empty = tmp_path / "big.mp4", tmp_path / "<b>text.mp4", tmp_path / "empty.mp4"
    big.write_bytes(b"x" * (LIMIT + 1))
    text.write_bytes(b"no video " * 99)
    empty.touch()
    error = "document.getElementById('error')"
    with browser(tmp_path) as page:
        page.open(server.address)
        for path, said in ((text, "no video that can be used"), (big, "at most 0 MB"), (empty, "is empty")):
            page.choose("#file", path)
            page.wait(f"!{error}.hidden && {error}.textContent.includes({json.dumps(path.name)})")
            assert said in page.value(f"{error}.textContent") and page.value("!document.querySelector('video')")
        page.choose("#file", video)
        page.wait("document.querySelector('video')?.readyState > 1")
        assert page.value(f"{error}.hidden && document.getElementById('working').hidden")
        assert page.value("document.querySelector('#result > h2').textContent") == "clip.mp4"
        answer = server.recogniser.answer(video).top(5)
        labels = page.value("[...document.querySelectorAll('.answers .label')].map(e => e.textContent)")
        assert labels == [label for classes in answer.values() for label, _ in classes]
        assert page.value("document.querySelectorAll('svg.panel').length") == len(answer)
        page.value("document.querySelector('video').currentTime = 3")
        x = "Number(document.querySelector('.cursor').getAttribute('x1'))"
        middle = (LEFT + RIGHT) / 2  # of a video of six seconds
        page.wait(f"Math.abs({x} - {middle}) < 2")
        blocked = page.value("fetch('http://localhost:1/').then(() => 'reached', () => 'blocked')")
        assert blocked == "blocked" and any("Content Security Policy" in line for line in page.console)
    assert not list(server.folder.iterdir())
