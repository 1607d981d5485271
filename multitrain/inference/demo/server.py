"""Demo: a local web server whose page takes a video and shows the predictions of all heads."""

import platform
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import numpy as np

from multitrain.common.errors import UserError
from multitrain.inference.answers import Failure, Timeline, Window
from multitrain.inference.demo.requests import Handler, Send, Stopped, is_loopback
from multitrain.inference.interpret.explain import Explanation, explain
from multitrain.inference.predict import Recogniser
from multitrain.inference.timelines.timeline import make_timeline, video_seconds
from multitrain.inference.timelines.timeline_page import answers, data, demo_page, panels

__all__ = ["serving"]

PARTS = 200  # of a long video's timeline: bounds the time of an answer
CONNECTIONS = 32  # open at once, each with a thread; others wait to be accepted
UPLOADS = 4  # videos in upload, in the queue or in work, which bounds the disk space
POLL_SECONDS = 0.2  # between two checks of `stopping`


class Demo(ThreadingHTTPServer):
    """The server. `serve_forever` blocks; `close` ends running requests and deletes uploads."""

    daemon_threads = False  # `close` waits for them, and they check `stopping`
    request_queue_size = 128  # connections in the system's queue

    def __init__(self, recogniser: Recogniser, host: str, port: int, limit: int, explained: bool = True):
        """`limit` is the largest video in bytes; port 0 is any free one.

        With `explained` a moment of every dataset is shown with what decided it.

        Raises:
            UserError: the address cannot be bound.
        """
        self.recogniser, self.limit, self.loopback, self.explained = recogniser, limit, is_loopback(host), explained
        self.titles = {name: seen.title for name, seen in recogniser.card.datasets.items()}
        self.page, self.policy = demo_page(list(self.titles.values()), limit, recogniser.card.note())
        self.busy, self.stopping = threading.Lock(), threading.Event()
        self.uploads = threading.BoundedSemaphore(UPLOADS)
        self._room = threading.BoundedSemaphore(CONNECTIONS)
        self._connections: dict[socket.socket, bool] = {}  # whether it is idle; the oldest first
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            problem = f"nothing can listen at {host}, port {port} ({reason})"
            raise UserError(f"{problem}: choose another --host or --port") from None
        self.folder = Path(tempfile.mkdtemp(prefix="multitrain-demo-"))

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as the standard library would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    # A TCP server's requests are sockets; the base classes allow for those of UDP.
    def process_request(self, request: socket.socket, client_address: tuple) -> None:  # type: ignore[override]  # TCP
        """Start a thread for a connection; at the limit an idle connection is closed first.

        Browsers open connections without a request, and other clients may open hundreds.
        """
        while not self._room.acquire(blocking=False):
            if self.stopping.is_set():
                return self.shutdown_request(request)
            self._close_idle()
            if self._room.acquire(timeout=POLL_SECONDS):
                break
        self._connections[request] = True
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread can be started
            self._release(request)
            raise

    def process_request_thread(  # type: ignore[override]  # TCP
        self, request: socket.socket, client_address: tuple
    ) -> None:
        """Handle a connection, and release its place at the end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._release(request)

    def _release(self, connection: socket.socket) -> None:
        del self._connections[connection]
        self._room.release()

    def mark_idle(self, connection: socket.socket, idle: bool) -> None:
        """Mark a connection as idle or busy; idle ones may be closed for others."""
        self._connections[connection] = idle

    def _close_idle(self) -> None:
        """Close the oldest idle connection, if there is one."""
        for connection, idle in list(self._connections.items()):
            if idle:
                self._connections[connection] = False  # the next call closes another
                with suppress(OSError):  # it has gone by itself
                    connection.shutdown(socket.SHUT_RDWR)
                return

    def handle_error(self, request: socket.socket, client_address: tuple) -> None:  # type: ignore[override]  # TCP
        """Ignore errors of a client that has gone."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @contextmanager
    def exclusive(self, send: Send) -> Iterator[None]:
        """A lock: one video is processed at a time.

        Raises:
            Stopped: the program is about to end.
        """
        if not self.busy.acquire(blocking=False):
            send({"stage": "Waiting for the videos before it", "done": None})
            while not self.busy.acquire(timeout=POLL_SECONDS):
                if self.stopping.is_set():
                    raise Stopped
        try:
            yield
        finally:
            self.busy.release()

    @property
    def address(self) -> str:
        """The URL of the page."""
        host, port = str(self.server_address[0]), self.server_address[1]
        host = platform.node() if ip_address(host).is_unspecified else host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def close(self) -> None:
        """Stop listening and delete the uploads."""
        self.stopping.set()
        for connection in list(self._connections):
            with suppress(OSError):  # it has gone by itself
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def recognise(self, path: Path, send: Send) -> dict:
        """The predictions for a video, as an event; progress is sent meanwhile.

        Raises:
            UserError: no video.
            Stopped: the program is about to end.
        """
        send({"stage": "Looking at the whole video", "done": None})
        plan = self.recogniser.plan()
        (answer,) = self.recogniser.answers([path], plan)
        if isinstance(answer, Failure):
            raise UserError(answer.reason)
        seconds = video_seconds(self.recogniser, path)

        def seen(window: Window) -> None:
            if self.stopping.is_set():
                raise Stopped
            send({"stage": "Looking at its parts", "done": min(window.end / seconds, 1.0)})

        hop = max(self.recogniser.clip_seconds(plan) / 2, seconds / PARTS)
        timeline = make_timeline(self.recogniser, path, seconds, hop, seen=seen)
        why = self._explain(path, timeline, send) if self.explained else {}
        return {"answers": answers(answer, self.titles), "panels": panels(timeline, why), "data": data(timeline)}

    def _explain(self, path: Path, timeline: Timeline, send: Send) -> dict[str, Explanation]:
        """Explanations of the moment with the most probable class, by dataset."""
        found: dict[str, Explanation] = {}
        for number, (name, scores) in enumerate(timeline.scores.items()):
            send({"stage": "Looking for what decided", "done": number / len(timeline.scores)})
            if self.stopping.is_set():
                raise Stopped
            moment, label = np.unravel_index(scores.argmax(), scores.shape)
            start = float(timeline.times[moment, 0])
            surest = timeline.classes[name][label]
            found[name] = explain(self.recogniser, path, name, surest, start=start, seconds=timeline.part)
        return found


@contextmanager
def serving(recogniser: Recogniser, host: str, port: int, limit: int, explained: bool = True) -> Iterator[Demo]:
    """A demo served by a thread until the block ends."""
    demo = Demo(recogniser, host, port, limit, explained)
    thread = threading.Thread(target=demo.serve_forever, kwargs={"poll_interval": 0.2})
    thread.start()
    try:
        yield demo
    finally:
        demo.stopping.set()
        demo.shutdown()
        thread.join()
        demo.close()
