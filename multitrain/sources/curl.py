"""One file over HTTP, by curl: kept, continued and tried again until it is whole.

curl only moves bytes; what to try again is decided here. Its own `--retry` would start a broken download over or wait
without a limit, takes an error page sent with status 200 for the file, and cannot be tested. Writing its output here
has another use: when this process is killed curl meets a closed pipe and ends, so that no two ever write one file.
"""

import os
import re
import shutil
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import BinaryIO

from tqdm import tqdm

from multitrain.errors import UserError

FIRST_WAIT = 2.0  # seconds before the second try; doubles with each
LONGEST_WAIT = 300.0  # seconds, whatever Retry-After says
STALL = 60  # seconds with next to nothing after which a connection is given up
SLOWEST = 1000  # bytes a second; below it is next to nothing
HEADWAY = 1 << 20  # bytes; a try that brought as many does not count as failed
CHUNK = 1 << 18
AGAIN = {403, 408, 425, 429}  # besides 5xx; an overloaded mirror of public files answers 403, too
HOPELESS = {1, 2, 3, 4, 27, 60, 77}  # curl's exit codes that no second try changes
STATUS = re.compile(rb"HTTP/[\d.]+ (\d{3})")

Report = Callable[[int, int | None], None]  # bytes there, bytes in all where known


class Unusable(Exception):
    """What came is not the file that was asked for."""


class _Failed(Exception):
    """One try failed: `wait` is what the server asks for, in seconds; a `final` one is not repeated."""

    def __init__(self, detail: str, wait: float | None = None, final: bool = False):
        super().__init__(detail)
        self.wait, self.final = wait, final


class Stopped(Exception):
    """The download was called off."""


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]

    @property
    def version(self) -> str:
        """What changes when the file at the server does."""
        return self.headers.get("etag") or self.headers.get("last-modified") or ""

    def number(self, pattern: str, name: str) -> int | None:
        match = re.fullmatch(pattern, self.headers.get(name, "")[:100])
        return int(match[1]) if match else None


def first_words(content: bytes) -> str:
    """The beginning of a page, as one line for a message."""
    text = re.sub(r"[^ -~]+", " ", content[:200].decode("latin-1"))
    return " ".join(text.split())[:80]


def pause(why: str, seconds: float, sleep: Callable[[float], object]) -> None:
    """Wait before the next try, within bounds, and say so: minutes of silence would look like a hang."""
    seconds = min(seconds, LONGEST_WAIT)
    if seconds >= 1:
        tqdm.write(f"{why}: again in {seconds:.0f} s", file=sys.stderr)
    sleep(seconds)


@dataclass
class Curl:
    """Downloads that one call to `stop` ends. A broken-off file stays as NAME.part and is continued the next time."""

    attempts: int
    _stopped: threading.Event = field(default_factory=threading.Event)
    _process: Popen | None = None

    def fetch(self, url: str, target: Path, check: Callable[[Path], None], report: Report | None = None) -> None:
        """Download to `target`, there only when whole. `check` looks at the file and raises Unusable.

        A UserError comes at once for what will not change (404), else after `attempts` tries in vain.
        """
        part = target.with_name(f"{target.name}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        failures, furthest = 0, _size(part)
        while True:
            try:
                self._try(url, part, report)
                self._check(part, check)
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
        """End what is being downloaded, from another thread."""
        self._stopped.set()
        if (process := self._process) is not None:
            process.kill()

    @staticmethod
    def _check(part: Path, check: Callable[[Path], None]) -> None:
        try:
            check(part)
        except Unusable as error:
            _forget(part)
            raise _Failed(str(error)) from None

    def _try(self, url: str, part: Path, report: Report | None) -> None:
        """Bring `part` to its end, from where it is."""
        offset = _size(part)
        command = _command(url, [f"Range: bytes={offset}-"] if offset else [])
        with Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE) as curl:
            self._process = curl
            try:
                answer = None if self._stopped.is_set() else _headers(curl.stdout)
                if answer is not None:
                    if not _wanted(answer, offset, part, curl.stdout):
                        return
                    self._receive(answer, offset, part, curl.stdout, report)
                curl.stdout.close()  # else curl waits for its reader if there is more
                if self._stopped.is_set():
                    curl.kill()
                words, code = first_words(curl.stderr.read()), curl.wait()
            finally:
                curl.kill()
                self._process = None
        if self._stopped.is_set():
            raise Stopped
        if code:
            raise _Failed(words or f"curl ended with {code}", final=code in HOPELESS)
        if answer is None:
            raise _Failed("no answer")

    def _receive(self, answer: _Answer, offset: int, part: Path, body: BinaryIO, report: Report | None) -> None:
        """Write the body behind what is there, or in its place."""
        length = answer.number(r"(\d+)", "content-length")
        if answer.status == 200:
            offset = 0
            _forget(part)
            _tag(part).write_text(answer.version)
        total = None if length is None else offset + length
        with part.open("ab" if offset else "wb") as stream:
            while (block := body.read1(CHUNK)) and not self._stopped.is_set():
                offset += stream.write(block)
                if report:
                    report(offset, total)
            stream.flush()
            os.fsync(stream.fileno())


