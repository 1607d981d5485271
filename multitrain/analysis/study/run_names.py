"""Names, seeds and worlds of runs as text for tables."""

from collections.abc import Iterable
from pathlib import Path

from multitrain.common.records.run_record import has_record
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

__all__ = ["method_names", "ranges", "seeds_of", "world_of", "yes_no"]


def method_names(experiments: Experiments, scale: Scale) -> dict[str, str]:
    """The method name of each run: that of the first table row that shows it.

    Two joint runs of the same row's name differ in their datasets; the later one says which: `MultiTrain (K700 set)`.
    """
    names: dict[str, str] = {}
    owners: dict[str, str] = {}
    for table in experiments.tables.values():
        for row in table.rows:
            for run in row.runs:
                if run in names:
                    continue
                owner = owners.setdefault(row.method, run)
                names[run] = row.method
                if owner != run and len(experiments.run(run).datasets) > 1:
                    own = set(experiments.run(run).datasets) - set(experiments.run(owner).datasets)
                    titles = ", ".join(scale.dataset(name).title for name in scale.datasets if name in own)
                    names[run] = f"{row.method} ({titles} set)"
    return names


def seeds_of(runs: Path, run: str, seeds: tuple[int, ...]) -> tuple[int, ...]:
    """The given seeds that the run was trained with; all of them if there are none, so that reading reports the file.

    A study that came together on several machines may have more seeds of one run than of another.
    """
    return tuple(seed for seed in seeds if has_record(runs / run / f"seed{seed}")) or seeds


def world_of(scale: Scale, seed: int) -> str:
    """The number of a seed's synthetic world as text; "" for real videos."""
    return "" if scale.world is None else str(scale.world_of(seed))


def ranges(seeds: Iterable[int]) -> str:
    """Seeds as text, `0-2, 5` for 0, 1, 2 and 5."""
    parts: list[list[int]] = []
    for seed in sorted(set(seeds)):
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def yes_no(synthetic: bool) -> str:
    """`yes` or `no`."""
    return "yes" if synthetic else "no"
