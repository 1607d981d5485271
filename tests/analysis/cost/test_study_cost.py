"""Core-hours and energy of a packed study: sums of its records, by part."""

import json
from pathlib import Path

import pytest

from multitrain.analysis.cost.energy import Power
from multitrain.analysis.cost.estimate import counts, default_speed, estimate
from multitrain.analysis.cost.study_cost import Part, cells, searched, study_parts
from multitrain.analysis.packed.packed_study import Key, read_study
from multitrain.cli.commands.packed_commands import cost
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_settings

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "docs" / "notes" / "mini-table1.parquet"
PUBLISHED = ROOT / "resources" / "published"


def test_the_formula_is_that_of_green_algorithms():
    """Their worked terms: hours x (cores x W x usage + GB x W/GB) x PUE / 1000."""
    assert Power(core=12, memory=0.3725, gigabytes=4, overhead=1.67).kwh(100) == pytest.approx(2.252830)
    assert Power(core=10, memory=0, overhead=1).kwh(1000) == pytest.approx(10)
    assert Power(core=0, gigabytes=64, overhead=1).kwh(1000) == pytest.approx(23.84)


def test_trainings_are_summed_from_their_records_by_part():
    study = read_study(STUDY)
    records = [json.loads(text) for key, text in study.texts.items() if key.name == "run.json"]
    baselines, joint, tests = study_parts(study, PUBLISHED)
    for part, several in ((baselines, False), (joint, True)):
        its = [each for each in records if (len(each["datasets"]) > 1) == several]
        assert part.trainings == len(its) and part.source == "records"
        assert part.core_hours == pytest.approx(sum(each["seconds"] for each in its) / 3600)
    assert (tests.name, tests.source) == ("tests", "estimate") and 0 < tests.core_hours < joint.core_hours
    key = next(key for key in study.texts if key.name == "run.json" and key.run == "multitrain")
    record = json.loads(study.texts[key])
    study.texts[key] = json.dumps({**record, "threads": 2, "processes": 3})
    more = study_parts(study, PUBLISHED)[1].core_hours - joint.core_hours
    assert more == pytest.approx(5 * record["seconds"] / 3600)


def test_a_run_on_an_accelerator_is_refused_by_its_name():
    study = read_study(STUDY)
    key = Key("multitrain", 3, name="run.json")
    study.texts[key] = json.dumps({**json.loads(study.texts[key]), "device": "cuda"})
    with pytest.raises(UserError, match=r"mini-table1.parquet: run multitrain, seed 3: run.json: no seconds of a proc"):
        study_parts(study, PUBLISHED)


def test_a_search_costs_its_trainings_by_estimate(tmp_path: Path):
    scale, experiments = load_settings("ci", ROOT / "config")
    path = tmp_path / "tried.csv"
    path.write_text("run,seed,schedule\nvanilla,0,\nvanilla,1,2\nk400_baseline,0,\n")
    videos = counts(scale, tmp_path, PUBLISHED)
    hours = {each.run: each.train_hours for each in estimate(scale, experiments, videos, default_speed(scale))}
    (part,) = searched([path], scale, experiments, PUBLISHED)
    assert (part.name, part.trainings) == ("tried.csv", 3)
    assert part.core_hours == pytest.approx(3 * hours["vanilla"] + hours["k400_baseline"])
    path.write_text("run,seed\nvanila,0\n")
    with pytest.raises(UserError, match=r"tried.csv: no run 'vanila' at scale ci: name a file of its search"):
        searched([path], scale, experiments, PUBLISHED)


def test_the_last_row_is_the_sum(capsys):
    rows = cells([Part("one", 2, 1.5, "records"), Part("two", 0, 0.25, "estimate")], Power(10, 0, 0, 1))
    assert rows == [
        ("one", "2", "1.50", "0.015", "records"),
        ("two", "-", "0.25", "0.003", "estimate"),
        ("in all", "2", "1.75", "0.018", "records and estimate"),
    ]
    cost(STUDY, PUBLISHED)
    said = capsys.readouterr().out
    assert "baselines" in said and "12 W a core" in said
