"""The committed trainings of searches: settings are the best of them, and pages say them as they were measured."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from dev import search
from multitrain.analysis.packed.packed_study import Key, read_study
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.planning.sweep_points import BASE, JOINT, load_points

ROOT = Path(__file__).parents[2]
FIRST = {"variance_weight": 0.1, "covariance_weight": 0.1, "projection_std": 0.01}  # of the first stage (design.md)
TRAININGS = 12  # at least, of a row that is searched to the end
EPOCHS = {"k400_baseline": 100, "mit_baseline": 75} | dict.fromkeys(
    ("multitrain", "vanilla", "wo_projection", "wo_informative", "wo_informative_wo_add"), 25
)  # of the search, before the plateau
NAMES = {
    "k400_baseline": "K400's baseline",
    "mit_baseline": "MiT's baseline",
    "multitrain": "MultiTrain",
    "vanilla": "Vanilla",
    "wo_projection": "w/o Projection Loss",
    "wo_informative": "w/o Informative Loss",
    "wo_informative_wo_add": "w/o Informative Loss & w/o Projection Add",
}  # in docs/reference/design.md


def searched() -> dict[str, pd.DataFrame]:
    """The trainings of each run whose search is done, with what the first stage leaves out filled in."""
    frame = pd.read_csv(ROOT / "docs/notes/search-desk.csv").fillna(value=FIRST)
    return {run: its for run, its in frame.groupby("run") if len(its) >= TRAININGS}


def doubled() -> dict[str, pd.DataFrame]:
    """The trainings of each run whose schedule the plateau doubled, at that schedule, of the two seeds of a search."""
    files = {
        start: pd.read_csv(ROOT / "docs" / "notes" / f"search-desk-{start}.csv") for start in ("from100", "from200")
    }
    found = {}
    for run in (run for run, its in searched().items() if its["schedule"].eq(0.5).all()):
        its = files["from100" if run == "k400_baseline" else "from200"]  # K400's starts from nothing
        found[run] = its[(its["run"] == run) & (its["schedule"] == 1) & its["seed"].isin([0, 1])]
    return found


def by_rate(run: str, trainings: pd.DataFrame) -> pd.Series:
    """The criterion for each rate: the mean of the run's datasets by Y_k."""
    names = list(load_experiments(scale=load_scale("desk")).run(run).datasets)
    return trainings.groupby("lr")[names].mean().mean(axis=1)


@pytest.mark.parametrize("run", sorted(doubled()))
def test_desk_trains_at_the_rate_that_was_best_for_its_doubled_schedule(run):
    scale, its = load_scale("desk"), doubled()[run]
    recipe = load_experiments(scale=scale).run(run).effective_recipe(scale.recipes)
    assert its.groupby("lr")["seed"].agg(set).eq({0, 1}).all()
    means = by_rate(run, its)
    assert (recipe.lr, recipe.epochs) == (means.idxmax(), 2 * EPOCHS[run])
    assert min(means.index) < means.idxmax() < max(means.index)  # no best at the end of what was tried


def test_the_design_says_the_rates_of_the_doubled_schedules_as_they_were_measured():
    page = (ROOT / "docs/reference/design.md").read_text(encoding="utf-8")
    lines = re.findall(r"^\| ([^|]+), from [^|]+ \| (.*) \| ([\d.e-]+) \|$", page, re.MULTILINE)
    said = {
        name: ([float(cell.strip(" *-")) for cell in cells.split("|") if cell.strip(" -")], float(rate))
        for name, cells, rate in lines
    }
    measured = {NAMES[run]: by_rate(run, its) for run, its in doubled().items()}
    assert said == {name: ([round(each, 1) for each in its], its.idxmax()) for name, its in measured.items()}


@pytest.mark.parametrize("run", sorted(searched()))
def test_desk_trains_with_the_best_of_its_search(run):
    scale = load_scale("desk")
    settings = load_experiments(scale=scale).run(run)
    its, names = searched()[run], list(settings.datasets)
    assert its.groupby(["lr", *FIRST])["seed"].agg(set).eq({0, 1}).all()
    means = its.groupby(["lr", *FIRST])[names].mean().mean(axis=1)
    best = dict(zip(("lr", *FIRST), means.idxmax(), strict=True))
    used = {"lr": run not in doubled(), "projection_std": settings.projection != "none"}
    used |= dict.fromkeys(("variance_weight", "covariance_weight"), settings.informative)
    recipe = settings.effective_recipe(scale.recipes)
    assert {name: getattr(recipe, name) for name in best if used[name]} == {
        name: value for name, value in best.items() if used[name]
    }


