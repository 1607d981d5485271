"""A local page that takes one video at a time and shows what the heads say of it; the standard library's server."""

import json
import logging
import platform
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from multitrain.errors import UserError
from multitrain.use.answers import Failure, Window
from multitrain.use.page import answers, data, demo_page, panels
from multitrain.use.predict import Recogniser
from multitrain.use.timeline import length, watch

log = logging.getLogger(__name__)
Tell = Callable[[dict], None]  # takes an event for the page's script
PARTS = 200  # of a long video's timeline, so that an answer does not take longer and longer
PATIENCE = 30  # seconds that a browser may be silent
PIECE = 1 << 20  # bytes read at once
DRAINED = 8 << 20  # bytes of a refused video that are read, so that a browser hears why it is refused


class Stopped(Exception):
    """The program is about to end."""


class Demo(ThreadingHTTPServer):
    """Serves the page. `serve_forever` blocks; `close` ends what is under way and deletes what was sent."""

    daemon_threads = False  # `close` waits for them, and they look at `stopping`

    def __init__(self, recogniser: Recogniser, host: str, port: int, limit: int):
        """`limit` is the largest video in bytes; port 0 is any that is free.

        Raises:
            UserError: nothing can listen there.
        """
        self.recogniser, self.limit, self.loopback = recogniser, limit, is_loopback(host)
        self.titles = {name: seen.title for name, seen in recogniser.card.datasets.items()}
        self.page, self.policy = demo_page(list(self.titles.values()), limit, recogniser.synthetic)
        self.busy, self.stopping = threading.Lock(), threading.Event()
        self._connections: set[socket.socket] = set()
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            super().__init__((host, port), Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            said = f"nothing can listen at {host}, port {port} ({reason})"
            raise UserError(f"{said}: choose another --host or --port") from None
        self.folder = Path(tempfile.mkdtemp(prefix="multitrain-demo-"))

    def server_bind(self) -> None:
        """Bind without asking a name server for this machine's name, as the standard library would."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]

    def finish_request(self, request: socket.socket, client_address: tuple) -> None:
        """Handle a connection, known meanwhile to `close`: browsers open some that they send nothing on."""
        self._connections.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._connections.discard(request)

    @property
    def address(self) -> str:
        """Where a browser finds the page."""
        host, port = self.server_address[:2]
        host = platform.node() if ip_address(host).is_unspecified else host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def close(self) -> None:
        """Stop listening and leave nothing behind."""
        self.stopping.set()
        for connection in tuple(self._connections):
            with suppress(OSError):  # it has gone by itself
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def recognise(self, path: Path, tell: Tell) -> None:
        """Tell how far the work on a video is, and at last the answers.

        Raises:
            UserError: no video.
            Stopped: the program is about to end.
        """
        tell({"stage": "Looking at the whole video", "done": None})
        plan = self.recogniser.plan()
        (answer,) = self.recogniser.answers([path], plan)
        if isinstance(answer, Failure):
            raise UserError(answer.reason)
        seconds = length(self.recogniser, path)

        def seen(window: Window) -> None:
            if self.stopping.is_set():
                raise Stopped
            tell({"stage": "Looking at its parts", "done": min(window.end / seconds, 1.0)})

        hop = max(self.recogniser.clip_seconds(plan) / 2, seconds / PARTS)
        timeline = watch(self.recogniser, path, seconds, hop, seen=seen)
        tell({"answers": answers(answer, self.titles), "panels": panels(timeline), "data": data(timeline)})


class Handler(BaseHTTPRequestHandler):
    """GET / is the page; POST /recognise takes a video and answers with lines of JSON, each an event."""

    server: Demo
    timeout = PATIENCE

    def do_GET(self) -> None:
        if not self._ours():
            return self._refuse(403, "not for other sites")
        if urlsplit(self.path).path != "/":
            return self._refuse(404, "no such page")
        content = self.server.page.encode()
        self._head(200, "text/html; charset=utf-8", len(content))
        self.wfile.write(content)

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        size = int(length) if length.isascii() and length.isdigit() else -1
        if not self._ours() or self.path != "/recognise":
            return self._refuse(403, "not for other sites or paths", size)
        if size < 1:
            return self._refuse(411, "no video came", size)
        if size > self.server.limit:
            return self._refuse(413, f"larger than {self.server.limit / 1e6:.0f} MB", size)
        if not self.server.busy.acquire(blocking=False):
            return self._refuse(503, "another video is being looked at: try again in a moment", size)
        try:
            with suppress(ConnectionError, TimeoutError, Stopped):  # who asked has gone, or we go
                self._recognise(size)
        finally:
            self.server.busy.release()

    def _recognise(self, size: int) -> None:
        with tempfile.TemporaryDirectory(dir=self.server.folder) as folder:
            path = Path(folder, "video")
            try:
                self._receive(path, size)
                self._head(200, "application/x-ndjson")
                self.server.recognise(path, self._tell)
            except UserError as error:
                self._tell({"error": str(error).removeprefix(f"{path}: ")})
            except (ConnectionError, TimeoutError, Stopped):
                raise
            except Exception as error:
                log.exception("a video could not be looked at")
                self._tell({"error": f"something went wrong here ({type(error).__name__}); the terminal says more"})

    def _receive(self, path: Path, size: int) -> None:
        with path.open("wb") as stream:
            while size:
                piece = self.rfile.read(min(size, PIECE))
                if not piece:
                    raise ConnectionError
                if self.server.stopping.is_set():
                    raise Stopped
                stream.write(piece)
                size -= len(piece)

    def _tell(self, event: dict) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()

    def _ours(self) -> bool:
        """Whether the request is from our own page: no other site may use a browser to reach it, under any name."""
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        known = not self.server.loopback or is_loopback(urlsplit(f"//{host}").hostname or "")
        return known and (origin is None or urlsplit(origin).netloc == host)

    def _refuse(self, status: int, reason: str, size: int = 0) -> None:
        with suppress(ConnectionError, TimeoutError):
            content = json.dumps({"error": reason}).encode() + b"\n"
            self._head(status, "application/x-ndjson", len(content))
            self.wfile.write(content)
            self.wfile.flush()
            left = min(max(size, 0), DRAINED)
            while left > 0 and (piece := self.rfile.read1(min(left, PIECE))):
                left -= len(piece)
        self.close_connection = True

    def _head(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Content-Security-Policy", self.server.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Requests are nobody's business."""


@contextmanager
def serving(recogniser: Recogniser, host: str, port: int, limit: int):
    """A demo that answers in a thread of its own until the block ends."""
    demo = Demo(recogniser, host, port, limit)
    thread = threading.Thread(target=demo.serve_forever, kwargs={"poll_interval": 0.2})
    thread.start()
    try:
        yield demo
    finally:
        demo.stopping.set()
        demo.shutdown()
        thread.join()
        demo.close()


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
