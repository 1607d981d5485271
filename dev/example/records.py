"""The packed records of the complete run that docs/example shows.

Its tables are rendered from them again and compared byte for byte.
"""

from pathlib import Path

from multitrain.cli.commands import packed_commands

__all__ = ["RECORDS", "changed", "tables", "write_records"]

RECORDS = "records.parquet"
LIMIT = 15_000_000  # bytes
NO_TABLES = ("README.md",)


def write_records(results: Path, scale: str, out: Path, config: Path, data: Path) -> None:
    """Pack the run of `results` into `out`; exit where the file is too large for git."""
    packed_commands.pack(out / RECORDS, scale=scale, config=config, data=data, results=results)
    if (size := (out / RECORDS).stat().st_size) > LIMIT:
        raise SystemExit(f"{out / RECORDS}: {size / 1e6:.1f} MB, more than {LIMIT / 1e6:.0f}")


def tables(example: Path) -> list[Path]:
    """The table files of an example."""
    files = (path for path in sorted(example.glob("*")) if path.suffix in (".csv", ".md", ".tex"))
    return [path for path in files if path.name not in NO_TABLES]


def changed(example: Path, folder: Path) -> list[str]:
    """The names of the tables that the records, rendered into `folder`, do not give byte for byte.

    Call it in the root of the repository: tables name the folders that the workflow reads there.
    """
    packed_commands.render(example / RECORDS, folder, tables_alone=True)
    made = {path.name: path.read_bytes() for path in tables(folder)}
    return [path.name for path in tables(example) if made.get(path.name) != path.read_bytes()]
