"""Confusions and calibration of the study's main joint run, as outputs of the workflow."""

from pathlib import Path

import pandas as pd
import pytest

from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.packed.unpack import unpack
from multitrain.cli.commands import result_commands
from multitrain.common.errors import UserError
from multitrain.common.records.predictions import read_predictions
from multitrain.planning.outputs import ANALYSES, OUTPUTS
from tests.analysis.packed.made import CLIPS, PUBLISHED, SCALE, make, pack, settings

NAMES = ("confusion", "reliability")


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    return settings(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return make(tmp_path_factory.mktemp("study"), 0, 1)


def analysed(name: str, root: Path, config: Path, seeds: list[int]) -> pd.DataFrame:
    """The CSV file that the workflow's command writes."""
    result_commands.analyse(
        name, scale="ci", seed=seeds, config=config, data=root / "data", results=root, published=PUBLISHED
    )
    for file in ANALYSES[name].files:
        assert (root / file).stat().st_size > 100
    return pd.read_csv(root / f"errors/{name}.csv")


@pytest.mark.parametrize("seeds", [[0, 1], [1]])
def test_confusions_are_those_of_the_joint_run_of_the_first_seed(study, config, seeds):
    found = analysed("confusion", study, config, seeds)
    assert set(found["dataset"]) == {"k400", "mit"} and set(found["scale"]) == {"ci"}
    for dataset, its in found.groupby("dataset"):
        path = study / f"runs/ci/multitrain/seed{seeds[0]}/predictions/{dataset}.parquet"
        predicted = read_predictions(path)
        right = its[its["class"] == its["answered"]]
        assert (its["clips"].sum(), right["clips"].sum()) == (CLIPS, (predicted.rank == 0).sum())
        assert its.groupby("class")["clips"].sum().to_dict() == its.groupby("class")["of"].first().to_dict()


def test_reliability_is_of_every_head(study, config):
    found = analysed("reliability", study, config, [0, 1])
    clips = found.groupby(["dataset", "head"])["clips"].sum()
    assert clips.to_dict() == {(name, head): CLIPS for name in ("k400", "mit") for head in ("Y_k", "Y'_k")}


def test_a_packed_study_has_the_confusions_and_no_probabilities(study, config, tmp_path):
    out = tmp_path / "out"
    unpack(read_study(pack(study, config, tmp_path / "study.parquet")), out, SCALE)
    assert analysed("confusion", out, config, [0, 1]).equals(analysed("confusion", study, config, [0, 1]))
    with pytest.raises(UserError, match="ranks without scores"):
        analysed("reliability", out, config, [0, 1])


def test_the_index_waits_for_both_and_the_tables_for_neither():
    waited = {name: {file for file in OUTPUTS[name].inputs if file.startswith("errors/")} for name in OUTPUTS}
    assert waited["index"] == {file for name in NAMES for file in ANALYSES[name].files}
    assert not any(files for name, files in waited.items() if name != "index")
