"""Benchmark of transcoding, decoding and manifests at the size of the real datasets: `make bench-data`.

Transcoding: seconds of video per core-second. Decoding: clips per second from prepared files against decord and
torchcodec on the same source videos; both are optional, and what is not installed is left out with a line that says so.
Manifest: see dev/bench/millions.py. Videos are generated (dev/bench/moving.py). What the figures mean for the real
datasets is worked out by dev/bench/scaling.py and told in docs/reference/scaling.md.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from dev.bench import millions
from dev.bench.moving import KINDS, Kind, write_source
from multitrain.config.config_files import load_scale
from multitrain.data.decode import read_frames
from multitrain.data.sampling import dense, random_start, segments
from multitrain.data.transforms import as_frames, augment
from multitrain.datasets.transcode.encode_clip import Clip, transcode

FRAMES, SIZE = 32, 224
OURS = "ours, prepared"
ALIKE = 6.0  # mean difference in levels between two readers' frames; a wrong frame differs by more

Reader = Callable[[np.ndarray], np.ndarray]  # frame indices (T,) -> (T, H, W, 3) uint8


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of a quantity over rounds."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


@dataclass(frozen=True)
class Video:
    """A source video and the clip prepared of it."""

    kind: Kind
    source: Path
    prepared: Path
    clip: Clip
    core_seconds: float  # that preparing it took

    @property
    def seconds(self) -> float:
        """Of the prepared clip."""
        return self.clip.frames / self.clip.fps


def prepare(kind: Kind, folder: Path, seed: int) -> Video:
    """Make a source video and prepare it as scale paper does."""
    source = write_source(folder / f"{kind.width}x{kind.height}_{kind.fps}_{seed}{kind.suffix}", kind, seed)
    prepared = source.with_name(f"{source.stem}_prepared.mp4")
    started = time.process_time()
    clip = transcode(source, prepared, load_scale("paper").dataset(kind.dataset).transcode, *kind.cut)
    return Video(kind, source, prepared, clip, time.process_time() - started)


def ours(video: Video) -> Reader:
    stride = load_scale("paper").dataset(video.kind.dataset).transcode.stride
    return lambda indices: read_frames(video.prepared, indices, video.clip.fps, stride)


def with_decord(path: Path, **size: int) -> Reader:
    import decord

    def read(indices: np.ndarray) -> np.ndarray:
        return decord.VideoReader(str(path), ctx=decord.cpu(0), num_threads=1, **size).get_batch(indices).asnumpy()

    return read


def with_torchcodec(path: Path) -> Reader:
    from torchcodec.decoders import VideoDecoder

    def read(indices: np.ndarray) -> np.ndarray:
        # Approximate: the quicker of its two ways to seek, exact for a constant rate.
        decoder = VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="approximate")
        return decoder.get_frames_at(indices=indices.tolist()).data.numpy()

    return read


def optional(packages: tuple[str, ...] = ("decord", "torchcodec.decoders")) -> tuple[set[str], list[str]]:
    """Which of the other readers can be used, and a line for each that cannot."""
    usable, lines = set(), []
    for name in packages:
        package = name.split(".")[0]
        try:
            __import__(name)
            usable.add(package)
        except (ImportError, OSError, RuntimeError) as error:  # torchcodec raises the last without FFmpeg's libraries
            reason = str(error).strip().splitlines()[0]
            lines.append(f"{package} left out: pip install {package} ({reason})")
    return usable, lines


def readers(video: Video, usable: set[str]) -> dict[str, Reader]:
    """All ways to read the clip that are compared; those of the source file give the source's size."""
    chosen = {OURS: ours(video)}
    if "decord" in usable:
        chosen["decord, prepared"] = with_decord(video.prepared)
    if "torchcodec" in usable:
        chosen["torchcodec, prepared"] = with_torchcodec(video.prepared)
    if video.kind.cut:  # the source is another stretch of time
        return chosen
    if "decord" in usable:
        chosen["decord, source"] = with_decord(video.source)
        if (video.kind.width // 2 * 2, video.kind.height) != (video.clip.width, video.clip.height):
            scaled = with_decord(video.source, width=video.clip.width, height=video.clip.height)
            chosen["decord, source, scaled to the prepared size"] = scaled
    if "torchcodec" in usable:
        chosen["torchcodec, source"] = with_torchcodec(video.source)
    return chosen


def sampled(video: Video, rng: np.random.Generator) -> np.ndarray:
    """Frame indices (FRAMES,) of a training clip as the video's dataset draws them in scale paper."""
    settings = load_scale("paper").dataset(video.kind.dataset)
    if settings.sampling.kind == "segment":
        return segments(video.clip.frames, FRAMES, rng)
    stride, grid = settings.sampling.stride, settings.transcode.stride
    return dense(video.clip.frames, FRAMES, stride, random_start(video.clip.frames, FRAMES, stride, rng, grid), grid)


def check_alike(video: Video, usable: set[str]) -> None:
    """All readers show the same frames, or the comparison would mean nothing."""
    indices = sampled(video, np.random.default_rng(0))
    shown = {name: as_frames(read(indices)).float() for name, read in readers(video, usable).items()}
    small = {name: torch.nn.functional.interpolate(frames, (32, 32), mode="area") for name, frames in shown.items()}
    for name, frames in small.items():
        apart = float((frames - small[OURS]).abs().mean())
        assert apart < ALIKE, f"{video.kind.name}: {name} shows other frames than {OURS}: {apart:.1f} levels apart"


def training_clip(frames: np.ndarray, seed: int) -> torch.Tensor:
    """(T, 3, SIZE, SIZE): the recipe's random crop, scaled."""
    recipe = load_scale("paper").recipes["joint"].model_copy(update={"randaugment": None, "erasing": 0.0})
    rng = np.random.default_rng(seed)
    return augment(as_frames(frames), SIZE, recipe, True, rng)


def decoding(videos: list[Video], usable: set[str], rounds: int, crop: bool) -> dict[str, list[tuple[float, float]]]:
    """(seconds, core-seconds) of a clip by reader, a round each; the readers take turns on the same frames."""
    taken: dict[str, list[tuple[float, float]]] = {}
    for index in range(-1, rounds):  # the first warms up
        video = videos[index % len(videos)]
        indices = sampled(video, np.random.default_rng(index + 1))
        ways = list(readers(video, usable).items())
        turn = index % len(ways)
        for name, read in ways[turn:] + ways[:turn]:
            started = time.perf_counter(), time.process_time()
            frames = read(indices)
            if crop:
                training_clip(frames, index + 1)
            if index >= 0:
                ended = time.perf_counter(), time.process_time()
                taken.setdefault(name, []).append((ended[0] - started[0], ended[1] - started[1]))
    return taken


def against_ours(taken: dict[str, list[tuple[float, float]]], title: str) -> list[str]:
    """A line a reader: its clips per second, and how many times ours, round by round, by the clock and by the core."""
    lines = [f"  {title}"]
    for name, times in taken.items():
        wall, core = (Spread.of([a[i] / b[i] for a, b in zip(times, taken[OURS], strict=True)]) for i in (0, 1))
        rate = 1 / statistics.median(seconds for seconds, _ in times)
        ratio = "" if name == OURS else f"; ours is {wall} times as fast, {core} by core-seconds"
        lines.append(f"    {name}: {rate:.1f} clips/s{ratio}")
    return lines


def measure(kind: Kind, folder: Path, usable: set[str], count: int, rounds: int) -> tuple[dict, list[str]]:
    """Figures of one kind of video, and lines that tell them."""
    videos = [prepare(kind, folder, seed) for seed in range(count)]
    for video in videos:
        check_alike(video, usable)
    speed = Spread.of([video.seconds / video.core_seconds for video in videos])
    before, after = (
        statistics.median(path.stat().st_size / seconds for path, seconds in sizes)
        for sizes in (
            [(video.source, kind.seconds) for video in videos],
            [(video.prepared, video.seconds) for video in videos],
        )
    )
    clip = videos[0].clip
    lines = [
        f"{kind.name}: {before * 8e-6:.2f} Mbit/s; prepared {clip.width}x{clip.height}, {after * 8e-6:.2f} Mbit/s",
        f"  transcoding: {speed} s of video a core-second",
    ]
    taken = decoding(videos, usable, rounds, crop=False)
    lines += against_ours(taken, f"{FRAMES} RGB frames at the file's size")
    cropped = decoding(videos, usable, rounds, crop=True)
    lines += against_ours(cropped, f"{FRAMES} frames, cropped and scaled to {SIZE}")
    figures = {
        "transcode": asdict(speed),
        "source_bytes": before,
        "prepared_bytes": after,
        "clip_core_seconds": statistics.median(core for _, core in taken[OURS]),
        "crop_core_seconds": statistics.median(core for _, core in cropped[OURS]),
    }
    return figures, lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=["videos", "manifest"], default=["videos", "manifest"])
    parser.add_argument("--videos", type=int, default=3, help="videos of each kind")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    parser.add_argument("--save", type=Path, help="file for the figures, as dev/bench/scaling.py reads them")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if "videos" in options.parts:
        figures = {}
        usable, lines = optional()
        for line in lines:
            print(line)  # noqa: T201  printing is what a benchmark is for
        with tempfile.TemporaryDirectory() as folder:
            for kind in [kind for kind in KINDS if options.only in kind.name]:
                figures[kind.name], lines = measure(kind, Path(folder), usable, options.videos, options.rounds)
                print(*lines, sep="\n", flush=True)  # noqa: T201
        if options.save:
            options.save.write_text(json.dumps(figures, indent=2) + "\n")
    if "manifest" in options.parts:
        print(*millions.measure(options.rounds), sep="\n", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
