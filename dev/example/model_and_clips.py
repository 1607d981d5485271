"""Write docs/example/model and docs/example/clips: a trained model to try without training, and ten clips with labels.

    python -m dev.example.model_and_clips --scale desk --run multitrain --seed 0

Needs the run's model.pt and the prepared datasets. The clips are of val, which nothing was trained on: of each dataset
those with the smallest clip ids, of different classes; none is chosen by what the model says.
"""

import argparse
import csv
import shutil
from pathlib import Path

import multitrain
from dev.command import start
from multitrain.common.files.atomic import atomic
from multitrain.config.config_files import load_scale
from multitrain.data.manifest import read_manifest

CLIPS = {"k400": 3, "mit": 2, "ssv2": 3, "actnet": 2}
LABELS = "labels.csv"


def chosen(manifest: Path, count: int) -> list[tuple[Path, str]]:
    """Paths and classes of `count` clips of val, of different classes, by clip id."""
    clips = read_manifest(manifest, ["clip_id", "path", "label"]).split("val")
    by_class: dict[int, Path] = {}
    for row in sorted(clips.table.to_pylist(), key=lambda row: row["clip_id"]):
        by_class.setdefault(row["label"], manifest.parent / row["path"])
    return [(path, clips.classes[label]) for label, path in list(by_class.items())[:count]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="desk")
    parser.add_argument("--run", default="multitrain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--out", type=Path, default=Path("docs/example"))
    options = parser.parse_args()
    scale = load_scale(options.scale)
    model = options.results / "runs" / scale.name / options.run / f"seed{options.seed}" / "model.pt"
    multitrain.save(multitrain.load(str(model)), options.out / "model")
    folder, rows = options.out / "clips", []
    folder.mkdir(parents=True, exist_ok=True)
    for dataset, count in CLIPS.items():
        manifest = scale.clips_folder(dataset, options.data, scale.world_of(options.seed)) / "manifest.parquet"
        for number, (path, label) in enumerate(chosen(manifest, count)):
            name = f"{dataset}_{number}{path.suffix}"
            shutil.copyfile(path, folder / name)
            rows.append({"clip": name, "dataset": dataset, "label": label})
    with atomic(folder / LABELS) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["clip", "dataset", "label"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    start(main)
