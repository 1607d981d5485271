"""Trials for `multitrain doctor`: decoding, a training step, bfloat16 and torch.compile, each tried on this machine."""

import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from multitrain.cli.doctor.machine_facts import Trial
from multitrain.common.errors import UserError
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale

if TYPE_CHECKING:
    import torch

__all__ = ["CompileTrial", "try_all"]

HEIGHT, WIDTH, FRAMES, FPS = 240, 320, 96, 30
COMPILE_SECONDS = 60.0
COMPILED = """
import torch
import torch._inductor.config as inductor
inductor.cpp_cache_precompile_headers = False  # which take longer than the kernel does
inductor.cpp.vec_isa_ok = True  # the kernel itself tells
torch.set_num_threads(1)
x = torch.linspace(-1, 1, 64, device={device!r})
found = torch.compile(torch.nn.functional.gelu)(x)
torch.testing.assert_close(found, torch.nn.functional.gelu(x))
"""


def try_all(scale: Scale, experiments: Experiments, device: "torch.device") -> dict[str, Trial | None]:
    """All trials by their names in `Facts`; torch.compile is tried in a process beside the others."""
    compiling = CompileTrial(str(device))
    try:
        return {
            "decoding": try_decoding(),
            "step": try_step(scale, experiments, device),
            "bfloat16": try_bfloat16(device.type),
            "compiling": compiling.result(),
        }
    finally:
        compiling.close()


class CompileTrial:
    """torch.compile of one function, in a process of its own with an empty cache, within a time limit."""

    def __init__(self, device: str, seconds: float = COMPILE_SECONDS, source: str = COMPILED):
        self.cache = tempfile.TemporaryDirectory(prefix="multitrain-")
        environment = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": self.cache.name, "TORCHINDUCTOR_COMPILE_THREADS": "1"}
        self.began, self.seconds = time.perf_counter(), seconds
        self.process = subprocess.Popen(
            [sys.executable, "-c", source.format(device=device)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def result(self) -> Trial:
        """Wait for its end."""
        try:
            _, said = self.process.communicate(timeout=self.seconds)
        except subprocess.TimeoutExpired:
            return Trial(False, f"not done after {self.seconds:g} s")
        if self.process.returncode:
            last = next((line for line in reversed(said.splitlines()) if line.strip()), "no message")
            return Trial(False, f"fails: {last.strip()[:200]}")
        return Trial(True, f"works; the first function took {time.perf_counter() - self.began:.0f} s")

    def close(self) -> None:
        """End the process if it still runs, and remove its cache."""
        self.process.kill()
        self.process.wait()
        self.cache.cleanup()


def try_decoding() -> Trial:
    """Frames a second of a clip laid out as prepared ones are, every frame decoded, on one core."""
    import av
    import numpy as np

    from multitrain.config.scale import Transcode
    from multitrain.datasets.transcode.encode_clip import transcode
    from multitrain.inference.video_frames import read_views
    from multitrain.model.files.metadata import Frames

    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory(prefix="multitrain-") as folder:
        raw, clip = Path(folder, "raw.mp4"), Path(folder, "clip.mp4")
        try:
            with av.open(str(raw), "w") as container:
                stream = container.add_stream("libx264", rate=Fraction(FPS))
                stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
                for index in range(FRAMES):
                    frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * index, 1), format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
            transcode(raw, clip, Transcode(short_side=HEIGHT))
            began = time.perf_counter()
            read_views(clip, Frames(grid=1, short_side=None), FRAMES // 3, HEIGHT)
            seconds = time.perf_counter() - began
        except (UserError, OSError, ValueError, av.error.FFmpegError) as error:
            return Trial(False, f"a clip cannot be made and read: {' '.join(str(error).split())}")
    speed = FRAMES / seconds
    return Trial(True, f"{speed:.0f} frames a second of {WIDTH}x{HEIGHT} on one core, with crop", speed)


def try_step(scale: Scale, experiments: Experiments, device: "torch.device") -> Trial | None:
    """A training step of a synthetic scale's joint run, measured as `multitrain estimate` measures it."""
    if scale.world is None or (scale.machine.gpus and device.type == "cpu"):
        return None
    from multitrain.planning.measure import measure_step

    try:
        seconds, clips = measure_step(scale, max(experiments.runs.values(), key=lambda run: len(run.datasets)), device)
    except UserError as error:
        return Trial(False, str(error))
    speed = clips / seconds
    return Trial(True, f"{seconds:.2f} s for {clips} clips of scale {scale.name}: {speed:.0f} clips a second", speed)


def try_bfloat16(device: str) -> Trial:
    """A layer's forward and backward pass under autocast."""
    import torch

    try:
        layer = torch.nn.Linear(64, 64).to(device)
        with torch.autocast(device, torch.bfloat16):
            made = layer(torch.ones(8, 64, device=device))
        made.float().square().sum().backward()
        finite = layer.weight.grad is not None and bool(layer.weight.grad.isfinite().all())
    except RuntimeError as error:
        return Trial(False, f"fails on {device}: {str(error).splitlines()[0]}")
    return Trial(finite, f"works on {device}" if finite else f"gives no finite gradient on {device}")