def _wanted(answer: _Answer, offset: int, part: Path, body: BinaryIO) -> bool:
    """Whether the body is to be kept; False where all of it is there already."""
    if answer.status == 416 and offset:
        if answer.number(r"bytes \*/(\d+)", "content-range") == offset:
            return False
        _forget(part)
        raise _Failed("the file at the server is not as long as what had come")
    if answer.status == 206:
        known = _tag(part).read_text() if _tag(part).is_file() else ""
        if answer.number(r"bytes (\d+)-.*", "content-range") != offset or known != answer.version:
            _forget(part)
            raise _Failed("the file at the server is another than when its download began")
        return True
    if answer.status == 200:
        return True
    words = first_words(body.read(200))
    final = answer.status < 500 and answer.status not in AGAIN
    raise _Failed(f"the server answers {answer.status}{words and f' ({words})'}", _retry_after(answer), final)


def _command(url: str, headers: list[str]) -> list[str]:
    program = shutil.which("curl")
    if program is None:
        raise UserError(
            f"{url}: the program curl, which downloads it, is not there: install it (environment.yml has it)"
        )
    protocols = "=https" if url.startswith("https:") else "=http,https"
    command = [program, "--disable", "--silent", "--show-error", "--include", "--suppress-connect-headers", "--globoff"]
    command += ["--location", "--max-redirs", "5", "--proto", protocols, "--proto-redir", protocols]
    command += ["--connect-timeout", str(STALL), "--speed-limit", str(SLOWEST), "--speed-time", str(STALL)]
    for header in headers:
        command += ["--header", header]
    return [*command, "--", url]


def _headers(stream: BinaryIO) -> _Answer | None:
    """The headers of the last answer; those of redirects and of interim answers are passed over."""
    while (line := stream.readline(1 << 16)) and (match := STATUS.match(line)):
        status, headers = int(match[1]), {}
        while (line := stream.readline(1 << 16)).strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if status >= 200 and not (300 <= status < 400 and "location" in headers):
            return _Answer(status, headers)
    return None


def _retry_after(answer: _Answer) -> float | None:
    """Seconds that the server asks to wait for, given as a number or as a date."""
    text = answer.headers.get("retry-after", "")
    if text.isdecimal():
        return float(text)
    with suppress(ValueError):
        moment = parsedate_to_datetime(text)
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    return None


def _cure(error: _Failed) -> str:
    later = "start again later; what has come is kept and continued"
    return "see whether the address is right, or bring the file yourself" if error.final else later


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _tag(part: Path) -> Path:
    """Where the server's mark of the version that `part` is of stands."""
    return part.with_name(f"{part.name}.version")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
