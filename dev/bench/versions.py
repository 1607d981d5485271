"""Benchmark of two checkouts' training steps: `python -m dev.bench.versions FOLDER [--rounds 41]`.

FOLDER is the older one. Each checkout computes in its own process with one thread, and takes a step when told to; a
round is a step of both, and a ratio is taken in each round, by processor time. The environment's packages serve both.
"""

import argparse
import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from dev.bench.step import in_turn, ratio

HERE = Path(__file__).resolve().parents[2]
STEPS = ("mini base", "mini large", "mini base, whole", "paper base")
# What runs in either checkout: of the older one nothing is asked but what both have.
WORKER = """
import sys, time, torch
from functools import partial
from importlib import import_module
from importlib.util import find_spec
older = find_spec("dev") is None  # before the package's folders were made
settings = import_module("multitrain.configfile" if older else "multitrain.config.config_files")
bench = "tests.bench" if older else "dev.bench"
Learner = import_module(f"{bench}.learner").Learner
memory = import_module(f"{bench}.memory")
try:
    from multitrain.engine.processes.heap import keep_freed_memory
    keep_freed_memory()
except ImportError:
    pass
torch.set_num_threads(1)
torch.manual_seed(0)
name, _, whole = sys.argv[1].partition(", ")
scale, size = name.split()
scale, paper = settings.load_scale(scale), scale == "paper"
if paper:
    scale = scale.model_copy(update={"model": scale.model.model_copy(update={"frames": 16})})
batch, pixels = 1 if paper else 16, scale.sizes[size]
if whole:
    step = Learner(scale, settings.load_experiments().runs["multitrain"], batch).step
else:
    clips = torch.randn(batch, 3, scale.model.frames, pixels, pixels)
    step = partial(memory.backbone_step, memory.build("ours", scale.model, pixels), clips)
for _ in sys.stdin:
    started = time.process_time()
    step()
    print(time.process_time() - started, flush=True)
"""


class Checkout:
    """A process that takes a checkout's steps."""

    def __init__(self, folder: Path, step: str):
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER, step],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Checkout":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.communicate()

    def seconds(self) -> float:
        """Processor time of one more step."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())


def compare(folder: Path, step: str, rounds: int) -> str:
    """The older checkout's time over this one's."""
    with ExitStack() as stack:
        older, newer = (stack.enter_context(Checkout(where, step)) for where in (folder, HERE))
        pairs = in_turn(newer.seconds, older.seconds, rounds, lambda seconds: seconds())
    new, old = (1e3 * statistics.median(taken) for taken in zip(*pairs, strict=True))
    return f"{step}: {new:.1f} ms here, {old:.1f} ms there: {ratio(pairs)} times as long there"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=STEPS)
    options = parser.parse_args()
    for step in options.steps:
        rounds = options.rounds if step.startswith("mini") else max(options.rounds // 8, 1)
        print(compare(options.folder, step, rounds), flush=True)  # noqa: T201  printing is what a benchmark is for


if __name__ == "__main__":
    main()
