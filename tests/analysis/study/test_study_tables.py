"""A study as it was run: trainings, deviations from the design, seeds, curves, and the sentences of the report."""

import json
import math
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest

from multitrain.analysis.claims import claim_sentences
from multitrain.analysis.study import study_report
from multitrain.analysis.study.study_tables import write_study
from multitrain.common.errors import UserError
from tests.analysis.packed.made import CLIPS, FEW, SCALE, SMALL, make
from tests.analysis.tabled import claims_table, measured_table
from tests.csv_rows import csv_rows

RUNS = ("k400_baseline", "mit_baseline", "k700_baseline", "multitrain", "wo_projection", "multitrain_k700")


@pytest.fixture(scope="module")
def studied(tmp_path_factory) -> Path:
    """A made-up study of two seeds, as it should be; no test changes it."""
    root = make(tmp_path_factory.mktemp("study"), 0, 1)
    write_study(SCALE, SMALL, (0, 1), root, root / "measured")
    return root


@pytest.fixture
def study(studied, tmp_path) -> Path:
    return Path(shutil.copytree(studied, tmp_path / "study"))


def read(path: Path) -> list[dict[str, str]]:
    return csv_rows(path)


def again(root: Path, *seeds: int, measured: Path | None = None) -> list[tuple[str, str]]:
    """Kinds and texts of the deviations, but for those that every such small study has."""
    write_study(SCALE, SMALL, seeds or (0, 1), root, measured or root / "measured")
    return [(row["kind"], row["what"]) for row in read(root / "deviations.csv") if row["kind"] != "test videos"]


def record(root: Path, run: str, seed: int, **changed: object) -> None:
    path = root / "runs" / SCALE.name / run / f"seed{seed}" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


NO_PLATEAU = ("plateau", "no plateau was measured ({}/ci/plateau.csv: not there)")


def test_a_study_as_designed_deviates_in_what_no_run_shows_alone(studied):
    found = [(row["kind"], row["what"]) for row in read(studied / "deviations.csv")]
    assert found[:2] == [
        ("test videos", "K400: 4 test videos; a verdict takes 100"),
        ("test videos", "MiT: 4 test videos; a verdict takes 100"),
    ]
    assert found[3:] == [("plateau", NO_PLATEAU[1].format(studied / "measured"))]


def test_every_training_of_the_design_has_a_row(studied):
    rows = read(studied / "runs.csv")
    assert {(row["run"], row["seed"]) for row in rows} == {(run, seed) for run in RUNS for seed in "01"}
    row = next(row for row in rows if row["run"] == "multitrain")
    assert (row["method"], row["trained"], row["world"], row["differs"]) == ("MultiTrain", "yes", "0", "")
    assert (row["processor"], row["code"], row["datasets"], row["clips"]) == ("any (some)", "abc", "K400, MiT", "40")
    assert float(row["hours"]) == pytest.approx(1.5 / 3600, abs=1e-4)


def test_seeds_and_arms_that_are_missing_are_named(study):
    home = study / "runs" / SCALE.name
    shutil.rmtree(home / "multitrain" / "seed1")
    shutil.rmtree(home / "mit_baseline")
    assert again(study)[:2] == [
        ("arm without runs", "Baseline on MiT: not trained"),
        ("seeds missing", "MultiTrain: seeds 0 of 0-1"),
    ]
    rows = {(row["run"], row["seed"]): row["trained"] for row in read(study / "runs.csv")}
    assert (rows["multitrain", "0"], rows["multitrain", "1"], rows["mit_baseline", "0"]) == ("yes", "no", "no")
    assert {row["run"] for row in read(study / "seeds.csv")} == set(RUNS) - {"mit_baseline"}


def test_one_world_of_several_is_said(study):
    for run_seeds, said in ((1, False), (2, True)):
        several = SCALE.model_copy(update={"world": SCALE.world.model_copy(update={"run_seeds": run_seeds})})
        write_study(several, SMALL, (0, 1), study, study / "measured")
        kinds = [row["kind"] for row in read(study / "deviations.csv")]
        assert ("worlds" in kinds) == said
        worlds = {row["world"] for row in read(study / "runs.csv")}
        assert worlds == ({"0"} if said else {"0", "1"})
    assert "one world (0) of a scale of several" in (study / "deviations.csv").read_text()


def test_one_seed_is_said(study):
    assert again(study, 1)[0] == (
        "seeds",
        "one seed (1): no claim has a verdict, and intervals are of other videos alone",
    )


