"""Errors of the video decoder: every exception of PyAV while it reads a file becomes one kind, with its words."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

from av.error import FFmpegError

__all__ = ["decoded_items", "decoder_errors", "words"]

Item = TypeVar("Item")


@contextmanager
def decoder_errors(damage: type[Exception]) -> Iterator[None]:
    """Make `damage` of every exception of PyAV, with its words on one line. Keep it around PyAV's calls alone.

    Damaged files bring out more than libav's own errors, such as an IndexError where a broken transport stream names
    a stream that does not exist. Python's MemoryError and signals are no damage and pass.
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
    """libav's own words, without the path that PyAV appends, so that reports do not depend on temporary names."""
    if isinstance(error, FFmpegError):
        return error.strerror or type(error).__name__
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(": ")


def decoded_items(source: Iterator[Item], damage: type[Exception]) -> Iterator[Item]:
    """The items of one of PyAV's iterators, what goes wrong between them as `damage`."""
    while True:
        with decoder_errors(damage):
            try:
                item = next(source)
            except StopIteration:
                return
        yield item
