"""Output of `multitrain estimate`: assumptions, a line for each run, and sums."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from rich.table import Table

from multitrain.analysis.cost.estimate import Counts, Estimate, Pace, Speed, Time
from multitrain.common.terminal_columns import columns
from multitrain.config.scale import Scale

__all__ = ["as_plain_values", "assumptions", "hours", "table", "totals", "wall_clock"]

HEAD = (
    *("run", "size", "GFLOPs", "videos", "steps", "Mclips", "passes", "train h", "days", "test h"),
    *("GiB", "resume GB", "model GB", "clips/s", "cores"),
)


def as_plain_values(
    scale: Scale, found: Sequence[Estimate], videos: Mapping[str, Counts], speed: Speed, seeds: int
) -> dict:
    """The estimate as plain values for JSON."""
    return {
        "scale": scale.name,
        "speed": asdict(speed),
        "datasets": {name: asdict(count) for name, count in videos.items()},
        "runs": [asdict(each) for each in found],
        "totals": _totals(scale, found, seeds),
    }


def assumptions(scale: Scale, videos: Mapping[str, Counts], speed: Speed) -> str:
    """The assumptions: machine, speeds and numbers of videos."""
    machine = scale.machine
    known = ", ".join(f"{name} {count.train:,} + {count.test:,} ({count.source})" for name, count in videos.items())
    return (
        f"Scale {scale.name}: {machine.processes} x {_process(scale)}, {machine.precision}, {machine.workers} workers "
        "each; "
        f"{speed.tflops:g} TFLOP/s and {speed.clips_per_core:g} clips/s a core assumed (docs/reference/estimate.md).\n"
        f"Videos to train and to test on: {known}.\n"
    )


def table(found: Sequence[Estimate]) -> Table:
    """The table of runs."""
    return columns(HEAD, map(_row, found), left=2)


def totals(scale: Scale, found: Sequence[Estimate], seeds: int) -> str:
    """Sums over all runs and seeds."""
    its = _totals(scale, found, seeds)
    return (
        f"\nIn all, {seeds} seed{'s' if seeds > 1 else ''}: {hours(scale, found, seeds)}; {its['days']:,.3g} days on "
        f"the whole machine, one job after the other; {its['models_gb']:.3g} GB of models and "
        f"{its['resume_gb']:.3g} GB of resume points of a training."
    )


def hours(scale: Scale, found: Sequence[Estimate], seeds: int) -> str:
    """Hours of training and of tests, of all runs and seeds."""
    its = _totals(scale, found, seeds)
    train, test = its["train_hours"], its["test_hours"]
    return f"{_duration(train)} of training and {_duration(test)} of tests of one {_process(scale)}"


def _duration(hours: float) -> str:
    """Hours as text, in minutes where they are less than one."""
    return f"{hours:,.4g} h" if hours >= 1 else f"{max(60 * hours, 0.1):.2g} min"


def wall_clock(scale: Scale, pace: Pace, time: Time, seeds: int) -> str:
    """The wall-clock time from a measured pace."""
    worlds = len(scale.worlds(range(seeds)))
    sizes = "; ".join(
        f"{size} {1 / pace.train[size]:.3g} clips/s trained, {1 / pace.test[size]:.3g} tested" for size in pace.train
    )
    return (
        f"\nMeasured here in {pace.measuring:.0f} s, {pace.cores} processes side by side, of each: {sizes}; "
        f"{1 / pace.video:.3g} videos/s rendered and prepared; a process starts in {pace.start:.1f} s.\n"
        f"One seed on these {pace.cores} cores: {time.seed / 60:.0f} minutes (trainings {time.train / 60:.0f}, tests "
        f"{time.test / 60:.0f}, {time.processes} processes' starts {time.start / 60:.0f}), and {time.world / 60:.0f} "
        "before it for its world's videos.\n"
        f"All {seeds} seeds: {time.all(seeds, worlds) / 3600:.1f} hours, with {worlds} world{'s' * (worlds > 1)}."
    )


def _totals(scale: Scale, found: Sequence[Estimate], seeds: int) -> dict[str, float]:
    """Sums over all runs and seeds; days are those of the scale's machine with one job after the other."""
    train, test = (seeds * sum(getattr(each, f"{what}_hours") for each in found) for what in ("train", "test"))
    return {
        "train_hours": train,
        "test_hours": test,
        "days": (train + test) / 24 / scale.machine.processes,
        "models_gb": seeds * sum(each.model_gb for each in found),
        "resume_gb": max((each.resume_gb for each in found), default=0.0),
    }


def _process(scale: Scale) -> str:
    return "accelerator" if scale.machine.gpus else "process on processors"


def _row(each: Estimate) -> tuple[str, ...]:
    return (
        *(each.run, each.size, f"{each.gflops:.4g}", f"{each.videos:,}", f"{each.steps:,}", f"{each.clips / 1e6:.4g}"),
        *(str(each.passes), f"{each.train_hours:,.4g}", f"{each.days:.3g}", f"{each.test_hours:,.3g}"),
        *(f"{each.memory_gib:.3g}", f"{each.resume_gb:.3g}", f"{each.model_gb:.3g}"),
        *(f"{each.clips_per_second:.3g}", f"{each.cores:.2g}"),
    )
