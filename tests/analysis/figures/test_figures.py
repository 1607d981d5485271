"""Every figure on made-up tables: the right points, texts and bytes, whatever the numbers of classes and seeds."""

import functools
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context, rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from multitrain.analysis.figures import FIGURES, figure_style, write_figure
from multitrain.common.errors import UserError
from multitrain.planning import outputs
from tests.analysis.tabled import METHOD_OF, fill, training_table

LONG = " something that nobody would ever put into something else while anybody looks"
pytestmark = pytest.mark.xdist_group("figures")  # each drawn once for all who look at it


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return fill(tmp_path_factory.mktemp("figures") / "results")


@pytest.fixture(scope="module")
def drawn(root: Path):
    """Figures of the made-up results, each drawn once."""
    return functools.cache(lambda name: FIGURES[name].draw(root))


def shown(figure: Figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    return " ".join(" ".join(found).split())


def points(axes, marker: str) -> list[tuple[float, float]]:
    """What is marked with that marker."""
    return [tuple(xy) for line in axes.lines if line.get_marker() == marker for xy in line.get_xydata()]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_where_its_numbers_come_from_in_legible_letters(drawn, name: str):
    figure = drawn(name)
    assert "synthetic world mini, seed 0" in texts(figure)
    assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()) >= 8


@pytest.mark.parametrize("name", FIGURES)
def test_figures_name_methods_and_never_keys_of_runs(drawn, name: str):
    said = texts(drawn(name))
    assert not [run for run in METHOD_OF if re.search(rf"\b{run}\b", said)]
    assert not name.startswith("projection") or "Ours: MultiTrain (large), synthetic" in said


@pytest.mark.parametrize("name", ["per_class_k700", "projections"])
def test_a_figure_of_smoke_tests_says_so_above_and_is_else_the_same(root: Path, name: str):
    pictures = []
    for smoke_test in (False, True):
        write_figure(name, root, smoke_test)
        path = root / "figures" / f"{name}.png"
        pictures.append(np.asarray(Image.open(path).convert("RGB")).astype(int))
        path.unlink()
    plain, marked = pictures
    added = len(marked) - len(plain)
    assert np.array_equal(marked[added:], plain)
    rows, columns = (marked[:added].min(axis=2) < 128).nonzero()  # letters, in a frame of white: none is cut off
    assert len(rows) > 500
    assert rows.min() > 2 and rows.max() < added - 2
    assert columns.min() > 2 and columns.max() < marked.shape[1] - 2


def require_whole(figure: Figure) -> None:
    """Nothing crosses the edge: its pixels are white."""
    stream = io.BytesIO()
    with rc_context(figure_style.RC):
        figure.savefig(stream, format="png", dpi=figure_style.DPI)
    picture = np.asarray(Image.open(stream).convert("L"))
    assert all(edge.min() == 255 for edge in (picture[0], picture[-1], picture[:, 0], picture[:, -1]))


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_cut_off_at_the_edge(drawn, name: str):
    require_whole(drawn(name))


@pytest.mark.parametrize("name", ["per_class", "projections", "projection_graph"])
def test_no_name_of_a_class_is_too_long(tmp_path: Path, name: str):
    results = fill(tmp_path / "results")
    classes, weights = pd.read_csv(results / "per_class.csv"), pd.read_parquet(results / "projections.parquet")
    classes["class"] += LONG
    for side in ("source_class", "target_class"):
        weights[side] += LONG
    classes.to_csv(results / "per_class.csv", index=False)
    weights.to_parquet(results / "projections.parquet")
    figure = FIGURES[name].draw(results)
    require_whole(figure)
    assert ("class names are shortened" in texts(figure)) == (name != "projection_graph")


def test_names_that_are_shown_whole_are_not_called_shortened(drawn):
    assert not [name for name in ("per_class", "projections") if "shortened" in texts(drawn(name))]


@pytest.mark.parametrize("name", ["accuracy", "per_class", "spectrum", "training", "recovery", "cost"])
def test_every_column_of_panels_says_what_its_axis_is(drawn, name: str):
    figure = drawn(name)
    columns = {axes.get_subplotspec().colspan.start for axes in shown(figure)}
    assert {axes.get_subplotspec().colspan.start for axes in shown(figure) if axes.get_xlabel()} == columns


