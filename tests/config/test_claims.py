"""Claims: the shipped ones fit every scale; a mistake in them is one message; their parts and contrasts."""

from pathlib import Path

import pytest
import yaml

from multitrain.common.errors import UserError
from multitrain.config.claims import Claim, Claims, Term
from multitrain.config.config_files import load_claims, load_experiments, load_scale
from multitrain.config.experiments import Experiments

CONFIG = Path(__file__).parents[2] / "config"
SCALES = sorted(path.stem for path in (CONFIG / "scales").glob("*.yaml"))
TITLES = {"k400": "K400", "mit": "MiT", "ssv2": "SSv2", "actnet": "ActNet"}
ALL = tuple(TITLES)
CLAIM = {
    "section": "4.2",
    "quote": "It is so.",
    "text": "A.",
    "table": "table1",
    "left": "MultiTrain",
    "right": "Baseline",
}


@pytest.fixture(scope="module")
def experiments() -> Experiments:
    return load_experiments(CONFIG)


def load(folder: Path, experiments: Experiments, content: object) -> Claims:
    (folder / "claims.yaml").write_text(yaml.safe_dump(content))
    return load_claims(folder, experiments)


@pytest.mark.parametrize("name", SCALES)
def test_shipped_claims_fit_each_shipped_scale(name: str):
    claims = load_claims(CONFIG, load_experiments(CONFIG, load_scale(name, CONFIG)))
    assert {claim.stated_by for claim in claims.claims.values()} == {"paper", "us"}


def test_shipped_claims_use_every_method_of_the_ablations(experiments: Experiments):
    claims = load_claims(CONFIG, experiments)
    used = {method for claim in claims.claims.values() for method in (claim.left, claim.right)}
    assert {row.method for table in experiments.tables.values() for row in table.rows} == used


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"tabel": "table1"},
            r"claims.yaml: claims.one.tabel: no such key \(its value is .table1.\): did you mean table\?",
        ),
        ({"table": "table9"}, r"claims.yaml: claims.one.table: no table 'table9': did you mean 'table.'\?"),
        ({"left": "Multitrain"}, r"claims.yaml: claims.one.left: no method 'Multitrain': did you mean 'MultiTrain'\?"),
        ({"right": "xyz"}, r"claims.one.right: no method 'xyz': there are Baseline, "),
        ({"datasets": ["k40"]}, r"claims.one.datasets: no dataset 'k40': did you mean 'k400'\?"),
        ({"datasets": ["k700"]}, r"claims.one.datasets: no dataset 'k700': did you mean 'k400'\?"),
        (
            {"datasets": ["mit"], "reference_datasets": ["imagenet"]},
            r"claims.one.reference_datasets: no dataset 'imagenet'",
        ),
        (
            {"reference_datasets": ["mit"]},
            r"claims.one: reference_datasets needs datasets: name those on which left - right is larger",
        ),
        ({"datasets": ["mit"], "reference_datasets": ["mit"]}, r"claims.one: dataset mit is named twice"),
        (
            {"reference_datasets": ["mit"], "datasets": ["k400"], "right_offset": 1.0},
            r"claims.one: left_factor and right_offset have no meaning",
        ),
        ({"left": "Baseline"}, r"claims.one: left and right are both 'Baseline'"),
        (
            {"quote": ""},
            r"claims.one: a claim of the paper needs its quote: take the sentence, or say that we state it",
        ),
        ({"same_fact_as": "two"}, r"claims.yaml: claims.one.same_fact_as: no other claim 'two': there are one"),
        ({"same_fact_as": "one"}, r"claims.yaml: claims.one.same_fact_as: no other claim 'one'"),
        ({"left_factor": 0}, r"claims.one.left_factor: Input should be greater than 0"),
        ({"kind": "mean"}, r"claims.one.kind: no such key"),
        (
            {"table": "table3", "left": "w/o ActNet"},
            r"claims.one.left: 'w/o ActNet' was not trained on actnet: take it from the datasets",
        ),
        (
            {"table": "table3", "right": "Baseline, steps of MultiTrain", "datasets": ["mit"]},
            r"claims.one.right: no row of paper.table3 for 'Baseline, steps of MultiTrain': there are Baseline, Mul",
        ),
    ],
)
def test_a_mistake_in_a_claim_is_named(tmp_path: Path, experiments: Experiments, change: dict, message: str):
    papers = {method: {"method": method} for method in ("MultiTrain", "Baseline")}
    three = {**papers, "w/o ActNet": {"method": "w/o ActNet"}}
    content = {"paper": {"table1": papers, "table3": three}, "claims": {"one": CLAIM}}
    load(tmp_path, experiments, content)
    content["claims"]["one"] = CLAIM | change
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path, experiments, content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("paper", "message"),
    [
        ({"table0": {}}, r"claims.yaml: paper: no table 'table0': did you mean"),
        ({"table1": {"Baselin": {"method": "x"}}}, r"paper.table1: no method 'Baselin': did you mean 'Baseline'\?"),
        ({"table1": {"Baseline": {"method": "x", "table": "t"}}}, r"paper.table1.Baseline.table: no table 't'"),
        (
            {"table1": {"Baseline": {"methd": "x"}}},
            r"paper.table1.Baseline.methd: no such key \(its value is .x.\): did you mean method\?",
        ),
    ],
)
def test_a_mistake_in_the_papers_rows_is_named(tmp_path: Path, experiments: Experiments, paper: dict, message: str):
    with pytest.raises(UserError, match=message):
        load(tmp_path, experiments, {"paper": paper, "claims": {"one": CLAIM | {"stated_by": "us"}}})


