"""A packed study: what the runs of a scale answered and recorded, as one Parquet file.

Rows are of three kinds, by the column `kind`. `answer`: one test clip by one run and seed, with the rank of its own
class and the top five classes by Y_k and by Y'_k. `array`: numbers by `name` (a column of the history, projection
weights, eigenvalues, class means), flat, with their shape. `text`: a file as it was (run.json, settings, flops.json).
"""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, regular

__all__ = ["ANSWERS", "OWN_FILE", "Key", "Study", "read_study", "write_study"]

FORMAT = "multitrain-study-1"
NAME = r"[a-z][a-z0-9_]*"  # of a scale, run or dataset
CLASS = pa.int16()  # a label or a rank
ANSWERS = pa.schema(
    [
        pa.field("clip", pa.string()),
        pa.field("video", pa.string()),  # the one that the clip is cut from
        pa.field("label", CLASS),
        pa.field("rank", CLASS),  # of the own class by Y_k, 0 for the best; a tie counts against the clip
        pa.field("rank_projected", CLASS),  # by Y'_k; null where the run has no projections
        pa.field("top5", pa.list_(CLASS)),  # labels by Y_k, the best first
        pa.field("top5_projected", pa.list_(CLASS)),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("kind", pa.string()),  # answer, array or text
        pa.field("scale", pa.string()),  # and so the world that the videos are of
        pa.field("run", pa.string()),  # null: of the whole study
        pa.field("seed", pa.int32()),
        pa.field("dataset", pa.string()),
        pa.field("name", pa.string()),  # of an array or a text
        *ANSWERS,
        pa.field("dtype", pa.string()),  # of an array
        pa.field("shape", pa.list_(pa.int32())),
        pa.field("values", pa.list_(pa.float64())),
        pa.field("text", pa.string()),
    ]
)
OWN_FILE = "study/"  # before the name of a study's file, which is kept as it was
PLACES = ("run", "seed", "dataset", "name")
NUMBERS = "values.list.element"  # as Parquet calls the numbers of `values`


class Key(NamedTuple):
    """Where something of a study belongs; empty: to all runs, seeds or datasets."""

    run: str = ""
    seed: int = -1
    dataset: str = ""
    name: str = ""


@dataclass
class Study:
    """What is known of some runs of one scale; `where` is the file or folder that it comes from."""

    where: Path
    scale: str
    texts: dict[Key, str] = field(default_factory=dict)
    arrays: dict[Key, np.ndarray] = field(default_factory=dict)
    answers: dict[Key, pa.Table] = field(default_factory=dict)  # of ANSWERS; by run, seed and dataset
    joined: dict[tuple[str, int], Path] = field(default_factory=dict)  # runs and seeds that come from elsewhere

    def place(self, run: str, seed: int) -> Path:
        """The file or folder that a run and seed come from."""
        return self.joined.get((run, seed), self.where)

    @property
    def own_file(self) -> str:
        """The name of the file that a study in one file was made from, or ""."""
        return next((key.name.removeprefix(OWN_FILE) for key in self.texts if key.name.startswith(OWN_FILE)), "")

    def records(self) -> list[tuple[str, int]]:
        """Run and seed of every training, sorted."""
        return sorted((key.run, key.seed) for key in self.texts if key.name == "run.json")

    def seeds(self) -> tuple[int, ...]:
        """The seeds of any run, sorted."""
        return tuple(sorted({seed for _, seed in self.records()}))


