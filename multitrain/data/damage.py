"""Errors of the video decoder: every exception of PyAV becomes one kind, with its message on one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from av.error import FFmpegError

__all__ = ["decoded_items", "decoder_errors", "words"]

Item = TypeVar("Item")


@contextmanager
def decoder_errors(damage: type[Exception]) -> Iterator[None]:
    """A context that raises exceptions of PyAV as `damage`, for PyAV's calls only.

    Damaged files raise more than libav's errors, such as an IndexError for a broken transport stream that names a
    missing stream. Python's MemoryError and signals pass.
    """
    try:
        yield
    except damage:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) and not isinstance(error, FFmpegError):
            raise
        raise damage(words(error)) from error


def words(error: Exception) -> str:
    """libav's message without the path that PyAV appends: reports must not depend on temporary names."""
    if isinstance(error, FFmpegError):
        return error.strerror or type(error).__name__
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")


def decoded_items(source: Iterator[Item], damage: type[Exception]) -> Iterator[Item]:
    """The items of an iterator of PyAV; its exceptions are raised as `damage`."""
    while True:
        with decoder_errors(damage):
            try:
                item = next(source)
            except StopIteration:
                return
        yield item
