"""The table files on made-up predictions whose accuracies are known."""

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from multitrain.analysis.render.columns import TABLE, gflops_text
from multitrain.analysis.render.latex import escape
from multitrain.analysis.render.table_files import read_rows
from multitrain.analysis.study.run_names import ranges
from multitrain.analysis.tables import terminal_table
from multitrain.analysis.tables.paper_tables import epochs, processor_text, published_rows, write_table
from multitrain.common.errors import UserError
from multitrain.common.records.run_record import read_record
from multitrain.config.config_files import load_scale
from tests.csv_rows import csv_rows

PUBLISHED = Path(__file__).parents[3] / "resources" / "published"
PAPER_ROWS, RELEASE_ROWS = 40, 3
PRINTED = PAPER_ROWS + RELEASE_ROWS
DATASETS = ["k400", "mit", "ssv2", "actnet"]


def write(results, *seeds: int) -> tuple[list[dict], str]:
    write_table(
        "table1", results.scale, results.experiments, seeds or (0,), results.root, PUBLISHED, results.root / "measured"
    )
    rows = csv_rows(results.root / "table1.csv")
    return rows, (results.root / "table1.md").read_text()


def write_other(results) -> str:
    """Table 3 of one dataset of one run, which has no row of the release."""
    row = results.experiments.tables["table3"].rows[0].model_copy(update={"runs": ("k400_baseline",)})
    table = results.experiments.tables["table3"].model_copy(update={"rows": (row,)})
    experiments = results.experiments.model_copy(update={"tables": {"table3": table}})
    write_table("table3", results.scale, experiments, (0,), results.root, PUBLISHED, results.root / "measured")
    return (results.root / "table3.md").read_text()


def test_published_rows_are_the_papers_text_in_its_order(results):
    results.add_table1()
    rows, _ = write(results)
    paper = csv_rows(PUBLISHED / "table1.csv")
    assert len(paper) == PRINTED
    assert [{key: row[key] for key in paper[0]} for row in rows[:PRINTED]] == paper
    assert {row["source"] for row in rows[:PAPER_ROWS]} == {"published"}
    assert all(row["top1_low"] == row["clips"] == row["scale"] == "" for row in rows[:PRINTED])


