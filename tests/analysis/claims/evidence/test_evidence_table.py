"""Claims that other records answer, on records whose answers are known."""

import csv

import numpy as np
import pandas as pd
import pytest

from multitrain.analysis.claims.evidence import history_claims, related_claims
from multitrain.analysis.claims.evidence.evidence_records import Records
from multitrain.analysis.claims.evidence.evidence_results import common_verdict
from multitrain.analysis.claims.evidence.evidence_table import KINDS, write_evidence
from multitrain.analysis.claims.verdict_rule import FAILS, HOLDS, MIXED, OPEN
from multitrain.analysis.render.columns import EVIDENCE
from multitrain.analysis.render.table_files import read_rows
from multitrain.common.errors import UserError
from multitrain.config.claims import Claims, EvidenceClaim
from multitrain.config.config_files import load_claims
from tests.analysis.claimed import PUBLISHED, ROOT
from tests.analysis.planted import plant, relation_files
from tests.analysis.planted import write as write_planted

SAID = {"section": "4", "quote": "It is so.", "text": "So it is.", "table": "table3", "left": "w/o Informative Loss"}
JOINT = ("k400", "mit", "ssv2", "actnet")


def records(results, *seeds: int) -> Records:
    claims = load_claims(ROOT / "config", results.experiments)
    return Records(results.scale, results.experiments, claims, seeds or (0,), results.root, PUBLISHED)


def answer(results, kind: str, *seeds: int, **settings: object):
    """The answer to a claim of that kind."""
    claim = EvidenceClaim(**{**SAID, "kind": kind, **settings})
    return KINDS[kind](claim, records(results, *seeds))


def histories_of(results, **runs: dict[int, list[float]]) -> None:
    """training.parquet: for each run and seed L_k of each dataset, one a tenth of the steps, a bit up and down.

    Of one loss there are three steps, too few for anything.
    """
    rows = []
    for run, its in runs.items():
        for seed, losses in its.items():
            for step in range(3 if len(losses) == 1 else 5 * len(losses)):
                value = losses[step // 5] + (0.01 if step % 2 else -0.01)
                row = {"run": run, "seed": seed, "step": step, "epoch": step / 2, "total": value, "variance": value}
                (results.folder / run / f"seed{seed}").mkdir(parents=True, exist_ok=True)
                (results.folder / run / f"seed{seed}" / "run.json").touch()
                row |= {"scale": "mini", "synthetic": "yes", **{f"classification.{name}": value for name in JOINT}}
                rows.append(row)
    pd.DataFrame(rows).to_parquet(results.root / "training.parquet")


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        ([HOLDS, HOLDS], HOLDS),
        ([FAILS], FAILS),
        ([HOLDS, FAILS], MIXED),
        ([HOLDS, OPEN], OPEN),
        ([HOLDS, FAILS, OPEN], MIXED),
        ([], OPEN),
    ],
)
def test_a_claim_has_the_verdict_that_all_parts_share(verdicts: list[str], verdict: str):
    assert common_verdict(verdicts) == common_verdict(verdicts[::-1]) == verdict


FALLING = [4.0, 3.5, 3.0, 2.5, 2.0, 1.5, 1.0, 0.8, 0.6, 0.5]
LEVEL = [2.0, 2.02, 1.98, 2.0, 2.01, 1.99, 2.0, 2.0, 2.01, 1.95]
UNEVEN = [4.0, 3.0, 2.0, 1.0, 1.3, 1.2, 1.1, 1.0, 0.9, 0.9]  # rises again, by a tenth of its fall
RISING = [4.0, 3.0, 2.0, 1.0, 1.5, 2.0, 2.5, 2.0, 1.5, 1.0]


@pytest.mark.parametrize(("losses", "verdict"), [(LEVEL, HOLDS), (FALLING, FAILS), ([2.0], OPEN)])
def test_a_loss_stands_still_or_falls_or_has_too_few_steps(results, losses: list[float], verdict: str):
    histories_of(results, wo_informative={0: losses})
    found = answer(results, "loss", bound=0.9)
    assert found.verdict == verdict
    assert verdict == OPEN or found.findings[0].value == pytest.approx(losses[-1] / losses[0], rel=0.01)


def test_seeds_that_say_different_things_are_mixed(results):
    histories_of(results, wo_informative={0: LEVEL, 3: FALLING})
    found = answer(results, "loss", 0, 1, 3, bound=0.9)  # seed 1 is of other runs
    assert [each.part for each in found.findings] == ["seed 0", "seed 3"]
    assert [each.verdict for each in found.findings] == [HOLDS, FAILS]
    assert found.verdict == MIXED


@pytest.mark.parametrize(("last", "verdict"), [(0.02, HOLDS), (0.5, FAILS)])
def test_the_variance_term_is_down_at_the_end_or_not(results, last: float, verdict: str):
    histories_of(results, multitrain={0: [*np.linspace(1, 0.5, 9), last]})
    assert answer(results, "spread", left="MultiTrain", bound=0.1).verdict == verdict


