"""The one exception meant for people, and words for its messages."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["UserError", "did_you_mean"]


class UserError(Exception):
    """Something from outside is wrong: the message names the file, the place and the cure.

    The command line prints the message as one line and exits with status 1; it never shows a traceback for it.
    """


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """What to write in the place of a name that is not known: the closest, or the list of them."""
    known = [str(each) for each in known]
    close = get_close_matches(str(name), known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known) or 'none'}"