@pytest.mark.parametrize("name", FIGURES)
def test_figures_of_real_videos_and_two_seeds_from_the_named_inputs_alone(tmp_path: Path, name: str):
    results = fill(tmp_path / "results", seeds=(0, 3), synthetic="no")
    for path in results.iterdir():
        if path.name not in FIGURES[name].output.inputs:
            path.unlink()
    said = texts(FIGURES[name].draw(results))
    assert "scale mini, real videos, seed" in said
    assert "ynthetic" not in said
    for needed in FIGURES[name].output.inputs:
        content = (results / needed).read_bytes()
        (results / needed).unlink()
        with pytest.raises(UserError, match=rf"{needed}: no such file: `snakemake .*{needed}` makes it"):
            FIGURES[name].draw(results)
        (results / needed).write_bytes(b"")
        with pytest.raises(UserError, match=rf"{needed}: (not a readable table|no column)"):
            FIGURES[name].draw(results)
        (results / needed).write_bytes(content)


def test_files_are_the_same_bytes_and_no_state_is_left(root: Path):
    import matplotlib.pyplot as plt

    with rc_context({"font.size": 13}):
        write_figure("accuracy_k700", root)
        assert rcParams["font.size"] == 13
    path = root / "figures" / "accuracy_k700.png"
    first = path.read_bytes()
    write_figure("accuracy_k700", root)
    assert path.read_bytes() == first
    assert b"Software" not in first
    assert plt.get_fignums() == []
    assert [its.name for its in path.parent.iterdir()] == ["accuracy_k700.png"]


def test_an_unknown_figure_lists_those_there_are(root: Path):
    with pytest.raises(UserError, match=f"no figure 'acuracy'; there are {', '.join(outputs.FIGURES)}$"):
        write_figure("acuracy", root)


def test_wrong_content_is_named_by_row_and_column(tmp_path: Path):
    results = fill(tmp_path / "results")
    frame = pd.read_csv(results / "table2.csv", dtype=str)
    frame.drop(columns="top1_low").to_csv(results / "table2.csv", index=False)
    with pytest.raises(UserError, match=r"table2.csv: no column 'top1_low'"):
        FIGURES["accuracy_k700"].draw(results)
    frame.loc[1, "top1"] = "much"
    frame.to_csv(results / "table2.csv", index=False)
    with pytest.raises(UserError, match=r"table2.csv: row 2: top1 is 'much', not a number"):
        FIGURES["accuracy_k700"].draw(results)
    frame[:0].to_csv(results / "table2.csv", index=False)
    with pytest.raises(UserError, match=r"table2.csv: no rows:"):
        FIGURES["accuracy_k700"].draw(results)
    frame[frame["source"] == "published"].replace("much", "1").to_csv(results / "table2.csv", index=False)
    with pytest.raises(UserError, match=r"table2.csv: no rows of ours"):
        FIGURES["accuracy_k700"].draw(results)


def test_accuracy_marks_own_and_projected_and_adds_the_larger_model(drawn):
    figure = drawn("accuracy")
    left, right = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["K400", "MiT"]
    labels = [text.get_text() for text in left.get_yticklabels()]
    assert labels == ["Baseline", "MultiTrain", "w/o Projection Loss", "MultiTrain (large)"]
    assert [x for x, _ in points(left, "o")] == [40, 50, 60, 60]
    assert [x for x, _ in points(left, "D")] == [52, 62]
    spans = sorted(tuple(line[:, 0]) for each in left.collections for line in each.get_segments())
    assert spans == [(35, 45), (45, 55), (47, 57), (55, 65), (55, 65), (57, 67)]
    assert "K400 12, MiT 12" in texts(figure)


def test_gains_are_sorted_with_the_largest_on_top(drawn):
    figure = drawn("per_class")
    axes = figure.axes[0]
    assert axes.get_title() == "K400: 3 classes"
    assert [text.get_text() for text in axes.get_yticklabels()] == ["class 0", "class 1", "class 2"]
    assert points(axes, "o") == [(0, 0), (1, 1), (2, 2)]
    assert points(axes, "D") == [(0.5, 0), (1.5, 1), (2.5, 2)]
    assert "5 test clips a class" in texts(figure)
    assert drawn("per_class_k700").axes[0].get_title() == "K700: 3 classes"


def test_of_many_classes_the_ends_are_shown_and_said(tmp_path: Path):
    axes = FIGURES["per_class"].draw(fill(tmp_path / "results", classes=60)).axes[0]
    assert axes.get_title() == "K400: 10 highest, 10 lowest of 60"
    assert [x for x, _ in points(axes, "o")] == [*range(10), *range(50, 60)]
    few = FIGURES["per_class"].draw(fill(tmp_path / "few", classes=30)).axes[0]
    assert few.get_title() == "K400: 30 classes"
    assert len(points(few, "o")) == 30


