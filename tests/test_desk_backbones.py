"""The two backbones of scale desk: what the page says of their differences is what their packed answers give."""

import re
from pathlib import Path

import numpy as np
import pytest

from multitrain.analysis.packed.backbone_contrasts import DIFFERENCE, FILE, MEAN, write_backbones
from multitrain.analysis.packed.packed_checks import merge, require_same_settings, settings
from multitrain.analysis.packed.packed_study import Key, Study, read_study
from multitrain.analysis.render.cells import difference
from multitrain.analysis.render.columns import BACKBONES
from multitrain.analysis.render.table_files import read_rows
from multitrain.analysis.study.run_names import ranges
from multitrain.common.ranks import top
from multitrain.config.config_files import load_experiments, load_scale

ROOT = Path(__file__).parents[1]
NOTES = ROOT / "docs" / "notes"
PAGE = ROOT / "docs" / "guides" / "desk.md"
NAMES = {DIFFERENCE: "3-D CNN minus MViTv2"}


def joined() -> Study:
    """The packed seeds of desk as one study."""
    first, *others = (read_study(path) for path in sorted(NOTES.glob("desk-seed*.parquet")))
    for each in others:
        merge(first, each)
    return first


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_backbones(joined(), read_study(NOTES / "desk-cnn.parquet"), folder)
    return folder


def lines(results: Path) -> list[str]:
    """The lines of the page's table: a contrast and network, then the datasets and their mean."""
    by_network: dict[tuple[str, str, str], dict] = {}
    for row in read_rows(results / FILE, tuple(BACKBONES)):
        by_network.setdefault((row["left"], row["right"], row["backbone"]), {})[row["dataset"]] = row
    found = []
    for (left, right, backbone), rows in by_network.items():
        ordered = [*(row for name, row in rows.items() if name != MEAN), rows[MEAN]]
        cells = [difference(row["difference"], row["low"], row["high"]) for row in ordered]
        name = f"{NAMES.get(backbone, backbone)}, seeds {ranges(rows[MEAN]['seeds'])}"
        found.append(f"| {left} minus {right} | {name} | {' | '.join(cells)} |")
    return found


def test_the_table_of_the_page_is_that_of_the_packed_answers(results):
    said = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if " minus " in line and line[0] == "|"]
    assert said == lines(results)


def test_each_difference_in_the_text_is_one_of_the_table(results):
    text = PAGE.read_text(encoding="utf-8").split("**Does the verdict depend on the backbone?**")[1].split("\n\n")[0]
    said = re.findall(r"[-+][\d.]+\s\[[^]]+\]", text)
    assert len(said) == 7 and all(
        any(f" {' '.join(each.split())} |" in line for line in lines(results)) for each in said
    )


def test_joint_training_has_one_sign_with_both_networks_as_the_text_says(results):
    rows = [row for row in read_rows(results / FILE, tuple(BACKBONES)) if row["right"] == "Baseline"]
    signs = {row["dataset"]: set() for row in rows}
    for row in rows:
        if DIFFERENCE not in row["backbone"] and row["dataset"] != MEAN:
            signs[row["dataset"]].add(row["difference"] > 0)
    assert signs == {MEAN: set(), "k400": {True}, "actnet": {True}, "mit": {False}, "ssv2": {False}}


def accuracies() -> list[str]:
    """The lines of the page's table of the CNN: means over its seeds."""
    study = read_study(NOTES / "desk-cnn.parquet")
    table, found = settings(study)[1].tables["table1"], []
    for row in table.rows:
        runs = row.runs if len(row.runs) > 1 else row.runs * len(table.datasets)
        tops = [
            np.mean([top(1, study.answers[Key(run, seed, name)]["rank"].to_numpy()).mean() for seed in study.seeds()])
            for run, name in zip(runs, table.datasets, strict=True)
        ]
        found.append(f"| {row.method} | {' | '.join(f'{100 * each:.1f}' for each in (*tops, np.mean(tops)))} |")
    return found


def test_the_accuracies_of_the_page_are_those_of_the_packed_answers():
    said = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, text in enumerate(said) if text.startswith("| with the CNN |")) + 2
    assert said[start : start + 4] == [*accuracies(), ""]


def test_its_seeds_have_the_present_settings():
    path = ROOT / "config" / "studies" / "desk_cnn.yaml"
    scale = load_scale(str(path))
    packed, experiments = read_study(NOTES / "desk-cnn.parquet"), load_experiments(path, scale)
    assert settings(packed)[1].runs.keys() == experiments.runs.keys()
    require_same_settings(packed, scale, experiments, path)
