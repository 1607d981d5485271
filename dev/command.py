"""Start of a developer's command: what is wrong with its input is one line, and no traceback."""

import sys
from collections.abc import Callable

from multitrain.common.errors import UserError

__all__ = ["start"]


def start(main: Callable[[], None]) -> None:
    """Call `main`; after a UserError exit with status 1 and its message."""
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