def test_spectra_are_drawn_by_share_with_their_ranks(drawn):
    figure = drawn("spectrum")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["MultiTrain: 3.5 of 4", "Vanilla: 1.2 of 4"]
    assert [text.get_text() for text in right.get_legend().get_texts()] == ["MultiTrain: 2.5 of 4"]
    line = next(line for line in left.lines if line.get_marker() == "o")
    np.testing.assert_allclose(line.get_ydata(), [0.9, 0.09, 0.01, np.nan])
    assert left.get_yscale() == "log"


def test_training_shows_every_term_and_who_trains_on_it(drawn):
    figure = drawn("training")
    panels = {axes.get_title(): axes for axes in shown(figure)}
    assert len(panels) == 8
    assert set(panels) >= {"total loss", "K400: Lₖ", "MiT: Lₖ", "variance term Lᵛ", "σₖ of MultiTrain"}
    assert len(panels["total loss"].lines) == 3  # MultiTrain raw and smooth, Vanilla smooth
    assert len(panels["variance term Lᵛ"].lines) == 2
    assert [line.get_label() for line in panels["σₖ of MultiTrain"].lines] == ["K400", "MiT"]
    assert "40 training clips" in texts(figure)


def test_val_and_the_loss_of_a_clip_are_drawn_where_they_are_recorded(tmp_path: Path):
    results = fill(tmp_path / "results")
    table = training_table({"scale": "mini", "synthetic": "yes"}, (0,))
    table["per_clip.k400"], table["per_clip.mit"] = 4 * table["classification.k400"], table["classification.mit"] / 0.75
    table["val.k400"], table["val.mit"] = 0.5, 0.25
    table.loc[table["step"] % 2 == 1, ["val.k400", "val.mit"]] = None
    table.to_parquet(results / "training.parquet")
    panels = {axes.get_title(): axes for axes in shown(FIGURES["training"].draw(results))}
    line = panels["top-1 on val (%), mean over datasets"].lines[-1]
    np.testing.assert_allclose(line.get_xydata(), [(0, 37.5), (2, 37.5), (4, 37.5)])
    (right,) = panels["K400: Lₖ"].child_axes
    low, high = panels["K400: Lₖ"].get_ylim()
    panels["K400: Lₖ"].figure.canvas.draw()
    np.testing.assert_allclose(right.get_ylim(), (4 * low, 4 * high))


def test_a_run_of_one_step_can_be_drawn(tmp_path: Path):
    results = fill(tmp_path / "results")
    training_table({"scale": "mini", "synthetic": "yes"}, (0,), steps=1).to_parquet(results / "training.parquet")
    panels = {axes.get_title(): axes for axes in FIGURES["training"].draw(results).axes}
    assert [len(line.get_xdata()) for line in panels["total loss"].lines] == [1, 1, 1]


def test_heat_maps_have_targets_as_rows_and_outline_what_is_related(drawn):
    figure = drawn("projections")
    grid = figure.axes[:4]
    assert [axes.get_title() for axes in grid] == ["from K400", "from MiT", "", ""]
    assert [axes.get_ylabel() for axes in grid] == ["", "into K400", "", "into MiT"]
    into_k400 = grid[1].images[0].get_array()
    np.testing.assert_allclose(into_k400, [[0, 0.01, 0.02], [0.1, 0.11, 0.12], [0.2, 0.21, 0.22]])
    norm = grid[1].images[0].norm
    assert (norm.vmin, norm.vcenter, norm.vmax) == (-0.22, 0, 0.22)
    outlined = [tuple(path.vertices.mean(axis=0).round()) for path in grid[1].collections[0].get_paths()]
    assert len(outlined) == 3
    assert [text.get_text() for text in grid[0].get_yticklabels()] == ["k400 0", "k400 1", "k400 2"]
    assert [text.get_text() for text in grid[3].get_xticklabels()] == ["mit 0", "mit 1", "mit 2"]


def test_names_that_would_not_be_legible_are_left_out(tmp_path: Path):
    figure = FIGURES["projections"].draw(fill(tmp_path / "results", classes=60))
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == []
    assert max(figure.get_size_inches()) < 10


