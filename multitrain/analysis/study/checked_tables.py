"""What figures are drawn from: tables in the results folder, checked once, here."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.render.table_files import load, with_numbers
from multitrain.common.errors import UserError


def read(
    results: Path, name: str, text: tuple[str, ...], numbers: tuple[str, ...], run: str | None = None
) -> pd.DataFrame:
    """A table of `results` with at least these columns: text as it stands, numbers as floats, NaN where empty.

    `run`: of a parquet file that run's rows alone, so that millions of rows are not read for one run.

    Raises:
        UserError: the file is missing, unreadable or empty, lacks a column, or holds text where a number belongs.
    """
    path = Path(results) / name
    cure = f"`snakemake {path}` makes it"
    frame = load(path, cure, None if run is None else [("run", "==", run)])
    if missing := [column for column in (*text, *numbers) if column not in frame]:
        raise UserError(f"{path}: no column {', '.join(missing)}: {cure}")
    if frame.empty:
        raise UserError(f"{path}: no rows: {cure}")
    return with_numbers(frame, numbers, path, cure)


def runs_of(results: Path, name: str) -> list[str]:
    """The runs in a parquet file, each once, without reading the rest of it."""
    path = results / name
    cure = f"`snakemake {path}` makes it"
    try:
        runs = pq.read_table(path, columns=["run"])["run"].unique().to_pylist()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: {cure}") from None
    except (OSError, KeyError, pa.ArrowException) as error:
        raise UserError(f"{path}: not a readable table ({' '.join(str(error).split())}): {cure}") from None
    if not runs:
        raise UserError(f"{path}: no rows: {cure}")
    return runs


def only(frame: pd.DataFrame, path: Path, what: str, keep: pd.Series) -> pd.DataFrame:
    """The rows to keep, or a UserError that says what the file does not have."""
    kept = frame[keep]
    if kept.empty:
        raise UserError(f"{path}: no {what}: `snakemake {path}` makes it anew")
    return kept


def titles(results: Path) -> dict[str, str]:
    """What each dataset of the tables is called."""
    frame = read(results, "per_class.csv", ("dataset", "title"), ())
    return dict(zip(frame["dataset"], frame["title"], strict=True))


def world(frame: pd.DataFrame) -> str:
    """Where our numbers come from: `synthetic world mini, seed 0`."""
    scale = ", ".join(dict.fromkeys(frame["scale"]))
    synthetic = (frame["synthetic"].astype(str).str.lower().isin(["yes", "true"])).any()
    column = frame["seeds"].astype(str).str.split() if "seeds" in frame else frame["seed"].map(lambda seed: [int(seed)])
    seeds = sorted({int(seed) for its in column for seed in its})
    seeds = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    return f"synthetic world {scale}, {seeds}" if synthetic else f"scale {scale}, real videos, {seeds}"


def clips(frame: pd.DataFrame, names: dict[str, str]) -> str:
    """How many test clips: `Test clips: K400 320, MiT 320`."""
    counts = {dataset: int(float(count)) for dataset, count in zip(frame["dataset"], frame["clips"], strict=True)}
    return "Test clips: " + ", ".join(f"{names.get(name, name)} {count:,}" for name, count in counts.items())
