"""Progress bars: a bar in a terminal, about a line every fifteen seconds in a log."""

import errno
import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from tqdm import tqdm

__all__ = ["outlive_readers", "progress", "progress_callback"]

CLOSED = (errno.EPIPE, errno.EIO)  # the reader of a pipe, or the terminal, is gone


class _IgnoringClosed(io.FileIO):
    """A file that drops what is written after its reader is gone."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in CLOSED:
                raise
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Keep standard error usable after its reader is gone, such as a killed Snakemake and its `tee`."""
    stream = sys.__stderr__
    if stream and sys.stderr is stream:
        raw, encoding = _IgnoringClosed(stream.fileno(), "w", closefd=False), stream.encoding
        sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True, write_through=True)


class _Lines:
    """Standard error with each update of a bar as its own line."""

    def write(self, text: str) -> None:
        if text := text.strip("\r\n"):
            sys.stderr.write(f"{text}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(title: str, unit: str, total: int | None = None, initial: int = 0) -> "tqdm":
    """A progress bar on standard error; lines where that is no terminal."""
    from tqdm import tqdm  # slow to import, and the command line imports this module

    terminal = sys.stderr.isatty()
    return tqdm(
        desc=title,
        unit=unit,
        total=total,
        initial=initial,
        file=sys.stderr if terminal else _Lines(),
        mininterval=0.5 if terminal else 15,
        miniters=None if terminal else 1,
        bar_format=None if terminal else "{desc}: {n_fmt}/{total_fmt} {unit}s, {rate_fmt}, {remaining} left{postfix}",
        delay=0 if terminal else 1e-9,  # no line before the first update
    )


def progress_callback(title: str, unit: str = "video") -> Callable[[int, int], None]:
    """A bar as a callback (done, total), not shown before the first call: an error comes alone."""
    bar: tqdm | None = None

    def update(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or progress(title, unit, total)
        bar.update(done - bar.n)
        if done >= total:
            bar.close()

    return update
