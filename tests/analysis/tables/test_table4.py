"""Table 4 on planted matrices."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from multitrain.analysis.render.columns import TABLE4
from multitrain.analysis.tables.table4 import write_table4
from multitrain.common.errors import UserError
from tests.analysis.planted import CLASSES, plant, ramp, relation_files, write
from tests.csv_rows import csv_rows

PUBLISHED = Path(__file__).parents[3] / "resources" / "published"
RUNS = ("multitrain_large", "multitrain_k700_large")
PAPER_ROWS = 20


def table(results, tmp_path, *seeds: int, weight=ramp) -> tuple[list[dict], str]:
    for seed in seeds or (0,):
        for run in RUNS:
            plant(results, run, lambda source, target, seed=seed: weight(source, target) + seed, seed=seed)
    write(results, *RUNS, seeds=seeds or (0,), relations=relation_files(tmp_path))
    write_table4(results.scale, results.experiments, seeds or (0,), results.root, PUBLISHED)
    return csv_rows(results.root / "table4.csv"), (results.root / "table4.md").read_text()


def test_published_rows_are_the_papers_text_in_its_order(results, tmp_path):
    rows, markdown = table(results, tmp_path)
    assert tuple(rows[0]) == tuple(TABLE4)
    paper = csv_rows(PUBLISHED / "table4.csv")
    assert len(paper) == PAPER_ROWS
    assert [{key: row[key] for key in paper[0]} for row in rows[:PAPER_ROWS]] == paper
    assert {row["origin"] for row in rows[:PAPER_ROWS]} == {"published"}
    empty = {key: "" for key in TABLE4 if key not in {"origin", *paper[0]}}
    assert all({key: row[key] for key in empty} == empty for row in rows[:PAPER_ROWS])
    published = markdown.split("## Ours")[0]
    assert "| MiT → K400         | gambling → bookbinding; autographing → eating ice cream; tearing" in published
    assert "**" not in published


def test_every_ordered_pair_of_every_run_has_its_five_largest_weights(results, tmp_path):
    rows, _ = table(results, tmp_path)
    ours = rows[PAPER_ROWS:]
    expected = [
        (run, source, target, str(rank), CLASSES[source][of], CLASSES[target][into], f"{100 * into + of:.4f}")
        for run in RUNS
        for source, target in permutations(results.experiments.run(run).datasets, 2)
        for rank, (into, of) in enumerate(
            sorted(np.ndindex(len(CLASSES[target]), len(CLASSES[source])), reverse=True)[:5], start=1
        )
    ]
    keys = ("run", "source", "target", "rank", "source_class", "target_class", "weight")
    assert [tuple(row[key] for key in keys) for row in ours] == expected
    pairs = [(row["run"], row["source"], row["target"]) for row in ours]
    assert len(set(pairs)) == 24  # MiT -> SSv2 is in both runs
    assert all(pairs.count(pair) == 5 for pair in set(pairs))
    assert {(row["scale"], row["synthetic"], row["seed"], row["relation_from"]) for row in ours} == {
        ("mini", "yes", "0", "world")
    }


def test_a_matrix_of_fewer_class_pairs_has_fewer_rows(results, tmp_path, monkeypatch):
    monkeypatch.setitem(CLASSES, "actnet", ("Hula hoop",))
    paths = relation_files(tmp_path)
    for path in paths:
        path.write_text("\n".join(line for line in path.read_text().splitlines() if "Running" not in line) + "\n")
    monkeypatch.setattr("tests.analysis.tables.test_table4.relation_files", lambda _: paths)
    rows, _ = table(results, tmp_path)
    found = [row for row in rows if row["run"] and (row["source"], row["target"]) == ("actnet", "ssv2")]
    assert [row["rank"] for row in found] == ["1", "2", "1", "2"]  # 2 x 1 class pairs, in both runs


def test_related_pairs_are_bold_and_counted(results, tmp_path):
    def weight(source: str, target: str) -> np.ndarray:
        planted = np.zeros((len(CLASSES[target]), len(CLASSES[source])))
        if {source, target} == {"k400", "mit"}:
            planted[0, 0] = planted[1, 1] = 1.5  # clapping, jogging and running
        return planted

    rows, markdown = table(results, tmp_path, weight=weight)
    ours = markdown.split("## Ours")[1]
    assert "**clapping → clapping (1.50)**; **jogging → running (1.50)**; " in ours
    assert "MultiTrain (large): synthetic world `mini`, seed 0; not comparable with the published pairs" in ours
    listed = [row for row in rows if row["run"] == RUNS[0]]
    hits = sum(row["related"] == "yes" for row in listed)
    assert f"MultiTrain (large): {hits} of the {len(listed)} pairs listed are related; " in markdown
    # k400 and mit: 2 of 12 both ways; k400 and actnet: 1 of 20; mit and actnet: 1 of 15; five of each are listed
    assert f"from the same matrices, {2 * 5 * (2 / 12 + 1 / 20 + 1 / 15):.1f} would be" in markdown
    latex = (results.root / "table4.tex").read_text()
    assert r"K400 $\to$ MiT & \textbf{clapping $\to$ clapping (1.50)}; \textbf{jogging" in latex


def test_latex_has_two_columns_everywhere_and_the_same_pairs(results, tmp_path):
    _, markdown = table(results, tmp_path)
    lines = [line for line in (results.root / "table4.tex").read_text().splitlines() if line.endswith(r" \\")]
    body = [line for line in lines if "multicolumn" not in line]
    assert all(line.count(" & ") == 1 for line in body)
    assert len(body) == 1 + sum(" → " in line and line.startswith("| ") for line in markdown.splitlines())


def test_several_seeds_show_the_first_alone_and_say_so(results, tmp_path):
    rows, markdown = table(results, tmp_path, 3, 0)
    assert {row["seed"] for row in rows[PAPER_ROWS:]} == {"3"}
    assert all(float(row["weight"]) % 100 >= 3 for row in rows[PAPER_ROWS:])  # seed 3's weights have 3 added
    assert "Weights of seed 3, not averaged with those of 0" in markdown
    assert "not averaged" not in table(results, tmp_path)[1]


def test_a_published_file_that_is_not_table_4_is_an_error(results, tmp_path):
    table(results, tmp_path)
    with pytest.raises(UserError, match=r"table4.csv: no such file: correct or restore the published table"):
        write_table4(results.scale, results.experiments, (0,), results.root, tmp_path)
    (tmp_path / "table4.csv").write_text("source,target\nk400,mit\n")
    with pytest.raises(UserError, match=r"table4.csv: no column 'rank'"):
        write_table4(results.scale, results.experiments, (0,), results.root, tmp_path)
