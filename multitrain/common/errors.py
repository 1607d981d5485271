"""The exception for the user's errors, and suggestions for unknown names."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["UserError", "did_you_mean"]


class UserError(Exception):
    """An error of the user's input: the message names the file, the place and the cure.

    The command line prints it as one line, without a traceback, and exits with status 1.
    """


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A suggestion for an unknown name: the closest known one, or the list of all."""
    names = [str(item) for item in known]
    close = get_close_matches(str(name), names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(names) or 'none'}"
