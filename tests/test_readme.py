"""The README is short; the numbers of docs/guides/results.md are those of the packed ten seeds."""

import csv
import re
from pathlib import Path

import pandas as pd
import pytest

from multitrain.analysis.claims.claim_halves import SAME_SIDE, SAME_VERDICT, halved, write_halves
from multitrain.analysis.claims.claim_verdicts import write_claims
from multitrain.analysis.claims.verdict_rule import OPEN
from multitrain.analysis.packed.packed_checks import settings
from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.packed.unpack import unpack
from multitrain.analysis.render.columns import EVIDENCE, HALVES
from multitrain.analysis.render.table_files import read_rows, write_rows
from multitrain.analysis.study.measured import doublings, read_plateau
from multitrain.cli.commands import packed_commands
from multitrain.config.config_files import load_claims, load_scale

ROOT = Path(__file__).parents[1]
TEXT = " ".join((ROOT / "docs/guides/results.md").read_text(encoding="utf-8").split())
DATASETS = ("k400", "mit", "ssv2", "actnet")
CLAIMED = {
    "joint_training": "MultiTrain above the baselines (paper: +3.2)",
    "larger_input": "MultiTrain (large) above MultiTrain (paper: +1.0)",
}
VERDICTS = {"joint_training": "mixed", "larger_input": "holds"}


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


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> tuple:
    """The folder of the packed ten seeds, unpacked; scale, experiments, claims and seeds."""
    root = tmp_path_factory.mktemp("claims")
    study = read_study(ROOT / "docs/notes/mini-table1.parquet")
    study.arrays.clear()  # verdicts need answers alone
    scale, experiments = settings(study)
    unpack(study, root, scale)
    return root, scale, experiments, load_claims(root / "config", experiments), study.seeds()


@pytest.fixture(scope="module")
def claims(unpacked) -> dict[tuple[str, str], dict[str, str]]:
    """Rows of claims.csv of the packed ten seeds, by claim and label, as `multitrain results render` writes them."""
    root, *about = unpacked
    write_rows(root / "evidence.csv", [], EVIDENCE)
    write_claims(*about, root, ROOT / "resources/published")
    with (root / "claims.csv").open(newline="", encoding="utf-8") as stream:
        return {(row["claim"], row["label"]): row for row in csv.DictReader(stream)}


def points(row: dict[str, str], form: str = "") -> str:
    value, *bounds = (float(row[f"{name}{form}"]) for name in ("difference", "low", "high"))
    return f"{value:+.1f} [{', '.join(f'{bound:+.1f}' for bound in bounds)}]"


def test_the_verdicts_of_ten_seeds_are_those_of_the_packed_answers(claims):
    its = {name: [claims[name, label] for label in ("mean", "K400", "MiT", "SSv2", "ActNet")] for name in CLAIMED}
    for name, title in CLAIMED.items():
        whole, *single = its[name]
        assert whole["claim_verdict"] == VERDICTS[name]
        cells = [f"{points(whole)} | {VERDICTS[name]}", *map(points, single)]
        assert f"| {title} | {' | '.join(cells)} |" in TEXT
    whole, *single = its["joint_training"]
    assert f"`holds` with probability {float(whole['holds_if_paper_right']):.2f}" in TEXT
    assert f"the first is {points(whole, '_projected')}, {whole['verdict_projected']}" in TEXT
    decided = {
        verdict: [row["label"] for row in single if row["verdict"] == verdict] for verdict in ("holds", "does not hold")
    }
    assert (
        whole["verdict"] == "does not hold"
        and f"the mean and {' and '.join(decided['does not hold'])} do not hold" in TEXT
    )
    assert f"{' and '.join(decided['holds'])} hold (after correction" in TEXT
    adjusted = {f"{float(row['p_adjusted']):.3f}" for row in single}
    assert adjusted == {"0.049", "0.001"} and "adjusted p of 0.049, SSv2's 0.001" in TEXT
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"[{abs(float(whole['difference'])):.1f} points below the baselines]" in readme and whole["low"][0] == "-"
    assert sum(row["claim_verdict"] != "not run" for (_, label), row in claims.items() if label == "mean") == 2


