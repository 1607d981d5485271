"""File names as text: the same in every locale, on one line, and reversible."""

import os
from pathlib import Path

__all__ = ["as_bytes", "as_path", "as_text", "one_line", "shown"]


def as_text(name: Path | str) -> str:
    """A name decoded as UTF-8 in any locale.

    Other bytes stay as Python has them, a lone surrogate each, which `os.fsencode` turns back.
    """
    try:
        return str(name).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate in a list, which no file name has
        return str(name).encode("utf-8", "backslashreplace").decode()


def as_path(text: str) -> str:
    """The system's name of a text, also in a locale that cannot encode it."""
    try:
        os.fsencode(text)
        return text
    except UnicodeEncodeError:
        return os.fsdecode(as_bytes(text))


def as_bytes(text: str) -> bytes:
    """The bytes of a name, for a digest that is the same in every locale."""
    return as_text(text).encode("utf-8", "surrogateescape")


def shown(name: Path | str) -> str:
    r"""A name for messages and tables, escaped as in bash's $'...': on one line and unambiguous.

    A backslash becomes \\, an unprintable character \n, \t, \x1b or \u200b, a byte that is not UTF-8 \xe9.
    """
    return "".join("\\\\" if letter == "\\" else _escaped(letter) for letter in as_text(name))


def one_line(message: str) -> str:
    """A message with names on one line, escaped as by `shown` except for backslashes."""
    return "".join(map(_escaped, as_text(message)))


def _escaped(letter: str) -> str:
    """A letter, or its escape if it is not printable or a byte that is not UTF-8."""
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if letter.isprintable():
        return letter
    if code < 0x80:
        return letter.encode("unicode_escape").decode()
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
