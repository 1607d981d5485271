"""docs/guides/desk.md: what it says of the packed seeds of scale desk, and of its CNN, is what their answers give."""

import shutil

import pandas as pd
import pytest

from dev.pages import desk as its
from dev.pages.marked import begin
from multitrain.analysis.packed.backbone_contrasts import DIFFERENCE, MEAN
from multitrain.analysis.packed.packed_checks import require_same_settings, settings
from multitrain.analysis.packed.packed_study import Study, read_study
from multitrain.analysis.study.run_names import ranges
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_scale

RUNS = {"MultiTrain": "multitrain", "Vanilla": "vanilla", "w/o Projection Loss": "wo_projection"}
NUMBERS = ("difference", "low", "high")


@pytest.fixture(scope="module")
def desk() -> Study:
    return its.joined()


@pytest.fixture(scope="module")
def cnn() -> Study:
    return read_study(its.NOTES / its.CNN)


def test_the_page_says_what_the_packed_answers_give(desk, cnn, tmp_path):
    text = its.PAGE.read_text(encoding="utf-8")
    assert its.page(text, desk, cnn, its.compared(desk, cnn, tmp_path)) == text, "run `python -m dev.pages.desk`"


def test_the_same_datasets_gain_and_lose_with_both_networks_as_the_readme_says(desk, cnn, tmp_path):
    joint, _, _ = its._answers(its.compared(desk, cnn, tmp_path))
    assert joint.startswith("MultiTrain minus Baseline is above 0") and "with one alone" not in joint
    assert "it is [the same datasets](docs/guides/desk.md#with-another-backbone) that gain and lose" in " ".join(
        (its.ROOT / "README.md").read_text(encoding="utf-8").split()
    )


def test_its_accuracies_are_the_means_over_seeds_of_the_answers(desk):
    table = its.of_seeds(desk)
    columns = ["run", "seed", "dataset", "rank"]
    files = [pd.read_parquet(path, columns=[*columns, "kind"]) for path in its.NOTES.glob(its.SEEDS)]
    answers = pd.concat(files).query("kind == 'answer'")
    right = (answers["rank"] == 0).groupby([answers["run"], answers["dataset"], answers["seed"]]).mean() * 100
    for method, run in RUNS.items():
        of_seeds = right[run].unstack("seed").loc[["k400", "mit", "ssv2", "actnet"]]
        cells = [*of_seeds.mean(axis=1), of_seeds.to_numpy().mean()]
        ends = of_seeds.mean(axis=0)
        shown = " | ".join(f"{value:.1f}" for value in cells)
        assert f"| {method} | {shown} | {ends.min():.1f} to {ends.max():.1f} |" in table


def test_the_index_names_as_many_seeds_as_there_are(desk):
    seeds = desk.seeds()
    index = (its.ROOT / "docs/index.md").read_text(encoding="utf-8")
    assert f"seeds {ranges(seeds)} of scale `desk`, packed: {len(seeds)} of {its.PLANNED}" in index


def row(dataset: str, backbone: str, value: float, half: float = 1.0) -> dict:
    about = {"left": "MultiTrain", "right": "Baseline", "dataset": dataset, "label": dataset.upper()}
    return about | {"backbone": backbone} | dict(zip(NUMBERS, (value, value - half, value + half), strict=True))


def test_signs_and_differences_of_two_networks_are_said_as_they_are():
    found = [(MEAN, 1, -2), ("a", 3, 4), ("b", -3, 4), ("c", -1, -2), ("d", 5, 9)]
    rows = [
        row(*its)
        for name, one, other in found
        for its in ((name, "A", one), (name, "B", other), (name, DIFFERENCE, other - one, 3.5))
    ]
    signs, differ = its._answers(rows)
    assert signs == (
        "MultiTrain minus Baseline is above 0 with both networks on A and D; below with both on C; above with one alone"
        " on B."
    )
    assert differ == (
        "That the networks' differences are alike is excluded in 2 of 5 lines: MultiTrain minus Baseline, B, +7.0"
        " [+3.5, +10.5]; MultiTrain minus Baseline, D, +4.0 [+0.5, +7.5]."
    )


def test_a_seed_under_another_name_or_of_other_settings_is_refused(tmp_path, monkeypatch):
    shutil.copy(its.NOTES / "desk-seed0.parquet", tmp_path / "desk-seed7.parquet")
    with pytest.raises(UserError, match=r"desk-seed7.parquet: holds seeds 0: rename it"):
        its.joined(tmp_path)
    (tmp_path / "desk-seed7.parquet").rename(tmp_path / "desk-seed0.parquet")
    assert its.joined(tmp_path).seeds() == (0,)
    monkeypatch.setattr(its, "load_scale", lambda *_: load_scale("mini", its.ROOT / "config"))
    with pytest.raises(UserError, match=r"desk-seed0.parquet: of other settings than config/scales/desk.yaml"):
        its.joined(tmp_path)


def test_a_page_without_the_sections_is_named(desk, cnn, tmp_path):
    text = its.PAGE.read_text(encoding="utf-8").replace(begin(f"{its.WRITER}: backbones"), "")
    with pytest.raises(SystemExit, match=r"desk\.md: the lines .*: backbones --> and .* are missing"):
        its.page(text, desk, cnn, its.compared(desk, cnn, tmp_path))


def test_the_cnns_seeds_have_the_present_settings(cnn):
    path = its.ROOT / "config" / "studies" / "desk_cnn.yaml"
    scale = load_scale(str(path))
    experiments = load_experiments(path, scale)
    assert settings(cnn)[1].runs.keys() == experiments.runs.keys()
    require_same_settings(cnn, scale, experiments, path)