def write_study(study: Study, path: Path) -> None:
    """Write a study; the same content gives the same bytes."""
    about = {"format": FORMAT, "scale": study.scale, "seeds": study.seeds(), "digests": digests(study)}
    schema = SCHEMA.with_metadata({"multitrain": json.dumps(about)})
    texts, arrays, answers = (sorted(part.items()) for part in (study.texts, study.arrays, study.answers))
    parts = [
        _rows("text", [key for key, _ in texts], {"text": [text for _, text in texts]}),
        _rows("array", [key for key, _ in arrays], _numbers([its for _, its in arrays])),
        *(_answers(key, its) for key, its in sorted(answers, key=lambda pair: (pair[0].dataset, pair[0]))),
    ]
    with (
        atomic(path) as temporary,
        pq.ParquetWriter(
            temporary,
            schema,
            compression="zstd",
            compression_level=9,
            use_dictionary=[*PLACES, "kind", "scale", "clip", "video", "dtype"],
            column_encoding={NUMBERS: "BYTE_STREAM_SPLIT"},
            write_page_checksum=True,
        ) as writer,
    ):
        for part in (parts[0], parts[1], *([pa.concat_tables(parts[2:])] if parts[2:] else [])):
            part = part.set_column(1, "scale", pa.array([study.scale] * part.num_rows, pa.string()))
            writer.write_table(part.cast(SCHEMA), row_group_size=max(part.num_rows, 1))


def read_study(path: Path) -> Study:
    """Read a packed study, or raise a UserError that says what is wrong with the file."""
    if not regular(path).is_file():
        raise UserError(f"{path}: no such file: `multitrain results pack` writes one")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            about = _about(path, file.schema_arrow)
            study = Study(path, about["scale"])
            _fill(study, file.read())
            _require_digests(study, about.get("digests"))
    except (pa.ArrowException, OSError, ValueError, TypeError, KeyError, OverflowError) as error:
        said = " ".join(str(error).split())
        raise UserError(
            f"{path}: not a readable packed study ({said}): copy the file or pack the study again"
        ) from None
    return study


def digests(study: Study) -> dict[str, str]:
    """The sha256 of all that a study has of each run and seed, and of what is of no run."""
    hashes: dict[str, Any] = defaultdict(hashlib.sha256)
    for part in (study.texts, study.arrays, study.answers):
        for key, its in sorted(part.items()):
            place = f"run {key.run}, seed {key.seed}" if key.run else "what is of no run"
            hashes[place].update(f"{key.dataset}/{key.name}\0".encode())
            for content in _contents(its):
                hashes[place].update(f"{len(content)}\0".encode() + content)
    return {place: its.hexdigest() for place, its in hashes.items()}


def _contents(its: str | np.ndarray | pa.Table) -> Iterator[bytes]:
    """What decides a digest, whatever the version of Arrow and the order of bytes of the machine."""
    if isinstance(its, str):
        yield its.encode()
    elif isinstance(its, np.ndarray):
        yield f"{its.dtype} {its.shape}".encode()
        yield its.astype("<f8").tobytes()
    else:
        for column in its.columns:
            if pa.types.is_string(column.type):
                yield "\0".join(column.to_pylist()).encode()
                continue
            if pa.types.is_list(column.type):
                yield _integers(pc.list_value_length(column))
                column = pc.list_flatten(column)
            yield _integers(column)


def _integers(column: pa.ChunkedArray) -> bytes:
    """The numbers, of which none is negative, with -1 for null."""
    return column.cast(pa.int64()).fill_null(-1).to_numpy().astype("<i8").tobytes()


def _require_digests(study: Study, packed: object) -> None:
    """Raise a UserError that names what is not as it was packed.

    A file without digests, of an earlier version, is taken as it is.
    """
    if packed is None:
        return
    found = digests(study)
    if not isinstance(packed, dict):
        raise ValueError("its digests are none")
    for name in sorted({*found, *packed}):
        if found.get(name) != packed.get(name):
            raise UserError(f"{study.where}: {name}: not as it was packed, by its sha256: copy the file again")


