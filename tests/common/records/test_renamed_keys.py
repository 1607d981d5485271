"""Renamed keys: present keys exist, former ones do not, and old recipes and claims are read by their present keys."""

import pytest

from multitrain.common.errors import UserError
from multitrain.common.records.renamed_keys import RENAMED, advice, current_claims, current_recipe
from multitrain.common.records.run_record import parse_record
from multitrain.config.base import Settings
from multitrain.config.claims import Claim, Claims
from multitrain.config.config_files import parse
from multitrain.config.recipes import Mixing, Recipe
from multitrain.config.scale import Dataset, Download
from multitrain.planning.sweep_points import Sweep

CLASSES: dict[str, type[Settings]] = {
    each.__name__: each for each in (Recipe, Mixing, Claim, Claims, Dataset, Download, Sweep)
}
OLD = {
    "epochs": 2,
    "rate": 1e-3,
    "rate_ends": [0.1, 0.2],
    "sigma_rate": 4.0,
    "accumulate": "parts",
    "mixing": {"mixup": 0.8, "switch": 0.3, "partner_label": "lost"},
}
NEW = {
    "epochs": 2,
    "lr": 1e-3,
    "lr_start_factor": 0.1,
    "lr_end_factor": 0.2,
    "sigma_lr_factor": 4.0,
    "informative_statistics": "micro_batch",
    "mixing": {"mixup": 0.8, "switch_probability": 0.3, "cross_dataset_labels": False},
}


@pytest.mark.parametrize("name", RENAMED)
def test_the_table_is_of_present_keys_and_values(name: str):
    fields = CLASSES[name].model_fields
    for former, renamed in RENAMED[name].items():
        assert former not in fields and set(renamed.keys) <= fields.keys()
        with pytest.raises(UserError, match=rf"^file: {former}: is called {renamed.keys[0]}\b"):
            parse(CLASSES[name], {former: 1}, "file")
    assert not advice(name, "xyzzy") and not advice("World", "rate")


def test_a_recipe_of_an_earlier_version_is_read_by_the_present_keys():
    assert current_recipe(OLD) == current_recipe(NEW) == NEW
    assert list(current_recipe(OLD)) == list(NEW)
    assert current_recipe({"mixing": None}) == {"mixing": None}
    former = RENAMED["Recipe"].keys() | RENAMED["Mixing"].keys()
    assert former == {*OLD, *OLD["mixing"]} - {"epochs", "mixing", "mixup"}  # each is tried here
    Recipe.model_validate(NEW | {"warmup_epochs": 0, "batch": 4})


def test_claims_of_an_earlier_version_are_read_by_the_present_keys():
    former = {"claims": {"one": {"than_on": ["mit"], "times": 0.5, "plus": 1.0, "left": "A"}}, "answered": {}}
    assert current_claims(former) == {
        "claims": {"one": {"reference_datasets": ["mit"], "left_factor": 0.5, "right_offset": 1.0, "left": "A"}},
        "evidence_claims": {},
    }
    assert current_claims({"claims": {"one": "text"}}) == {"claims": {"one": "text"}}
    assert current_claims({"claims": "text"}) == {"claims": "text"}


@pytest.mark.parametrize("ends", [None, 0.1, [0.1], [0.1, 0.2, 0.3]])
def test_a_former_value_that_cannot_be_is_left_out(ends):
    assert current_recipe({"rate_ends": ends}) == {}


def test_the_record_of_a_run_has_the_present_keys():
    text = '{"synthetic": true, "recipe": {"rate": 0.001, "mixing": null}}'
    assert parse_record(text, "run.json")["recipe"] == {"lr": 0.001, "mixing": None}