def test_the_graph_has_the_five_largest_and_tells_related_by_line(drawn):
    figure = drawn("projection_graph")
    axes = figure.axes[0]
    assert axes.get_title() == "K400 to MiT"
    assert len(axes.lines) == 5
    widths = [line.get_linewidth() for line in axes.lines]
    assert widths == sorted(widths, reverse=True)
    kinds = [(line.get_linestyle(), line.get_color()) for line in axes.lines]
    assert kinds == [
        ("-", figure_style.BLUE),
        ("--", figure_style.VERMILION),
        ("--", figure_style.VERMILION),
        ("--", figure_style.VERMILION),
        ("-", figure_style.BLUE),
    ]
    assert {text.get_text() for text in axes.texts} == {"k400 0", "k400 1", "k400 2", "mit 1", "mit 2"}


def test_fewer_than_five_pairs_and_unknown_relations(tmp_path: Path):
    results = fill(tmp_path / "results", classes=1)
    frame = pd.read_parquet(results / "projections.parquet")
    frame.assign(related=pd.Series([None] * len(frame), dtype="object"), weight=-1.0).to_parquet(
        results / "projections.parquet"
    )
    figure = FIGURES["projection_graph"].draw(results)
    assert [len(axes.lines) for axes in figure.axes] == [1, 1]
    assert "not known" in texts(figure)
    assert "which classes are related is not known" in texts(FIGURES["projections"].draw(results))


def test_recovery_shows_both_forms_and_chance(drawn):
    figure = drawn("recovery")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_yticklabels()] == ["K400 to MiT", "MiT to K400"]
    assert [x for x, _ in points(left, "o")] == [0.8, 0.2]
    assert [x for x, _ in points(left, "|")] == pytest.approx([0.1, 0.1])
    assert [text.get_text() for text in left.texts] == ["*", "*"]
    assert [x for x, _ in points(left, "s")] == [0.4, 0.1]
    assert [x for mark in "os" for x, _ in points(right, mark)] == [0.5, 0.25]
    assert "Related by: world" in texts(figure)


def test_recovery_without_related_classes_says_so(tmp_path: Path):
    results = fill(tmp_path / "results")
    path = results / "projection_recovery.csv"
    pd.read_csv(path).assign(average_precision=None).to_csv(path, index=False)
    figure = FIGURES["recovery"].draw(results)
    assert "No pair of datasets has related classes" in texts(figure)
    assert not figure.axes


def test_synthetic_results_have_panels_of_their_own(drawn):
    figure = drawn("cost")
    panels = shown(figure)
    assert len(panels) == 8
    ours, published = panels[:2]
    assert ours.get_title() == "K400: ours, synthetic\nworld mini"
    assert published.get_title() == "K400: published\nin Table 1"
    assert ours.get_facecolor() != published.get_facecolor()
    assert points(published, "o") == [(3992, 81.3), (224, 79.8)]
    assert [text.get_text() for text in published.texts] == ["ViViT", "Ours-baseline"]
    own = [(line.get_ydata()[0], line.get_markerfacecolor()) for line in ours.lines]
    assert own == [
        (40, figure_style.BLUE),
        (50, figure_style.VERMILION),
        (52, "white"),
        (60, figure_style.GREEN),
        (62, "white"),
    ]
    assert all(0.02 < line.get_xdata()[0] < 0.05 for line in ours.lines)
    assert "nothing follows from a difference to a published point" in texts(figure)


def test_the_releases_points_stand_among_the_published(tmp_path: Path):
    results = fill(tmp_path / "results")
    path = results / "table1.csv"
    row = {"source": "release", "method": "Later", "gflops": "224", "dataset": "k400", "top1": "84.7"}
    frame = pd.concat([pd.read_csv(path, dtype=str), pd.DataFrame([row])])
    frame.to_csv(path, index=False)
    figure = FIGURES["cost"].draw(results)
    ours, published = shown(figure)[:2]
    assert [text.get_text() for text in published.texts] == ["Later", "ViViT", "Ours-baseline"]
    assert "Later" not in " ".join(text.get_text() for text in ours.texts)
    assert "no row of the paper" in texts(figure)


def test_real_results_share_the_panel_of_the_published(tmp_path: Path):
    panels = shown(FIGURES["cost"].draw(fill(tmp_path / "results", synthetic="no")))
    assert [axes.get_title() for axes in panels] == ["K400, Table 1", "K700, Table 2", "MiT, Table 1", "MiT, Table 2"]
    low, high = panels[0].get_xlim()
    assert low < 0.03 < 3992 < high
