"""Prepared clips on disk, with a journal from which an interrupted preparation is resumed.

videos/settings.json   how the clips were made; when it differs everything is made again
videos/limits.json     the limits of a video; when they differ, videos refused by a limit are tried again
videos/journal.jsonl   a line a clip made or refused, appended as it happens, and a line a batch read to its end
videos/ab/CLIP.mp4     the clips, over 256 folders: half a million files in one folder are slow
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from multitrain.common.files.atomic import atomic
from multitrain.config.scale import Limits, Transcode

__all__ = ["ClipStore", "Record"]

VERSION = 1  # of the transcoding; a higher one makes every clip again


@dataclass(frozen=True)
class Record:
    """The result for one clip: a file of `bytes` bytes, or one of the manifest's REASONS."""

    clip: str
    batch: str
    source: str  # digest of the video it came from, and the part that was taken
    frames: int = 0
    fps: float = 0.0
    width: int = 0
    height: int = 0
    bytes: int = 0
    reason: str = ""
    detail: str = ""
    limited: bool = False  # refused because of a limit


class ClipStore:
    """Prepared clips under `folder`/videos. Opening it deletes unfinished files of an earlier run.

    Where `limits` are given and differ from the last run's, videos refused by a limit are tried again.
    """

    def __init__(self, folder: Path, settings: Transcode, limits: Limits | None = None):
        self.folder = folder
        self.videos = folder / "videos"
        self.incoming = folder / ".incoming"  # videos for a worker process
        self._records: dict[str, Record] = {}
        self._stamps: dict[str, str] = {}
        self._by_batch: dict[str, list[str]] = {}  # clips of the journal
        self._journal = self.videos / "journal.jsonl"
        self._settle(settings)
        for path in [*folder.glob(".partial-*"), *self.videos.glob("**/.partial-*")]:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.incoming.mkdir()
        self._read_journal()
        if limits is not None:
            self._retry_refused(limits)

    def _settle(self, settings: Transcode) -> None:
        """Clear the folder where its clips were made with other settings."""
        wanted = json.dumps({"version": VERSION, **settings.model_dump()}, indent=1) + "\n"
        path = self.videos / "settings.json"
        if path.is_file() and path.read_bytes() == wanted.encode():
            return
        for name in ("manifest.parquet", "missing.csv"):  # of clips that are deleted below
            (self.folder / name).unlink(missing_ok=True)
        if self.videos.exists():
            shutil.rmtree(self.videos)
        with atomic(path) as temporary:
            temporary.write_text(wanted)

    def _read_journal(self) -> None:
        lines = self._journal.read_bytes().split(b"\n") if self._journal.is_file() else []
        for line in lines:
            try:
                entry = json.loads(line)
                if "stamp" in entry:
                    self._stamps[entry["batch"]] = entry["stamp"]
                else:
                    record = Record(**entry)
                    self._records[record.clip] = record
                    self._by_batch.setdefault(record.batch, []).append(record.clip)
            except (ValueError, TypeError, KeyError):
                continue  # the last line of a run that was killed; its clip is made again
        if lines and lines[-1]:  # end the torn line: the next would be lost with it
            self._append({})

    def _retry_refused(self, limits: Limits) -> None:
        """Remove the records of clips that other limits refused, and mark their batches as unread."""
        path = self.videos / "limits.json"
        wanted = json.dumps(limits.model_dump(), indent=1) + "\n"
        if path.is_file() and path.read_bytes() == wanted.encode():
            return
        for record in [record for record in self._records.values() if record.limited]:
            del self._records[record.clip]
            self._stamps.pop(record.batch, None)
        self._write_journal(self._stamps)
        with atomic(path) as temporary:
            temporary.write_text(wanted)

    def _append(self, *entries: dict) -> None:
        with self._journal.open("a") as stream:
            stream.writelines(json.dumps(entry) + "\n" for entry in entries)

    @staticmethod
    def relative(clip_id: str) -> str:
        """Path of a clip relative to the manifest's folder."""
        return f"videos/{hashlib.blake2b(clip_id.encode(), digest_size=1).hexdigest()}/{clip_id}.mp4"

    def path(self, clip_id: str) -> Path:
        """Path of a clip."""
        return self.folder / self.relative(clip_id)

    def record(self, clip_id: str, source: str | None = None) -> Record | None:
        """The record of a clip, if its file has the written size and, where given, comes from that source."""
        record = self._records.get(clip_id)
        if record is None or (source is not None and record.source != source):
            return None
        if record.reason:
            return record
        try:
            return record if self.path(clip_id).stat().st_size == record.bytes else None
        except OSError:
            return None

    def of_batch(self, batch: str, stamp: str) -> list[Record] | None:
        """All records of a batch that was read to its end under that stamp; None if it must be read again."""
        if self._stamps.get(batch) != stamp:
            return None
        noted = dict.fromkeys(self._by_batch.get(batch, ()))
        clips = [clip for clip in noted if clip in self._records and self._records[clip].batch == batch]
        records = [record for clip in clips if (record := self.record(clip))]
        return records if len(records) == len(clips) else None

    def add(self, records: Iterable[Record]) -> None:
        """Append the records of clips that were made or refused."""
        records = list(records)
        self._records.update((record.clip, record) for record in records)
        self._append(*[_entry(record) for record in records])

    def stamp(self, batch: str, stamp: str) -> None:
        """Mark a batch as read to its end, or with an empty stamp as being read."""
        if self._stamps.get(batch) != stamp:
            self._stamps[batch] = stamp
            self._append({"batch": batch, "stamp": stamp})

    def close(self, records: dict[str, Record], batches: Iterable[str]) -> None:
        """Keep these records and their files only, and rewrite the journal, sorted."""
        self._records = records
        files = {self.path(clip) for clip, record in records.items() if not record.reason}
        for folder in self.videos.iterdir():
            for entry in os.scandir(folder) if folder.is_dir() else ():
                if Path(entry.path) not in files:
                    os.unlink(entry.path)
        self._write_journal(batches)
        shutil.rmtree(self.incoming, ignore_errors=True)

    def _write_journal(self, batches: Iterable[str]) -> None:
        """The journal of these batches and all records, sorted."""
        stamps = [{"batch": name, "stamp": self._stamps[name]} for name in batches if name in self._stamps]
        entries = stamps + [_entry(self._records[clip]) for clip in sorted(self._records)]
        with atomic(self._journal) as temporary, temporary.open("w") as stream:
            stream.writelines(json.dumps(entry) + "\n" for entry in entries)


def _entry(record: Record) -> dict:
    """A record's line of the journal; `limited` is left out where it is false."""
    entry = asdict(record)
    return entry if record.limited else {key: value for key, value in entry.items() if key != "limited"}
