"""Core-hours, disk and download of the five real datasets: `python -m dev.bench.scaling [--figures FILE]`.

The figures are those that `python -m dev.bench.data --save FILE` wrote; without the option, those in measured.json
beside this module, which docs/reference/scaling.md quotes. Everything else is a count or an assumption of `DATASETS`:
change them here to redo the table.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

MEASURED = Path(__file__).with_name("measured.json")
PARTS, PART_GB = 2, 2.0  # archives on the disk at once (setting max_archives), and the size of a large one
GPU_CLIPS = (2, 10, 50)  # clips a second that a GPU takes


@dataclass(frozen=True)
class Real:
    """A dataset: counts of the paper, and what is assumed of its videos."""

    title: str
    clips: int  # training and test, of the paper
    seconds: float  # of a clip
    mix: dict[str, float]  # kinds of generated video that its sources are taken to cost like, with their parts
    files: int  # to fetch or bring: more than `clips` where the publisher ships other splits in the same archives
    file_mb: float  # of a source video, with its sound
    streamed: bool  # whether archives are deleted as they are read; else the sources stay on the disk

    @property
    def hours(self) -> float:
        """Of prepared video."""
        return self.clips * self.seconds / 3600

    def mean(self, figures: dict, value) -> float:
        """The mean over the mix of a function of a kind's figures."""
        return sum(part * value(figures[kind]) for kind, part in self.mix.items())

    def core_hours(self, figures: dict) -> float:
        """Of transcoding."""
        return self.hours * self.mean(figures, lambda kind: 1 / kind["transcode"]["median"])

    def prepared_gb(self, figures: dict) -> float:
        return self.hours * 3600 * self.mean(figures, lambda kind: kind["prepared_bytes"]) / 1e9

    def raw_gb(self) -> float:
        """Fetched, or brought by the user."""
        return self.files * self.file_mb / 1e3

    def peak_gb(self, figures: dict) -> float:
        """On the disk at once: what is prepared, and the sources that are there beside it at the end."""
        return self.prepared_gb(figures) + (PARTS * PART_GB if self.streamed else self.raw_gb())

    def core_seconds(self, figures: dict) -> float:
        """To decode, crop and scale a training clip."""
        return self.mean(figures, lambda kind: kind["crop_core_seconds"])


LARGE, MIDDLE, UNTRIMMED = "h264 1280x720", "h264 426x320", "h264 480x360, 10 s of 60"
DATASETS = (
    Real("K400", 260_000, 10, {LARGE: 0.5, MIDDLE: 0.5}, 260_000, 436e3 / 299_758, True),
    Real("K700", 580_000, 10, {LARGE: 0.5, MIDDLE: 0.5}, 580_000, 867e3 / 632_247, True),
    Real("SSv2", 192_000, 4, {"vp9 427x240 12 fps": 1}, 220_847, 19.4e3 / 220_847, False),
    Real("MiT", 757_000, 3, {"h264 256x256 3 s": 0.5, "h264 426x320": 0.5}, 757_000, 305e3 / 836_000, False),
    Real("ActNet", 123_000, 9, {UNTRIMMED: 1}, 14_950, 12, False),
)


def table(figures: dict) -> list[str]:
    """Lines of Markdown: a row a dataset and their sum."""
    lines = [
        "| dataset | clips | hours of video | core-hours | to fetch or bring, GB | prepared, GB | peak, GB |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows = [
        (
            real.clips,
            real.hours,
            real.core_hours(figures),
            real.raw_gb(),
            real.prepared_gb(figures),
            real.peak_gb(figures),
        )
        for real in DATASETS
    ]
    titles = [*(real.title for real in DATASETS), "all"]
    totals = tuple(map(sum, zip(*rows, strict=True)))
    for title, row in zip(titles, [*rows, totals], strict=True):
        lines.append(f"| {title} | " + " | ".join(f"{value:,.0f}" for value in row) + " |")
    return lines


def feeding(figures: dict) -> list[str]:
    """Lines of Markdown: cores that decode for a GPU, by the clips that it takes a second."""
    lines = [
        "| dataset | ms a clip | " + " | ".join(f"cores at {rate} clips/s" for rate in GPU_CLIPS) + " |",
        "| --- | --- |" + " --- |" * len(GPU_CLIPS),
    ]
    for real in DATASETS:
        cost = real.core_seconds(figures)
        lines.append(
            f"| {real.title} | {cost * 1e3:.0f} | " + " | ".join(f"{cost * rate:.1f}" for rate in GPU_CLIPS) + " |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", type=Path, default=MEASURED)
    figures = json.loads(parser.parse_args().figures.read_text())
    print(*table(figures), "", *feeding(figures), sep="\n")  # noqa: T201  printing is what it is for


if __name__ == "__main__":
    main()
