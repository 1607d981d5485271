"""Progress of long work: a bar where somebody watches, a line now and then in a log."""

import sys

from tqdm import tqdm


class _Lines:
    """Standard error, with each redrawing of a bar as a line of its own."""

    def write(self, text: str) -> None:
        if text := text.strip("\r\n"):
            sys.stderr.write(f"{text}\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress(what: str, unit: str, total: int | None = None, initial: int = 0) -> tqdm:
    """A bar to update; where standard error is no terminal, about a line every fifteen seconds."""
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
