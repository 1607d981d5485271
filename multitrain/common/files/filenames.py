"""Names of files as text: the same in every locale, on one line, and such that the name can be had back from it."""

import os
from pathlib import Path

__all__ = ["as_bytes", "as_path", "as_text", "one_line", "shown"]


def as_text(name: Path | str) -> str:
    """A name as the text that its bytes are in UTF-8, whatever the locale takes them for.

    Bytes that are no text stay as Python has them, one lone surrogate each, from which `os.fsencode` makes them again.
    """
    try:
        return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, as a list may hold it, which no file is called
        return str(name).encode("utf-8", "backslashreplace").decode()


def as_path(text: str) -> str:
    """The name that the system has for a text, also in a locale that cannot say it."""
    try:
        os.fsencode(text)
        return text
    except UnicodeEncodeError:
        return os.fsdecode(as_bytes(text))


def as_bytes(text: str) -> bytes:
    """The bytes of a name, for a digest that is the same in every locale."""
    return as_text(text).encode("utf-8", "surrogateescape")


def shown(name: Path | str) -> str:
    r"""A name as people and tables get it: as $'...' of bash takes it, on one line and never ambiguous.

    Text is itself, a backslash is \\, what cannot be shown is \n, \t, \x1b or \u200b, a byte that is no text \xe9.
    """
    return "".join("\\\\" if letter == "\\" else _spelt(letter) for letter in as_text(name))


def one_line(message: str) -> str:
    """A message with names in it on one line, spelt as `shown` does, but that a backslash stays one."""
    return "".join(map(_spelt, as_text(message)))


def _spelt(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if letter.isprintable():
        return letter
    if code < 0x80:
        return letter.encode("unicode_escape").decode()
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
