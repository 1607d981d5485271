"""Peak memory of one step of the backbone: as it is, with checkpointing, and written plainly, each in its own process.

Parameters, their gradients and the activations count; the optimiser's state, the same for all, does not.
"""

import json
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from dev.bench.plain_mvit import PlainMViT
from multitrain.config.scale import Model
from multitrain.engine.processes.heap import keep_freed_memory
from multitrain.model.backbones.mvit import MViT

VARIANTS = ("ours", "ours, checkpointing", "plain")
STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Peak:
    """Of one process, in MB."""

    idle: float  # most before the first step: the libraries, the parameters and the clips
    whole: float  # most up to the end of the second step

    @property
    def above(self) -> float:
        """What the steps took."""
        return self.whole - self.idle


def high_water() -> float:
    """The most memory that this process has had so far, in MB; not of its parent, as getrusage's may be."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())[1]) * 1024 / 1e6


def backbone_step(model: torch.nn.Module, clips: torch.Tensor) -> None:
    """Forward and backward of one batch."""
    for parameter in model.parameters():
        parameter.grad = None
    model(clips).square().mean().backward()


def build(variant: str, model: Model, pixels: int) -> torch.nn.Module:
    """One of VARIANTS, from torch's own seed."""
    backbone = MViT(model, pixels).train()
    backbone.checkpointing = variant == "ours, checkpointing"
    return PlainMViT(backbone) if variant == "plain" else backbone


def peak_in_this_process(variant: str, model: Model, pixels: int, batch: int) -> Peak:
    """The peak of two steps of a variant in this process."""
    backbone = build(variant, model, pixels)
    clips = torch.randn(batch, 3, model.frames, pixels, pixels)
    idle = high_water()
    for _ in range(2):
        backbone_step(backbone, clips)
    return Peak(idle, high_water())


def peak_in_own_process(variant: str, model: Model, pixels: int, batch: int) -> Peak:
    """The same in a fresh process of as many threads as this one."""
    asked = {"variant": variant, "model": model.model_dump(mode="json"), "pixels": pixels, "batch": batch}
    asked["threads"] = torch.get_num_threads()
    command = [sys.executable, "-m", "dev.bench.memory", json.dumps(asked)]
    return Peak(**json.loads(subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout))


def main() -> None:
    keep_freed_memory()
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(asked.pop("threads"))
    torch.manual_seed(0)
    found = peak_in_this_process(**asked | {"model": Model.model_validate(asked["model"])})
    print(json.dumps(asdict(found)))  # noqa: T201  read by the parent


if __name__ == "__main__":
    main()