@pytest.mark.parametrize(
    ("losses", "rise", "fall"),
    [([4, 3, 2, 1], 0, 3), ([4, 2, 3, 0], 1, 4), ([4, 1, 3, 0], 2, 4), ([1, 2, 3, 4], 3, 0), ([4, 1, 3, 2], 2, 3)],
)
def test_the_largest_setback_is_a_rise_above_the_lowest_so_far(losses: list[float], rise: float, fall: float):
    found = history_claims.largest_setback(np.array(losses, dtype=float), np.full(4, 0.1))
    assert found == pytest.approx((rise, fall, 0.3 * np.sqrt(2)))


@pytest.mark.parametrize(
    ("losses", "verdict"), [(RISING, HOLDS), (FALLING, FAILS), (UNEVEN, FAILS), (RISING[3:6] * 3, HOLDS)]
)
def test_training_is_unstable_where_the_loss_rises_again(results, losses: list[float], verdict: str):
    histories_of(results, vanilla={0: losses})
    assert answer(results, "setback", left="Vanilla", bound=0.25).verdict == verdict


def test_steps_too_noisy_for_a_rise_to_show_decide_nothing(results):
    histories_of(results, vanilla={0: FALLING})
    frame = pd.read_parquet(results.root / "training.parquet")
    noise = np.resize([3.0, -3.0, 0.0, 3.0, -3.0], len(frame))  # each tenth's mean stays
    for name in JOINT:
        frame[f"classification.{name}"] += noise
    frame.to_parquet(results.root / "training.parquet")
    assert answer(results, "setback", left="Vanilla", bound=0.25).verdict == OPEN


def spectra(results, **runs: list[float]) -> None:
    """spectrum.csv of z's eigenvalues by run."""
    lines = ["run,seed,space,index,eigenvalue,effective_rank,dimensions"]
    for run, values in runs.items():
        (results.folder / run / "seed0").mkdir(parents=True)
        (results.folder / run / "seed0" / "run.json").touch()
        shares = np.array(values) / sum(values)
        rank = float(np.exp(-(shares * np.log(shares)).sum()))
        lines += [f"{run},0,z,{i},{value},{rank:.4f},{len(values)}" for i, value in enumerate(values, 1)]
        lines += [f"{run},0,z',1,99,1.0,1"]  # of the expander: not asked
    (results.root / "spectrum.csv").write_text("\n".join([*lines, ""]))


@pytest.mark.parametrize(
    ("left", "verdict"),
    [([8.0, 0.1, 0.1, 0.1], HOLDS), ([2.0, 2.0, 2.0, 2.0], FAILS), ([0.01, 0.01, 0.01, 0.01], HOLDS)],
)
def test_an_embedding_collapses_by_its_rank_or_its_variance(results, left: list[float], verdict: str):
    spectra(results, wo_informative=left, multitrain=[2.0, 2.0, 2.0, 1.9])
    assert answer(results, "collapse", right="MultiTrain", bound=0.5).verdict == verdict


def planted(results, tmp_path, weight) -> None:
    plant(results, "multitrain_large", weight)
    write_planted(results, "multitrain_large", relations=relation_files(tmp_path))


LARGE = {"table": "table1", "left": "MultiTrain (large)"}


def namesakes_last(source: str, target: str) -> np.ndarray:
    """Weights into each class fall with the source class's place: `clapping`, k400's and mit's first, comes first."""
    shape = {"k400": 4, "mit": 3, "ssv2": 2, "actnet": 5}
    return -np.tile(np.arange(shape[source], dtype=float), (shape[target], 1))


@pytest.mark.parametrize(("sign", "verdict"), [(1, FAILS), (-1, HOLDS)])
def test_a_namesake_has_the_largest_weight_or_another_has(results, tmp_path, sign: int, verdict: str):
    """`clapping` is of k400 and mit, first in both; `hula hooping` of k400 is not called as `Hula hoop` of actnet."""
    planted(results, tmp_path, lambda source, target: sign * namesakes_last(source, target))
    found = answer(results, "same_name", **LARGE)
    assert found.verdict == verdict
    assert found.findings[0].ours.startswith("2 of 2" if sign == 1 else "0 of 2")
    assert found.paper == "sneezing: place 5 of MiT → K400"


def test_equal_weights_are_no_largest_one(results, tmp_path):
    planted(results, tmp_path, lambda source, target: 0 * namesakes_last(source, target))
    assert answer(results, "same_name", **LARGE).verdict == HOLDS


@pytest.mark.parametrize(("stated", "verdict"), [(100, FAILS), (65, HOLDS)])
def test_the_overlap_of_classes_is_held_against_the_papers(results, tmp_path, stated: int, verdict: str):
    """Of actnet's five planted classes two have a related class in k400, the same one."""
    files = {path.stem: path for path in relation_files(tmp_path)}
    for line in ("k400,hula hooping,actnet,Tumbling,part", "actnet,Tumbling,k400,hula hooping,part"):
        with files[line.split(",")[0]].open("a") as stream:
            stream.write(f"{line}\n")
    plant(results, "multitrain_large", namesakes_last)
    write_planted(results, "multitrain_large", relations=tuple(files.values()))
    text = (PUBLISHED / "text.csv").read_text().replace(",65,", f",{stated},")
    (tmp_path / "text.csv").write_text(text)
    claim = EvidenceClaim(**{**SAID, **LARGE, "kind": "overlap", "datasets": ("actnet", "k400")})
    asked = records(results)
    asked = Records(asked.scale, asked.experiments, asked.claims, (0,), results.root, tmp_path)
    found = related_claims.overlap(claim, asked)
    assert (found.verdict, found.findings[0].ours) == (verdict, "2 of 5, by the world's design")
    assert found.paper == f"{stated} of 200"


