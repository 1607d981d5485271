"""Draw docs/datasets.jpg: eight frames of one test clip for some classes of each prepared dataset.

python workflow/scripts/pictures.py --scale mini
"""

import argparse
from pathlib import Path

import matplotlib
import numpy as np

from multitrain.configfile import load_scale
from multitrain.data.clips import view_indices
from multitrain.data.decode import read_frames
from multitrain.data.manifest import read_manifest

matplotlib.use("Agg")
import matplotlib.pyplot as plt


def strip(manifest, row: dict, settings, frames: int, side: int) -> np.ndarray:
    """The frames of the first test view side by side, (side, frames * side, 3)."""
    (indices, *_) = view_indices(settings, row["frames"], frames)
    clip = read_frames(manifest.folder / row["path"], indices, row["fps"], settings.transcode.stride)
    return np.concatenate([frame[:side, :side] for frame in clip], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="mini")
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--out", type=Path, default=Path("docs/datasets.jpg"))
    parser.add_argument("--classes", type=int, default=4, help="classes shown of each dataset, an even number")
    options = parser.parse_args()
    scale = load_scale(options.scale)
    names = [name for name in scale.datasets if (options.data / scale.name / name / "manifest.parquet").exists()]
    rows_each = options.classes // 2
    figure, axes = plt.subplots(rows_each * len(names), 2, figsize=(9.2, 0.84 * rows_each * len(names)), squeeze=False)
    for place, name in enumerate(names):
        settings = scale.datasets[name]
        manifest = read_manifest(options.data / scale.name / name / "manifest.parquet").split("test")
        rows = manifest.table.to_pylist()
        shown = np.linspace(0, len(manifest.classes) - 1, 2 * rows_each).round().astype(int)
        for axis, label in zip(axes[place * rows_each : (place + 1) * rows_each].flat, shown, strict=True):
            row = next(row for row in rows if row["label"] == label)
            axis.imshow(strip(manifest, row, settings, scale.model.frames, settings.transcode.short_side))
            axis.set_title(f"{settings.title}: {manifest.classes[label]}", fontsize=8, loc="left", pad=2)
            axis.axis("off")
    figure.tight_layout(pad=0.4)
    figure.savefig(options.out, dpi=110, pil_kwargs={"quality": 88})


if __name__ == "__main__":
    main()
