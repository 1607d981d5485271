"""The recovery files on planted projections."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from multitrain.analysis.projections import relation_recovery
from multitrain.analysis.projections.class_relations import read_relations
from multitrain.analysis.projections.ranking import Recovery
from multitrain.analysis.projections.relation_recovery import write_recovery
from multitrain.analysis.render.columns import RECOVERY, RECOVERY_SUMMARY
from multitrain.common.errors import UserError
from tests.analysis.planted import CLASSES, plant, relation_files, write
from tests.csv_rows import csv_rows


def recover(results, tmp_path, *runs: str, seeds: tuple[int, ...] = (0,)) -> tuple[list[dict], list[dict], str]:
    write(results, *runs, seeds=seeds, relations=relation_files(tmp_path))
    write_recovery(results.scale, results.experiments, seeds, results.root, runs)
    tables = []
    for name in ("projection_recovery", "projection_recovery_summary"):
        tables.append(csv_rows(results.root / f"{name}.csv"))
    return *tables, (results.root / "projection_recovery.md").read_text()


@pytest.fixture
def related(tmp_path):
    known = read_relations(relation_files(tmp_path), CLASSES)
    return lambda source, target: known.matrix(source, target, CLASSES).astype(float)


def noise(source: str, target: str) -> np.ndarray:
    rng = np.random.default_rng([len(CLASSES[source]), len(CLASSES[target]), *source.encode()])
    return rng.random((len(CLASSES[target]), len(CLASSES[source])))


def test_one_row_an_ordered_pair_seed_and_form(results, tmp_path, related):
    for seed in (0, 1):
        plant(results, "multitrain", related, seed=seed)
        plant(results, "wo_actnet", related, seed=seed)
    rows, summary, _ = recover(results, tmp_path, "multitrain", "wo_actnet", seeds=(0, 1))
    assert tuple(rows[0]) == tuple(RECOVERY)
    assert tuple(summary[0]) == tuple(RECOVERY_SUMMARY)
    assert len(rows) == 2 * 2 * (12 + 6)  # forms, seeds, ordered pairs
    assert len({tuple(row[key] for key in ("run", "seed", "source", "target", "form")) for row in rows}) == len(rows)
    assert [(row["run"], row["form"]) for row in summary] == [
        (run, form) for run in ("multitrain", "wo_actnet", "all") for form in ("weight", "scaled")
    ]
    first = next(row for row in rows if (row["source"], row["target"]) == ("k400", "mit"))
    assert (first["pairs"], first["related"], first["chance"]) == ("12", "2", "0.1667")
    assert (first["precision_at_5"], first["average_precision"]) == ("0.4000", "1.0000")
    assert (first["scale"], first["synthetic"], first["relation_from"]) == ("mini", "yes", "world")


def test_pairs_without_related_classes_are_there_but_empty(results, tmp_path, related):
    plant(results, "multitrain", related)
    rows, summary, markdown = recover(results, tmp_path, "multitrain")
    none = [row for row in rows if row["related"] == "0"]
    assert {frozenset((row["source"], row["target"])) for row in none} == {
        frozenset((other, "ssv2")) for other in ("k400", "mit", "actnet")
    }
    empty = ("precision_at_5", "average_precision", "chance_average_precision", "p_value")
    assert all(row[key] == "" for row in none for key in empty)
    assert {row["permutations"] for row in none} == {"0"}
    assert {row["ordered_pairs"] for row in summary} == {"6"}
    assert "No related classes, so nothing to recover: K400 → SSv2, MiT → SSv2, SSv2 → K400," in markdown


def test_a_run_in_which_nothing_is_related_has_no_summary(results, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.analysis.planted.RELATIONS", ())
    plant(results, "multitrain")
    rows, summary, markdown = recover(results, tmp_path, "multitrain")
    assert len(rows) == 24
    assert summary == []
    assert "Scaled - raw" not in markdown


def rescale(folder: Path, std: Callable[[str], np.ndarray]) -> None:
    """Give the source logits of a planted run a spread by class: `std(source)`, (C_source,)."""
    for path in folder.glob("predictions/*.npz"):
        arrays = dict(np.load(path))
        spreads = {name: std(name.removeprefix("logit_std.")) for name in arrays if name.startswith("logit_std.")}
        np.savez(path, **{**arrays, **spreads})


def has_relatives(related, name: str) -> np.ndarray:
    """Which classes of a dataset are related to any other's, (C,)."""
    return np.any([related(name, other).any(0) for other in CLASSES if other != name], axis=0)


