"""Kinetics at a publisher's host, and its preparation from there."""

from pathlib import Path

from multitrain.config.scale import Download
from multitrain.datasets.prepare import prepare
from tests.datasets.raw import dataset
from tests.datasets.server import Server

ARCHIVES = ("val/part_0.tar.gz", "train/part_0.tar.gz", "train/part_1.tar.gz")
LISTS = {"train": "train/k400_train_path.txt", "val": "val/k400_val_path.txt"}
PAGE = b"<html>\n<h1>Please   sign in</h1></html>"


def options(base: str, **values):
    annotations = {f"{split}.csv": f"annotations/{split}.csv" for split in LISTS}
    settings = {"base_url": base, "annotations": annotations, "attempts": 4, **LISTS, **values}
    return dataset("kinetics", download=Download(**settings))


def fetched(server: Server, home: Path, **values):
    """Prepare in `home` from the server."""
    return prepare("k400", options(server.base, **values), home / "raw", home / "out")


def outcome(folder: Path) -> dict[str, bytes]:
    """Clips, manifest and account; the journal, which also tells what they came from, is left out."""
    files = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    return {name: content for name, content in files.items() if not name.endswith("journal.jsonl")}


def archives_in(raw: Path) -> list[str]:
    return sorted(p.name for p in raw.rglob("*") if p.name.endswith(("gz", ".part")))


def total(server: Server) -> int:
    return sum(len(server.asked(name)) for name in ARCHIVES)
