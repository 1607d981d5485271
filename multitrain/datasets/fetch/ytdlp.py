"""Downloads of single videos with yt-dlp, each an atomic write into the folder.

A video that is unavailable is recorded in unavailable.csv and not tried again until its line or the file is deleted.
An error of the network is not recorded. When it lasts it ends the run: an evening without a network must not mark all
videos as unavailable.
"""

import csv
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from multitrain.common.errors import UserError
from multitrain.datasets.fetch import http_download

__all__ = ["SUFFIXES", "VideoDownloads"]

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
UNAVAILABLE = "unavailable.csv"
SUFFIXES = (".mp4", ".mkv", ".webm")
# Video without sound; `res` is the shorter side.
FORMAT = "bv[ext=mp4]/bv[ext=webm]/b[ext=mp4]/b[ext=webm]/b[ext=mkv]"
QUALITY = "res:480,vcodec:h264"
LONGEST = 3600  # seconds for one video
IN_A_ROW = 3  # videos in a row that fail by the network, which end the run
TRANSIENT = re.compile(  # errors of the network, of the host or of yt-dlp itself, not of the video
    r"HTTP Error (403|408|429|5\d\d)|timed? ?out|urlopen|Errno|connection|name resolution|resolve host|incomplete"
    r"|not a bot|rate.?limit|try again|unable to extract|report this|ended with",
    re.IGNORECASE,
)


def address(video: str, url: object) -> str:
    """The URL of a video: its entry's, which must be one of this video. Raises ValueError."""
    url = f"https://www.youtube.com/watch?v={video}" if url is None else url
    if not ID.fullmatch(video):
        raise ValueError(f"the id {video!r} is no plain name")
    if not isinstance(url, str) or not re.fullmatch(r"https?://[!-~]+", url):
        raise ValueError(f"its url {url!r} is no http address")
    parts = urlsplit(url)
    last = parts.path.rsplit("/", 1)[-1].removeprefix("v_").split(".")[0]
    if video not in (last, *parse_qs(parts.query).get("v", ())):
        raise ValueError(f"its url {url!r} is not of this video")
    return url


@dataclass
class VideoDownloads:
    """Downloads of videos into `folder` as v_ID.mp4, .webm or .mkv."""

    folder: Path
    attempts: int
    _network_failures: int = 0  # in a row
    _unavailable: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob(".partial-*"):
            shutil.rmtree(left, ignore_errors=True)
        self._unavailable = _read_unavailable(self.folder / UNAVAILABLE)

    def fetch(self, video: str, entry: Mapping) -> tuple[Path | None, str]:
        """The file of a video, or None and the reason."""
        if video in self._unavailable:
            return None, f"yt-dlp: {self._unavailable[video]}"
        try:
            url = address(video, entry.get("url"))
        except ValueError as error:
            return None, f"not fetched: {error}"
        for number in range(self.attempts):
            path, reason = self._attempt(video, url)
            if path is not None or not TRANSIENT.search(reason):
                break
            if number + 1 < self.attempts:
                http_download.wait_before_retry(
                    f"{url}: yt-dlp: {reason}", http_download.FIRST_WAIT * 2**number, time.sleep
                )
        if path is not None:
            self._network_failures = 0
        elif TRANSIENT.search(reason):
            self._network_failures += 1
            if self._network_failures >= IN_A_ROW:
                raise UserError(
                    f"{url}: yt-dlp: {reason}: the last {self._network_failures} videos ended so: start again later"
                )
        else:
            self._network_failures = 0
            self._record_unavailable(video, reason)
        return path, reason and f"yt-dlp: {reason}"

    def _attempt(self, video: str, url: str) -> tuple[Path | None, str]:
        """One call of yt-dlp, in a folder of its own: yt-dlp may survive a kill of this process for a while."""
        own = Path(tempfile.mkdtemp(prefix=".partial-", dir=self.folder))
        try:
            done = subprocess.run(
                [*_program(url), *_options(video), "--", url],
                cwd=own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=LONGEST,
                check=False,
            )
            if b"no such option" in done.stderr:
                raise UserError(f"{url}: yt-dlp: {_reason(done.stderr)}: it is too old, update it")
            files = [own / f"v_{video}{suffix}" for suffix in SUFFIXES]
            files = [path for path in files if path.is_file() and not path.is_symlink() and path.stat().st_size]
            if done.returncode or not files:
                return None, _reason(done.stderr) or f"yt-dlp ended with {done.returncode} and no video"
            target = self.folder / files[0].name
            os.replace(files[0], target)
            return target, ""
        except subprocess.TimeoutExpired:
            return None, f"timed out after {LONGEST} s"
        except OSError as error:
            raise UserError(f"{self.folder}: {error.strerror or error}: see to it and start again") from None
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def _record_unavailable(self, video: str, reason: str) -> None:
        path = self.folder / UNAVAILABLE
        self._unavailable[video] = reason
        torn = path.is_file() and not path.read_bytes().endswith(b"\n")
        with path.open("a", newline="") as stream:
            if stream.tell() == 0:
                stream.write("id,reason\n")
            elif torn:  # by a kill; this line would be lost with it
                stream.write("\n")
            csv.writer(stream, lineterminator="\n").writerow([video, reason])


def _program(url: str) -> list[str]:
    found = shutil.which("yt-dlp")
    if found:
        return [found]
    if importlib.util.find_spec("yt_dlp"):
        return [sys.executable, "-m", "yt_dlp"]
    raise UserError(
        f"{url}: the program yt-dlp, which downloads it, is not there: pip install yt-dlp, "
        "or put the videos there yourself and set `download` to null"
    )


def _options(video: str) -> list[str]:
    options = ["--ignore-config", "--no-playlist", "--quiet", "--no-progress", "--no-warnings", "--no-cache-dir"]
    options += ["--format", FORMAT, "--format-sort", QUALITY, "--socket-timeout", "60", "--retries", "3"]
    return [*options, "--output", f"v_{video}.%(ext)s"]


def _reason(stderr: bytes) -> str:
    """The last error message, as one printable line."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", stderr.decode(errors="replace")).splitlines()
    errors = [line for line in lines if "rror:" in line or "ERROR" in line] or lines
    return " ".join(re.sub(r"[^ -~]+", " ", errors[-1].removeprefix("ERROR:")).split())[:200] if errors else ""


def _read_unavailable(path: Path) -> dict[str, str]:
    """Unavailable videos with reasons; a line cut short by a kill is ignored."""
    if not path.is_file():
        return {}
    with path.open(newline="", errors="replace") as stream:
        rows = [row for row in csv.reader(line.replace("\0", "") for line in stream) if len(row) == 2]
    return {video: reason for video, reason in rows if (video, reason) != ("id", "reason")}