def test_logit_scales_can_fool_the_raw_weight_but_not_the_scaled_one(results, tmp_path, related):
    """Source classes without relatives have weights ten times as large, because their logits are a hundredth."""

    def weight(source: str, target: str) -> np.ndarray:
        return related(source, target) + 10 * ~has_relatives(related, source)

    folder = plant(results, "multitrain", weight)
    rescale(folder, lambda name: np.where(has_relatives(related, name), 1.0, 0.01))
    rows, summary, markdown = recover(results, tmp_path, "multitrain")
    value = {(row["source"], row["target"], row["form"]): row["average_precision"] for row in rows}
    assert {value[row["source"], row["target"], "scaled"] for row in rows if row["related"] != "0"} == {"1.0000"}
    assert float(value["k400", "actnet", "weight"]) < 0.5
    by_form = {row["form"]: row for row in summary}
    assert {row["verdict"] for row in summary} == {"scaled"}
    assert int(by_form["scaled"]["ahead"]) >= 5
    assert by_form["weight"]["ahead"] == "0"
    assert float(by_form["weight"]["difference_low"]) > 0
    assert "the scaled weight recovers more." in markdown


def test_logit_scales_can_fool_the_scaled_weight_and_that_is_said(results, tmp_path, related):
    folder = plant(results, "multitrain", lambda source, target: 3 * related(source, target) + 1)
    rescale(folder, lambda name: np.where(has_relatives(related, name), 1.0, 100.0))
    _, summary, markdown = recover(results, tmp_path, "multitrain")
    assert {row["verdict"] for row in summary} == {"weight"}
    assert float(summary[0]["difference_high"]) < 0
    assert "the raw weight recovers more." in markdown


def test_equal_forms_are_undecided(results, tmp_path):
    plant(results, "multitrain", noise)
    rows, summary, markdown = recover(results, tmp_path, "multitrain")
    assert {row["verdict"] for row in summary} == {"undecided"}
    assert {row["ahead"] for row in summary} == {"0"}
    assert float(summary[0]["difference"]) == 0
    assert "undecided (the interval holds 0 or has no width)." in markdown
    same = {(row["source"], row["target"]): set() for row in rows}
    for row in rows:
        same[row["source"], row["target"]].add(row["average_precision"])
    assert all(len(values) == 1 for values in same.values())


def test_a_difference_whose_interval_has_no_width_is_undecided(results, tmp_path, monkeypatch, related):
    """The same difference in every pair of datasets: no resample differs, which says nothing of other pairs."""

    def found(matrix, known, seed, *names):
        count, form = int(known.sum()), names[-1]
        precision = {"weight": 0.25, "scaled": 0.5}[form] if count else None
        return Recovery(known.size, count, precision, precision, count and 0.01, 1)

    monkeypatch.setattr(relation_recovery, "recover", found)
    plant(results, "multitrain", related)
    _, summary, markdown = recover(results, tmp_path, "multitrain")
    assert {(row["difference_low"], row["difference_high"], row["ordered_pairs"]) for row in summary} == {
        ("0.2500", "0.2500", "6")
    }
    assert {row["verdict"] for row in summary} == {"undecided"}
    assert "undecided (the interval holds 0 or has no width)." in markdown


