"""The arguments of the functions that write outputs."""

from dataclasses import dataclass
from pathlib import Path

from multitrain.config.claims import Claims
from multitrain.config.config_files import load_claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["Arguments"]


@dataclass(frozen=True)
class Arguments:
    """Each attribute is a parameter of that name."""

    scale: Scale
    experiments: Experiments
    seeds: tuple[int, ...]
    config: Path
    data: Path
    results: Path
    published: Path
    measured: Path

    @property
    def claims(self) -> Claims:
        return load_claims(self.config, self.experiments)

    def relations(self, seed: int) -> tuple[Path, ...]:
        """The files of related classes in the world of a seed."""
        world = self.scale.world_of(seed)
        folders = (self.scale.raw_folder(name, self.data, world) for name in self.scale.related_datasets())
        return tuple(folder / "relations.csv" for folder in folders)
