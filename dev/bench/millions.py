"""Loading a manifest of 1.5 million clips: seconds, and the memory that it adds to each loader worker.

The rows resemble Kinetics-700's. Memory is a process's own (private clean and dirty pages of Linux's
smaps_rollup: the unique set size), read after many batches drawn from all over the manifest; the same loader on few
clips says what a worker takes anyway. No video is decoded: frames are zeros.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from multitrain.config.config_files import load_scale
from multitrain.data.clips import COLUMNS, Source, TrainClips, collate
from multitrain.data.loader import MixingSampler
from multitrain.data.manifest import SCHEMA, read_manifest

ROWS, FEW, WORKERS, BATCHES = 1_500_000, 20_000, 4, 400
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", "S1")


def write_rows(path: Path, rows: int) -> Path:
    """A manifest of that many clips with random YouTube ids, a label of 700, and 94 of 100 in train."""
    rng = np.random.default_rng(0)
    ids = LETTERS[rng.integers(0, 64, (rows, 11))].view("S11")[:, 0]
    starts = rng.integers(0, 600, rows)
    names = np.sort(
        [f"{video.decode()}_{start:06d}_{start + 10:06d}" for video, start in zip(ids, starts, strict=True)]
    )
    split = np.where(rng.random(rows) < 0.94, "train", "test")
    columns = {
        "clip_id": names,
        "video_id": names.astype("U11"),
        "path": [f"videos/{index % 256:02x}/{name}.mp4" for index, name in enumerate(names)],
        "label": rng.permutation(rows) % 700,
        "split": split,
        "publisher_split": np.where(split == "train", "train", "validate"),
        "frames": np.full(rows, 300),
        "fps": np.full(rows, 30.0),
        "width": np.full(rows, 340),
        "height": np.full(rows, 256),
        "start": np.zeros(rows),
        "end": np.full(rows, 10.0),
    }
    schema = SCHEMA.with_metadata({"classes": json.dumps([f"class {label}" for label in range(700)])})
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    pq.write_table(pa.table(arrays, schema=schema), path)
    return path


class Blank(Source):
    """A source whose frames are zeros."""

    def read(self, row: int, indices: np.ndarray) -> Tensor:
        (self.folder / self.value("path", row)).suffix  # noqa: B018  what reading touches of the manifest
        return torch.zeros(len(indices), 3, 8, 8, dtype=torch.uint8)


def load(path: Path, kind: type[Source] = Source) -> Source:
    """The training clips, as a run loads them."""
    chosen = read_manifest(path, COLUMNS).split("train")
    assert not chosen.empty_classes()
    return kind(load_scale("paper").dataset("k700"), chosen)


def time_to_load(path: Path) -> list[float]:
    """Seconds from the file to a source, by the clock and of cores; for a fresh process."""
    started = time.perf_counter(), time.process_time()
    load(path)
    return [time.perf_counter() - started[0], time.process_time() - started[1]]


def own_memory(pid: int) -> float:
    """MB of memory that this process shares with no other."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def memory_of_workers(path: Path, start: str) -> list[float]:
    """MB of each of the loader's workers after many batches; for a fresh process."""
    clips = TrainClips([load(path, Blank)], 8, 8, load_scale("paper").recipes["joint"], seed=0)
    sampler = MixingSampler(len(clips), 8, 0, 0, BATCHES)
    loader = DataLoader(
        clips, batch_sampler=sampler, collate_fn=collate, num_workers=WORKERS, multiprocessing_context=start
    )
    batches = iter(loader)
    for _ in range(BATCHES - 2 * WORKERS):
        next(batches)
    return [own_memory(worker.pid) for worker in batches._workers]


def in_own_process(call: str, *arguments: object) -> list[float]:
    """The result of a function of this module, given a path and words, called in a fresh process."""
    code = (
        "import json, sys; from pathlib import Path; from dev.bench import millions as m\n"
        f"print(json.dumps(m.{call}(Path(sys.argv[1]), *sys.argv[2:])))"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE).stdout)


def measure(rounds: int) -> list[str]:
    """Lines of time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = (write_rows(Path(folder) / f"{rows}.parquet", rows) for rows in (ROWS, FEW))
        taken = zip(*(in_own_process("time_to_load", many) for _ in range(rounds)), strict=True)
        clock, core = (f"{statistics.median(of):.2f} ({min(of):.2f} to {max(of):.2f})" for of in taken)
        threads = os.environ.get("OMP_NUM_THREADS", "all")
        lines = [
            f"manifest of {ROWS:,} clips ({many.stat().st_size / 1e6:.0f} MB), {threads} thread:"
            f" {clock} s to load, {core} core-seconds, {rounds} rounds"
        ]
        for start in ("fork", "forkserver"):
            of_many, of_few = (sorted(in_own_process("memory_of_workers", path, start)) for path in (many, few))
            extra = max(a - b for a, b in zip(of_many, of_few, strict=True))
            lines.append(
                f"  own memory of each of {WORKERS} loader workers ({start}): {of_many[0]:.0f} to {of_many[-1]:.0f} MB,"
                f" with {FEW:,} clips {of_few[0]:.0f} to {of_few[-1]:.0f} MB: at most {extra:+.1f} MB"
            )
    return lines