def test_the_halves_of_the_ten_seeds_are_as_said(unpacked, tmp_path):
    root, scale, experiments, its, seeds = unpacked
    halves = halved(scale, seeds)
    write_halves(scale, experiments, its, halves, root / "runs/mini", ROOT / "resources/published", tmp_path)
    page = (tmp_path / "halves.md").read_text(encoding="utf-8")
    found = read_rows(tmp_path / "halves.csv", tuple(HALVES))
    assert halves == ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    compared = [row for row in found if row.get("apart") is not None]
    agreeing = [row for row in compared if row["agreement"] in (SAME_VERDICT, SAME_SIDE)]
    undecided = sum(row["verdict_first"] == row["verdict_second"] == OPEN for row in agreeing)
    said = f"{len(agreeing)} of {len(compared)} lines agree, {undecided} of them undetermined in both"
    assert f"{said}, and in none do the halves differ" in TEXT
    assert f"In 0 of {len(compared)} lines the 95% interval" in page
    assert f" lines of single datasets agree, {undecided} of them undetermined in both." in page
    first, second = (
        f"{row['difference_first']:+.1f} and {row['difference_second']:+.1f}"
        for row in found
        if row["scope"] == "claim" and row.get("apart") is not None
    )
    assert f"the two claims are {first}, {second}" in TEXT


def test_the_gains_of_a_longer_schedule_are_those_that_were_measured():
    measured = pd.read_csv(ROOT / "resources/measured/mini/plateau.csv")
    means = measured.groupby(["run", "epochs_factor"])["top1"].mean().unstack()
    names = {"K400's baseline": "k400_baseline", "MiT's": "mit_baseline", "SSv2's": "ssv2_baseline"}
    names |= {"ActNet's": "actnet_baseline", "MultiTrain": "multitrain", "MultiTrain, large": "multitrain_large"}
    said = re.search(r"twice as long raises val by (.*?), in the mean of three seeds", TEXT).group(1)
    found = {name: gain for gain, name in re.findall(r"(-?[\d.]+)(?: points)?\s\(([^)]*)\)", said)}
    assert set(measured["run"]) == set(names.values()) and set(measured["seed"]) == {0, 1, 2}
    assert found == {name: f"{means.loc[run, 2.0] - means.loc[run, 1.0]:.1f}" for name, run in names.items()}


def test_the_plateaus_of_desk_are_those_that_were_measured():
    found = read_plateau(ROOT / "resources/measured", load_scale("desk", ROOT / "config"))
    assert found.unused == ""  # of the settings as they are now
    changes = {each.run: each.change for each in doublings(found.rows) if each.dataset is None and each.seeds == 3}
    names = {"K400's baseline": "k400_baseline", "MiT's baseline": "mit_baseline"}
    names |= {"SSv2's baseline": "ssv2_baseline", "ActNet's baseline": "actnet_baseline"}
    page = (ROOT / "docs/reference/design.md").read_text(encoding="utf-8")
    said = dict(
        re.findall(r"^\| ([^|]+) \| (?:scratch|K400's 200 epochs|the same) \|.*\| ([-+][\d.]+) \|", page, re.MULTILINE)
    )
    trials = pd.read_csv(ROOT / "docs/notes/search-desk-from200.csv")
    its = trials[(trials["run"] == "multitrain") & (trials["lr"] == 2e-3)]  # the rate that it had then
    means = its.groupby("schedule")[["k400", "mit", "ssv2", "actnet"]].mean().mean(axis=1)
    assert its.groupby("schedule")["seed"].agg(set).eq({0, 1, 2}).all()
    assert float(said.pop("MultiTrain")) == pytest.approx(means[1.0] - means[0.5], abs=0.06)  # of rounded trials
    assert said == {name: f"{changes.pop(run):+.1f}" for name, run in names.items()}
    again = re.search(r"\*\*([-+][\d.]+)\*\* \(K400 ([-+][\d.]+), MiT ([-+][\d.]+), SSv2 ([-+][\d.]+), ActNet", page)
    of_dataset = {each.dataset: each.change for each in doublings(found.rows) if each.run == "multitrain"}
    assert again.groups() == tuple(f"{of_dataset[name]:+.1f}" for name in (None, "k400", "mit", "ssv2"))
    assert list(changes) == ["multitrain"]


@pytest.mark.slow
def test_half_a_study_is_rendered(claims, tmp_path, capsys):
    file = ROOT / "docs/notes/mini-table1.parquet"
    packed_commands.render(file, tmp_path, published=ROOT / "resources/published", measured=ROOT / "resources/measured")
    assert "no table2, table3; claims.md says which runs are missing" in capsys.readouterr().err
    assert {path.name for path in tmp_path.glob("table*")} == {"table1.csv", "table1.md", "table1.tex"}
    with (tmp_path / "claims.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.DictReader(stream)) == list(claims.values())
    assert "w/o Informative Loss: not run" in (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert (tmp_path / "report.html").is_file()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
