"""The packed records of the study that docs/example shows.

Its tables are made of them again and compared byte for byte.
"""

from collections.abc import Sequence
from pathlib import Path

from multitrain.analysis.packed.packed_study import read_study
from multitrain.cli.commands import packed_commands

__all__ = ["RECORDS", "changed", "tables", "write_records", "write_tables"]

RECORDS = "records.parquet"
LIMIT = 15_000_000  # bytes
SEEDS_OF_HALVES = 8  # a half of fewer than four decides next to nothing
NO_TABLES = ("README.md",)


def write_records(files: Sequence[Path], scale: str, out: Path, config: Path = Path("config")) -> None:
    """Join packed seeds of a scale into one file in `out`; exit where it is too large for git."""
    nothing = out / "none"  # no run of this machine joins them
    packed_commands.pack(out / RECORDS, scale, others=list(files), config=config, data=nothing, results=nothing)
    if (size := (out / RECORDS).stat().st_size) > LIMIT:
        raise SystemExit(f"{out / RECORDS}: {size / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f}")


def write_tables(example: Path, folder: Path, backbone: Path | None = None, pages: bool = False) -> None:
    """Write the tables of an example's records into `folder`; with `pages` its figures, report and notebooks too.

    `backbone` is the packed study of another network, which the records are compared with. Call it in the root of the
    repository: tables name the folders that the workflow reads there.
    """
    records = example / RECORDS
    folder.mkdir(parents=True, exist_ok=True)
    if len(read_study(records).seeds()) >= SEEDS_OF_HALVES:
        packed_commands.halves(records, folder)
    if backbone is not None:
        packed_commands.backbones(records, backbone, folder)
    packed_commands.render(records, folder, notebooks=pages, tables_alone=not pages)


def tables(example: Path) -> list[Path]:
    """The table files of an example."""
    files = (path for path in sorted(example.glob("*")) if path.suffix in (".csv", ".md", ".tex"))
    return [path for path in files if path.name not in NO_TABLES]


def changed(example: Path, folder: Path, backbone: Path | None = None) -> list[str]:
    """The names of the tables that the records do not give byte for byte when they are written into `folder`."""
    write_tables(example, folder, backbone)
    made = {path.name: path.read_bytes() for path in tables(folder)}
    return [path.name for path in tables(example) if made.get(path.name) != path.read_bytes()]