def recovered(results, p: dict[str, float]) -> None:
    lines = ["run,seed,source,target,form,related,average_precision,chance_average_precision,p_value"]
    for pair, value in p.items():
        source, target = pair.split()
        lines.append(f"multitrain_large,0,{source},{target},weight,3,0.4,0.1,{value}")
        lines.append(f"multitrain_large,0,{source},{target},scaled,3,0.4,0.1,{1 - value}")
    lines.append("multitrain_large,0,k400,ssv2,weight,0,,,")
    (results.root / "projection_recovery.csv").write_text("\n".join([*lines, ""]))


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        ((0.001, 0.001, 0.02), HOLDS),
        ((0.001, 0.4, 0.6), MIXED),
        ((0.04, 0.4, 0.6), OPEN),  # 0.04 of three tests is nothing
        ((0.999, 0.999, 0.99), FAILS),
    ],
)
def test_recovery_is_decided_by_corrected_permutation_tests(results, p: tuple[float, ...], verdict: str):
    recovered(results, dict(zip(("k400 mit", "mit k400", "k400 actnet"), p, strict=True)))
    assert answer(results, "recovery", **LARGE).verdict == verdict


@pytest.mark.parametrize(("low", "high", "verdict"), [(84.0, 86.0, HOLDS), (80.0, 83.0, FAILS), (83.0, 84.0, OPEN)])
def test_ours_are_held_against_published_methods_on_real_datasets_alone(results, monkeypatch, low, high, verdict):
    histories_of(results, multitrain={0: [1.0]})
    claim = {**LARGE, "kind": "printed", "right": "CoVER", "bound": 0.5, "datasets": ("k400",)}
    found = answer(results, **claim)
    assert (found.verdict, found.paper) == ("not comparable here", "K400 +0.1; 0.26 of its cost")
    frame = pd.read_parquet(results.root / "training.parquet")
    frame.assign(synthetic="no").to_parquet(results.root / "training.parquet")
    row = {"method": "MultiTrain (large)", "dataset": "k400", "top1": "83.5", "top1_low": low, "top1_high": high}
    monkeypatch.setattr("multitrain.analysis.claims.evidence.evidence_records.our_rows", lambda *_: [row])
    assert answer(results, **claim).verdict == verdict


def test_a_cost_above_the_stated_part_is_said_to_be(results):
    histories_of(results, multitrain={0: [1.0]})
    found = answer(results, "printed", **LARGE, right="MTV-B (320p)", bound=0.5)
    assert found.paper == "K400 +0.8, MiT +1.4, SSv2 +0.8; 0.55 of its cost, above 0.5"


def test_rows_are_written_and_read(results):
    histories_of(results, vanilla={0: RISING})
    shipped = load_claims(ROOT / "config", results.experiments)
    claims = Claims(
        paper=shipped.paper,
        claims=shipped.claims,
        evidence_claims={"vanilla_unstable": shipped.evidence_claims["vanilla_unstable"]},
    )
    write_evidence(results.scale, results.experiments, claims, (0,), results.root, PUBLISHED)
    (row,) = read_rows(results.root / "evidence.csv", tuple(EVIDENCE))
    with (results.root / "evidence.csv").open(newline="", encoding="utf-8") as stream:
        assert next(csv.reader(stream)) == list(EVIDENCE)
    assert (row["claim"], row["verdict"], row["claim_verdict"]) == ("vanilla_unstable", HOLDS, HOLDS)
    assert (row["bound"], row["seeds"], row["scale"], row["synthetic"]) == (0.25, (0,), "mini", "yes")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "no such file"), ("a,b\n", "no column"), (b"\xff\xfe", "not a readable table")]
)
def test_evidence_that_is_missing_or_damaged_is_named(results, content, said: str):
    path = results.root / "evidence.csv"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError, match=rf"evidence.csv: {said}.*`snakemake .*evidence.csv` makes it"):
        read_rows(results.root / "evidence.csv", tuple(EVIDENCE))


def test_what_is_not_in_a_record_is_named(results):
    histories_of(results, vanilla={0: RISING})
    with pytest.raises(UserError, match=r"training.parquet: no steps of run multitrain, seed 0"):
        answer(results, "spread", left="MultiTrain", bound=0.1)
    with pytest.raises(UserError, match=r"table1: 'Baseline' is no single run"):
        answer(results, "spread", table="table1", left="Baseline", bound=0.1)
    with pytest.raises(UserError, match=r"table1.csv: no method 'Cover', which claims.yaml names"):
        answer(results, "printed", **LARGE, right="Cover")
