"""docs/guides/desk.md: what it says of the packed seeds of scale desk, and of its CNN, is what their answers give."""

import re
from itertools import takewhile
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
    """The packed seeds of desk as one study, of the present settings."""
    scale = load_scale("desk", ROOT / "config")
    studies = {path.stem: read_study(path) for path in sorted(NOTES.glob("desk-seed*.parquet"))}
    for name, each in studies.items():
        assert each.seeds() == (int(name.removeprefix("desk-seed")),)
        assert settings(each)[0].fingerprint == scale.fingerprint
    first, *others = studies.values()
    for each in others:
        merge(first, each)
    return first


def table_of(study: Study, name: str) -> dict[str, np.ndarray]:
    """Top-1 in percent of a table's methods by Y_k, (seeds, datasets); those whose runs are all there."""
    table, found = settings(study)[1].tables[name], {}
    for row in table.rows:
        runs = row.runs if len(row.runs) == len(table.datasets) else row.runs * len(table.datasets)
        cells = list(zip(runs, table.datasets, strict=True))
        keys = [[Key(run, seed, dataset) for run, dataset in cells] for seed in study.seeds()]
        if all(key in study.answers for its in keys for key in its):
            scores = [[top(1, study.answers[key]["rank"].to_numpy()).mean() for key in its] for its in keys]
            found[row.method] = 100 * np.array(scores)
    return found


def line(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def means(scores: np.ndarray) -> list[str]:
    return [f"{value:.1f}" for value in (*scores.mean(axis=0), scores.mean())]


def table_below(head: str) -> list[str]:
    """The rows of the page's table whose head begins with these words."""
    said = PAGE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, text in enumerate(said) if text.startswith(head)) + 2
    return list(takewhile(lambda text: text.startswith("|"), said[start:]))


def desk_rows(desk: Study) -> list[str]:
    """The rows of the seeds' table: means over seeds, and the mean of the datasets of each."""
    tables = table_of(desk, "table3").items()
    return [line(method, *means(its), ", ".join(f"{seed.mean():.1f}" for seed in its)) for method, its in tables]


def cnn_rows() -> list[str]:
    study = read_study(NOTES / "desk-cnn.parquet")
    return [line(method, *means(its)) for method, its in table_of(study, "table1").items()]


@pytest.fixture(scope="module")
def desk() -> Study:
    return joined()


@pytest.fixture(scope="module")
def results(desk, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    write_backbones(desk, read_study(NOTES / "desk-cnn.parquet"), folder)
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
        found.append(line(f"{left} minus {right}", name, *cells))
    return found


def test_the_table_of_the_page_is_that_of_the_packed_answers(results):
    assert table_below("| difference | network |") == lines(results)


def test_each_difference_in_the_text_is_one_of_the_table(results):
    text = PAGE.read_text(encoding="utf-8").split("**Does the verdict depend on the backbone?**")[1].split("\n\n")[0]
    said = re.findall(r"[-+][\d.]+\s\[[^]]+\]", text)
    assert len(said) == 7 and all(any(f" {' '.join(each.split())} |" in row for row in lines(results)) for each in said)


def test_joint_training_has_one_sign_with_both_networks_as_the_text_says(results):
    rows = [row for row in read_rows(results / FILE, tuple(BACKBONES)) if row["right"] == "Baseline"]
    signs = {row["dataset"]: set() for row in rows}
    for row in rows:
        if DIFFERENCE not in row["backbone"] and row["dataset"] != MEAN:
            signs[row["dataset"]].add(row["difference"] > 0)
    assert signs == {MEAN: set(), "k400": {True}, "actnet": {True}, "mit": {False}, "ssv2": {False}}


def test_the_accuracies_of_the_cnn_are_those_of_the_packed_answers():
    assert table_below("| with the CNN |") == cnn_rows()


def test_the_seeds_of_desk_are_said_as_they_were_scored(desk):
    said = table_below("| method | K400")
    assert said == desk_rows(desk) and len(said) == 9  # "w/o ActNet" has no number on ActNet


def test_the_cnns_seeds_have_the_present_settings():
    path = ROOT / "config" / "studies" / "desk_cnn.yaml"
    scale = load_scale(str(path))
    packed, experiments = read_study(NOTES / "desk-cnn.parquet"), load_experiments(path, scale)
    assert settings(packed)[1].runs.keys() == experiments.runs.keys()
    require_same_settings(packed, scale, experiments, path)