def test_the_releases_own_result_is_a_row_of_its_own_with_its_source(results):
    results.add_table1()
    rows, markdown = write(results)
    found = {row["dataset"]: (row["top1"], row["top5"]) for row in rows if row["source"] == "release"}
    assert found == {"k400": ("84.7", "96.5"), "mit": ("41.4", "69.5"), "ssv2": ("65.2", "86.6")}
    assert {row["method"] for row in rows if row["source"] == "release"} == {"MultiTrain (release)"}
    published = markdown.partition("## Ours")[0]
    line = next(line for line in published.splitlines() if "MultiTrain (release)" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[1:] == ["(e),(f),(g)", "224", "84.7 / 96.5", "41.4 / 69.5", "65.2 / 86.6", "-"]
    for text in (markdown, (results.root / "table1.tex").read_text()):
        assert "MultiTrain (release): no row of the paper" in text and "README of github.com/JunweiLiang/Mul" in text
    assert "README of" not in write_other(results)


def test_a_row_of_an_unknown_source_is_named(results, tmp_path):
    (tmp_path / "table1.csv").write_text("source,method,dataset,top1\npublished,A,k400,1\nrumour,B,k400,2\n")
    with pytest.raises(UserError, match=r"table1.csv: line 3: source 'rumour': one of published, release"):
        published_rows(tmp_path / "table1.csv")


def test_our_rows_come_after_one_a_method_and_dataset(results):
    results.add_table1()
    rows, _ = write(results)
    assert tuple(rows[0]) == tuple(TABLE)
    ours = rows[PRINTED:]
    methods = ["Baseline", "MultiTrain", "MultiTrain (large)"]
    assert [(row["method"], row["dataset"]) for row in ours] == [(m, d) for m in methods for d in DATASETS]
    assert {
        (row["source"], row["scale"], row["synthetic"], row["seeds"], row["clips"], row["code"]) for row in ours
    } == {("ours", "mini", "yes", "0", "4", "abc")}


def test_accuracies_costs_and_training_data(results):
    results.add_table1()
    ours = {(row["method"], row["dataset"]): row for row in write(results)[0][PRINTED:]}
    baseline, joint = ours["Baseline", "mit"], ours["MultiTrain", "mit"]
    assert (baseline["top1"], baseline["top5"]) == ("50.00", "75.00")
    assert (baseline["top1_projected"], baseline["top1_std"]) == ("", "")
    assert (joint["top1"], joint["top1_projected"], joint["top5_projected"]) == ("75.00", "100.00", "100.00")
    assert float(joint["top1_low"]) < 75 <= float(joint["top1_high"])
    assert joint["gflops"] == "0.123"
    assert ours["MultiTrain (large)", "mit"]["gflops"] == "614"
    assert ours["Baseline", "k400"]["training_data"] == "own"
    assert baseline["training_data"] == "own, from K400"
    assert joint["training_data"] == "(e),(f),(g),(h), from K400"
    named = {name: each.model_copy(update={"paper_letter": ""}) for name, each in results.scale.datasets.items()}
    results.scale = results.scale.model_copy(update={"datasets": named})
    (joint,) = [row for row in write(results)[0][PRINTED:] if (row["method"], row["dataset"]) == ("MultiTrain", "mit")]
    assert joint["training_data"] == "ActNet, K400, MiT, SSv2, from K400"


def test_a_row_says_that_its_weights_are_the_best_on_val_and_which_losses_it_has(results):
    results.add_table1()
    path = results.folder / "multitrain" / "seed0" / "run.json"
    record = json.loads(path.read_text())
    record.setdefault("settings", {})["extra_losses"] = [{"function": "mine:contrast", "weight": 0.1}]
    path.write_text(json.dumps(record))
    run = results.experiments.runs["multitrain"].model_copy(update={"checkpoint": "best"})
    results.experiments = results.experiments.model_copy(
        update={"runs": {**results.experiments.runs, "multitrain": run}}
    )
    rows, markdown = write(results)
    said = "0.1 x mine:contrast, best weights on val"
    assert [row["method"] for row in rows if row["settings"].endswith(said)] == ["MultiTrain"] * 4
    assert re.search(rf"\| MultiTrain +\|.*\| {said} +\|", markdown)


def test_several_seeds_give_the_mean_and_its_spread(results):
    results.add_table1(seed=0)
    results.add_table1(seed=1)
    folder = results.folder / "mit_baseline" / "seed1"
    (folder / "predictions" / "mit.parquet").unlink()
    (folder / "predictions").rmdir()
    (folder / "run.json").unlink()
    folder.rmdir()
    results.add("mit_baseline", {"mit": [0, 1, 1, 6]}, seed=1)
    rows, markdown = write(results, 0, 1)
    row = next(row for row in rows if (row["method"], row["dataset"]) == ("Baseline", "mit"))
    assert (row["seeds"], row["top1"], row["top1_std"]) == ("0 1", "37.50", "17.68")
    assert "seeds 0, 1" in markdown
    assert "37.5 ± 17.7 [" in markdown


def test_markdown_keeps_published_and_ours_apart_and_says_what_ours_are(results):
    results.add_table1()
    _, markdown = write(results)
    published, ours = markdown.split("## Ours")
    assert "| **41.7 / 71.0** |" in published
    assert "63.0 / -" in published
    assert "synthetic world `mini`, seed 0" in ours
    assert "not comparable with the published rows" in ours.splitlines()[0]
    assert "| MultiTrain, Y′ₖ " in ours
    assert "| Baseline, Y′ₖ " not in ours
    assert "own; MiT, SSv2, ActNet: own, from K400" in ours
    ours = ours.split("How our rows")[0]
    widths = {len(line) for line in ours.splitlines() if line.startswith("|")}
    assert len(widths) == 1


def test_a_table_says_how_its_rows_were_trained_and_on_what(results):
    results.add_table1()
    record = results.folder / "mit_baseline/seed0/run.json"
    record.write_text(record.read_text().replace('"steps": 105', '"steps": 45'))
    rows, markdown = write(results)
    row = next(row for row in rows[PRINTED:] if (row["method"], row["dataset"]) == ("MultiTrain", "ssv2"))
    keys = ("classes", "train_clips", "epochs", "steps", "batch", "rate", "processor")
    assert [row[key] for key in keys] == ["8", "400", "15", "105", "16", "0.004", "a processor (AVX2)"]
    said = re.sub(" +", " ", markdown.split("How our rows")[1])
    assert "| Baseline, K400, SSv2, ActNet | 15 | 105 | 16 | 0.004 |" in said
    assert "| Baseline, MiT | 15 | 45 | 16 | 0.004 |" in said and "| MultiTrain | 15 | 105 | 16 | 0.004 |" in said
    assert "| MiT | 8 | 12.5 | 300 | 4 |" in said
    assert "Processor: a processor (AVX2)." in said and "short of their plateau" in said
    assert "table3 has the controls" in said


def test_a_processor_is_named_with_its_instructions_or_as_portable():
    said = {"model": "AMD EPYC", "kind": "AuthenticAMD 25 17", "instructions": "AVX2"}
    assert processor_text(said) == processor_text({**said, "kernels": "own"}) == "AMD EPYC (AVX2)"
    assert processor_text({**said, "kernels": "portable"}) == "AMD EPYC (portable kernels)"


def test_epochs_of_a_run_with_the_steps_of_another_are_what_they_come_to(results):
    results.add("mit_longer", {"mit": [0, 1]})
    assert epochs(read_record(results.folder / "mit_longer/seed0")) == "5.6"  # 105 steps of 16 over 300 clips


def test_a_record_of_another_version_is_refused(results):
    results.add_table1()
    record = results.folder / "multitrain/seed0/run.json"
    record.write_text(json.dumps({"synthetic": True, "code": "abc"}))
    with pytest.raises(UserError, match=r"multitrain/seed0/run\.json: not the record of a run of this version: train"):
        write(results)


def test_on_a_terminal_a_table_is_narrow_and_has_its_path(results):
    results.add_table1()
    write(results)
    rows = read_rows(results.root / "table1.csv", TABLE)
    text = terminal_table.render(Path("out/table1"), results.experiments.table("table1"), results.scale, rows)
    assert max(map(len, text.splitlines()[:-1])) <= 80 and "out/table1.md" in text
    assert re.search(r"^MultiTrain +75\.0 +75\.0 +75\.0 +75\.0$", text, re.M)
    assert re.search(r"^MultiTrain, Y\'_k +100\.0", text, re.M) and not re.search(r"^Baseline, Y", text, re.M)
    assert "synthetic world mini, seed 0" in text and "ViViT" not in text


def test_a_scale_of_smoke_tests_says_so_in_each_form(results):
    results.add_table1()
    said = "smoke test: no number here means anything"
    for smoke in (True, False):
        results.scale = results.scale.model_copy(update={"smoke_test": smoke})
        _, text = write(results)
        for found in (text, (results.root / "table1.tex").read_text()):
            assert (said in found) == smoke
    assert load_scale("ci", PUBLISHED.parents[1] / "config").smoke_test
    assert not load_scale("mini", PUBLISHED.parents[1] / "config").smoke_test


def test_rows_of_different_code_are_said_to_be(results):
    results.add_table1()
    assert "different versions" not in write(results)[1]
    record = results.folder / "multitrain" / "seed0" / "run.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "code": "other"}))
    rows, markdown = write(results)
    assert {row["code"] for row in rows[PRINTED:] if row["method"] == "MultiTrain"} == {"other"}
    assert "different versions of the numerical code: abc, other" in markdown


def test_gflops_read_as_in_the_paper():
    assert [gflops_text(value) for value in (223.8, 613.8, 0.12345, 12.345, 99.96)] == [
        "224",
        "614",
        "0.123",
        "12.3",
        "100",
    ]


def test_a_dataset_that_no_run_of_a_row_has_is_left_out(results):
    row = results.experiments.tables["table1"].rows[0].model_copy(update={"runs": ("k400_baseline",)})
    table = results.experiments.tables["table1"].model_copy(update={"rows": (row,)})
    experiments = results.experiments.model_copy(update={"tables": {"table1": table}})
    results.add_table1()
    write_table("table1", results.scale, experiments, (0,), results.root, PUBLISHED, results.root / "measured")
    assert (results.root / "table1.csv").read_text().count("\nours,") == 1
    assert "| -" in (results.root / "table1.md").read_text().split("## Ours")[1]


def test_a_missing_file_is_one_message_and_leaves_no_table(results):
    results.add_table1()
    missing = results.folder / "multitrain" / "seed0" / "predictions" / "mit.parquet"
    missing.unlink()
    with pytest.raises(UserError, match=r"multitrain/seed0/predictions/mit.parquet: no such predictions: run"):
        write(results)
    assert not list(results.root.glob("*table1*"))
    (results.folder / "flops.json").unlink()
    with pytest.raises(UserError, match=r"flops.json: no such file: `multitrain flops --json` writes it"):
        write(results)


def test_damaged_predictions_are_named(results):
    results.add_table1()
    path = results.folder / "multitrain" / "seed0" / "predictions" / "mit.parquet"
    good = pq.read_table(path)
    path.write_bytes(b"not parquet")
    with pytest.raises(UserError, match="not a readable predictions file"):
        write(results)
    pq.write_table(good.drop_columns(["scores"]), path)
    with pytest.raises(UserError, match="not a readable predictions file"):
        write(results)
    pq.write_table(good.slice(0, 0), path)
    with pytest.raises(UserError, match="test split is empty"):
        write(results)


def test_seeds_must_have_scored_the_same_clips(results):
    results.add_table1(seed=0)
    results.add_table1(seed=1)
    path = results.folder / "multitrain" / "seed1" / "predictions" / "mit.parquet"
    pq.write_table(pq.read_table(path).slice(0, 3), path)
    with pytest.raises(UserError, match="not the clips of"):
        write(results, 0, 1)


def test_an_unknown_table_lists_those_there_are(results):
    with pytest.raises(UserError, match="no table 'table9' in the experiments; there are table1"):
        write_table(
            "table9", results.scale, results.experiments, (0,), results.root, PUBLISHED, results.root / "measured"
        )


def test_real_data_is_not_labelled_synthetic(results, tmp_path):
    scale = load_scale("paper", PUBLISHED.parents[1] / "config")
    paper = type(results)(tmp_path / "paper", scale, results.experiments)
    paper.add_table1()
    for record in paper.folder.glob("*/seed0/run.json"):
        record.write_text(json.dumps({**json.loads(record.read_text()), "synthetic": False}))
    rows, markdown = write(paper)
    assert {row["synthetic"] for row in rows[PRINTED:]} == {"no"}
    assert "synthetic" not in markdown


def test_latex_says_what_the_markdown_says(results):
    results.add_table1()
    _, markdown = write(results)
    latex = (results.root / "table1.tex").read_text()
    assert r"\textbf{41.7 / 71.0}" in latex
    assert r"MultiTrain, $Y'_k$ & (e),(f),(g),(h), from K400 & 0.123 &" in latex
    assert r"synthetic world \texttt{mini}, seed 0; not comparable" in latex
    columns = latex.split(r"\begin{tabular}{")[1].split("}")[0]
    for line in latex.splitlines():
        if line.endswith(r" \\") and "multicolumn" not in line:
            assert line.count(" & ") == len(columns) - 1
    head = markdown.split("How our rows")[0]
    in_markdown = [line.split("|")[1].strip() for line in head.splitlines() if line.startswith("| MultiTrain")]
    assert sum(line.startswith("MultiTrain") for line in latex.splitlines()) == len(in_markdown)


def test_latex_escapes_what_would_break_it():
    assert escape("w/o A & w/o B_1, 95% ± 2") == r"w/o A \& w/o B\_1, 95\% $\pm$ 2"


def test_a_run_with_fewer_seeds_than_others_is_said_to_have_fewer(results):
    for seed in range(3):
        results.add_table1(seed=seed)
    shutil.rmtree(results.folder / "multitrain" / "seed1")
    rows, text = write(results, 0, 1, 2)
    seeds = {(row["method"], row["seeds"]) for row in rows if row["source"] == "ours"}
    assert {("MultiTrain", "0 2"), ("MultiTrain (large)", "0 1 2")} <= seeds
    assert "## Ours: synthetic world `mini`, seeds 0, 1, 2" in text
    assert "- Not every row has all seeds: MultiTrain seeds 0, 2 of 0-2.\n" in text
    shutil.rmtree(results.folder / "multitrain")
    with pytest.raises(UserError, match=r"multitrain/seed0/run.json: no such file"):
        write(results, 0, 1, 2)


@pytest.mark.parametrize(("seeds", "text"), [((0,), "0"), ((2, 0, 1), "0-2"), ((0, 2, 3, 7), "0, 2-3, 7"), ((), "")])
def test_seeds_are_read_at_a_glance(seeds, text):
    assert ranges(seeds) == text
