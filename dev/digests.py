"""sha256 of everything that a run of the workflow at one scale made, to compare with those of another processor.

python dev/digests.py results/ci data --check tests/digests.yaml  # names the first stage that differs
python dev/digests.py results/ci data --write tests/digests.yaml  # after a change that is meant

They are of contents: no times, paths, processors or hashes of code. See docs/reference/reproducibility.md.
"""

import argparse
import csv
import gzip
import hashlib
import importlib.metadata
import json
import platform
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import yaml

from multitrain.common.errors import UserError
from multitrain.common.processor import kind, model
from multitrain.data.decode import read_frames
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpointing.checkpoint import read_weights

STAGES = ("world", "clips", "frames", "weights", "predictions", "tables")  # each is made of those before it
VERSIONS = ("torch", "numpy", "av")
OF_THE_MACHINE = {"code", "commit", "processor", "kernels", "seconds", "hours"}  # columns that say how a table was made
ABOUT_THE_MAKING = {"deviations.csv"}  # tables of commits and processors, not of numbers
COMPRESSED_SIZES = "published.json"  # of a world: how well zlib packs differs between its versions
PART = re.compile(r"(.+-)\d\d")  # a file that was cut into parts
HEAD = """# Digests of scale ci, the same on every processor that has AVX2: docs/reference/reproducibility.md.
# Written by
#     python dev/digests.py RESULTS DATA --write {path}
# Confirmed: the kinds of processors (vendor, family, model) on which exactly these were found.
"""

Digests = dict[str, dict[str, str]]


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def digests(results: Path, data: Path, scale: str) -> Digests:
    """Stage -> what -> sha256, of all that is there."""
    found: Digests = {stage: {} for stage in STAGES}
    for home in sorted(path.parent for path in (data / scale).glob("*/manifest.parquet")):
        found["world"][home.name] = _digest(_world(home / "raw"))
        found["clips"][home.name] = _digest(_clips(home))
        found["frames"][home.name] = _digest(_frames(home))
    for folder in sorted(path.parent for path in (results / "runs" / scale).glob("*/seed*/model.pt")):
        name = "/".join(folder.parts[-2:])
        found["weights"][name] = _digest(_weights(folder / "model.pt"))
        if predictions := sorted((folder / "predictions").glob("*.parquet")):
            found["predictions"][name] = _digest(part for path in predictions for part in _rows(path))
    for path in sorted(path for path in results.glob("*.csv") if path.name not in ABOUT_THE_MAKING):
        found["tables"][path.name] = _digest(_table(path))
    return found


def _digest(parts: Iterator[bytes]) -> str:
    """sha256 over the parts, each with its length."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()


def _world(raw: Path) -> Iterator[bytes]:
    """What a publisher ships: every file's name and content, archives by what is in them."""
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in raw.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name, cut = path.relative_to(raw).as_posix(), PART.fullmatch(path.name)
        if path.name != COMPRESSED_SIZES:
            files[name[:-2] if cut else name].append(path)
    for name, parts in sorted(files.items()):
        yield name.encode()
        content = b"".join(path.read_bytes() for path in parts)
        if content.startswith(b"\x1f\x8b"):
            yield gzip.decompress(content)
        elif zipfile.is_zipfile(parts[0]):
            with zipfile.ZipFile(parts[0]) as archive:
                yield from (part for each in archive.namelist() for part in (each.encode(), archive.read(each)))
        else:
            yield content


def _clips(home: Path) -> Iterator[bytes]:
    """A manifest's rows and classes, and what is missing."""
    manifest = read_manifest(home / "manifest.parquet")
    yield json.dumps([manifest.classes, manifest.table.to_pylist()]).encode()
    yield (home / "missing.csv").read_bytes()


def _frames(home: Path) -> Iterator[bytes]:
    """The decoded frames of every clip, in the manifest's order."""
    for row in read_manifest(home / "manifest.parquet").table.to_pylist():
        yield row["clip_id"].encode()
        yield read_frames(home / row["path"], range(row["frames"]), row["fps"]).tobytes()


def _weights(path: Path) -> Iterator[bytes]:
    """Every weight of a model file, by name; not its card, which names the code."""
    for name, weight in sorted(read_weights(path)[1].items()):
        yield f"{name} {weight.dtype} {tuple(weight.shape)}".encode()
        yield weight.contiguous().numpy().tobytes()


