"""Check that the tables of one scale do not overwrite those of another."""

from collections.abc import Iterable
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import read_csv

__all__ = ["conflict", "require_same_scale"]


def require_same_scale(files: Iterable[Path], scale: str, results: Path) -> None:
    """Raise a UserError if one of the files has rows of another scale."""
    if message := conflict(map(str, files), scale, str(results)):
        raise UserError(message.replace(f"--config scale={scale} results=", "--results "))


def conflict(files: Iterable[str], scale: str, results: str) -> str:
    """The error message about files that have rows of another scale, or ""."""
    others = {path: of for path in sorted(map(Path, files)) if (of := scale_of(path)) not in ("", scale)}
    if not others:
        return ""
    first, of = next(iter(others.items()))
    more = f" and {len(others) - 1} more" if len(others) > 1 else ""
    own, runs = f"{results}/{scale}", Path(results, "runs", scale)
    moved = f" after `mkdir -p {own}/runs && mv {runs} {own}/runs/`, which takes its runs along" * runs.is_dir()
    return (
        f"{first}{more}: of scale {of}, and scale {scale} would be written over it: give it a folder of its own, "
        f"--config scale={scale} results={own}{moved}; or remove {' '.join(map(str, others))}, which can be made again "
        f"from the runs of scale {of}"
    )


def scale_of(path: Path) -> str:
    """The scale in a table's column `scale`; "" for a missing file or one without that column."""
    try:
        if path.suffix == ".csv":
            return next((row["scale"] for _, row in read_csv(path, ("scale",), "") if row["scale"]), "")
        if path.suffix == ".parquet" and path.exists():
            import pyarrow.parquet as pq  # heavy: the command line imports this module

            with pq.ParquetFile(path) as file:
                batch = next(file.iter_batches(batch_size=1, columns=["scale"]), None)
                return str(batch["scale"][0]) if batch else ""
    except (UserError, OSError, ValueError, KeyError, IndexError):
        pass
    return ""
