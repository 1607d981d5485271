"""HTTP download with resume and retries of one file.

`requests` moves the bytes. Retries are decided here: urllib3's `Retry` ends with the headers of a response, so it can
neither continue a body that breaks off nor check the content.
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

__all__ = ["FIRST_WAIT", "Cancelled", "Downloader", "WrongContent", "excerpt", "wait_before_retry"]

FIRST_WAIT = 2.0  # seconds before the second try; doubles with each
LONGEST_WAIT = 300.0  # seconds, also with a longer Retry-After
STALL = 60  # seconds below SLOWEST after which a connection is closed
SLOWEST = 1000  # bytes a second
PROGRESS_BYTES = 1 << 20  # bytes; an attempt that received as many does not count as failed
CHUNK = 1 << 18
REDIRECTS = 5
RETRIED_STATUSES = {403, 408, 425, 429}  # and 5xx; overloaded mirrors of public files send 403, too
HEADERS = {"User-Agent": "multitrain", "Accept": "*/*", "Accept-Encoding": "identity"}  # the file as it is stored

Report = Callable[[int, int | None], None]  # bytes there, bytes in all where known


class WrongContent(Exception):
    """The received content is not the wanted file."""


class Cancelled(Exception):
    """The download was cancelled."""


class _AttemptFailed(Exception):
    """One attempt failed: `wait` is the server's Retry-After in seconds; a `final` failure is not retried."""

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


def excerpt(content: bytes) -> str:
    """The beginning of a text, as one line for a message."""
    text = re.sub(r"[^ -~]+", " ", content[:200].decode("latin-1"))
    return " ".join(text.split())[:80]


def wait_before_retry(why: str, seconds: float, sleep: Callable[[float], object]) -> None:
    """Wait before the next attempt, at most LONGEST_WAIT, with a message on standard error."""
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
        """Download to `target`, which appears when it is whole. `check` reads the file and raises WrongContent.

        Raises:
            UserError: at once for a permanent error (404), else after `attempts` failures.
            Stopped: `stop` was called.
        """
        part = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        failures, furthest = 0, _size(part)
        while True:
            try:
                self._attempt(url, part, report)
                _checked(part, check)
                break
            except _AttemptFailed as error:
                progressed = _size(part) >= furthest + PROGRESS_BYTES
                furthest = max(furthest, _size(part))
                failures = 0 if progressed else failures + 1
                if error.final or failures >= self.attempts:
                    tries = "" if error.final else f" ({failures} tries)"
                    raise UserError(f"{url}: {error}{tries}: {_cure(error)}") from None
                wait = FIRST_WAIT * 2 ** max(0, failures - 1) if error.wait is None else error.wait
                wait_before_retry(f"{url}: {error}", wait, self._stopped.wait)
            except OSError as error:
                raise UserError(f"{part}: {error.strerror or error}: make room and start again") from None
        os.replace(part, target)
        _validator_file(part).unlink(missing_ok=True)

    def stop(self) -> None:
        """Cancel the download, from another thread."""
        self._stopped.set()
        if (answer := self._answer) is not None:
            with suppress(InvalidStateError):
                answer.set_exception(Cancelled())
                return
            with suppress(Exception):  # it has ended meanwhile
                answer.result().raw.shutdown()

    def _attempt(self, url: str, part: Path, report: Report | None) -> None:
        """Download the rest of `part`."""
        offset = _size(part)
        try:
            with self._get(url, _range(offset, part)) as response:
                if _has_content(response, offset, part):
                    self._receive(response, offset, part, report)
        except (RequestException, HTTPError) as error:
            if not self._stopped.is_set():
                raise _attempt_failed(error) from None
        finally:
            self._answer = None
        if self._stopped.is_set():
            raise Cancelled

    def _get(self, url: str, headers: dict[str, str]) -> requests.Response:
        """The headers of a response. A thread waits for them, which makes the wait cancellable."""
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
            raise Cancelled
        threading.Thread(target=wait, daemon=True).start()
        try:
            return answer.result()
        except RequestException:
            raise
        except OSError as error:  # a file named in the environment, such as REQUESTS_CA_BUNDLE
            raise _AttemptFailed(str(error), final=True) from None

    def _receive(self, response: requests.Response, offset: int, part: Path, report: Report | None) -> None:
        """Append the body to `part`, or replace it."""
        length = _number(response, "Content-Length", r"(\d+)")
        if response.status_code == 200:
            offset = 0
            _discard(part)
            _validator_file(part).write_text(_version(response))
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
    """The blocks of the body; a connection slower than SLOWEST for STALL seconds has failed."""
    since, count = monotonic(), 0
    while block := response.raw.read1(CHUNK, decode_content=False):
        count += len(block)
        yield block
        if (passed := monotonic() - since) >= STALL:
            if count < SLOWEST * passed:
                raise _AttemptFailed(f"less than {SLOWEST} bytes a second for {STALL} s")
            since, count = monotonic(), 0


def _checked(part: Path, check: Callable[[Path], None]) -> None:
    try:
        check(part)
    except WrongContent as error:
        _discard(part)
        raise _AttemptFailed(str(error)) from None


def _range(offset: int, part: Path) -> dict[str, str]:
    """The request's headers for the missing bytes; a file that has changed is to be sent whole."""
    if not offset:
        return {}
    known = _validator(part)
    only_if = {"If-Range": known} if known and not known.startswith("W/") else {}
    return {"Range": f"bytes={offset}-", **only_if}


def _has_content(response: requests.Response, offset: int, part: Path) -> bool:
    """Whether the body is to be received; False where `part` is complete."""
    status = response.status_code
    if status == 416 and offset:
        if _number(response, "Content-Range", r"bytes \*/(\d+)") == offset:
            return False
        _discard(part)
        raise _AttemptFailed("the file at the server is not as long as what had come")
    if status == 206:
        if _number(response, "Content-Range", r"bytes (\d+)-.*") != offset or _validator(part) != _version(response):
            _discard(part)
            raise _AttemptFailed("the file at the server is another than when its download began")
        return True
    if status == 200:
        return True
    words = excerpt(response.raw.read(200))
    final = status < 500 and status not in RETRIED_STATUSES
    raise _AttemptFailed(f"the server answers {status}{words and f' ({words})'}", _retry_after(response), final)


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


def _attempt_failed(error: Exception) -> _AttemptFailed:
    """A library's error in one line: the innermost cause, without the objects around it."""
    cause = error
    while isinstance(inner := getattr(cause, "reason", None) or (cause.args or (None,))[-1], Exception):
        cause = inner
    words = re.sub(r"^\w*Connection\w*\(.*?\): ", "", str(cause)) or type(cause).__name__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return _AttemptFailed(f"{words} (REQUESTS_CA_BUNDLE names a file of other certificates)", final=True)
    return _AttemptFailed(words, final=isinstance(error, ValueError | TooManyRedirects))


def _cure(error: _AttemptFailed) -> str:
    later = "start again later; what has come is kept and continued"
    return "see whether the address is right, or bring the file yourself" if error.final else later


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _validator_file(part: Path) -> Path:
    """The file beside `part` that holds the validator of the version it is of."""
    return part.with_name(f"{part.name}.version")


def _validator(part: Path) -> str:
    return _validator_file(part).read_text() if _validator_file(part).is_file() else ""


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator_file(part).unlink(missing_ok=True)
