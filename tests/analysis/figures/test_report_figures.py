"""The report's figures on made-up tables: verdicts, intervals, seeds and plateaus stand where the numbers say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from multitrain.analysis.figures import FIGURES, figure_style
from multitrain.common.errors import UserError
from tests.analysis.figures.test_figures import points, require_whole, shown, texts
from tests.analysis.tabled import claims_table, fill, measured_table

pytestmark = pytest.mark.xdist_group("figures")
SEEDS = (0, 3)
RECORDED = {"kind": "spread", "method": "MultiTrain", "dataset": "mit", "top1": 48, "std": 2, "seeds": "0-9"}
RECORDED |= {"text": "a Z80"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return fill(tmp_path / "results", seeds=SEEDS)


def measured(root: Path, *rows: dict, **options: object) -> Path:
    measured_table(*rows, **options).to_csv(root / "measured.csv", index=False)
    return root


def lines(axes) -> list[tuple[float, float]]:
    """Ends of the horizontal lines that are drawn as collections."""
    return [
        (path.vertices[0, 0], path.vertices[1, 0])
        for its in axes.collections
        for path in its.get_paths()
        if len(path.vertices) == 2
    ]


def test_every_claim_is_drawn_with_its_interval_and_named_verdict(root: Path):
    figure = FIGURES["forest"].draw(root)
    (axes,) = shown(figure)
    said = [text.get_text() for text in axes.texts]
    first, second = ["A <b> claim.", "holds"], ["↳ A second.", "does not hold"]
    assert said == ["Primary claims", *first, *second, "Not in the paper", "A third.", "undetermined"]
    means = [line for line in axes.lines if line.get_marker() == "s" and line.get_markersize() == 6]
    assert [line.get_xdata()[0] for line in means] == [4, -4, 0]
    of_datasets = {line.get_color() for line in axes.lines if line.get_markersize() == 3.5}
    (colour,) = {line.get_color() for line in means}
    shown_as = [its.get_color() for its in figure.legends[0].get_lines() if "mean over" in its.get_label()]
    assert colour not in of_datasets and shown_as == [colour]
    assert [line.get_ydata()[0] for line in means] == sorted(line.get_ydata()[0] for line in means)
    assert (
        sorted(set(lines(axes))) == [(-7, -1), (1, 7)] and len(lines(axes)) == 6
    )  # none of the claim without an error
    assert points(axes, "x")[0][0] == 1.5
    (margin,) = [patch for patch in axes.patches if patch.get_x() == -2]
    assert margin.get_width() == 4
    assert "2 seeds a claim (0, 3)" in texts(figure) and "intervals over seeds and videos" in texts(figure)


def test_a_study_of_ones_own_has_claims_and_no_paper(root: Path):
    own = pd.read_csv(root / "claims.csv", keep_default_na=False).assign(stated_by="us", paper_difference="")
    own.to_csv(root / "claims.csv", index=False)
    said = texts(FIGURES["forest"].draw(root))
    assert "Claims: the differences" in said and "A third." in said and "paper" not in said


def test_a_page_has_a_forest_for_each_group_of_claims(root: Path):
    first, second = FIGURES["forest"].parts(root)
    assert "Primary claims" in texts(first) and "A second." in texts(first) and "A third." not in texts(first)
    assert "Not in the paper" in texts(second) and "A third." in texts(second)
    assert len(FIGURES["spread"].parts(root)) == 1


def test_one_seed_is_said_to_be_one(tmp_path: Path):
    said = texts(FIGURES["forest"].draw(fill(tmp_path / "results")))
    assert "1 seed a claim (0)" in said and "95% intervals of videos only" in said and "one seed gives none" in said


def test_wide_intervals_and_far_differences_stay_on_the_axis(root: Path):
    claims = claims_table({"scale": "mini", "synthetic": "yes"}, SEEDS)
    claims["low"], claims["high"], claims["paper_difference"] = -500.0, 500.0, 900.0
    claims.to_csv(root / "claims.csv", index=False)
    figure = FIGURES["forest"].draw(root)
    (axes,) = shown(figure)
    low, high = axes.get_xlim()
    assert -70 < low < -59 and 59 < high < 70
    assert [x for x, _ in points(axes, ">")] == [high] * 3 and not points(axes, "x")
    require_whole(figure)


def test_a_forest_without_a_difference_is_told(root: Path):
    claims_table({"scale": "mini", "synthetic": "yes"}, SEEDS).assign(difference="").to_csv(root / "claims.csv")
    with pytest.raises(UserError, match=r"claims.csv: no claim with a difference"):
        FIGURES["forest"].draw(root)


def test_seeds_stand_in_their_worlds_marks_beside_their_mean(root: Path):
    figure = FIGURES["spread"].draw(root)
    panels = shown(figure)
    assert [axes.get_title() for axes in panels] == ["K400", "MiT", "K700"]
    first = panels[0]
    assert points(first, "o") == [(40, 0), (50, 1)] and points(first, "s") == [(43, 0), (53, 1)]
    assert points(first, "|") == [(41.5, 0), (51.5, 1)]
    assert sorted(lines(first)) == [(39, 44), (49, 54)]
    assert "a seed, world 0" in texts(figure) and "a seed, world 1" in texts(figure)


def test_one_seed_stands_before_the_spread_that_was_recorded(tmp_path: Path):
    results = fill(tmp_path / "results")
    alone = FIGURES["spread"].draw(results)
    assert points(shown(alone)[0], "o") == [(40, 0), (50, 1)] and not points(shown(alone)[0], "|")
    assert not lines(shown(alone)[0]) and not shown(alone)[0].patches
    assert "how much trainings differ is not known (no spread: b.csv: not there)" in texts(alone)
    figure = FIGURES["spread"].draw(measured(results, RECORDED))
    bands = {axes.get_title(): [(its.get_x(), its.get_width()) for its in axes.patches] for axes in shown(figure)}
    assert bands == {"K400": [], "MiT": [(44, 8)], "K700": []}
    assert "Recorded before: seeds 0-9 on a Z80" in texts(figure)


def test_several_seeds_show_their_own_spread(root: Path):
    figure = FIGURES["spread"].draw(measured(root, RECORDED))
    assert not [patch for axes in shown(figure) for patch in axes.patches]
    assert "Recorded" not in texts(figure)


def test_losses_are_drawn_by_method_and_dataset(root: Path):
    figure = FIGURES["plateau"].draw(root)
    panels = shown(figure)
    assert [axes.get_title() for axes in panels] == ["Baseline", "MultiTrain"]
    means = [line for line in panels[0].lines if line.get_linewidth() > 1]
    assert len(means) == 2 and means[0].get_color() != means[1].get_color()
    assert np.allclose(means[0].get_ydata(), [4, 3.5, 3, 2.5])  # of seeds 0 and 3
    assert len(panels[1].lines) == 3 and {line.get_color() for line in panels[1].lines} == {figure_style.BLACK}
    assert "no plateau was measured: a.csv: not there" in texts(figure)


def test_longer_schedules_are_drawn_where_they_were_measured(root: Path):
    run = {"run": "mit_baseline", "method": "Baseline"}
    trial = {"kind": "trial", **run, "dataset": "mit"}
    rows = [{**trial, "seed": seed, "epochs_factor": n, "top1": 50 + n + seed} for seed in (0, 1) for n in (1, 2)]
    rows.append({"kind": "doubling", **run, "dataset": "", "epochs_factor": 1, "change": 1, "seeds": 2})
    notes = (("note.plateau", "from b.csv"),)
    figure = FIGURES["plateau"].draw(measured(root, *rows, notes=notes))
    axes = shown(figure)[-1]
    assert axes.get_title() == "Baseline\n×2: +1.0"
    assert points(axes, "o") == [(1, 51), (2, 52), (1, 52), (2, 53)]
    (mean,) = [line for line in axes.lines if line.get_marker() == "None"]
    doubled = {"kind": "doubling", "run": "k400_baseline", "method": "Baseline", "dataset": "", "seeds": 2}
    rows += [{**trial, "run": "k400_baseline", "dataset": "k400", "seed": 0, "epochs_factor": 1, "top1": 60}]
    both = FIGURES["plateau"].draw(measured(root, *rows, {**doubled, "epochs_factor": 0.5, "change": 4}, notes=notes))
    assert shown(both)[-1].get_title() == "Baseline\n×0.5 to ×1: K400 +4.0\n×2: MiT +1.0"
    assert mean.get_xydata().tolist() == [[1, 51.5], [2, 52.5]]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["1", "2"]
    assert "from b.csv" in texts(figure)
    require_whole(figure)


def test_what_is_no_loss_is_told(root: Path):
    curves = pd.read_parquet(root / "curves.parquet").drop(columns="loss")
    curves.to_parquet(root / "curves.parquet")
    with pytest.raises(UserError, match=r"curves.parquet: no column 'loss': .*`snakemake"):
        FIGURES["plateau"].draw(root)