def test_a_clear_difference_over_too_few_pairs_is_undecided(results, tmp_path, related):
    """wo_actnet has two ordered pairs with related classes."""
    folder = plant(results, "wo_actnet", lambda source, target: 3 * related(source, target) + 1)
    rescale(folder, lambda name: np.where(has_relatives(related, name), 1.0, 100.0))
    _, summary, markdown = recover(results, tmp_path, "wo_actnet")
    assert float(summary[0]["difference_high"]) < 0
    assert {row["verdict"] for row in summary} == {"undecided"}
    assert f"undecided ({relation_recovery.FEWEST} ordered pairs are needed for a verdict)." in markdown


def test_means_are_over_seeds_then_over_ordered_pairs(results, tmp_path, related):
    plant(results, "multitrain", related, seed=0)
    plant(results, "multitrain", noise, seed=1)
    rows, summary, markdown = recover(results, tmp_path, "multitrain", seeds=(0, 1))
    its = [row for row in rows if row["related"] != "0" and row["form"] == "weight"]
    assert len(its) == 12
    mean = np.mean([float(row["average_precision"]) for row in its])
    assert float(summary[0]["average_precision"]) == pytest.approx(mean, abs=1e-4)
    assert (summary[0]["seeds"], summary[0]["tests"], summary[0]["ordered_pairs"]) == ("0 1", "12", "6")
    significant = sum(float(row["p_value"]) <= 0.05 for row in its)
    assert summary[0]["significant"] == str(significant)
    first = [row for row in its if (row["source"], row["target"]) == ("k400", "actnet")]
    line = next(line for line in markdown.splitlines() if line.startswith("| K400 → ActNet"))
    assert f" {', '.join(row['p_value'] for row in first)} " in line
    assert f" {100 * np.mean([float(row['average_precision']) for row in first]):.1f} " in line
    assert "synthetic world `mini`, seeds 0, 1" in markdown


def test_all_runs_together_are_the_mean_of_each_ordered_pair(results, tmp_path, related):
    plant(results, "multitrain", related)
    plant(results, "wo_actnet", noise)
    rows, summary, markdown = recover(results, tmp_path, "multitrain", "wo_actnet")
    pairs: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["form"] == "weight" and row["related"] != "0":
            pairs.setdefault((row["source"], row["target"]), []).append(float(row["average_precision"]))
    assert [len(values) for values in pairs.values()] == [2, 1, 2, 1, 1, 1]
    together = next(row for row in summary if (row["run"], row["form"]) == ("all", "weight"))
    assert float(together["average_precision"]) == pytest.approx(
        np.mean([np.mean(v) for v in pairs.values()]), abs=1e-4
    )
    assert (together["ordered_pairs"], together["tests"]) == ("6", "8")
    sections = markdown.split("\n## ")
    assert [sum(" → " in line for line in its.splitlines() if line.startswith("|")) for its in sections] == [
        0,
        12,
        6,
        0,
    ]
    assert sections[3].startswith("All these runs together: synthetic world `mini`")
    assert "All these runs" not in recover(results, tmp_path, "multitrain")[2]


def test_names_stand_in_where_no_world_is_known(results):
    plant(results, "multitrain", noise)
    write(results, "multitrain")
    write_recovery(results.scale, results.experiments, (0,), results.root, ("multitrain",))
    assert "Related: classes of the same name." in (results.root / "projection_recovery.md").read_text()
    assert {row["relation_from"] for row in csv_rows(results.root / "projection_recovery.csv")} == {"same name"}


def test_the_same_table_gives_the_same_bytes(results, tmp_path):
    plant(results, "multitrain", noise)
    recover(results, tmp_path, "multitrain")
    first = [path.read_bytes() for path in sorted(results.root.glob("projection_recovery*"))]
    recover(results, tmp_path, "multitrain")
    assert [path.read_bytes() for path in sorted(results.root.glob("projection_recovery*"))] == first
    assert len(first) == 3


def test_without_the_table_of_projections_nothing_is_written(results):
    with pytest.raises(UserError, match=r"projections.parquet: no such file"):
        write_recovery(results.scale, results.experiments, (0,), results.root, ("multitrain",))
    assert not list(results.root.glob("projection_recovery*"))
