"""Files of claims: the shipped claims whole, the paper's figures beside ours, and inputs that are wrong."""

import csv
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from multitrain.analysis.accuracy.paired_answers import read_answers
from multitrain.analysis.claims.claim_verdicts import write_claims
from multitrain.analysis.claims.verdict_rule import VERDICTS
from multitrain.analysis.render.columns import CLAIMS, EVIDENCE
from multitrain.common.errors import UserError
from multitrain.config.claims import Claim, Claims
from multitrain.config.config_files import load_claims
from tests.analysis.claimed import CLIPS, ON_MIT, PUBLISHED, ROOT, add, add_run, first, numbers, write
from tests.csv_rows import csv_rows


def test_the_papers_figures_stand_beside_ours(results):
    add(results, first(160), first(120))
    (row,), text = write(results)
    assert numbers(row, "paper_left", "paper_right", "paper_difference") == [41.7, 38.6, 3.1]
    assert "| +3.1 " in text
    assert f"| +20.0 [{float(row['low']):+.1f}, {float(row['high']):+.1f}] " in text


def test_figures_the_paper_does_not_print_stay_empty(results):
    add_run(results, "multitrain", {"mit": first(160)})
    add_run(results, "mit_longer", {"mit": first(120)})
    (row,), text = write(results, table="table3", right="Baseline, steps of MultiTrain", stated_by="us")
    assert (row["paper_left"], row["paper_right"], row["paper_difference"]) == ("41.70", "", "")
    assert "## Claims" in text and "## Not in the paper" not in text  # as no claim is the paper's
    (head,) = (line for line in text.splitlines() if "| Claim " in line)
    assert "Paper" not in head and "P(holds)" not in text and "Verdict, Yₖ" in head


def test_the_world_is_said_to_be_synthetic(results):
    add(results, first(160), first(120))
    _, text = write(results, 0)
    assert "synthetic world `mini`, seed 0. The paper's figures" in text
    results.scale = results.scale.model_copy(update={"smoke_test": True})
    assert "synthetic world `mini`, seed 0; smoke test: no number here means anything. The" in write(results, 0)[1]


def test_methods_on_different_clips_are_not_compared(results):
    add(results, first(160), first(120))
    path = results.folder / "mit_baseline" / "seed0" / "predictions" / "mit.parquet"
    table = pq.read_table(path)
    pq.write_table(table.slice(0, 100), path)
    with pytest.raises(UserError, match=r"mit.parquet: not the clips of .*mit.parquet: evaluate both on"):
        write(results)
    others = table.set_column(0, "clip_id", pa.array([f"other{i}" for i in range(CLIPS)]))
    pq.write_table(others, path)
    with pytest.raises(UserError, match="not the clips of"):
        write(results)
    pq.write_table(table.set_column(1, "label", pa.array([4] * CLIPS, pa.int32())), path)
    with pytest.raises(UserError, match="not the clips of"):
        write(results)
    assert not list(results.root.glob("claims*"))


def test_seeds_that_differ_in_projections_are_not_joined(results):
    add(results, first(160), first(120), 0)
    add(results, first(160), first(120), 1)
    path = results.folder / "multitrain" / "seed1" / "predictions" / "mit.parquet"
    table = pq.read_table(path)
    empty = pa.array([None] * CLIPS, pa.list_(pa.float32()))
    pq.write_table(table.set_column(3, "scores_projected", empty), path)
    with pytest.raises(UserError, match=r"seed1/predictions/mit.parquet: unlike .*seed0.* as to projections"):
        write(results, 0, 1)


