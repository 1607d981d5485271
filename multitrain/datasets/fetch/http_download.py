"""HTTP download with resume: one file, continued and tried again until it is whole.

`requests` moves the bytes. What to try again is decided here: urllib3's `Retry` ends with the headers of an answer, so
it can neither continue a body that breaks off nor look at what came.
"""

import os
import re
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from urllib.parse import urljoin

import requests
from requests.exceptions import InvalidSchema, RequestException, TooManyRedirects
from tqdm import tqdm
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from multitrain.common.errors import UserError

__all__ = ["FIRST_WAIT", "Downloader", "Stopped", "Unusable", "first_words", "pause"]

FIRST_WAIT = 2.0  # seconds before the second try; doubles with each
LONGEST_WAIT = 300.0  # seconds, whatever Retry-After says
STALL = 60  # seconds with next to nothing after which a connection is given up
SLOWEST = 1000  # bytes a second; below it is next to nothing
HEADWAY = 1 << 20  # bytes; a try that brought as many does not count as failed
CHUNK = 1 << 18
REDIRECTS = 5
AGAIN = {403, 408, 425, 429}  # besides 5xx; an overloaded mirror of public files answers 403, too
HEADERS = {"User-Agent": "multitrain", "Accept": "*/*", "Accept-Encoding": "identity"}  # the file as it is stored

Report = Callable[[int, int | None], None]  # bytes there, bytes in all where known


class Unusable(Exception):
    """The content that came is not the wanted file."""


class Stopped(Exception):
    """The download was cancelled."""


class _Failed(Exception):
    """One try failed: `wait` is the server's Retry-After in seconds; a `final` failure is not repeated."""

    def __init__(self, detail: str, wait: float | None = None, final: bool = False):
        super().__init__(detail)
        self.wait, self.final = wait, final


class _Session(requests.Session):
    """A session that follows no redirect from https to http and sends no password of ~/.netrc."""

    def __init__(self) -> None:
        super().__init__()
        self.headers.update(HEADERS)
        self.max_redirects = REDIRECTS
        self.auth = lambda request: request

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        target = super().get_redirect_target(resp)
        if target and resp.url.startswith("https:") and not urljoin(resp.url, target).startswith("https:"):
            raise InvalidSchema(f"a redirect from https to {target!r} is not followed")
        return target


def first_words(content: bytes) -> str:
    """The beginning of a page, as one line for a message."""
    text = re.sub(r"[^ -~]+", " ", content[:200].decode("latin-1"))
    return " ".join(text.split())[:80]


def pause(why: str, seconds: float, sleep: Callable[[float], object]) -> None:
    """Wait before the next try, at most LONGEST_WAIT, with a message: minutes of silence would look like a hang."""
    seconds = min(seconds, LONGEST_WAIT)
    if seconds >= 1:
        tqdm.write(f"{why}: again in {seconds:.0f} s", file=sys.stderr)
    sleep(seconds)


@dataclass
class Downloader:
    """HTTP downloads with resume and retries. An unfinished file stays as NAME.part and is continued the next time."""

    attempts: int
    _stopped: threading.Event = field(default_factory=threading.Event)
    _answer: Future | None = None

    def fetch(self, url: str, target: Path, check: Callable[[Path], None], report: Report | None = None) -> None:
        """Download to `target`, which appears when it is whole. `check` reads the file and raises Unusable.

        Raises:
            UserError: at once for what no retry changes (404), else after `attempts` tries in vain.
            Stopped: `stop` was called.
        """
        part = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        failures, furthest = 0, _size(part)
        while True:
            try:
                self._try(url, part, report)
                _checked(part, check)
                break
            except _Failed as error:
                headway = _size(part) >= furthest + HEADWAY
                furthest = max(furthest, _size(part))
                failures = 0 if headway else failures + 1
                if error.final or failures >= self.attempts:
                    tries = "" if error.final else f" ({failures} tries)"
                    raise UserError(f"{url}: {error}{tries}: {_cure(error)}") from None
                wait = FIRST_WAIT * 2 ** max(0, failures - 1) if error.wait is None else error.wait
                pause(f"{url}: {error}", wait, self._stopped.wait)
            except OSError as error:
                raise UserError(f"{part}: {error.strerror or error}: make room and start again") from None
        os.replace(part, target)
        _tag(part).unlink(missing_ok=True)

    def stop(self) -> None:
        """Cancel the download, from another thread."""
        self._stopped.set()
        if (answer := self._answer) is not None:
            with suppress(InvalidStateError):
                answer.set_exception(Stopped())
                return
            with suppress(Exception):  # it has ended meanwhile
                answer.result().raw.shutdown()

    def _try(self, url: str, part: Path, report: Report | None) -> None:
        """Bring `part` to its end from where it is."""
        offset = _size(part)
        try:
            with self._get(url, _range(offset, part)) as response:
                if _wanted(response, offset, part):
                    self._receive(response, offset, part, report)
        except (RequestException, HTTPError) as error:
            if not self._stopped.is_set():
                raise _failed(error) from None
        finally:
            self._answer = None
        if self._stopped.is_set():
            raise Stopped

    def _get(self, url: str, headers: dict[str, str]) -> requests.Response:
        """The headers of an answer. A thread waits for them, since only then the wait can be cancelled."""
        answer = self._answer = Future()
        timeout = (STALL, STALL)

        def wait() -> None:
            try:
                response = _Session().get(url, headers=headers, stream=True, timeout=timeout)
            except Exception as error:
                with suppress(InvalidStateError):
                    answer.set_exception(error)
                return
            try:
                answer.set_result(response)
            except InvalidStateError:  # cancelled
                response.close()

        if self._stopped.is_set():
            raise Stopped
        threading.Thread(target=wait, daemon=True).start()
        try:
            return answer.result()
        except RequestException:
            raise
        except OSError as error:  # a file of the environment's, such as REQUESTS_CA_BUNDLE
            raise _Failed(str(error), final=True) from None

    def _receive(self, response: requests.Response, offset: int, part: Path, report: Report | None) -> None:
        """Write the body behind what is there, or in its place."""
        length = _number(response, "Content-Length", r"(\d+)")
        if response.status_code == 200:
            offset = 0
            _forget(part)
            _tag(part).write_text(_version(response))
        total = None if length is None else offset + length
        with part.open("ab" if offset else "wb") as stream:
            try:
                for block in _blocks(response):
                    if self._stopped.is_set():
                        break
                    offset += stream.write(block)
                    if report:
                        report(offset, total)
            finally:
                stream.flush()
                os.fsync(stream.fileno())


