"""YAML files of the user: every mistake is one line that names the file, the place and the cure."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from multitrain.common.errors import UserError, did_you_mean
from multitrain.common.files.atomic import read_bytes

__all__ = ["extended", "parse_yaml", "read_yaml"]

Entry = dict[str, Any]
Entries = Mapping[str, Entry]


class _Loader(yaml.SafeLoader):
    """YAML loader for which a key that comes twice is an error; PyYAML's own takes the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                problem = f"the key {key.value} comes twice: leave one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> object:
    """The content of a YAML file, or a UserError."""
    if not path.exists():
        if not path.parent.is_dir():
            raise UserError(f"{path}: no such file, and no folder {path.parent}: start in the repository's folder")
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.yaml"))) or "none"
        raise UserError(f"{path}: no such file; in that folder there are: {known}")
    try:
        content = parse_yaml(read_bytes(path).decode("utf-8"), path)
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8: save the file as UTF-8") from None
    if content is None:
        raise UserError(f"{path}: is empty: restore the committed file")
    return content


def parse_yaml(text: str, where: Path | str) -> object:
    """The content of a text in YAML, or a UserError that names `where`."""
    try:
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that there is not
        raise UserError(f"{where}: not valid YAML: {_problem(error)}") from None


def _problem(error: Exception) -> str:
    """The parser's message with line and column, and for a tab its cure."""
    text = " ".join(str(getattr(error, "problem", None) or error).split())
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{text}" + (": indent with spaces" if "'\\t'" in text else "")


def extended(path: Path, section: str, own: Entries, of_base: Entries) -> dict[str, Entry]:
    """The entries of a section of a file, those with `extends: NAME` on top of that entry, of the file or of a base.

    Raises:
        UserError: no such entry, or entries that extend each other.
    """
    return {name: dict(_resolved(path, section, name, own, of_base, ())) for name in own}


def _resolved(
    path: Path, section: str, name: str, own: Entries, of_base: Entries, seen: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    """(key, value) of an entry, those that it takes over first; `extends: X` of an entry X means the base's."""
    parent = own[name].get("extends")
    if parent is not None:
        if parent in own and parent != name:
            if parent in seen:
                raise UserError(f"{path}: {section}.{name}.extends: goes in a circle: name another entry")
            yield from _resolved(path, section, parent, own, of_base, (*seen, name))
        elif parent in of_base:
            yield from of_base[parent].items()
        else:
            known = {*of_base, *(set(own) - {name})}
            raise UserError(f"{path}: {section}.{name}.extends: no entry {parent!r}: {did_you_mean(parent, known)}")
    yield from ((key, value) for key, value in own[name].items() if key != "extends")
