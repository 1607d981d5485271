"""An HTTP server on the loopback that serves a folder, with Range, and misbehaves as it is told."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from multitrain.datasets.fetch import http_download


def be_impatient(monkeypatch) -> None:
    """Waits that a test can afford, and no proxy before the loopback."""
    monkeypatch.setattr(http_download, "FIRST_WAIT", 0.001)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@dataclass(frozen=True)
class Fault:
    """How one answer is wrong; the default is a right one."""

    status: int | None = None  # instead of the file
    body: bytes | None = None  # instead of the file's content
    headers: tuple[tuple[str, str], ...] = ()
    drop_after: int | None = None  # bytes of the body, then the connection is cut
    length: int | None = None  # added to the true Content-Length
    pause_after: int | None = None  # bytes of the body, then nothing comes
    whole: bool = False  # Range is ignored
    ignores_if_range: bool = False
    tag: str | None = None  # instead of the content's own
    redirect: str | None = None
    wait: threading.Event | None = None  # before the answer


@dataclass
class Server:
    """Serves `folder` at `base`. `faults` are used up, one a request of a path; `always` stay. Use it in a `with`."""

    folder: Path
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    always: dict[str, Fault] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)  # path, first byte asked for
    headers: list[Message] = field(default_factory=list)  # of each request
    seen: Callable[[str], None] = lambda path: None  # called at each request

    def __enter__(self) -> "Server":
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/"

    def asked(self, path: str) -> list[int]:
        """The first bytes that were asked for of a file, in order."""
        return [first for name, first in self.requests if name == path]

    def fault(self, path: str) -> Fault:
        waiting = self.faults.get(path)
        return waiting.pop(0) if waiting else self.always.get(path, Fault())


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path).lstrip("/")
            asked = self.headers.get("Range", "")
            first = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            server.requests.append((path, first))
            server.headers.append(self.headers)
            server.seen(path)
            fault = server.fault(path)
            if fault.wait is not None:
                fault.wait.wait(600)
            self.close_connection = True
            if fault.redirect:
                return self._send(302, b"moved", 0, fault, [("Location", fault.redirect)])
            file = server.folder / path
            if fault.status is not None or (fault.body is None and not file.is_file()):
                return self._send(fault.status or 404, fault.body or b"<Error>no such key</Error>", 0, fault)
            content = file.read_bytes() if fault.body is None else fault.body
            tag = fault.tag or f'"{hashlib.md5(content).hexdigest()}"'
            changed = self.headers.get("If-Range", tag) != tag and not fault.ignores_if_range
            if not asked or changed or fault.whole or fault.body is not None:
                return self._send(200, content, 0, fault, [("ETag", tag)])
            if first >= len(content):
                return self._send(416, b"", 0, fault, [("Content-Range", f"bytes */{len(content)}")])
            place = f"bytes {first}-{len(content) - 1}/{len(content)}"
            return self._send(206, content, first, fault, [("ETag", tag), ("Content-Range", place)])

        def _send(self, status: int, content: bytes, first: int, fault: Fault, headers: list = ()) -> None:
            body = content[first:]
            self.send_response(status)
            for name, value in (*headers, *fault.headers):
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body) + (fault.length or 0)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body[: fault.drop_after] if fault.pause_after is None else body[: fault.pause_after])
            if fault.pause_after is not None:
                self.connection.recv(1)  # until the other side closes

    return Handler