def test_the_search_is_done_for_every_row_and_the_design_counts_it():
    said = (ROOT / "docs/reference/design.md").read_text(encoding="utf-8")
    trained = int(re.search(r"\*\*What it found\*\* \((\d+) trainings", said).group(1))
    assert trained == len(pd.read_csv(ROOT / "docs/notes/search-desk.csv"))
    assert set(searched()) == set(search.GRIDS)


@pytest.mark.parametrize("dataset", ["mit", "ssv2"])
def test_scratch_and_step_matched_baselines_take_their_baselines_recipe(dataset):
    scale = load_scale("desk")
    runs = [load_experiments(scale=scale).run(f"{dataset}_{kind}") for kind in ("baseline", "scratch", "longer")]
    assert len({run.effective_recipe(scale.recipes).model_dump_json() for run in runs}) == 1


SWEPT = {"mit_baseline": "mit_longer", "ssv2_baseline": "ssv2_longer", "actnet_baseline": "actnet_longer"}
SWEEP_NAMES = {run: f"{title}'s baseline" for run, title in zip(SWEPT, ("MiT", "SSv2", "ActNet"), strict=True)}


def sweep_rates() -> dict[str, pd.Series]:
    """The criterion for each rate at the sweep's number of steps, by run."""
    trials = pd.read_csv(ROOT / "docs/notes/search-desk-sweep.csv")
    assert trials.groupby(["run", "lr"])["seed"].agg(set).eq({0, 1}).all()
    return {run: by_rate(run, its) for run, its in trials.groupby("run", sort=False)}


def test_the_sweep_trains_at_the_rates_that_were_best_at_its_own_length():
    scale = load_scale("desk")
    points = load_points(scale, load_experiments(scale=scale))
    point, found = points.point(BASE), sweep_rates()
    assert set(found) == {*SWEPT, *JOINT.values(), "k400_baseline"}
    for run, means in found.items():
        assert point.scale.recipes[SWEPT.get(run, run)].lr == means.idxmax()
        assert min(means.index) < means.idxmax() < max(means.index)  # no best at the end of what was tried
    longer = {point.scale.recipes["k400_longer"].lr, points.point("datasets_5").scale.recipes["k700_longer"].lr}
    assert longer == {found["k400_baseline"].idxmax()}


def test_the_trials_of_the_sweeps_rates_have_as_many_steps_as_its_runs():
    trials = pd.read_csv(ROOT / "docs/notes/search-desk-sweep.csv")
    factor = load_points(scale := load_scale("desk"), load_experiments(scale=scale)).sweep.epochs_factor
    texts = read_study(ROOT / "docs/notes/desk-seed0.parquet").texts
    steps = {run: json.loads(texts[Key(run, 0, name="run.json")])["steps"] for run in trials["run"].unique()}
    for run, its in trials.groupby("run"):
        (schedule,) = set(its["schedule"])
        if run in SWEPT:  # as many as MultiTrain, but for the rounding of a factor to four digits
            assert schedule * steps[run] == pytest.approx(factor * steps["multitrain"], rel=0.002)
        else:
            assert schedule == factor


def test_the_design_says_the_rates_of_the_sweep_as_they_were_measured():
    page = (ROOT / "docs/reference/design.md").read_text(encoding="utf-8")
    part = page[page.index("### Rates of the sweep") : page.index("## Seeds and videos")]
    said = {
        name: {float(rate): float(top1) for rate, top1 in re.findall(r"([\d.e-]+): \*{0,2}([\d.]+)\*{0,2}", cells)}
        for name, cells in re.findall(r"^\| ([^|]+) \| (.*:.*) \|$", part, re.MULTILINE)
    }
    names = NAMES | SWEEP_NAMES
    measured = {run: {lr: float(f"{top1:.1f}") for lr, top1 in means.items()} for run, means in sweep_rates().items()}
    assert said == {names[run]: means for run, means in measured.items()}


def test_the_study_with_a_cnn_trains_at_the_rates_that_were_found():
    path, page = "config/studies/desk_cnn.yaml", (ROOT / "docs/reference/design.md").read_text(encoding="utf-8")
    scale = load_scale(path)
    experiments, trials = load_experiments(path, scale), pd.read_csv(ROOT / "docs/notes/search-desk-cnn.csv")
    assert trials.groupby(["run", "lr"])["seed"].agg(set).eq({0, 1}).all()
    assert f"**What it found** ({len(trials)} trainings; [search-desk-cnn.csv]" in page
    for run, its in trials.groupby("run"):
        means = by_rate(run, its)
        assert experiments.run(run).effective_recipe(scale.recipes).lr == means.idxmax()
        assert min(means.index) < means.idxmax() < max(means.index)  # no best at the end of what was tried
        assert f"({means.max():.1f})" in page