def _blocks(response: requests.Response) -> Iterator[bytes]:
    """The body in blocks as they come; a connection that brings next to nothing for STALL seconds has failed."""
    since, count = monotonic(), 0
    while block := response.raw.read1(CHUNK, decode_content=False):
        count += len(block)
        yield block
        if (passed := monotonic() - since) >= STALL:
            if count < SLOWEST * passed:
                raise _Failed(f"less than {SLOWEST} bytes a second for {STALL} s")
            since, count = monotonic(), 0


def _checked(part: Path, check: Callable[[Path], None]) -> None:
    try:
        check(part)
    except Unusable as error:
        _forget(part)
        raise _Failed(str(error)) from None


def _range(offset: int, part: Path) -> dict[str, str]:
    """The request's headers for what is missing; a file that has changed meanwhile is to come whole."""
    if not offset:
        return {}
    known = _known(part)
    only_if = {"If-Range": known} if known and not known.startswith("W/") else {}
    return {"Range": f"bytes={offset}-", **only_if}


def _wanted(response: requests.Response, offset: int, part: Path) -> bool:
    """Whether the body is to be kept; False where all of it is there already."""
    status = response.status_code
    if status == 416 and offset:
        if _number(response, "Content-Range", r"bytes \*/(\d+)") == offset:
            return False
        _forget(part)
        raise _Failed("the file at the server is not as long as what had come")
    if status == 206:
        if _number(response, "Content-Range", r"bytes (\d+)-.*") != offset or _known(part) != _version(response):
            _forget(part)
            raise _Failed("the file at the server is another than when its download began")
        return True
    if status == 200:
        return True
    words = first_words(response.raw.read(200))
    final = status < 500 and status not in AGAIN
    raise _Failed(f"the server answers {status}{words and f' ({words})'}", _retry_after(response), final)


def _version(response: requests.Response) -> str:
    """The validator of a file, which changes when the file at the server does."""
    return response.headers.get("ETag") or response.headers.get("Last-Modified") or ""


def _number(response: requests.Response, name: str, pattern: str) -> int | None:
    match = re.fullmatch(pattern, response.headers.get(name, "")[:100])
    return int(match[1]) if match else None


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that the server wants between tries, given as a number or as a date."""
    with suppress(HTTPError, ValueError, OverflowError):
        return float(Retry().parse_retry_after(response.headers.get("Retry-After", "")))
    return None


def _failed(error: Exception) -> _Failed:
    """A library's error in one line: the innermost cause, without the objects around it."""
    cause = error
    while isinstance(inner := getattr(cause, "reason", None) or (cause.args or (None,))[-1], Exception):
        cause = inner
    words = re.sub(r"^\w*Connection\w*\(.*?\): ", "", str(cause)) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _Failed(f"{words} (REQUESTS_CA_BUNDLE names a file of other certificates)", final=True)
    return _Failed(words, final=isinstance(error, ValueError | TooManyRedirects))


def _cure(error: _Failed) -> str:
    later = "start again later; what has come is kept and continued"
    return "see whether the address is right, or bring the file yourself" if error.final else later


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _tag(part: Path) -> Path:
    """The file beside `part` that holds the validator of the version it is of."""
    return part.with_name(f"{part.name}.version")


def _known(part: Path) -> str:
    return _tag(part).read_text() if _tag(part).is_file() else ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
