"""Sections of a page that a program writes, between the lines `<!-- of FILE -->` and `<!-- end -->`."""

__all__ = ["END", "begin", "replaced"]

END = "<!-- end -->\n"


def begin(writer: str) -> str:
    """The line before a section: its writer is a file, and which section where it has several."""
    return f"<!-- of {writer} -->\n"


def replaced(text: str, writer: str, section: str, where: str) -> str:
    """The page `text` with the section of this writer; exit where the page, named by `where`, has no such section."""
    before, _, rest = text.partition(begin(writer))
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{where}: the lines {begin(writer).strip()} and {END.strip()} are missing: restore the page")
    return f"{before}{begin(writer)}{section}{END}{after}"
