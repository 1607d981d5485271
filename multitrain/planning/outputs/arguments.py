"""Arguments of the functions that write outputs."""

from dataclasses import dataclass
from pathlib import Path

from multitrain.config.claims import Claims
from multitrain.config.config_files import load_claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["Arguments"]


@dataclass(frozen=True)
class Arguments:
    """Values for the parameters of an output's function: each attribute is passed to the parameter of its name."""

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
        """The files with the related classes of a seed's world."""
        world = self.scale.world_of(seed)
        used = self.experiments.used_datasets()
        names = (name for name in self.scale.related_datasets() if name in used)
        folders = (self.scale.raw_folder(name, self.data, world) for name in names)
        return tuple(folder / "relations.csv" for folder in folders)
