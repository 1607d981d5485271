"""The key `set` of a run: other values for keys of its recipe."""

import json
from pathlib import Path

import pytest
import yaml

from multitrain.common.errors import UserError
from multitrain.common.records.run_record import changes
from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Run, with_later_keys
from multitrain.config.recipes import RandAugment
from multitrain.planning.depends import settings
from multitrain.planning.plan import Plan

LATER = {"backbone": None, "extra_losses": [], "set": {}}  # keys of a run that are written only where they are used
CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def loaded(tmp_path):
    """Load the shipped experiments, `multitrain` with a `set`."""

    def load(values: object):
        content = yaml.safe_load((CONFIG / "experiments.yaml").read_text())
        content["runs"]["multitrain"]["set"] = values
        (tmp_path / "experiments.yaml").write_text(yaml.safe_dump(content))
        scale = load_scale("ci", CONFIG)
        return load_experiments(tmp_path, scale), scale

    return load


def test_values_of_the_recipe_and_switches_are_the_runs_own(loaded):
    experiments, scale = loaded({"covariance_weight": 0, "informative": False})
    run, plain = experiments.runs["multitrain"], scale.recipes["joint"]
    assert run.informative is False
    assert run.effective_recipe(scale.recipes) == plain.model_copy(update={"covariance_weight": 0.0})
    assert experiments.runs["wo_projection"].effective_recipe(scale.recipes) is plain


def test_an_entry_is_changed_key_by_key():
    recipe = load_scale("paper", CONFIG).recipes["joint"].model_copy(update={"randaugment": RandAugment(magnitude=9)})
    run = Run(datasets=("k400",), recipe="joint", set={"randaugment": {"operations": 2}})
    changed = run.effective_recipe({"joint": recipe})
    assert changed.randaugment == recipe.randaugment.model_copy(update={"operations": 2})
    assert changed == recipe.model_copy(update={"randaugment": changed.randaugment})
    assert changes(run.model_dump(mode="json")) == "randaugment.operations=2"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"covarance_weight": 0}, r"runs.multitrain.set.covarance_weight: no such key .*: did you mean covariance_w"),
        ({"rate": 1}, r"runs.multitrain.set.rate: is called lr now"),
        ({"lr": "high"}, r"runs.multitrain.set.lr: .* but it is 'high'"),
        ({"projection": "ad"}, r"runs.multitrain.set.projection: .*did you mean 'add'\?"),
        ({"mixing": {"mixup": 0, "cutmix": 0}}, r"runs.multitrain.set.mixing: mixing needs mixup or cutmix"),
        (3, r"runs.multitrain.set: should be keys with values"),
    ],
)
def test_a_mistake_is_named_with_its_key(loaded, values, said):
    with pytest.raises(UserError, match=said):
        loaded(values)


def test_a_batch_that_the_processes_cannot_share_is_an_error(loaded, monkeypatch):
    monkeypatch.setattr("multitrain.config.recipes.Machine.processes", property(lambda machine: 2))
    with pytest.raises(UserError, match=r"runs.multitrain.set: a batch of 6 is no even number"):
        loaded({"batch": 6})


def test_a_run_without_it_is_written_as_before():
    run = load_experiments(CONFIG).runs["multitrain"]
    assert "set" not in run.model_dump() and "set" not in json.loads(run.model_dump_json())
    assert run.model_copy(update={"set": {"lr": 1.0}}).model_dump()["set"] == {"lr": 1.0}
    record = {"settings": run.model_dump(), "steps": 1}
    assert with_later_keys(record) == {"settings": run.model_dump() | LATER, "steps": 1}


def test_a_changed_set_trains_the_run_again_and_those_of_as_many_steps():
    values = yaml.safe_load((CONFIG / "config.yaml").read_text()) | {"scale": "ci"}
    plan = Plan.load(values, str(CONFIG))

    def trained(run: str, **changed: object) -> str:
        runs = plan.experiments.runs
        its = {**runs, "multitrain": runs["multitrain"].model_copy(update={"set": changed})}
        other = Plan(
            plan.folder, plan.project, plan.scale, plan.experiments.model_copy(update={"runs": its}), plan.claims
        )
        return settings(other, "train", {"run": run, "seed": "0"})

    for run, differs in (("multitrain", True), ("mit_longer", True), ("vanilla", False)):
        assert (trained(run, epochs=3) != trained(run)) == differs