@pytest.mark.parametrize(
    ("changed", "deviation"),
    [
        (
            {"pixels": 99},
            ("settings", f"MultiTrain, seed 1: pixels is 99, and {SCALE.sizes['base']} in the design"),
        ),
        ({"code": "new"}, ("numerical code", "several versions: abc (6 runs, 11 trainings); new (MultiTrain, seed 1)")),
        (
            {"processor": {"model": "other", "instructions": "some"}},
            ("processor", "several kinds: any (some) (6 runs, 11 trainings); other (some) (MultiTrain, seed 1)"),
        ),
        (
            {"commit": "c0ffee+"},
            ("commit", "files differed from the commit when these were trained: c0ffee+ (MultiTrain, seed 1)"),
        ),
        ({"skipped": 3}, ("steps", "MultiTrain, seed 1: 3 steps without a finite gradient")),
    ],
)
def test_a_training_unlike_the_design_or_the_others_is_named(study, changed, deviation):
    record(study, "multitrain", 1, **changed)
    assert deviation in again(study)


def test_accelerators_and_threads_are_counted(study):
    record(study, "multitrain", 0, seconds=3600, threads=2, processes=3)
    record(study, "multitrain", 1, seconds=3600, threads=2, processes=4, device="cuda")
    again(study)
    found = {
        row["seed"]: (row["hours"], row["device"]) for row in read(study / "runs.csv") if row["run"] == "multitrain"
    }
    assert found == {"0": ("6.0000", "processor"), "1": ("4.0000", "accelerator")}
    html = study_report.cost(study).to_html()
    assert "Core-hours and accelerator-hours" in html


def test_a_plateau_that_is_not_reached_or_not_measured_is_a_deviation(study, tmp_path):
    path = tmp_path / "m" / "ci" / "plateau.csv"
    path.parent.mkdir(parents=True)
    rows = [("multitrain", 40, 45), ("wo_projection", 40, 41), ("mit_baseline", 40, 40)]
    lines = ["settings,run,seed,epochs_factor,dataset,top1"]
    halves = zip((40, 42.749, 41, 43.749), (0, 0, 1, 1), (0.5, 1, 0.5, 1), strict=True)
    lines += [f"{SCALE.fingerprint},multitrain_k700,{seed},{factor},mit,{top1}" for top1, seed, factor in halves]
    for run, *pair in rows:
        for seed in range(2 if run == "mit_baseline" else 3):
            lines += [f"{SCALE.fingerprint},{run},{seed},{n + 1},mit,{top1}" for n, top1 in enumerate(pair)]
    path.write_text("\n".join(lines) + "\n")
    found = dict(text.split(": ", 1) for _, text in again(study, measured=tmp_path / "m"))
    assert found["MultiTrain"].startswith("a schedule twice as long changes val by +5.0 points (mean of 3 seeds)")
    assert "(mean of 2 seeds)" in found["Baseline on MiT"]
    doubled = "its schedule was doubled, which changed val by +2.7 points (mean of 2 seeds)"
    assert found["MultiTrain (K700 set)"] == f"{doubled}; another doubling was not measured"
    assert found["not measured"] == "Baseline on K400; Baseline on K700"
    assert not [name for name in found if name.startswith("w/o")]
    kinds = [row["kind"] for row in read(study / "measured.csv")]
    assert (kinds.count("trial"), kinds.count("doubling")) == (20, 8)
    (study / "per_class.csv").write_text("dataset,title\nmit,MiT\n")
    html = study_report.plateaus(study).to_html()
    assert "5.0" in html and ">2.7<" in html and "2.8" not in html  # 2.749, rounded once
    path.write_text(path.read_text().replace(",multitrain,", ",mulitrain,"))
    with pytest.raises(UserError, match="no run 'mulitrain' on dataset 'mit' in the experiments: correct the row"):
        again(study, measured=tmp_path / "m")


def test_each_seeds_accuracy_stands_beside_the_mean(studied):
    rows = [row for row in read(studied / "seeds.csv") if (row["run"], row["dataset"]) == ("multitrain", "mit")]
    assert [row["seed"] for row in rows] == ["0", "1"]
    tops = [float(row["top1"]) for row in rows]
    assert [float(row["top1_mean"]) for row in rows] == pytest.approx([sum(tops) / 2] * 2, abs=0.01)
    assert float(rows[0]["top1_low"]) <= min(tops) and float(rows[0]["top1_high"]) >= max(tops)
    assert {row["clips"] for row in rows} == {str(CLIPS)} and rows[0]["top1_projected"]
    alone = next(row for row in read(studied / "seeds.csv") if row["run"] == "mit_baseline")
    assert alone["top1_projected"] == ""


