"""HTTP request handler of the demo: input checks, size and rate limits, streamed JSON events."""

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

__all__ = ["Handler", "Send", "Stopped", "is_loopback"]

Send = Callable[[dict], None]  # sends an event to the page's script
log = logging.getLogger(__name__)
TIMEOUT = 30  # seconds without a byte
CHUNK = 1 << 20  # bytes read at once
DRAINED = 8 << 20  # bytes of a refused video that are read: a browser shows the response only then
WINDOW, LEAST_RATE = 20.0, 32_000  # least bytes a second over a window of seconds
FREE_BYTES = 1 << 28  # bytes of the disk that stay free
BUSY = "other videos are being sent and looked at: try again in a moment"


class Stopped(Exception):
    """The program is about to end."""


class DemoServer(Protocol):
    """The interface of the server that the handler uses."""

    page: str
    policy: str  # content security policy
    limit: int  # bytes of the largest video
    loopback: bool  # whether only this machine can reach it
    folder: Path  # of uploaded videos
    uploads: BoundedSemaphore
    stopping: Event

    def mark_idle(self, connection: socket, idle: bool) -> None: ...

    def exclusive(self, send: Send) -> AbstractContextManager[None]: ...

    def recognise(self, path: Path, send: Send) -> dict: ...


class UploadRate:
    """A check of the upload rate over windows of time; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._start, self._bytes = clock(), 0

    def add(self, count: int) -> None:
        """Count received bytes.

        Raises:
            TimeoutError: over a window they were fewer than `LEAST_RATE` a second.
        """
        self._bytes += count
        passed = self._clock() - self._start
        if passed >= WINDOW:
            if self._bytes < LEAST_RATE * passed:
                raise TimeoutError
            self._start, self._bytes = self._start + passed, 0


class Handler(BaseHTTPRequestHandler):
    """GET / sends the page; POST /recognise takes a video and sends events as JSON lines."""

    server: DemoServer  # type: ignore[assignment]  # of what it is to have, where the base class says nothing
    timeout = TIMEOUT

    def do_GET(self) -> None:
        if not self._is_same_origin():
            return
        asked = parse_address(self.path, "")
        if asked is None or asked.path != "/":
            return self._refuse(404, "no such page")
        content = self.server.page.encode()
        self._head(200, "text/html; charset=utf-8", len(content))
        self.wfile.write(content)

    def do_POST(self) -> None:
        size = content_length(self.headers.get("Content-Length", ""))
        if not self._is_same_origin(size):
            return
        if self.path != "/recognise":
            return self._refuse(403, "not for other paths", size)
        if size < 1:
            return self._refuse(411, "no video came", size)
        if size > self.server.limit:
            return self._refuse(413, f"larger than {self.server.limit / 1e6:.0f} MB", size)
        if not self.server.uploads.acquire(blocking=False):
            return self._refuse(503, BUSY, size)
        try:
            if shutil.disk_usage(self.server.folder).free < size + FREE_BYTES:
                return self._refuse(507, "no room for it on the disk", size)
            with suppress(ConnectionError, TimeoutError, Stopped):  # the client has gone, or the server stops
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
                return self._refuse(408, f"it came too slowly: fewer than {LEAST_RATE / 1000:.0f} kB a second")
            except OSError as error:
                return self._refuse(507, f"it cannot be kept here ({error.strerror})", size)
            self._head(200, "application/x-ndjson")
            try:
                with self.server.exclusive(self._send_event):  # after the upload: a slow upload delays no other
                    last = self.server.recognise(path, self._send_event)
            except UserError as error:
                last = {"error": str(error).removeprefix(f"{path}: ")}
            except (ConnectionError, TimeoutError, Stopped):
                raise
            except Exception as error:
                log.exception("a video could not be looked at")
                last = {"error": f"something went wrong here ({type(error).__name__}); the terminal says more"}
            self._send_event(last)

    def _receive(self, path: Path, size: int) -> None:
        pace = UploadRate()
        with path.open("wb") as stream:
            while size:
                piece = self.rfile.read1(min(size, CHUNK))  # without waiting for a whole chunk
                if not piece:
                    raise ConnectionError
                if self.server.stopping.is_set():
                    raise Stopped
                pace.add(len(piece))
                stream.write(piece)
                size -= len(piece)

    def _send_event(self, event: dict) -> None:
        self.wfile.write(json.dumps(event).encode() + b"\n")
        self.wfile.flush()

    def _is_same_origin(self, size: int = 0) -> bool:
        """Whether the request is from the demo's own page (Host and Origin); others are refused."""
        self.server.mark_idle(self.connection, idle=False)
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        there, where, from_ = parse_address(host, "//"), parse_address(self.path, ""), parse_address(origin or "", "")
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
            self.server.mark_idle(self.connection, idle=True)
            left, pace = min(max(size, 0), DRAINED), UploadRate()
            while left > 0 and (piece := self.rfile.read1(min(left, CHUNK))):
                pace.add(len(piece))
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
        """No request log, for privacy."""


def content_length(text: str) -> int:
    """The bytes of a Content-Length, -1 for an invalid one; at most 10^18."""
    if not re.fullmatch(r"[0-9]+", text):
        return -1
    digits = text.lstrip("0") or "0"
    return int(digits) if len(digits) <= 18 else 10**18


def parse_address(text: str, before: str) -> SplitResult | None:
    """The parts of a URL, None for an invalid one."""
    try:
        parts = urlsplit(f"{before}{text}")
        _ = parts.hostname
        return parts
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host."""
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
