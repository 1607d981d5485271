"""A copy of the project in which two trainings, one going on from the other, take a minute and end in Table 1."""

import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "config", "workflow", "resources", "multitrain", "slurm", "environment.yml")
RUNS = {
    "k400_baseline": {"datasets": ["k400"], "recipe": "k400_baseline"},
    "multitrain": {
        "datasets": ["k400", "mit"],
        "recipe": "joint",
        "informative": True,
        "projection": "add",
        "weighting": "uncertainty",
        "init": "k400_baseline",
    },
}
TABLE = {
    "title": "Two runs",
    "published": "table1.csv",
    "datasets": ["k400"],
    "rows": [{"method": "Baseline", "runs": ["k400_baseline"]}, {"method": "MultiTrain", "runs": ["multitrain"]}],
}
CLAIMS = {
    "paper": {"table1": {"Baseline": {"method": "Ours-baseline"}, "MultiTrain": {"method": "MultiTrain"}}},
    "claims": {
        "joint": {"section": "4.2", "text": "It helps.", "table": "table1", "left": "MultiTrain", "right": "Baseline"}
    },
}
SHOWN = {"title": "Largest projection weights", "published": "table4.csv", "runs": ["multitrain"]}


def write(folder: Path, machine: dict, epochs: int) -> Path:
    """Write the project into a folder: scale ci with a `machine` and so many epochs of the second run."""
    folder.mkdir(parents=True)
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    scale = _read(folder / "config/scales/ci.yaml")
    scale["recipes"]["joint"]["epochs"] = epochs
    scale["machine"] = machine
    _write(folder / "config/scales/ci.yaml", scale)
    _write(
        folder / "config/experiments.yaml",
        {"runs": RUNS, "tables": {"table1": TABLE, "table2": TABLE}, "projections": SHOWN},
    )
    _write(folder / "config/claims.yaml", CLAIMS)
    _write(folder / "config/config.yaml", {"scale": "ci", "seeds": [0], "data": "data", "results": "results"})
    profile = _read(folder / "slurm/config.yaml")
    profile["default-resources"]["mem_mb"] = 2000
    profile["slurm-init-seconds-before-status-checks"] = 2
    profile["latency-wait"] = 5
    _write(folder / "slurm/config.yaml", profile)
    return folder


def _read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


def _write(path: Path, values: dict) -> None:
    path.write_text(yaml.safe_dump(values, sort_keys=False))
