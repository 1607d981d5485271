"""The one exception meant for people."""


class UserError(Exception):
    """Something from outside is wrong: the message names the file, the place and the cure.

    The command line prints the message as one line and exits with status 1; it never shows a traceback for it.
    """