def test_a_missing_file_is_refused_and_one_without_claims_is_not(tmp_path: Path, experiments: Experiments):
    with pytest.raises(UserError, match=r"claims.yaml: no such file"):
        load_claims(tmp_path, experiments)
    assert load(tmp_path, experiments, {"paper": {}, "claims": {}}).claims == {}


def parts(**settings: object) -> list[tuple[str, str]]:
    return [(part.label, part.text) for part in Claim(**{**CLAIM, **settings}).parts(ALL, TITLES)]


def test_labels_and_texts_of_parts():
    assert parts(datasets=("mit", "ssv2")) == [
        ("mean", "MultiTrain > Baseline, mean of MiT, SSv2"),
        ("MiT", "MultiTrain > Baseline, MiT"),
        ("SSv2", "MultiTrain > Baseline, SSv2"),
    ]
    assert [label for label, _ in parts()] == ["mean", "K400", "MiT", "SSv2", "ActNet"]
    assert parts(left_factor=0.5, datasets=("mit",)) == [("MiT", "0.5 x MultiTrain > Baseline, MiT")]
    assert parts(right_offset=-1.0, datasets=("mit",)) == [("MiT", "MultiTrain > Baseline - 1.0, MiT")]
    assert parts(right_offset=2.5, datasets=("mit",)) == [("MiT", "MultiTrain > Baseline + 2.5, MiT")]
    assert parts()[0] == ("mean", "MultiTrain > Baseline, mean of K400, MiT, SSv2, ActNet")
    assert parts(datasets=("mit", "ssv2"), reference_datasets=("k400",)) == [
        ("MiT, SSv2 > K400", "MultiTrain - Baseline: MiT, SSv2 > K400"),
        ("MiT > K400", "MultiTrain - Baseline: MiT > K400"),
        ("SSv2 > K400", "MultiTrain - Baseline: SSv2 > K400"),
    ]


def test_a_comparison_with_reference_datasets_weighs_four_accuracies():
    (part,) = Claim(**CLAIM, datasets=("mit",), reference_datasets=("k400",)).parts(ALL, TITLES)
    assert set(part.terms) == {
        Term(1, "MultiTrain", "mit"),
        Term(-1, "Baseline", "mit"),
        Term(-1, "MultiTrain", "k400"),
        Term(1, "Baseline", "k400"),
    }
    assert part.datasets == ("mit", "k400")


def test_the_claim_itself_comes_first_and_single_datasets_after_it():
    whole = [part.whole for part in Claim(**CLAIM).parts(ALL, TITLES)]
    assert whole == [True, *[False] * len(ALL)]
    (mean, *_) = Claim(**CLAIM, datasets=("mit", "ssv2"), reference_datasets=("k400",)).parts(ALL, TITLES)
    assert {(term.weight, term.method, term.dataset) for term in mean.left.terms} == {
        *((0.5, "MultiTrain", name) for name in ("mit", "ssv2")),
        *((-0.5, "Baseline", name) for name in ("mit", "ssv2")),
    }


def test_more_than_eight_primary_claims_are_refused(tmp_path: Path, experiments: Experiments):
    claims = {f"claim{number}": CLAIM | {"primary": True, "stated_by": "us"} for number in range(9)}
    load(tmp_path, experiments, {"paper": {}, "claims": claims | {"claim8": claims["claim8"] | {"primary": False}}})
    with pytest.raises(UserError, match=r"claims.yaml: .*9 claims are primary, of at most 8: take .* from 'claim8'"):
        load(tmp_path, experiments, {"paper": {}, "claims": claims})


def test_a_side_is_the_sum_of_its_terms_and_none_if_a_number_is_missing():
    part, *_ = Claim(**CLAIM, left_factor=0.5, right_offset=-3.0).parts(ALL, TITLES)
    numbers = {("MultiTrain", name): value for name, value in zip(ALL, (10, 20, 30, 60), strict=True)}
    assert part.left.value(lambda *key: numbers[key]) == pytest.approx(15)
    assert part.right.value(lambda *key: 40.0) == pytest.approx(37)
    assert part.right.value(lambda method, dataset: None if dataset == "mit" else 1.0) is None
