"""Progress of long work: a bar where somebody watches, a line now and then in a log."""

import errno
import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from tqdm import tqdm

__all__ = ["outlive_readers", "progress", "progress_callback"]

UNHEARD = (errno.EPIPE, errno.EIO)  # who read a pipe, or the terminal, has gone


class _Unheard(io.FileIO):
    """A file whose reader may go: from then on what is written is dropped."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in UNHEARD:
                raise
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Let no work end because nobody reads its progress any more, as when Snakemake and its `tee` were killed."""
    stream = sys.__stderr__
    if stream and sys.stderr is stream:
        raw, encoding = _Unheard(stream.fileno(), "w", closefd=False), stream.encoding
        sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True, write_through=True)


class _Lines:
    """Standard error, with each redrawing of a bar as a line of its own."""

    def write(self, text: str) -> None:
        if text := text.strip("\r\n"):
            sys.stderr.write(f"{text}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(what: str, unit: str, total: int | None = None, initial: int = 0) -> "tqdm":
    """A bar to update; where standard error is no terminal, about a line every fifteen seconds."""
    from tqdm import tqdm  # slow to import, and the command line imports this module

    watched = sys.stderr.isatty()
    return tqdm(
        desc=what,
        unit=unit,
        total=total,
        initial=initial,
        file=sys.stderr if watched else _Lines(),
        mininterval=0.5 if watched else 15,
        miniters=None if watched else 1,
        bar_format=None if watched else "{desc}: {n_fmt}/{total_fmt} {unit}s, {rate_fmt}, {remaining} left{postfix}",
        delay=0 if watched else 1e-9,  # no line before the first update
    )


def progress_callback(what: str, unit: str = "video") -> Callable[[int, int], None]:
    """A bar as a callback (done, total), not shown before the first call: an error comes alone."""
    bar: tqdm | None = None

    def update(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or progress(what, unit, total)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return update
