"""Facts about the datasets of a synthetic world: sizes, classes, durations, related classes and parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multitrain.analysis.projections.class_relations import Relations, read_relations
from multitrain.common.errors import UserError
from multitrain.common.files.json_files import read_json
from multitrain.config.bias import Bias
from multitrain.config.scale import Scale
from multitrain.data.manifest import SPLITS, Manifest, read_manifest

__all__ = ["Facts", "dials", "motions", "read_facts", "read_related"]


@dataclass(frozen=True)
class Dial:
    """One parameter of the datasets of a world."""

    name: str
    meaning: str
    values: dict[str, str]  # by dataset


@dataclass(frozen=True)
class Facts:
    """The facts about one prepared dataset of the world."""

    name: str
    title: str
    manifest: Manifest
    wrong: frozenset[str]  # videos with a wrong label, by the publisher's summary

    @property
    def classes(self) -> tuple[str, ...]:
        return self.manifest.classes

    def size(self, split: str, column: str = "clip_id") -> int:
        """Clips of a split, or videos by `video_id`."""
        return len(self.manifest.split(split).table[column].unique())

    def mislabelled(self, split: str) -> int:
        """Clips of a split whose label is wrong."""
        videos = self.manifest.split(split).table["video_id"].to_pylist()
        # Moments in Time files a video as SITE-ID_NUMBER.
        return sum(bool({video, video.partition("-")[2].rpartition("_")[0]} & self.wrong) for video in videos)

    def by_class(self, split: str) -> list[tuple[str, int]]:
        """Clips of each class, the largest first."""
        counts = np.bincount(self.manifest.split(split).table["label"].to_numpy(), minlength=len(self.classes))
        return sorted(zip(self.classes, counts.tolist(), strict=True), key=lambda each: (-each[1], each[0]))

    @property
    def seconds(self) -> tuple[float, float, float]:
        """Shortest, median and longest clip of all splits."""
        table = self.manifest.table
        lengths = table["frames"].to_numpy() / table["fps"].to_numpy().astype(float)
        return float(lengths.min()), float(np.median(lengths)), float(lengths.max())


def read_facts(name: str, scale: Scale, data: Path, world: int = 0) -> Facts:
    """The facts about a synthetic dataset, from its manifest and published.json."""
    manifest = read_manifest(scale.clips_folder(name, data, world) / "manifest.parquet")
    path = manifest.folder / "manifest.parquet"
    if absent := [split for split in SPLITS if not len(manifest.split(split))]:
        raise UserError(f"{path}: no clip in split {absent[0]}: see missing.csv beside it")
    summary = scale.raw_folder(name, data, world) / "published.json"
    said = read_json(summary, "`multitrain synth`")
    wrong = said.get("wrong_labels", []) if isinstance(said, dict) else None
    if not isinstance(wrong, list):
        raise UserError(f"{summary}: not a publisher's summary: `multitrain synth` writes it anew")
    return Facts(name, scale.dataset(name).title, manifest, frozenset(map(str, wrong)))


def dials(biases: Mapping[str, Bias]) -> list[Dial]:
    """The parameters of the datasets, with their meaning."""
    return [
        Dial(name, field.description or "", {of: _text(getattr(bias, name)) for of, bias in biases.items()})
        for name, field in Bias.model_fields.items()
    ]


def _text(value: object) -> str:
    """A value as text; a range as `0.6 to 1.1`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        between = " to " if len(value) == 2 and all(isinstance(each, int | float) for each in value) else ", "
        return between.join(map(_text, value))
    return str(value)


def read_related(facts: Mapping[str, Facts], scale: Scale, data: Path, world: int = 0) -> Relations:
    """The related classes of these datasets, from relations.csv."""
    paths = tuple(scale.raw_folder(name, data, world) / "relations.csv" for name in facts)
    return read_relations(paths, {name: its.classes for name, its in facts.items()})


def motions(facts: Mapping[str, Facts], relations: Relations, most: int) -> list[dict[str, str]]:
    """At most so many motions as {dataset: class}: each in as many datasets as can be, no class in two of them."""
    classes = {name: its.classes for name, its in facts.items()}
    groups = []
    for source, names in classes.items():
        matrices = {target: relations.matrix(source, target, classes) for target in classes if target != source}
        for place, name in enumerate(names):
            its = {target: np.flatnonzero(matrix[:, place]) for target, matrix in matrices.items()}
            groups.append({source: name} | {t: classes[t][found[0]] for t, found in its.items() if len(found)})
    chosen: list[dict[str, str]] = []
    taken: set[tuple[str, str]] = set()
    for group in sorted(groups, key=len, reverse=True):  # a stable sort: the world's order decides among equals
        if len(group) > 1 and not taken & set(group.items()) and len(chosen) < most:
            chosen.append({name: group[name] for name in classes if name in group})
            taken |= set(group.items())
    return chosen
