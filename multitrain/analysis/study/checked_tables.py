"""Reading of the tables that figures are drawn from, with checks of columns and rows."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from multitrain.analysis.render.table_files import made_by, read_frame
from multitrain.common.errors import UserError

__all__ = ["clips", "only", "read", "runs_of", "titles", "world"]


def read(results: Path, name: str, needs: Sequence[str], run: str | None = None) -> pd.DataFrame:
    """A table of `results` with at least these columns and a row, as `read_frame` reads it.

    Raises:
        UserError: as of `read_frame`, or it is empty.
    """
    path = Path(results) / name
    frame = read_frame(path, needs, run)
    if frame.empty:
        raise UserError(f"{path}: no rows: {made_by(path)}")
    return frame


def runs_of(results: Path, name: str) -> list[str]:
    """The names of the runs in a parquet file; only that column is read."""
    path = results / name
    cure = made_by(path)
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
    """The rows where `keep` is true, or a UserError that says what the file lacks."""
    kept = frame[keep]
    if kept.empty:
        raise UserError(f"{path}: no {what}: `snakemake {path}` makes it anew")
    return kept


def titles(results: Path) -> dict[str, str]:
    """The titles of the datasets in the tables, by name."""
    frame = read(results, "per_class.csv", ("dataset", "title"))
    return dict(zip(frame["dataset"], frame["title"], strict=True))


def world(frame: pd.DataFrame) -> str:
    """The source of our numbers as text: `synthetic world mini, seed 0`."""
    scale = ", ".join(dict.fromkeys(frame["scale"]))
    synthetic = (frame["synthetic"].astype(str).str.lower().isin(["yes", "true"])).any()
    seeds = sorted({seed for several in frame["seeds"] for seed in several} if "seeds" in frame else set(frame["seed"]))
    text = f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"
    return f"synthetic world {scale}, {text}" if synthetic else f"scale {scale}, real videos, {text}"


def clips(frame: pd.DataFrame, names: dict[str, str]) -> str:
    """The numbers of test clips as text: `Test clips: K400 320, MiT 320`."""
    counts = dict(zip(frame["dataset"], frame["clips"], strict=True))
    return "Test clips: " + ", ".join(f"{names.get(name, name)} {count:,.0f}" for name, count in counts.items())
