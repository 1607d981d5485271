"""Related classes of two datasets (same or overlapping meaning): the ground truth for projections."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import read_csv

__all__ = ["WORLD", "Relations", "plain", "read_relations"]

WORLD, SAME_NAME = "world", "same name"
COLUMNS = ("source_dataset", "source_class", "target_dataset", "target_class")

Pair = tuple[str, str, str, str]  # in the order of COLUMNS, classes by `plain`
Classes = Mapping[str, tuple[str, ...]]  # dataset -> class names


@dataclass(frozen=True)
class Relations:
    """The related pairs of classes; `pairs` is None where nothing but the names is known."""

    pairs: frozenset[Pair] | None

    @property
    def origin(self) -> str:
        """The origin of the relations: `world` or `same name`."""
        return SAME_NAME if self.pairs is None else WORLD

    def matrix(self, source: str, target: str, classes: Classes) -> np.ndarray:
        """Whether each pair of classes is related, (C_target, C_source), the order of W in Eq. 4."""
        sources, targets = ([plain(name) for name in classes[dataset]] for dataset in (source, target))
        if self.pairs is None:
            return np.array(targets)[:, None] == np.array(sources)
        return np.array([[(source, of, target, into) in self.pairs for of in sources] for into in targets])


def plain(name: str) -> str:
    """A class name without case, punctuation, brackets and underscores.

    `Picking [something] up`, `picking_something_up` and `Picking something up` become one.
    """
    return " ".join(re.findall(r"[^\W_]+", name.lower()))


def read_relations(paths: tuple[Path, ...], classes: Classes) -> Relations:
    """The relations of a synthetic world, from the relations.csv of each dataset; by name where there are no files.

    Rows about datasets that are not in `classes` are left out. A class that its dataset does not have is an error, and
    so is a relation in one direction alone, because a dataset's file is then missing.
    """
    if not paths:
        return Relations(None)
    known = {(dataset, plain(name)) for dataset, names in classes.items() for name in names}
    pairs: set[Pair] = set()
    for path in paths:
        for line, row in enumerate(_rows(path), start=2):
            if row["source_dataset"] not in classes or row["target_dataset"] not in classes:
                continue
            for end in ("source", "target"):
                dataset, name = row[f"{end}_dataset"], row[f"{end}_class"]
                if (dataset, plain(name)) not in known:
                    raise UserError(
                        f"{path}: line {line}: {dataset} has no class {name!r}: not the world of these runs"
                    )
            pairs.add(
                (row["source_dataset"], plain(row["source_class"]), row["target_dataset"], plain(row["target_class"]))
            )
    for source, of, target, into in sorted(pairs):
        if (target, into, source, of) not in pairs:
            raise UserError(
                f"{', '.join(map(str, paths))}: {of!r} of {source} is related to {into!r} of {target}, but not the"
                " other way round: give the relations.csv of every dataset"
            )
    return Relations(frozenset(pairs))


def _rows(path: Path) -> list[dict[str, str]]:
    rows = read_csv(path, COLUMNS, "`multitrain synth` writes it")
    for line, row in rows:
        if any(not row[column] for column in COLUMNS):
            raise UserError(f"{path}: line {line}: a field is empty: `multitrain synth` writes the file anew")
    return [row for _, row in rows]
