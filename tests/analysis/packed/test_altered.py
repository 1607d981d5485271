"""A packed file of which something was altered is refused by the run and seed that it is of."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multitrain.analysis.packed.packed_study import read_study
from multitrain.common.errors import UserError
from tests.analysis.packed.made import ROOT

Columns = dict[str, list]
OF = "run multitrain, seed 1"


def rewritten(packed: Path, out: Path, change: Callable[[Columns], object]) -> Path:
    """The file with a changed content, and all that it says of itself."""
    table = pq.read_table(packed)
    columns = table.to_pydict()
    change(columns)
    pq.write_table(pa.table(columns, schema=table.schema), out)
    return out


def place(columns: Columns, **wanted: object) -> int:
    """The first row of multitrain, seed 1, with these cells."""
    wanted |= {"run": "multitrain", "seed": 1}
    return next(
        row for row in range(len(columns["run"])) if all(columns[name][row] == its for name, its in wanted.items())
    )


def one_answer(columns: Columns) -> None:
    row = place(columns, kind="answer", dataset="mit")
    columns["rank"][row] = 1 if columns["rank"][row] == 0 else 0


def one_of_the_five_best(columns: Columns) -> None:
    columns["top5"][place(columns, kind="answer", dataset="mit")].reverse()


def one_video(columns: Columns) -> None:
    columns["video"][place(columns, kind="answer", dataset="mit")] = "other"


def one_loss(columns: Columns) -> None:
    columns["values"][place(columns, name="history.total")][3] += 1e-6


def the_record(columns: Columns) -> None:
    row = place(columns, name="run.json")
    columns["text"][row] = columns["text"][row].replace('"code": "abc"', '"code": "abd"')


def a_dataset_less(columns: Columns) -> None:
    gone = [row for row in range(len(columns["run"])) if columns["dataset"][row] == "mit" and columns["seed"][row] == 1]
    gone = [row for row in gone if columns["run"][row] == "multitrain"]
    for name, cells in columns.items():
        columns[name] = [cell for row, cell in enumerate(cells) if row not in gone]


def a_seed_more(columns: Columns) -> None:
    row = place(columns, name="run.json")
    for name, cells in columns.items():
        cells.append(7 if name == "seed" else cells[row])


def test_a_file_written_again_with_the_same_content_is_read(packed, tmp_path):
    out = rewritten(packed, tmp_path / "same.parquet", lambda columns: None)
    assert read_study(out).records() == read_study(packed).records()


@pytest.mark.parametrize("change", [one_answer, one_of_the_five_best, one_video, one_loss, the_record, a_dataset_less])
def test_what_was_altered_is_noticed_and_named(packed, tmp_path, change):
    out = rewritten(packed, tmp_path / "altered.parquet", change)
    with pytest.raises(UserError, match=rf"altered.parquet: {OF}: not as it was packed, by its sha256: copy"):
        read_study(out)


def test_a_run_that_was_put_in_is_noticed(packed, tmp_path):
    with pytest.raises(UserError, match="run multitrain, seed 7: not as it was packed"):
        read_study(rewritten(packed, tmp_path / "more.parquet", a_seed_more))


def test_files_of_versions_without_digests_are_read(packed, tmp_path):
    table, out = pq.read_table(packed), tmp_path / "earlier.parquet"
    about = json.loads(table.schema.metadata[b"multitrain"])
    assert set(about.pop("digests")) > {OF, "what is of no run"}
    pq.write_table(table.replace_schema_metadata({"multitrain": json.dumps(about)}), out)
    assert read_study(out).records() == read_study(packed).records()
    pq.write_table(table.replace_schema_metadata({"multitrain": json.dumps(about | {"digests": ["x"]})}), out)
    with pytest.raises(UserError, match="not a readable packed study"):
        read_study(out)


def test_the_committed_ten_seeds_have_digests():
    about = json.loads(pq.read_schema(ROOT / "docs/notes/mini-table1.parquet").metadata[b"multitrain"])
    assert len(about["digests"]) == 61
