"""Files of class names, for the class indices in path-label lists."""

import re
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import read_bytes
from multitrain.datasets.annotations import decode_text, parse_json

__all__ = ["class_names", "unquoted"]

NAME_INDEX = re.compile(r"(?P<name>.*?)\s*[,\t]\s*(?P<index>\d+)")
INDEX_NAME = re.compile(r"(?P<index>\d+)(?:\s*,\s*|\s+)(?P<name>.+)")
INDEX, NAME = r"(?:class_?)?(?:id|idx|index|label)", r"(?:class_?)?(?:name|class|action|label)s?"
HEADER = re.compile(rf"\W*(?:{INDEX}\W+{NAME}|{NAME}\W+{INDEX})\W*", re.IGNORECASE)


def class_names(path: Path) -> tuple[str, ...]:
    """Names in the order of their indices.

    A name a line, in that order, or with its index before or after it (`0 abseiling`, `abseiling,0`) and perhaps a
    header `id,name`; or JSON {name: index}, {index: name} or [name].

    Raises:
        UserError: indices or names that are not each there once, from 0 on.
    """
    text = decode_text(read_bytes(path), str(path))
    named = _of_json(text, path) if path.suffix == ".json" else _of_lines(text)
    names = {int(index): unquoted(name) for name, index in named if re.fullmatch(r"\d{1,9}", index)}
    if names and sorted(names) == list(range(1, len(named) + 1)):
        raise UserError(
            f"{path}: its indices begin with 1, labels of lists with 0: take 1 off these, and off the lists'"
        )
    if not named or len(set(names.values())) != len(named) or sorted(names) != list(range(len(named))):
        raise UserError(f"{path}: {len(named)} class names, not each once with an index from 0 on: get the file again")
    return tuple(names[index] for index in sorted(names))


def _of_json(text: str, path: Path) -> list[tuple[str, str]]:
    """(name, index) of each class."""
    content = parse_json(text.encode(), str(path), object)
    if isinstance(content, list):
        return [(str(name), str(index)) for index, name in enumerate(content)]
    pairs = [(str(key), str(value)) for key, value in content.items()] if isinstance(content, dict) else []
    by_index = all(re.fullmatch(r"\d{1,9}", key) for key, _ in pairs)
    return [(value, key) for key, value in pairs] if by_index else pairs


def _of_lines(text: str) -> list[tuple[str, str]]:
    """(name, index) of each class where all lines have both, else every line is a name."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    body = lines[1:] if lines and HEADER.fullmatch(lines[0]) else lines
    for form in (NAME_INDEX, INDEX_NAME):
        found = [match for line in body if (match := form.fullmatch(line))]
        if len(found) == len(body):
            return [(match["name"], match["index"]) for match in found]
    return [(name, str(index)) for index, name in enumerate(lines)]


def unquoted(text: str) -> str:
    """The text without blanks and a pair of quotes around it."""
    match = re.fullmatch(r'\s*"(.*)"\s*', text)
    return match[1] if match else text.strip()