@pytest.mark.parametrize(
    ("path", "content", "message"),
    [
        ("mit_baseline/seed0/run.json", None, r"run.json: no such file: `multitrain train` writes it"),
        ("mit_baseline/seed0/run.json", "[]", r"run.json: not the record of a run .*: train the run again"),
        ("mit_baseline/seed0/run.json", '{"code": "a"}', r"run.json: not the record of a run"),
        ("mit_baseline/seed0/predictions/mit.parquet", None, r"mit.parquet: no such predictions"),
    ],
)
def test_a_bad_input_is_one_message_and_leaves_no_file(results, path: str, content: str | None, message: str):
    add(results, first(160), first(120))
    (results.folder / path).unlink()
    if content is not None:
        (results.folder / path).write_text(content)
    with pytest.raises(UserError, match=message):
        write(results, 0)
    assert not list(results.root.glob("claims*"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Ours-baseline", "Our baseline", r"table1.csv: no method 'Ours-baseline': paper.table1 in claims.yaml names"),
        ("38.6,67.5", "n/a,67.5", r"table1.csv: line 24: top1 is 'n/a': it takes a number"),
    ],
)
def test_a_published_table_that_lacks_a_number_is_named(results, tmp_path, old: str, new: str, message: str):
    add(results, first(160), first(120))
    (tmp_path / "table1.csv").write_text((PUBLISHED / "table1.csv").read_text().replace(old, new))
    claims = Claims(paper=load_claims(ROOT / "config", results.experiments).paper, claims={"one": Claim(**ON_MIT)})
    with pytest.raises(UserError, match=message):
        write_claims(results.scale, results.experiments, claims, (0,), results.root, tmp_path)


def test_the_releases_numbers_are_not_taken_for_the_papers(results, tmp_path):
    add(results, first(160), first(120))
    table = (PUBLISHED / "table1.csv").read_text().replace("release,MultiTrain (release)", "release,MultiTrain")
    lines = table.splitlines()
    (tmp_path / "table1.csv").write_text("\n".join([lines[0], *lines[-3:], *lines[1:-3]]) + "\n")
    claims = Claims(paper=load_claims(ROOT / "config", results.experiments).paper, claims={"one": Claim(**ON_MIT)})
    write_claims(results.scale, results.experiments, claims, (0,), results.root, tmp_path)
    (row,) = csv_rows(results.root / "claims.csv")
    assert "41.70" in (row["paper_left"], row["paper_right"])  # and not the release's 41.4


