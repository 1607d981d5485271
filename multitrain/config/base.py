"""Base classes and field types of all settings."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic_core import to_jsonable_python

__all__ = ["Count", "Folder", "Fraction", "Growing", "Name", "Positive", "Seeds", "Settings", "Share", "seeds"]

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


def seeds(value: object) -> tuple[int, ...]:
    """Check the seeds of a configuration or of the command line; Snakemake gives those of --config as text.

    Raises:
        ValueError: they are not different whole numbers from 0 on.
    """
    listed = list(value) if isinstance(value, list | tuple) else []
    read = [int(each) if isinstance(each, str) and each.isascii() and each.isdecimal() else each for each in listed]
    if not read or any(type(each) is not int or each < 0 for each in read) or len(set(read)) < len(read):
        raise ValueError(f"seeds are a list of different whole numbers from 0 on, as in [0, 1, 2], and not {value!r}")
    return tuple(read)


Seeds = Annotated[tuple[int, ...], BeforeValidator(seeds)]


def _folder(text: str) -> str:
    """A folder as the workflow writes its paths: `results` for `results/` and `./results`."""
    folder = os.path.normpath(text) if text.strip() else "."
    if folder == "." or any(letter in folder for letter in "{}\n"):
        raise ValueError(f"{text!r} is no folder of its own: name one, without braces, as in `results`")
    return folder


Folder = Annotated[str, AfterValidator(_folder)]


class Settings(BaseModel):
    """Base class of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Growing(Settings):
    """Settings in records and fingerprints of trainings: a key of `LATER` is written only if it is not at its default.

    Fingerprints and records are then the same as before the key was added.
    """

    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        defaults = {key: type(self).model_fields[key].default for key in self.LATER}
        return {
            key: value
            for key, value in handler(self).items()
            if key not in defaults or getattr(self, key) != defaults[key]
        }

    @classmethod
    def completed(cls, written: Mapping[str, Any]) -> dict[str, Any]:
        """Written settings with the defaults of the keys of `LATER` that they lack."""
        defaults = {key: cls.model_fields[key].default for key in sorted(cls.LATER)}
        return {**to_jsonable_python(defaults), **written}