def _rows(path: Path) -> Iterator[bytes]:
    yield path.name.encode()
    yield json.dumps(pq.read_table(path).to_pylist()).encode()


def _table(path: Path) -> Iterator[bytes]:
    with path.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            kept = {key: value for key, value in row.items() if key not in OF_THE_MACHINE}
            yield json.dumps(kept, sort_keys=True).encode()


def differences(found: Digests, kept: Digests) -> list[str]:
    """A line for the first stage that differs, and one for each stage after it that does too; none if nothing does."""
    lines = []
    for stage in STAGES:
        ours, theirs = found[stage], kept.get(stage, {})
        if other := [name for name in ours if name in theirs and ours[name] != theirs[name]]:
            lines.append(f"{stage} differ: {_listed(other)} of {len(theirs)}")
        if unknown := [name for name in ours if name not in theirs]:
            lines.append(f"{stage} that are new: {_listed(unknown)}")
        if lacking := [name for name in theirs if name not in ours]:
            lines.append(f"{stage} that are not here: {_listed(lacking)}")
    return lines


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def check(found: Digests, path: Path, results: Path) -> int:
    """Print how what was found compares with a file; the exit status."""
    kept = _read(path)
    here = f"processor {kind()} ({model()}), kernels {', '.join(_kernels(results))}"
    lines = differences(found, kept)
    if not lines:
        say(f"{path}: the same bits in all of {', '.join(STAGES)}; {here}")
        if kind() not in kept["confirmed"]:
            say(f"{path}: the first time on this kind of processor: --write adds it to those that have confirmed")
        return 0
    first = min(STAGES.index(line.split()[0]) for line in lines)
    say(f"{path}: NOT the same bits; {here}")
    say(f"equal: {', '.join(STAGES[:first]) or 'nothing'}; the first that differ: {STAGES[first]}")
    say("\n".join(f"  {line}" for line in lines))
    say(f"confirmed before on: {', '.join(kept['confirmed'])}")
    for name, version in _versions().items():
        if version != kept["versions"].get(name):
            say(f"made with {name} {kept['versions'].get(name)}, and here is {version}: other versions round otherwise")
    say(f"after a change of code that is meant: python dev/digests.py RESULTS DATA --write {path}")
    return 1


def write(found: Digests, path: Path) -> int:
    """Write a file; the processors that have confirmed the same digests before stay in it."""
    kept = _read(path) if path.exists() else {"confirmed": []}
    confirmed = [] if differences(found, kept) else kept["confirmed"]
    content = {"versions": _versions(), "confirmed": sorted({*confirmed, kind()}), **found}
    path.write_text(HEAD.format(path=path) + yaml.safe_dump(content, sort_keys=False, width=120))
    say(f"{path}: confirmed on {', '.join(content['confirmed'])}")
    return 0


def _read(path: Path) -> dict:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({str(error).splitlines()[0]}): write it with --write") from None
    if not isinstance(content, dict) or not {"versions", "confirmed"} <= content.keys():
        raise UserError(f"{path}: no file of digests: write it with --write")
    return content


def _kernels(results: Path) -> list[str]:
    """The kernels of all runs, by their records."""
    records = [json.loads(path.read_text()) for path in results.glob("runs/*/*/seed*/run.json")]
    return sorted({record["processor"].get("kernels", "own") for record in records}) or ["of no run"]


def _versions() -> dict[str, str]:
    libc = " ".join(platform.libc_ver()).strip()
    return {**{name: importlib.metadata.version(name) for name in VERSIONS}, "libc": libc or platform.system()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of results, e.g. results/ci")
    parser.add_argument("data", type=Path, help="folder of data")
    parser.add_argument("--scale", default="ci")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", type=Path, metavar="FILE")
    what.add_argument("--write", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found = digests(asked.results, asked.data, asked.scale)
    if empty := [stage for stage in STAGES if not found[stage]]:
        raise UserError(f"{asked.results}, {asked.data}: no {empty[0]} of scale {asked.scale}: run the workflow first")
    return check(found, asked.check, asked.results) if asked.check else write(found, asked.write)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")