@pytest.fixture
def shipped(results) -> Claims:
    """The shipped claims, and every run of the tables with random predictions of 40 clips a dataset."""
    rng = np.random.default_rng(0)
    names = {name for table in results.experiments.tables.values() for row in table.rows for name in row.runs}
    for name in sorted(names):
        run = results.experiments.run(name)
        ranks = {dataset: rng.integers(0, 3, 40).tolist() for dataset in run.datasets}
        summed = {dataset: rng.integers(0, 3, 40).tolist() for dataset in run.datasets}
        add_run(results, name, ranks, projected=summed if run.projection != "none" else None)
    claims = load_claims(ROOT / "config", results.experiments)
    with (results.root / "evidence.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, EVIDENCE, restval="", lineterminator="\n")
        writer.writeheader()
        for name, each in claims.evidence_claims.items():
            said = {"claim": name, **each.model_dump(include={"section", "quote", "text", "note"})}
            writer.writerow(said | {"part": "seed 0", "ours": f"{name}: 7", "claim_verdict": "mixed"})
    return claims


def test_shipped_claims_are_written_whole(results, shipped: Claims):
    rows, text = write(results, claims=shipped)
    assert tuple(rows[0]) == tuple(CLAIMS)
    assert list(dict.fromkeys(row["claim"] for row in rows)) == list(shipped.claims)
    for row in rows:
        assert row["part"]
        assert row["verdict"] in VERDICTS
        for suffix in ("", "_projected"):
            if row[f"difference{suffix}"]:
                ours = "" if suffix else "ours_"
                left, right = numbers(row, f"{ours}left{suffix}", f"{ours}right{suffix}")
                low, difference, high = numbers(row, f"low{suffix}", f"difference{suffix}", f"high{suffix}")
                assert difference == pytest.approx(left - right, abs=0.011)
                assert low < difference < high
    papers, ours = text.split("## Not in the paper")
    for claim in shipped.claims.values():
        assert (claim.text in papers, f"| {claim.text} " in ours) == ((True, False), (False, True))[
            claim.stated_by == "us"
        ]
    again = write(results, claims=shipped)
    assert again == (rows, text)


def test_claims_of_one_fact_are_shown_under_its_first(results, shipped: Claims):
    rows, text = write(results, claims=shipped)
    lines = [" ".join(line.split()) for line in text.splitlines() if line.startswith("|")]
    places = {
        name: next(i for i, line in enumerate(lines) if f" {each.text}" in line)
        for name, each in shipped.claims.items()
    }
    order = sorted(places, key=places.get)
    for name, claim in shipped.claims.items():
        marked = lines[places[name]].startswith("| ↳ same fact")
        assert marked == bool(claim.same_fact_as)
        assert lines[places[name]].startswith("| ↳ same fact, primary") == (marked and claim.primary)
        if claim.quote:
            assert claim.quote not in lines[places[name]].replace("\\", "")
            number = re.search(r" \((\d+)\) \|", lines[places[name]])[1]
            assert f"\n{number}. {claim.section}: “{claim.quote}”" in text
        if claim.same_fact_as:
            between = order[order.index(claim.same_fact_as) + 1 : order.index(name)]
            assert all(shipped.claims[each].same_fact_as == claim.same_fact_as for each in between)
    assert {row["same_fact_as"] for row in rows} == {"", "joint_training", "collapse", "branches", "larger_input"}


def test_a_sum_that_was_never_trained_decides_nothing(results):
    """Of "w/o Projection Add" every clip is right by Eq. 4's sum, and none by the head."""
    add_run(results, "vanilla", {"mit": first(100)})
    add_run(results, "wo_informative_wo_add", {"mit": first(0)}, projected={"mit": first(CLIPS)})
    (row,), _ = write(results, table="table3", left="w/o Informative Loss & w/o Projection Add", right="Vanilla")
    assert (row["ours_left"], row["verdict"], row["verdict_projected"]) == ("0.00", "does not hold", "")


def test_what_other_records_answer_has_a_heading_of_its_own(results, shipped: Claims):
    text = " ".join(write(results, claims=shipped)[1].split())
    _, _, text = text.partition("## Answered by other records")
    answered, _, _ = text.partition("## Claims of the paper that these runs cannot decide")
    assert shipped.evidence_claims
    for number, (name, each) in enumerate(shipped.evidence_claims.items(), start=1):
        assert f"| {each.text} ({number}) | - | seed 0: {name}: 7 | mixed |" in answered
        assert f" {number}. “{each.quote}”" in answered
        assert each.note in answered


def test_the_papers_differences_are_those_of_its_text(results, shipped: Claims):
    rows, _ = write(results, claims=shipped)
    differences: dict[str, list[float]] = {}
    for row in rows:
        if row["stated_by"] == "paper":
            differences.setdefault(row["claim"], []).append(float(row["paper_difference"]))
    assert differences["joint_training"] == [3.25, 2.1, 3.1, 1.9, 5.9]  # Section 4.2
    assert differences["joint_training_large_k700"] == [3.5, 2.2, 4.9, 3.4]  # the same
    assert all(values[0] > 0 for values in differences.values())  # each claim is true of the paper's figures


def test_the_text_counts_verdicts_of_the_paper_alone(results, shipped: Claims):
    rows, text = write(results, claims=shipped)
    papers = [row for row in rows if row["stated_by"] == "paper" and not row["same_fact_as"]]
    verdicts = {row["claim"]: row["claim_verdict"] for row in papers}
    found = ", ".join(f"{each}: {count}" for each in VERDICTS if (count := list(verdicts.values()).count(each)))
    assert f"- {len(verdicts)} claims by Yₖ: {found}.\n" in text


def test_code_of_different_versions_is_said_to_be(results):
    add(results, first(160), first(120))
    assert "different versions" not in write(results)[1]
    path = results.folder / "multitrain" / "seed0" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": "other", "synthetic": False}))
    (row,), text = write(results)
    assert (row["code"], row["synthetic"]) == ("abc other", "yes")
    assert "different versions of the numerical code: abc, other" in text


def test_a_clip_belongs_to_the_video_that_it_was_cut_from(results):
    add(results, first(2, 3), first(1, 3))
    folder = results.folder / "multitrain" / "seed0"
    path = folder / "predictions" / "mit.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(5, "video_id", pa.array(["a", "b", "a"])), path)
    assert read_answers([folder], "mit").videos.tolist() == ["a", "b", "a"]
    pq.write_table(table.drop_columns("video_id"), path)
    with pytest.raises(UserError, match=r"mit.parquet: not a readable predictions file .no video_id"):
        read_answers([folder], "mit")
