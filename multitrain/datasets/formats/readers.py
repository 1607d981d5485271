"""Registry of readers: `@reader("kinetics")` registers the function that reads the files of one format.

Each module of this folder may register one. `multitrain.config.scale.Dataset.reader` lists the names.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from multitrain.config.scale import Dataset
from multitrain.datasets.publication import Publication

__all__ = ["reader", "readers"]

MODULES = "multitrain.datasets.formats.*"  # imported here; multitrain.planning.closure counts them as imports
Read = Callable[[Path, Dataset], Publication]


@dataclass(frozen=True)
class Reader:
    """The function that reads a raw folder, and whether it downloads what the setting `download` names."""

    read: Read
    downloads: bool


_REGISTERED: dict[str, Reader] = {}


def reader(name: str, downloads: bool = False) -> Callable[[Read], Read]:
    """Register a function as the reader that a dataset's setting `reader` calls `name`."""

    def register(read: Read) -> Read:
        if name in _REGISTERED:
            raise ValueError(f"reader {name!r} is registered twice")
        _REGISTERED[name] = Reader(read, downloads)
        return read

    return register


def readers() -> dict[str, Reader]:
    """All readers by name, of every module in the folder."""
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        import_module(MODULES.replace("*", path.stem))
    return _REGISTERED
