"""Benchmark of training steps side by side: `make bench`, or `python -m dev.bench.step [--quick]`.

The backbone's share of the core's peak, the backbone against the same model written plainly (time and memory of
forward and backward), and MultiTrain's whole step against Vanilla's. Two that are compared take turns, each first in
every other round; a ratio is taken in each round, so that a machine that slows down slows both.
"""

import argparse
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from dev.bench.learner import Learner
from dev.bench.memory import STATUS, VARIANTS, Peak, backbone_step, build, peak_in_own_process
from multitrain.analysis.cost.flops import cost
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.scale import Scale
from multitrain.engine.processes.heap import keep_freed_memory

GOALS = {"mini": 1.5, "paper": 1.2}  # times the plain model's throughput, at least
PART_OF_MEMORY = {"ours": 0.75, "ours, checkpointing": 0.4}  # of the plain model's peak, at most
SLOWER = 1.03  # times the seconds of Vanilla's step, at most
SHARE = 0.36  # of the core's peak, at least
SIDE, PRODUCTS = 1024, 4  # a product of two square matrices that stands for the peak; so many take as long as a step


@dataclass(frozen=True)
class Setting:
    """What a step is taken of."""

    scale: Scale
    size: str
    batch: int
    rounds: int

    @property
    def pixels(self) -> int:
        return self.scale.sizes[self.size]

    def __str__(self) -> str:
        model, threads = self.scale.model, torch.get_num_threads()
        shape = f"{model.channels} channels, {sum(model.depths)} blocks, {model.frames} frames of {self.pixels}"
        return f"{self.scale.name} {self.size} ({shape}, batch {self.batch}, {threads} thread{'s'[: threads > 1]})"


Step = Callable[[], object]


def wall(step: Step) -> float:
    """Wall-clock seconds."""
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def processor(step: Step) -> float:
    """Core-seconds of this process, on which other programs of the machine have little influence."""
    started = time.process_time()
    step()
    return time.process_time() - started


def in_turn(one: Step, other: Step, rounds: int, measure: Callable[[Step], float] = wall) -> list[tuple[float, float]]:
    """Seconds of both in each round, after one that warms up."""
    taken = []
    for index in range(rounds + 1):
        if index % 2:
            first = measure(one)
            pair = (first, measure(other))
        else:
            second = measure(other)
            pair = (measure(one), second)
        taken.append(pair)
    return taken[1:]


def ratio(pairs: list[tuple[float, float]], factor: float = 1.0) -> str:
    """The median of second over first, times a factor, and the range."""
    ratios = [factor * other / one for one, other in pairs]
    middle = statistics.median(ratios)
    return f"{middle:.3f} (min {min(ratios):.3f}, max {max(ratios):.3f} over {len(ratios)} rounds)"


def operations(setting: Setting) -> float:
    """Of a step's forward and backward pass: two a multiply-accumulate of convolutions, linear layers and attention.

    The backward pass has twice those of the forward pass, except that pixels have no gradient. What is computed again
    is not counted, nor are norms, activations and sums.
    """
    model, found = setting.scale.model, cost(setting.scale, setting.size)
    tokens = model.frames // model.patch_stride[0] * (setting.pixels // model.patch_stride[1]) ** 2
    patch = 3 * model.channels * math.prod(model.patch_kernel) * tokens
    each = 3e9 * (found.convolution + found.linear + found.attention) - patch
    return 2 * setting.batch * each


