"""Made-up results of runs with accuracies that are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from multitrain.common.records.predictions import write_predictions
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Experiments, Run
from multitrain.config.scale import Scale

CONFIG = Path(__file__).parents[2] / "config"
CLASSES = 8


def scores_with_ranks(ranks: list[int], label: int = 3) -> np.ndarray:
    """Scores (N, CLASSES) in which the class `label` has the given ranks."""
    scores = np.zeros((len(ranks), CLASSES), dtype=np.float32)
    for row, rank in zip(scores, ranks, strict=True):
        order = [i for i in range(CLASSES) if i != label]
        order.insert(rank, label)
        row[order] = np.linspace(1, 0, CLASSES)
    return scores


class Results:
    """A results folder that is filled run by run."""

    def __init__(self, root: Path, scale: Scale, experiments: Experiments):
        self.root, self.scale, self.experiments = root, scale, experiments
        self.folder = root / "runs" / scale.name
        self.folder.mkdir(parents=True)
        costs = [{"size": "base", "gflops": 0.12345}, {"size": "large", "gflops": 613.8}]
        (self.folder / "flops.json").write_text(json.dumps(costs))

    def add(
        self,
        name: str,
        ranks: dict[str, list[int]],
        seed: int = 0,
        code: str = "abc",
        projected: dict[str, list[int]] | None = None,
    ) -> Path:
        """A run whose test clips of each dataset have these ranks, by Y_k and, with projections, by Y'_k.

        Without `projected` every clip is right by Y'_k of a run that adds projections.
        """
        run: Run = self.experiments.run(name)
        folder = self.folder / name / f"seed{seed}"
        (folder / "predictions").mkdir(parents=True)
        record = {
            **{"run": name, "scale": self.scale.name, "seed": seed, "synthetic": True, "code": code},
            "datasets": {each: {"classes": CLASSES, "clips": 100 * len(each)} for each in run.datasets},
            "settings": {"steps_of": run.steps_of},
            "recipe": {"epochs": 15.0, "batch": 16, "lr": 0.004},
            "steps": 105,
            "processor": {"model": "a processor", "instructions": "AVX2"},
        }
        (folder / "run.json").write_text(json.dumps(record))
        for dataset, its in ranks.items():
            by_sum = (projected or {}).get(dataset, [0] * len(its) if run.projection == "add" else None)
            added = [None] * len(its) if by_sum is None else scores_with_ranks(by_sum)
            pairs = enumerate(zip(scores_with_ranks(its), added, strict=True))
            rows = [(f"clip{i}", 3, own, projected, 1, f"video{i}") for i, (own, projected) in pairs]
            classes = [f"class {i}" for i in range(CLASSES)]
            write_predictions(folder / "predictions" / f"{dataset}.parquet", rows, classes)
        return folder

    def add_table1(self, seed: int = 0, code: str = "abc") -> None:
        """Every run of Table 1: baselines 2 of 4 right, joint runs 3 of 4, all within the first five but one."""
        for dataset in ("k400", "mit", "ssv2", "actnet"):
            self.add(f"{dataset}_baseline", {dataset: [0, 0, 1, 6]}, seed, code)
            self.add(f"{dataset}_longer", {dataset: [0, 0, 1, 6]}, seed, code)
        for name in ("multitrain", "multitrain_large"):
            self.add(name, {dataset: [0, 0, 0, 6] for dataset in self.experiments.run(name).datasets}, seed, code)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    scale = load_scale("mini", CONFIG)
    return Results(tmp_path / "results", scale, load_experiments(CONFIG, scale))
