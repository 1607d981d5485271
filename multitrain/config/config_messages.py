"""Error messages of a configuration: one line with the file, the path of the key, its value, and what is allowed."""

from collections.abc import Iterator
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from multitrain.common.errors import UserError
from multitrain.common.records.renamed_keys import advice
from multitrain.config.claims import Claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Project, Scale

__all__ = ["explain"]

FILES: dict[type[BaseModel], str] = {  # where else a key can belong
    Project: "config.yaml",
    Scale: "scales/SCALE.yaml",
    Experiments: "experiments.yaml",
    Claims: "claims.yaml",
}
ANY = "NAME"  # stands for a key that a user chooses
LONGEST = 60  # characters of a value
SHAPES = {
    "model_type": "should be keys with values (KEY: VALUE)",
    "dict_type": "should be keys with values (KEY: VALUE)",
    "tuple_type": "should be a list, [ONE, ANOTHER]",
    "string_pattern_mismatch": "a name has lower-case letters, digits and _, and starts with a letter",
}
_Path = tuple[str, ...]


def explain(error: ValidationError, kind: type[BaseModel], where: Path | str, under: str = "") -> UserError:
    """The first error as one line; an unknown key goes before a missing one, which it explains.

    `under` is the path of these settings in the file, where they are a part of it.
    """
    errors = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
    first = errors[0]
    path = tuple(str(part) for part in first["loc"] if part != "[key]")
    place = f"{'.'.join(filter(None, (under, *path)))}: " if under or path else ""
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return UserError(f"{where}: {place}{_cure(dict(first), path, kind)}{more}")


def shown(value: object) -> str:
    """A value for a message: on one line, at most LONGEST characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _cure(error: dict[str, Any], path: _Path, kind: type[BaseModel]) -> str:
    value = shown(error["input"])
    match error["type"]:
        case "value_error":
            return error["msg"].removeprefix("Value error, ")
        case "missing":
            return f"this key is required{_described(path, kind)}"
        case "extra_forbidden" if renamed := advice(_owner(path, kind), path[-1]):
            return renamed
        case "extra_forbidden":
            return f"no such key (its value is {value}): {_belongs(path, kind)}"
        case "literal_error":
            close = get_close_matches(str(error["input"]), error["ctx"]["expected"].replace("'", "").split(", "), n=1)
            return f"{error['msg']}, but it is {value}" + (f": did you mean {close[0]!r}?" if close else "")
    if "[key]" in error["loc"]:
        return f"{SHAPES['string_pattern_mismatch']}, and {value} does not"
    return f"{SHAPES.get(error['type'], error['msg'])}, but it is {value}"


def _described(path: _Path, kind: type[BaseModel]) -> str:
    """The description of a key, after a colon; "" if it has none."""
    field = _beside(path, kind).get(path[-1])
    return f": {field.description}" if field and field.description else ""


def _belongs(path: _Path, kind: type[BaseModel]) -> str:
    """The key that was meant: the same elsewhere, a similar one of the same place, or a similar one elsewhere."""
    key, beside = path[-1], _beside(path, kind)
    elsewhere = {
        each[-1]: ".".join(each) + ("" if other is kind else f" of {FILES[other]}")
        for other in sorted({*FILES, kind}, key=lambda other: other is kind)  # its own file goes before the others
        for each in _keys(other)
    }
    if key not in elsewhere and (close := get_close_matches(key, beside, n=1)):
        return f"did you mean {close[0]}?"
    if close := get_close_matches(key, elsewhere, n=1):
        return f"did you mean {elsewhere[close[0]]}?"
    return f"there are {', '.join(beside)}"


def _beside(path: _Path, kind: type[BaseModel]) -> dict[str, FieldInfo]:
    """The keys allowed in the place of the last one of `path`."""
    return {each[-1]: key.field for each, key in _keys(kind).items() if _is_beside(each, path)}


def _owner(path: _Path, kind: type[BaseModel]) -> str:
    """The name of the settings class whose key the last one of `path` would be."""
    return next((key.owner for each, key in _keys(kind).items() if _is_beside(each, path)), "")


def _is_beside(one: _Path, path: _Path) -> bool:
    same = (part in (other, ANY) for part, other in zip(one[:-1], path, strict=False))
    return len(one) == len(path) and all(same)


class _Key(NamedTuple):
    owner: str  # class of settings
    field: FieldInfo


@lru_cache
def _keys(kind: type[BaseModel]) -> dict[_Path, _Key]:
    """Every key of a file by its path, `recipes.NAME.lr`."""
    return dict(_nested(kind, ()))


def _nested(annotation: Any, path: _Path) -> Iterator[tuple[_Path, _Key]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            yield (*path, name), _Key(annotation.__name__, field)
            yield from _nested(field.annotation, (*path, name))
        return
    below = (ANY,) if get_origin(annotation) in (dict, tuple) else ()
    for inner in get_args(annotation):
        yield from _nested(inner, (*path, *below))