def share_of_peak(setting: Setting) -> list[str]:
    """Operations a second of the backbone's step over those of a large product of matrices on the same cores."""
    backbone = build("ours", setting.scale.model, setting.pixels)
    clips = torch.randn(setting.batch, 3, setting.scale.model.frames, setting.pixels, setting.pixels)
    left, right = torch.randn(2, SIDE, SIDE)

    def products() -> None:
        for _ in range(PRODUCTS):
            left @ right

    done, most = operations(setting), 2 * PRODUCTS * SIDE**3
    pairs = in_turn(partial(backbone_step, backbone, clips), products, setting.rounds, processor)
    step, product = (statistics.median(taken) for taken in zip(*pairs, strict=True))
    return [
        f"{setting}: the backbone's step against products of two {SIDE} x {SIDE} matrices, processor time",
        f"  step {1e3 * step:.1f} ms, {done / 1e9:.2f} GFLOP; product {1e-9 * most / product:.1f} GFLOP/s",
        f"  share of the peak: {ratio(pairs, done / most)}; goal at least {SHARE}",
    ]


def against_plain(setting: Setting) -> list[str]:
    """Throughput of forward and backward of the backbone, ours and plain."""
    ours = build("ours", setting.scale.model, setting.pixels)
    plain = build("plain", setting.scale.model, setting.pixels)
    plain.backbone.load_state_dict(ours.state_dict())
    clips = torch.randn(setting.batch, 3, setting.scale.model.frames, setting.pixels, setting.pixels)
    pairs = in_turn(partial(backbone_step, ours, clips), partial(backbone_step, plain, clips), setting.rounds)
    rates = [setting.batch / statistics.median(taken) for taken in zip(*pairs, strict=True)]
    return [
        f"{setting}: backbone's step against the plain one's",
        f"  ours {rates[0]:.2f} clips/s, plain {rates[1]:.2f} clips/s",
        f"  throughput: {ratio(pairs)} times the plain one's; goal at least {GOALS[setting.scale.name]}",
    ]


def memory(setting: Setting, measure: Callable[..., Peak] = peak_in_own_process) -> list[str]:
    """Peak memory of the same step, each variant in a process of its own."""
    peaks = {name: measure(name, setting.scale.model, setting.pixels, setting.batch) for name in VARIANTS}
    lines = [f"{setting}: peak memory of the backbone's step, MB above the idle process and of the whole process"]
    for name, peak in peaks.items():
        line = f"  {name}: {peak.above:.0f} above {peak.idle:.0f}, {peak.whole:.0f} whole"
        if name != "plain":
            above, whole = peak.above / peaks["plain"].above, peak.whole / peaks["plain"].whole
            line += f"; {above:.2f} and {whole:.2f} of the plain one's, goal at most {PART_OF_MEMORY[name]}"
        lines.append(line)
    return lines


def against_vanilla(setting: Setting) -> list[str]:
    """Whole steps, of the losses, projections, expander and optimiser too."""
    runs = load_experiments().runs
    vanilla, ours = (Learner(setting.scale, runs[name], setting.batch) for name in ("vanilla", "multitrain"))
    return [
        f"{setting}: MultiTrain's whole step against Vanilla's",
        f"  seconds: {ratio(in_turn(vanilla.step, ours.step, setting.rounds))} times Vanilla's; goal at most {SLOWER}",
    ]


def settings(quick: bool) -> tuple[list[Setting], Setting, Setting]:
    """The small ones; the paper's width, one clip; the same with two, which statistics over a batch need."""
    mini, paper = load_scale("mini"), load_scale("paper")
    model = paper.model.model_copy(update={"frames": 16})
    paper = paper.model_copy(update={"model": model})
    small = [Setting(mini, size, 16, 3 if quick else 31) for size in ("base", "large")]
    return small, Setting(paper, "base", 1, 1 if quick else 5), Setting(paper, "base", 2, 1 if quick else 5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    keep_freed_memory()  # as the commands that train and evaluate do
    small, large, large_pair = settings(options.quick)
    parts = [partial(share_of_peak, setting) for setting in small]
    parts += [partial(against_plain, setting) for setting in (*small, large)]
    parts += [partial(memory, large)] if STATUS.exists() else []
    parts += [partial(against_vanilla, setting) for setting in (small[0], large_pair)]
    for part in parts:
        print(*part(), sep="\n", flush=True)  # noqa: T201  printing is what a benchmark is for


if __name__ == "__main__":
    main()
