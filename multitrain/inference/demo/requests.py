"""What the demo's server answers to one request. Nothing in it is believed, and nobody may keep others waiting."""

import json
import logging
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from http.server import BaseHTTPRequestHandler
from ipaddress import ip_address
from pathlib import Path
from socket import socket
from threading import BoundedSemaphore, Event
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from multitrain.common.errors import UserError

__all__ = ["Handler", "Stopped", "Tell", "is_loopback"]

Tell = Callable[[dict], None]  # takes an event for the page's script
log = logging.getLogger(__name__)
PATIENCE = 30  # seconds that a browser may be silent
PIECE = 1 << 20  # bytes read at once
DRAINED = 8 << 20  # bytes of a refused video that are read, so that a browser hears why it is refused
WINDOW, LEAST = 20.0, 32_000  # seconds in each of which so many bytes a second have to come: a slow line's
ROOM = 1 << 28  # bytes of the disk that a video has to leave free
OTHERS = "other videos are being sent and looked at: try again in a moment"


class Stopped(Exception):
    """The program is about to end."""


class Site(Protocol):
    """What a request asks of the server that it came to."""

    page: str
    policy: str  # the header that says what the page may ask for
    limit: int  # bytes of the largest video
    loopback: bool  # whether this machine alone reaches it
    folder: Path  # of videos that are being sent and looked at
    uploads: BoundedSemaphore
    stopping: Event

    def waits(self, connection: socket, idle: bool) -> None: ...

    def turn(self, tell: Tell) -> AbstractContextManager[None]: ...

    def recognise(self, path: Path, tell: Tell) -> dict: ...


class Pace:
    """Whether what is sent comes fast enough, window by window; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._start, self._bytes = clock(), 0

    def took(self, count: int) -> None:
        """So many bytes have come.

        Raises:
            TimeoutError: over a whole window it were fewer than `LEAST` a second.
        """
        self._bytes += count
        passed = self._clock() - self._start
        if passed >= WINDOW:
            if self._bytes < LEAST * passed:
                raise TimeoutError
            self._start, self._bytes = self._start + passed, 0


class Handler(BaseHTTPRequestHandler):
    """GET / is the page; POST /recognise takes a video and answers with lines of JSON, each an event."""

    server: Site  # type: ignore[assignment]  # of what it is to have, where the base class says nothing
    timeout = PATIENCE

    def do_GET(self) -> None:
        if not self._ours():
            return
        asked = parsed(self.path, "")
        if asked is None or asked.path != "/":
            return self._refuse(404, "no such page")
        content = self.server.page.encode()
        self._head(200, "text/html; charset=utf-8", len(content))
        self.wfile.write(content)

    def do_POST(self) -> None:
        size = length_of(self.headers.get("Content-Length", ""))
        if not self._ours(size):
            return
        if self.path != "/recognise":
            return self._refuse(403, "not for other paths", size)
        if size < 1:
            return self._refuse(411, "no video came", size)
        if size > self.server.limit:
            return self._refuse(413, f"larger than {self.server.limit / 1e6:.0f} MB", size)
        if not self.server.uploads.acquire(blocking=False):
            return self._refuse(503, OTHERS, size)
        try:
            if shutil.disk_usage(self.server.folder).free < size + ROOM:
                return self._refuse(507, "no room for it on the disk", size)
            with suppress(ConnectionError, TimeoutError, Stopped):  # who asked has gone, or we go
                self._recognise(size)
        finally:
            self.server.uploads.release()

    def _recognise(self, size: int) -> None:
        with tempfile.TemporaryDirectory(dir=self.server.folder) as folder:
            path = Path(folder, "video")
            try:
                self._receive(path, size)
            except ConnectionError:
                raise
            except TimeoutError:
                return self._refuse(408, f"it came too slowly: fewer than {LEAST / 1000:.0f} kB a second")
            except OSError as error:
                return self._refuse(507, f"it cannot be kept here ({error.strerror})", size)
            self._head(200, "application/x-ndjson")
            try:
                with self.server.turn(self._tell):  # nobody waits for one whose video has not arrived
                    last = self.server.recognise(path, self._tell)
            except UserError as error:
                last = {"error": str(error).removeprefix(f"{path}: ")}
            except (ConnectionError, TimeoutError, Stopped):
                raise
            except Exception as error:
                log.exception("a video could not be looked at")
                last = {"error": f"something went wrong here ({type(error).__name__}); the terminal says more"}
            self._tell(last)

    def _receive(self, path: Path, size: int) -> None:
        pace = Pace()
        with path.open("wb") as stream:
            while size:
                piece = self.rfile.read1(min(size, PIECE))  # what has come, and no waiting for a whole piece
                if not piece:
                    raise ConnectionError
                if self.server.stopping.is_set():
                    raise Stopped
                pace.took(len(piece))
                stream.write(piece)
                size -= len(piece)

    def _tell(self, event: dict) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()

    def _ours(self, size: int = 0) -> bool:
        """Whether the request is from our own page; if not it is refused.

        No other site may use a browser to reach it, under any name.
        """
        self.server.waits(self.connection, idle=False)
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        there, where, from_ = parsed(host, "//"), parsed(self.path, ""), parsed(origin or "", "")
        if there is None or where is None or from_ is None:
            self._refuse(400, "no such address", size)
            return False
        known = not self.server.loopback or is_loopback(there.hostname or "")
        if not known or (origin is not None and from_.netloc != host):
            self._refuse(403, "not for other sites", size)
            return False
        return True

    def _refuse(self, status: int, reason: str, size: int = 0) -> None:
        with suppress(ConnectionError, TimeoutError):
            content = json.dumps({"error": reason}).encode() + b"\n"
            self._head(status, "application/x-ndjson", len(content))
            self.wfile.write(content)
            self.wfile.flush()
            self.server.waits(self.connection, idle=True)
            left, pace = min(max(size, 0), DRAINED), Pace()
            while left > 0 and (piece := self.rfile.read1(min(left, PIECE))):
                pace.took(len(piece))
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


def length_of(text: str) -> int:
    """The bytes that a Content-Length says, -1 where it says none; more digits than any length has are 10^18."""
    if not re.fullmatch(r"[0-9]+", text):
        return -1
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18


def parsed(text: str, before: str) -> SplitResult | None:
    """The parts of an address, None where it is none."""
    try:
        parts = urlsplit(f"{before}{text}")
        _ = parts.hostname
        return parts
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
