"""A made-up study: every run of the tables with random answers, moments, projections, histories and features."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from multitrain.analysis.projections.class_map import FORMAT
from multitrain.cli.commands import packed_commands
from multitrain.common.records.history import MOST
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Experiments, Row, Run

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "config"
PUBLISHED = ROOT / "resources" / "published"
SCALE = load_scale("ci", CONFIG)
SHIPPED = load_experiments(CONFIG, SCALE)
CLASSES = {name: tuple(f"{name} class {i}" for i in range(4 + place)) for place, name in enumerate(SCALE.datasets)}
CLIPS = 8
STEPS = {"multitrain": MOST + 50}  # one long history is enough
FEW = 10
DIMENSIONS = {"features": 5, "embedding": 3}


def small() -> Experiments:
    """Four runs on three datasets, two of them joint ones, in two tables."""
    names = ("k400_baseline", "mit_baseline", "k700_baseline", "multitrain", "multitrain_k700", "wo_projection")
    runs = {name: SHIPPED.runs[name] for name in names}
    for name, datasets in (("multitrain", "k400 mit"), ("wo_projection", "k400 mit"), ("multitrain_k700", "k700 mit")):
        runs[name] = runs[name].model_copy(update={"datasets": tuple(datasets.split())})
    rows = {
        "table1": ((runs["multitrain"].datasets, ("k400_baseline", "mit_baseline"), "multitrain", "wo_projection")),
        "table2": ((runs["multitrain_k700"].datasets, ("k700_baseline", "mit_baseline"), "multitrain_k700")),
    }
    tables = {}
    for name, (datasets, baselines, joint, *others) in rows.items():
        its = [Row(method="Baseline", runs=baselines), Row(method="MultiTrain", runs=(joint,))]
        its += [Row(method="w/o Projection Loss", runs=(other,)) for other in others]
        tables[name] = SHIPPED.tables[name].model_copy(update={"datasets": datasets, "rows": tuple(its)})
    projections = SHIPPED.projections.model_copy(update={"runs": ("multitrain",)})
    return Experiments(runs=runs, tables=tables, projections=projections)


SMALL = small()


def settings(folder: Path, **changed: object) -> Path:
    """A folder of settings with the small experiments, and with changed keys of scale ci."""
    (folder / "scales").mkdir(parents=True, exist_ok=True)
    values = yaml.safe_load((CONFIG / "scales" / "ci.yaml").read_text()) | changed
    (folder / "scales" / "ci.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    (folder / "experiments.yaml").write_text(yaml.safe_dump(SMALL.model_dump(mode="json"), sort_keys=False))
    return folder


def make(
    root: Path, *seeds: int, of: Experiments = SMALL, runs: tuple[str, ...] | None = None, code: str = "abc"
) -> Path:
    """A results folder of scale ci with these runs and seeds; <root>/data has the related classes."""
    for run in of.shown_runs() if runs is None else runs:
        for seed in seeds:
            _make_run(root / "runs" / SCALE.name / run / f"seed{seed}", of.run(run), run, seed, code)
    costs = [{"size": "base", "gflops": 0.5, "pixels": 32, "frames": 4}, {"size": "large", "gflops": 0.75}]
    (root / "runs" / SCALE.name / "flops.json").write_text(json.dumps(costs))
    (root / "datasets.csv").write_text("dataset,scale\nk400,ci\n")
    for name in SCALE.datasets:
        folder = root / "data" / SCALE.name / name / "raw"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "relations.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(("source_dataset", "source_class", "target_dataset", "target_class", "relation"))
            others = [other for other in SCALE.datasets if other != name]
            writer.writerows(
                (name, CLASSES[name][i], other, CLASSES[other][i], "same") for other in others for i in (0, 2)
            )
    return root


def pack(root: Path, config: Path, out: Path, *others: Path, **options: object) -> Path:
    folders = {"config": config, "data": root / "data", "results": root}
    packed_commands.pack(out, **{"scale": "ci", "others": list(others), **folders, **options})
    return out


def _make_run(folder: Path, settings: Run, run: str, seed: int, code: str) -> None:
    rng = np.random.default_rng([seed, *run.encode()])
    (folder / "predictions").mkdir(parents=True)
    record = {"run": run, "scale": SCALE.name, "seed": seed, "synthetic": True, "code": code}
    record |= {"processor": {"model": "any", "instructions": "some"}, "precision": "float32"}
    record |= {"datasets": {name: {"clips": 20, "classes": len(CLASSES[name])} for name in settings.datasets}}
    record |= {"settings": settings.model_dump(mode="json"), "pixels": SCALE.sizes[settings.size]}
    record |= {
        "recipe": SCALE.recipes[settings.recipe].model_dump(mode="json"),
        "steps": STEPS.get(run, FEW),
        "seconds": 1.5,
        "parts": 1,
    }
    (folder / "run.json").write_text(json.dumps(record, indent=2))
    (folder / "history.jsonl").write_text(
        "".join(f"{_line(settings.datasets, step, rng)}\n" for step in range(STEPS.get(run, FEW)))
    )
    for name in settings.datasets:
        _make_predictions(folder / "predictions" / f"{name}.parquet", name, settings.projection == "add", rng)
        np.savez(folder / "predictions" / f"{name}.npz", **_moments(settings, name, rng))
    if run == "multitrain":
        (folder / "features").mkdir()
        for name in settings.datasets:
            _make_features(folder / "features" / f"{name}.parquet", name, rng)


def _line(datasets: tuple[str, ...], step: int, rng: np.random.Generator) -> str:
    total, *terms = rng.random(2 * len(datasets) + 3).astype(np.float32).tolist()
    said = {"step": step, "epoch": step / 100, "rate": 1e-3 / (step + 1), "total": total}
    said |= {"variance": terms.pop(), "covariance": terms.pop()}
    said |= {kind: {name: terms.pop() for name in datasets} for kind in ("classification", "sigma")}
    return json.dumps({**said, "gradient_norm": 1.0 + step})


def _make_predictions(path: Path, dataset: str, projected: bool, rng: np.random.Generator) -> None:
    shape, scores = (CLIPS, len(CLASSES[dataset])), pa.list_(pa.float32())
    columns = {
        "clip_id": [f"{dataset} clip {i}" for i in range(CLIPS)],
        "label": pa.array([i % shape[1] for i in range(CLIPS)], pa.int32()),
        "scores": pa.array(rng.random(shape, np.float32).round(1).tolist(), scores),  # with ties
        "scores_projected": pa.array(rng.random(shape, np.float32).tolist() if projected else [None] * CLIPS, scores),
        "views": pa.array([1] * CLIPS, pa.int16()),
        "video_id": [f"{dataset} video {i // 2}" for i in range(CLIPS)],
    }
    pq.write_table(pa.table(columns).replace_schema_metadata({"classes": json.dumps(CLASSES[dataset])}), path)


def _moments(settings: Run, dataset: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"views": np.int64(9)}
    for of, count in DIMENSIONS.items():
        if of == "features" or settings.informative:
            rows = rng.standard_normal((9, count))
            arrays |= {f"{of}_mean": rows.mean(0), f"{of}_covariance": np.cov(rows.T)}
    for name in settings.datasets:
        arrays[f"classes.{name}"] = np.array(CLASSES[name])
        arrays[f"logit_std.{name}"] = rng.random(len(CLASSES[name]))
        if settings.projection != "none" and name != dataset:
            shape = (len(CLASSES[dataset]), len(CLASSES[name]))
            arrays[f"projection.{name}"] = rng.standard_normal(shape).astype(np.float32)
    return arrays


def _make_features(path: Path, dataset: str, rng: np.random.Generator) -> None:
    labels = [i % len(CLASSES[dataset]) for i in range(CLIPS)]
    z = [row.astype(np.float32) for row in rng.standard_normal((CLIPS, DIMENSIONS["features"]))]
    columns = {"label": labels, "class": [CLASSES[dataset][label] for label in labels], "z": z}
    said = json.dumps({"format": FORMAT, "dataset": dataset})
    pq.write_table(pa.table(columns).replace_schema_metadata({"multitrain": said}), path)