def _fill(study: Study, table: pa.Table) -> None:
    """Take up the rows of all kinds; a ValueError or the like where they are not as they are written."""
    kinds = {kind: table.filter(pc.equal(table["kind"], kind)) for kind in ("text", "array", "answer")}
    for row in kinds["text"].select([*PLACES, "text"]).to_pylist():
        study.texts[_key(row)] = row["text"]
    arrays = kinds["array"]
    flat = arrays["values"].to_numpy(zero_copy_only=False) if arrays.num_rows else ()
    for row, values in zip(arrays.select([*PLACES, "dtype", "shape"]).to_pylist(), flat, strict=True):
        study.arrays[_key(row)] = np.asarray(values).astype(row["dtype"]).reshape(row["shape"])
    study.answers = _cells(kinds["answer"])


def _about(path: Path, schema: pa.Schema) -> dict:
    """What the file says of itself, or a UserError for one that is no packed study of this version."""
    about = json.loads((schema.metadata or {}).get(b"multitrain", b"{}"))
    if not isinstance(about, dict) or about.get("format") != FORMAT or not re.fullmatch(NAME, str(about.get("scale"))):
        raise UserError(f"{path}: no packed study of this version: `multitrain results pack` writes one")
    if not schema.equals(SCHEMA, check_metadata=False):
        raise UserError(f"{path}: columns differ from those of a packed study: pack the study again")
    return about


def _key(row: dict) -> Key:
    return _valid(
        Key(row["run"] or "", -1 if row["seed"] is None else row["seed"], row["dataset"] or "", row["name"] or "")
    )


def _valid(key: Key) -> Key:
    """The key; a ValueError where a name is none that the product gives: a study is unpacked into folders of them."""
    for name in filter(None, (key.run, key.dataset)):
        if not re.fullmatch(NAME, name):
            raise ValueError(f"{name!r} is no name of a run or dataset")
    if key.name and (not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", key.name) or ".." in key.name.split("/")):
        raise ValueError(f"{key.name!r} is no name of a record")
    return key


def _places(keys: list[Key]) -> dict[str, pa.Array]:
    types = (pa.string(), pa.int32(), pa.string(), pa.string())
    columns = ([None if value in ("", -1) else value for value in column] for column in zip(*keys, strict=True))
    return {name: pa.array(column, its) for name, its, column in zip(PLACES, types, columns, strict=True)}


def _rows(kind: str, keys: list[Key], columns: dict[str, object]) -> pa.Table:
    """Rows with all columns of SCHEMA, null where neither `keys` nor `columns` have them."""
    count = len(keys)
    found = {"kind": [kind] * count, **(_places(keys) if keys else {}), **columns}
    return pa.table({each.name: pa.array(found.get(each.name, [None] * count), each.type) for each in SCHEMA})


def _numbers(arrays: list[np.ndarray]) -> dict[str, object]:
    return {
        "dtype": [str(each.dtype) for each in arrays],
        "shape": [list(each.shape) for each in arrays],
        "values": [each.astype(np.float64).ravel() for each in arrays],
    }


def _answers(key: Key, cell: pa.Table) -> pa.Table:
    """The clips of one run, seed and dataset as rows with all columns."""
    count = cell.num_rows
    said = {"kind": "answer", **key._asdict(), "name": None}
    columns = {name: pa.nulls(count, SCHEMA.field(name).type) for name in SCHEMA.names}
    columns |= {name: pa.repeat(pa.scalar(value, SCHEMA.field(name).type), count) for name, value in said.items()}
    return pa.table({**columns, **{name: cell[name] for name in ANSWERS.names}}, schema=SCHEMA)


def _cells(answers: pa.Table) -> dict[Key, pa.Table]:
    """The answers by run, seed and dataset; clips in the order of the file."""
    if not answers.num_rows:
        return {}
    answers = answers.combine_chunks()
    places = answers.select(PLACES[:3]).to_pandas().groupby(list(PLACES[:3]), sort=False).indices
    columns = answers.select(ANSWERS.names)
    return {
        _valid(Key(run, int(seed), dataset, "")): columns.take(rows) for (run, seed, dataset), rows in places.items()
    }
