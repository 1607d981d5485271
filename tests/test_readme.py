"""The README is short; the numbers of docs/guides/results.md are those of docs/example, which the workflow wrote."""

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[1]
TEXT = " ".join((ROOT / "docs/guides/results.md").read_text(encoding="utf-8").split())
DATASETS = ("k400", "mit", "ssv2", "actnet")


def rows(name: str) -> list[dict[str, str]]:
    with (ROOT / "docs/example" / name).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def line(method: str, its: list[dict[str, str]], form: str) -> str:
    """A row of the page's table."""
    by_dataset = {row["dataset"]: row for row in its}
    cells = []
    for dataset in DATASETS:
        top1, low, high = (float(by_dataset[dataset][f"top1{form}{end}"]) for end in ("", "_low", "_high"))
        cells.append(f"{top1:.1f} [{low:.1f}, {high:.1f}]")
    return f"| {method} | {its[0]['gflops']} | {' | '.join(cells)} |"


def test_the_table_is_that_of_the_example():
    ours = [row for row in rows("table1.csv") if row["source"] == "ours"]
    expected = []
    for method in dict.fromkeys(row["method"] for row in ours):
        its = [row for row in ours if row["method"] == method]
        expected.append(line(method, its, ""))
        if its[0]["top1_projected"]:
            expected.append(line(f"{method}, Y'_k", its, "_projected"))
    shown = TEXT[
        TEXT.index("| ours, synthetic world `mini`, seed 0 |") : TEXT.index("In this world and with this seed")
    ]
    assert shown.split("| --- | --- | --- | --- | --- | --- | ")[1].strip() == " ".join(expected)


def ten_seeds() -> list[dict[str, str]]:
    with (ROOT / "resources/measured/mini/table1.csv").open(newline="", encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if row["source"] == "ours"]


def test_the_table_of_ten_seeds_is_the_measured_one():
    by_cell = {(row["method"], row["dataset"]): row for row in ten_seeds()}
    assert len(by_cell) == 12
    for method in dict.fromkeys(method for method, _ in by_cell):
        cells = [by_cell[method, dataset] for dataset in DATASETS]
        numbers = [[float(row[f"top1{end}"]) for end in ("", "_low", "_high", "_std")] for row in cells]
        shown = " | ".join(f"{top1:.1f} [{low:.1f}, {high:.1f}] ± {std:.1f}" for top1, low, high, std in numbers)
        assert f"| {method} | {shown} |" in TEXT


def test_the_measured_table_is_of_the_packed_answers():
    answers = pd.read_parquet(ROOT / "docs/notes/mini-table1.parquet", filters=[("kind", "==", "answer")])
    right = (answers["rank"] == 0).groupby([answers["run"], answers["seed"], answers["dataset"]]).mean() * 100
    runs = {"MultiTrain": "multitrain", "MultiTrain (large)": "multitrain_large"}
    for row in ten_seeds():
        of_seeds = right[runs.get(row["method"], f"{row['dataset']}_baseline"), :, row["dataset"]]
        assert len(of_seeds) == 10
        assert float(row["top1"]) == pytest.approx(of_seeds.mean(), abs=0.00501)  # two digits, rounded
        assert float(row["top1_std"]) == pytest.approx(of_seeds.std(), abs=0.00501)


def test_the_precision_of_the_projections_is_that_of_the_example():
    (larger,) = [
        row
        for row in rows("projection_recovery_summary.csv")
        if (row["run"], row["form"]) == ("multitrain_large", "weight")
    ]
    said = re.search(r"average precision ([\d.]+) against ([\d.]+) for the larger model", TEXT)
    for number, key in zip(said.groups(), ("average_precision", "chance_average_precision"), strict=True):
        assert float(number) == pytest.approx(float(larger[key]), abs=0.005)  # two digits


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