def test_a_curve_is_the_cross_entropy_of_a_clip_by_share_of_the_schedule(study):
    path = study / "runs" / SCALE.name / "multitrain" / "seed0" / "history.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for place, line in enumerate(lines):
        line["classification"] = {"k400": 1.0, "mit": 4.0 * (place >= len(lines) / 2)}
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    again(study)
    curves = pd.read_parquet(study / "curves.parquet")
    its = curves[(curves["run"] == "multitrain") & (curves["seed"] == 0)]
    assert its["share"].is_monotonic_increasing and 0.9 < its["share"].iloc[-1] <= 1
    assert its["loss"].iloc[0] == 1 and its["loss"].iloc[-1] == 5
    assert len(its) == 50 and len(curves[curves["run"] == "mit_baseline"]) == 2 * FEW


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": None}, "steps: "),
        ({"datasets": 3}, "datasets: "),
        ({"processor": "fast"}, "processor: "),
    ],
)
def test_a_damaged_record_is_named(study, changed, message):
    record(study, "multitrain", 1, **changed)
    with pytest.raises(
        UserError, match=rf"multitrain/seed1/run.json: not the record of a run .{message}.*train the run again"
    ):
        again(study)


def test_a_study_without_a_training_is_told(tmp_path):
    with pytest.raises(UserError, match=r"runs/ci/k400_baseline/seed4/run.json: no such file: `multitrain train`"):
        write_study(SCALE, SMALL, (4,), tmp_path, tmp_path)


class Text(HTMLParser):
    def __init__(self, html: str):
        super().__init__()
        self.said = ""
        self.feed(html)
        self.said = " ".join(self.said.split())

    def handle_data(self, data):
        self.said += data


def claim(**changed: object) -> pd.Series:
    row = {"text": "A <b> claim.", "stated_by": "paper", "claim_verdict": "holds", "difference": 4.0, "low": 1.0}
    row |= {"high": 7.0, "p_adjusted": 0.01, "holds_if_paper_right": 0.125, "paper_difference": 1.5}
    return pd.Series(row | {"missing": ""} | changed)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {},
            "Holds here: A <b> claim: our difference is +4.0 points (95% interval +1.0 to +7.0; adjusted p 0.010); were"
            " the paper's +1.5 the truth here, the rule would say holds with probability 12%.",
        ),
        (
            {"claim_verdict": "undetermined"},
            "with probability 12%, so that it cannot be shown here even if the paper is right.",
        ),
        (
            {"claim_verdict": "one seed: no verdict", "p_adjusted": math.nan, "holds_if_paper_right": math.nan},
            "No verdict from one seed: A <b> claim: our difference is +4.0 points (95% interval +1.0 to +7.0; of videos"
            " alone); the paper's is +1.5, and how often the rule would find that is not known from these runs.",
        ),
        ({"by_world": (5.0, 3.0)}, "+1.0 to +7.0; adjusted p 0.010; by world +5.0, +3.0); were"),
        ({"low": math.nan, "high": math.nan}, "(no interval, as no answer differs; adjusted p 0.010)"),
        ({"paper_difference": math.nan, "stated_by": "us"}, "(ours, not in the paper): our difference is"),
        (
            {"difference": math.nan, "claim_verdict": "not run", "missing": "Vanilla: not run"},
            "Not run: A <b> claim: Vanilla: not run.",
        ),
    ],
)
def test_a_claim_is_a_sentence(changed, said):
    assert said in Text(claim_sentences.sentence(claim(**changed))).said


def test_primary_claims_come_with_what_is_the_same_fact(tmp_path):
    claims_table({"scale": "ci", "synthetic": "yes"}, (0, 1)).to_csv(tmp_path / "claims.csv", index=False)
    primary, others = (Text(claim_sentences.verdicts(tmp_path, primary=its)).said for its in (True, False))
    assert "A <b> claim" in primary and "A second" in primary and "A third" not in primary
    assert "A third" in others and "A second" not in others
    html = claim_sentences.verdicts(tmp_path, primary=True)
    assert [part.count("<li>") for part in html.split("A second")] == [2, 0] and html.endswith("</li></ul></li></ul>")
    assert "Primary claims" in primary and "The others" in others
    table = pd.read_csv(tmp_path / "claims.csv").assign(primary="no")
    table.to_csv(tmp_path / "claims.csv", index=False)
    assert claim_sentences.verdicts(tmp_path, primary=True) == ""
    assert "<h3>" not in claim_sentences.verdicts(tmp_path, primary=False)
    said = Text(claim_sentences.counts(tmp_path)).said
    assert "claims of the paper that are differences of accuracies: holds: 1. An indented claim is the fact" in said
    assert "not counted again. The probability beside a verdict" in said
    alone = table.assign(same_fact_as=math.nan)
    alone.to_csv(tmp_path / "claims.csv", index=False)
    assert "indented" not in claim_sentences.counts(tmp_path)


