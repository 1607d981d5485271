"""Earlier measurements of a scale (resources/measured/<scale>): plateaus, and the spread between seeds.

`plateau.csv` has validation accuracies of runs whose schedules were a multiple of the scale's own; `<table>.csv` is a
copy of a table of several seeds. Both say of which settings they are; one of other settings is not used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import read_csv
from multitrain.config.scale import Scale

__all__ = [
    "COLUMNS",
    "FEWEST_SEEDS",
    "FLAT",
    "PLATEAU",
    "Doubling",
    "MeasuredFile",
    "doublings",
    "read_plateau",
    "read_spread",
]

PLATEAU = "plateau.csv"
COLUMNS = ("settings", "run", "seed", "epochs_factor", "dataset", "top1")  # of plateau.csv
ABSENT = "not there"
FLAT = 2.0  # points: a schedule is long enough when twice as long a one changes val by less
FEWEST_SEEDS = 3  # that a plateau is decided by


@dataclass(frozen=True)
class Trial:
    """A run's accuracy on val after a schedule that is `factor` times the scale's."""

    run: str
    seed: int
    factor: float
    dataset: str
    top1: float  # percent


@dataclass(frozen=True)
class Spread:
    """Mean and spread over seeds of one cell of a table, by Y_k."""

    method: str
    dataset: str
    seeds: tuple[int, ...]
    top1: float  # percent, the mean
    std: float
    processor: str


@dataclass(frozen=True)
class Doubling:
    """The change of val accuracy when a run's schedule was doubled."""

    run: str
    factor: float  # from this multiple of the scale's schedule to twice that
    dataset: str | None  # None: the mean over the run's datasets, which decides
    seeds: int
    change: float  # points

    @property
    def verdict(self) -> str:
        if self.seeds < FEWEST_SEEDS:
            return f"undecided: {self.seeds} of {FEWEST_SEEDS} seeds"
        if abs(self.change) < FLAT:
            return "plateau"
        return "longer is better" if self.change > 0 else "longer is worse"


@dataclass(frozen=True)
class MeasuredFile:
    """The content of a file, or the reason why it is not used."""

    path: Path
    rows: tuple
    unused: str = ""  # "" where it is used

    @property
    def is_other(self) -> bool:
        """Whether the file exists but is of other settings."""
        return self.unused not in ("", ABSENT)


def read_plateau(folder: Path, scale: Scale) -> MeasuredFile:
    """<folder>/<scale>/plateau.csv as Trials; a UserError names the row of what is wrong."""
    return _read(folder / scale.name / PLATEAU, scale, COLUMNS, _trial)


def read_spread(folder: Path, scale: Scale, table: str = "table1") -> MeasuredFile:
    """<folder>/<scale>/<table>.csv, a copy of the table of several seeds, as Spreads of our rows."""
    needs = ("settings", "source", "method", "dataset", "seeds", "top1", "top1_std", "processor")
    return _read(folder / scale.name / f"{table}.csv", scale, needs, _spread)


def doublings(trials: tuple[Trial, ...]) -> list[Doubling]:
    """The doubled schedules: per run the mean over its datasets, then each dataset, over the seeds that have both."""
    values = {(each.run, each.factor, each.seed, each.dataset): each.top1 for each in trials}
    found = []
    runs = list(dict.fromkeys(each.run for each in trials))
    schedules = sorted({(runs.index(each.run), each.factor) for each in trials})
    for run, factor in ((runs[place], factor) for place, factor in schedules):
        pairs = {
            (seed, dataset): values[run, 2 * factor, seed, dataset] - top1
            for (name, its, seed, dataset), top1 in values.items()
            if (name, its) == (run, factor) and (run, 2 * factor, seed, dataset) in values
        }
        datasets = dict.fromkeys(dataset for _, dataset in pairs)
        whole = [seed for seed in dict.fromkeys(seed for seed, _ in pairs) if all((seed, d) in pairs for d in datasets)]
        if whole:
            chosen = [pairs[seed, dataset] for seed in whole for dataset in datasets]
            found.append(Doubling(run, factor, None, len(whole), sum(chosen) / len(chosen)))
            for dataset in datasets:
                its = [pairs[seed, dataset] for seed in whole]
                found.append(Doubling(run, factor, dataset, len(whole), sum(its) / len(its)))
    return found


def _read(
    path: Path, scale: Scale, needs: tuple[str, ...], row_of: Callable[[Mapping], Trial | Spread | None]
) -> MeasuredFile:
    if not path.exists():
        return MeasuredFile(path, (), ABSENT)
    rows, own = [], scale.fingerprint
    for number, row in read_csv(path, needs, "restore the file, or remove it"):
        try:
            if (row["settings"] or "").partition(" ")[0] not in ("", own):
                return MeasuredFile(path, (), f"of other settings ({row['settings']}; here {own}), so not used")
            rows.append((number, row_of(row)))
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: line {number}: {error}: correct the row, or remove the file") from None
    return MeasuredFile(path, _require_distinct(path, [(number, its) for number, its in rows if its is not None]))


def _require_distinct(path: Path, rows: list[tuple[int, Trial | Spread]]) -> tuple:
    """The rows, or a UserError for a cell that occurs twice."""
    seen: dict[tuple, int] = {}
    for number, its in rows:
        key = (its.run, its.seed, its.factor, its.dataset) if isinstance(its, Trial) else (its.method, its.dataset)
        if key in seen:
            raise UserError(f"{path}: line {number}: the same cell as line {seen[key]}: leave one of the two")
        seen[key] = number
    return tuple(its for _, its in rows)


def _trial(row: Mapping[str, str]) -> Trial:
    if not row["settings"]:
        raise ValueError("settings is empty: it takes the fingerprint that a table of these runs has")
    factor, seed = _number(row, "epochs_factor", 0), _number(row, "seed", -1)
    if seed != int(seed) or not row["run"] or not row["dataset"]:
        raise ValueError("it takes a run, a whole seed and a dataset")
    return Trial(row["run"], int(seed), factor, row["dataset"], _percent(row, "top1"))


def _spread(row: Mapping[str, str]) -> Spread | None:
    """The spread of a row; None for one that is not ours."""
    if row["source"] != "ours":
        return None
    if not row["settings"]:
        raise ValueError("settings is empty: it takes the fingerprint of a table of this version")
    seeds = tuple(int(seed) for seed in row["seeds"].split())
    if len(seeds) < 2:
        raise ValueError(f"seeds is {row['seeds']!r}: a spread takes several")
    std = _number(row, "top1_std", -1)
    return Spread(row["method"], row["dataset"], seeds, _percent(row, "top1"), std, row["processor"])


def _number(row: Mapping[str, str], key: str, above: float) -> float:
    try:
        value = float(row[key])
    except (ValueError, TypeError):
        raise ValueError(f"{key} is {row[key]!r}, not a number") from None
    if not above < value < float("inf"):
        raise ValueError(f"{key} is {row[key]}: it takes a number above {above:g}")
    return value


def _percent(row: Mapping[str, str], key: str) -> float:
    value = _number(row, key, -1)
    if not 0 <= value <= 100:
        raise ValueError(f"{key} is {row[key]}: it takes percent")
    return value
