"""`make bench`: one training step of our backbone against the same model written plainly, in turn in one run.

Prints clips per second of both and their ratio, for the small model and, on request, any scale's.
"""

import argparse
import statistics
import sys
import time

import torch

from multitrain.configfile import load_scale
from multitrain.model.mvit import MViT
from tests.bench.plain_mvit import PlainMViT


def seconds_of_step(model: torch.nn.Module, clips: torch.Tensor) -> float:
    """Forward and backward of one batch, in seconds."""
    started = time.perf_counter()
    model(clips).square().mean().backward()
    return time.perf_counter() - started


def compare(scale: str, size: str, batch: int, rounds: int) -> list[float]:
    """Ratios plain / ours of the time of a step, one a round; the two take turns."""
    settings = load_scale(scale)
    backbone = MViT(settings.model, settings.sizes[size]).train()
    pixels, frames = settings.sizes[size], settings.model.frames
    clips = torch.randn(batch, 3, frames, pixels, pixels)
    plain = PlainMViT(backbone)
    ours_s, plain_s = [], []
    for index in range(rounds + 2):
        ours, other = seconds_of_step(backbone, clips), seconds_of_step(plain, clips)
        if index >= 2:  # the first two warm up
            ours_s.append(ours)
            plain_s.append(other)
    ratios = [other / ours for ours, other in zip(ours_s, plain_s, strict=True)]
    ours_rate, plain_rate = (batch / statistics.median(seconds) for seconds in (ours_s, plain_s))
    print(  # noqa: T201  printing is what a benchmark is for
        f"{scale} {size} ({frames} frames of {pixels}, batch {batch}, {torch.get_num_threads()} thread): "
        f"ours {ours_rate:.1f} clips/s, plain {plain_rate:.1f} clips/s, "
        f"ratio {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f} over {rounds} rounds)"
    )
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--sizes", nargs="+", default=["base", "large"])
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    for size in options.sizes:
        compare(options.scale, size, options.batch, options.rounds)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
