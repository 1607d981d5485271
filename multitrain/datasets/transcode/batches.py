"""Incremental transcoding of a publication: clips of earlier runs are kept, and the others are made."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from multitrain.common.files.filenames import as_bytes
from multitrain.common.progress import progress as bar_of
from multitrain.config.scale import Download, Limits, Transcode
from multitrain.datasets.fetch.archives import CHUNK, archive_errors
from multitrain.datasets.fetch.download import ArchiveDownloads
from multitrain.datasets.publication import AnnotatedClip, Batch, Member, Publication, RemoteArchive
from multitrain.datasets.transcode.journal import ClipStore, Record
from multitrain.datasets.transcode.source_video import DEFAULT
from multitrain.datasets.transcode.workers import Piece, Task, TranscodePool

__all__ = ["Transcoding"]

IN_MEMORY = 16 << 20  # bytes; a larger video goes to a worker as a file


def digest(*parts: object) -> str:
    """A short hash of a sequence of values."""
    return hashlib.blake2b(as_bytes("\x1f".join(map(str, parts))), digest_size=16).hexdigest()


def next_stamp(stamp: str, batch: Batch) -> str:
    """The hash that marks a batch as read. It chains: a batch depends on the videos of the earlier ones."""
    return digest(stamp, batch.name, *(batch.state() or ()))


class Transcoding:
    """Reads each batch once, in order; the first video that is not empty makes the clips of its key."""

    def __init__(self, publication: Publication, store: ClipStore, settings: Transcode, limits: Limits = DEFAULT):
        self.publication, self.store, self.settings, self.limits = publication, store, settings, limits
        self.records: dict[str, Record] = {}  # results by clip id
        self.refused: dict[str, str] = {}  # by key: why its video was refused or is absent
        self._claimed: set[str] = set()  # keys whose video was found
        self._wanted: dict[str, list[AnnotatedClip]] = {}
        for clip in publication.clips:
            self._wanted.setdefault(clip.key, []).append(clip)
        self._keys = {clip.clip_id: clip.key for clip in publication.clips}

    def path(self, clip_id: str) -> str:
        """The manifest's path of a clip."""
        return self.store.relative(clip_id)

    def run(self, jobs: int, progress: Callable[[int, int], None] | None = None) -> None:
        """Fill `records`. `progress` gets (clips done, clips in all), with clips without a video at the end."""
        with (
            TranscodePool(jobs, self.limits) as pool,
            ArchiveDownloads(self.publication.download or Download()) as archives,
        ):
            self._start_downloads(archives)
            stamp = self._first_stamp()
            for batch in self.publication.batches:
                known = self._known(batch, next_stamp(stamp, batch))
                if known is not None and not archives.is_pending(batch.remote):
                    self._skip(known)
                    stamp = next_stamp(stamp, batch)
                    continue
                self.store.stamp(batch.name, "")
                with archives.available(batch.remote):
                    stamp = next_stamp(stamp, batch)
                    if batch.check_first:
                        self._check(batch)
                    self._read(batch, pool, progress)
                    self.store.stamp(batch.name, stamp)
        if progress:
            progress(len(self.publication.clips), len(self.publication.clips))

    def _first_stamp(self) -> str:
        return digest(self.publication.cut, *[(c.key, c.clip_id, c.start, c.end) for c in self.publication.clips])

    def _known(self, batch: Batch, stamp: str) -> list[Record] | None:
        """The records of a batch that was read; None where it must be read again."""
        return self.store.of_batch(batch.name, stamp) if batch.state() is not None else None

    def _start_downloads(self, archives: ArchiveDownloads) -> None:
        """Start the download of the archives that will be read."""
        stamp = self._first_stamp()
        known: list[RemoteArchive] = []
        wanted: list[RemoteArchive] = []
        for batch in self.publication.batches:
            stamp = next_stamp(stamp, batch)
            if batch.remote is not None:
                (wanted if self._known(batch, stamp) is None else known).append(batch.remote)
        archives.start(wanted, known)

    def _skip(self, known: list[Record]) -> None:
        for record in known:
            self.records[record.clip] = record
            if record.reason != "empty":
                self._claimed.add(self._keys[record.clip])

    @staticmethod
    def _check(batch: Batch) -> None:
        """Raise a UserError now if the archive breaks off anywhere."""
        with bar_of(f"check {batch.name}", "file") as bar:
            for _ in batch.members():
                bar.update()

    def _read(self, batch: Batch, pool: TranscodePool, progress: Callable[[int, int], None] | None) -> None:
        for task, records in pool.transcode(self._tasks(batch)):
            self._settle(records)
            if isinstance(task.content, Path) and task.content.parent == self.store.incoming:
                task.content.unlink()
            if progress:
                progress(len(self.records), len(self.publication.clips))

    def _settle(self, records: list[Record]) -> None:
        self.store.add(records)
        self.records.update((record.clip, record) for record in records)

    def _tasks(self, batch: Batch) -> Iterator[Task]:
        """The videos of a batch that must be transcoded."""
        for member in batch.members():
            if member.key not in self._wanted or member.key in self._claimed:
                continue
            if member.absent:
                self.refused[member.key] = member.absent
                continue
            if member.refused:
                self.refused[member.key] = f"{member.where}: refused, {member.refused}"
                continue
            content, source = self._content(batch, member)
            task = self._task(batch, member, content, source)
            if member.size == 0:
                self._settle(task.refused("empty", member.where))
                continue
            self._claimed.add(member.key)
            if task.pieces:
                yield task
            elif isinstance(content, Path) and content != member.content:
                content.unlink()

    def _task(self, batch: Batch, member: Member, content: bytes | Path, source: str) -> Task:
        """The clips of this video to make; records of those that exist are reused."""
        pieces = []
        for clip in self._wanted[member.key]:
            start, end = (clip.start, clip.end) if self.publication.cut else (None, None)
            part = digest(source, start, end)
            record = self.store.record(clip.clip_id, part)
            if record is None:
                pieces.append(Piece(clip.clip_id, part, self.store.path(clip.clip_id), start, end))
            elif record.batch == batch.name:
                self.records[clip.clip_id] = record
            else:
                self._settle([replace(record, batch=batch.name)])
        return Task(batch.name, member.where, content, tuple(pieces), self.settings)

    def _content(self, batch: Batch, member: Member) -> tuple[bytes | Path, str]:
        """A member's video and a digest of it; of a file on the disk the digest is of size and time."""
        if isinstance(member.content, Path):
            status = member.content.stat()
            return member.content, digest(status.st_size, status.st_mtime_ns)
        assert member.content is not None  # it is not refused
        with archive_errors(f"{batch.files[0].parent}: {member.where}"), member.content() as stream:
            if member.size <= IN_MEMORY:
                content = stream.read()
                return content, hashlib.blake2b(content, digest_size=16).hexdigest()
            path, state = self.store.incoming / digest(member.where), hashlib.blake2b(digest_size=16)
            with path.open("wb") as target:
                while block := stream.read(CHUNK):
                    state.update(block)
                    target.write(block)
            return path, state.hexdigest()