def test_a_study_without_claims_of_the_paper_names_no_paper(tmp_path):
    table = claims_table({"scale": "ci", "synthetic": "no"}, (0, 1))
    own = {"stated_by": "us", "section": "", "paper_difference": math.nan, "holds_if_paper_right": math.nan}
    table.assign(**own).to_csv(tmp_path / "claims.csv", index=False)
    said = [claim_sentences.verdicts(tmp_path, primary=primary) for primary in (True, False)]
    said.append(claim_sentences.counts(tmp_path))
    assert "Of 2 claims that are differences of accuracies: holds: 1, undetermined: 1." in Text(said[-1]).said
    assert "A third: our difference" in Text(said[1]).said and "paper" not in "".join(said)
    rows = pd.DataFrame({"source": ["ours", "ours"]})
    assert study_report.published_note(rows) == ""
    assert "Grey: the paper's rows" in study_report.published_note(rows.assign(source=["published", "ours"]))


def test_claims_that_were_not_run_are_folded_below_the_missing_runs(tmp_path):
    table = claims_table({"scale": "ci", "synthetic": "yes"}, (0, 1))
    table.loc[table["claim"] == "again", ["claim_verdict", "difference", "missing"]] = [
        "not run",
        math.nan,
        "Vanilla: not run; Baseline on MiT: not run",
    ]
    table.to_csv(tmp_path / "claims.csv", index=False)
    shown, folded = claim_sentences.verdicts(tmp_path, primary=True).split("<details>")
    assert "claim: our difference is +4.0" in Text(shown).said and "A second" not in shown
    assert folded.startswith("<summary>1 not run: Vanilla, Baseline on MiT</summary><ul><li><b>Not run</b>: A second")
    assert "<details>" not in claim_sentences.verdicts(tmp_path, primary=False)


def test_what_was_run_and_how_to_repeat_it_are_those_of_the_records(study):
    record(study, "multitrain", 1, commit="c0ffee+")
    again(study)
    said = Text(study_report.what_was_run(study)).said
    assert "Seeds: 0-1, 12 trainings of 12 asked for." in said
    assert "Scale ci, on synthetic videos." in said and "c0ffee+" in said and "world 0: seeds 0-1" in said
    runs = pd.read_csv(study / "runs.csv", keep_default_na=False)
    runs.assign(world=runs["seed"]).to_csv(study / "runs.csv", index=False)
    assert "Worlds: world 0: seed 0; world 1: seed 1." in Text(study_report.what_was_run(study)).said
    again(study)
    repeat = Text(study_report.repeat(study)).said
    assert "git checkout c0ffee " in repeat and "--config scale=ci 'seeds=[0,1]' results=results/ci" in repeat
    html = study_report.runs(study).to_html()
    assert "c0ffee+" in html and ">0-1<" in html and "any (some)" in html


def test_less_power_than_designed_is_a_deviation_of_primary_claims(tmp_path):
    claims = claims_table({"scale": "ci", "synthetic": "yes"}, (0, 1))
    (tmp_path / "deviations.csv").write_text("kind,what,scale\n")
    for power, said in (("0.75", True), ("0.81", False), ("", False)):
        claims.assign(holds_if_aimed=power).to_csv(tmp_path / "claims.csv", index=False)
        text = Text(study_report.deviations(tmp_path)).said
        assert text.endswith("with probability 80%, and would be with 75% (A <b> claim).") == said
        assert (text == "None was found.") == (not said)


def test_what_was_measured_is_said(tmp_path):
    measured_table().to_csv(tmp_path / "measured.csv", index=False)
    assert "No plateau was measured: a.csv: not there." in Text(study_report.notes(tmp_path)).said
    assert study_report.plateaus(tmp_path) is None


def test_what_other_records_answer_is_a_sentence_with_few_numbers(tmp_path):
    rows = [
        {"claim": "a", "text": "It is.", "part": f"seed {seed}", "ours": str(seed), "claim_verdict": "mixed"}
        for seed in range(8)
    ]
    rows.append({"claim": "b", "text": "So.", "part": "K400", "ours": "", "claim_verdict": "not comparable here"})
    pd.DataFrame(rows).to_csv(tmp_path / "evidence.csv", index=False)
    said = Text(claim_sentences.evidence(tmp_path)).said
    assert "Mixed: It is: seed 0: 0;" in said and "seed 5: 5; and 2 more in evidence.csv." in said
    assert said.endswith("Not comparable here: So.") and said.startswith("Claims that other records answer")
    pd.DataFrame(rows[:0], columns=list(rows[0])).to_csv(tmp_path / "evidence.csv", index=False)
    assert claim_sentences.evidence(tmp_path) == ""
