"""What each job depends on, and which job is urgent."""

from dataclasses import replace

import pytest

from multitrain.plan import Plan
from tests.test_config import CONFIG


@pytest.fixture
def plan() -> Plan:
    return Plan.load({}, str(CONFIG))


def changed(plan: Plan, **updates) -> Plan:
    """The plan with one part of its scale replaced."""
    scale = plan.scale.model_copy(update=updates)
    return replace(plan, scale=scale)


def with_dataset(plan: Plan, name: str, **updates) -> Plan:
    dataset = plan.scale.datasets[name].model_copy(update=updates)
    return changed(plan, datasets={**plan.scale.datasets, name: dataset})


def jobs(plan: Plan) -> dict[tuple[str, str], str]:
    """The settings of every job of the plan."""
    found = {("table", name): plan.table_settings(name) for name in plan.experiments.tables}
    found |= {("train", name): plan.train_settings(name) for name in plan.experiments.runs}
    for name in plan.scale.datasets:
        found["synth", name] = plan.synth_settings(name)
        found["prepare", name] = plan.prepare_settings(name)
        found["evaluate", name] = plan.evaluate_settings(name)
    return found | {("flops", ""): plan.flops_settings()}


def differing(one: Plan, other: Plan) -> set[tuple[str, str]]:
    first, second = jobs(one), jobs(other)
    return {job for job in first if first[job] != second[job]}


def test_a_datasets_title_changes_the_tables_alone(plan: Plan):
    assert differing(plan, with_dataset(plan, "mit", title="Moments")) == {("table", f"table{n}") for n in (1, 2, 3)}


def test_a_datasets_views_change_its_evaluation_alone(plan: Plan):
    views = plan.scale.datasets["mit"].views.model_copy(update={"temporal": 3})
    assert differing(plan, with_dataset(plan, "mit", views=views)) == {("evaluate", "mit")}


def test_a_datasets_layout_changes_its_preparation_alone(plan: Plan):
    transcode = plan.scale.datasets["mit"].transcode.model_copy(update={"crf": 30})
    assert differing(plan, with_dataset(plan, "mit", transcode=transcode)) == {("prepare", "mit")}


def test_a_datasets_flip_changes_the_runs_that_read_it(plan: Plan):
    others = {"k400_baseline", "ssv2_baseline", "actnet_baseline", "k700_baseline"}
    others |= {"k400_longer", "ssv2_longer", "actnet_longer"}
    readers = {("train", name) for name in plan.experiments.runs if name not in others}
    assert differing(plan, with_dataset(plan, "mit", flip=False)) == readers


def test_a_recipe_changes_the_runs_that_use_it(plan: Plan):
    recipe = plan.scale.recipes["baseline"].model_copy(update={"epochs": 1})
    other = changed(plan, recipes={**plan.scale.recipes, "baseline": recipe})
    users = ("mit_baseline", "mit_longer", "actnet_baseline", "actnet_longer")
    assert differing(plan, other) == {("train", name) for name in users}


def test_a_run_with_the_steps_of_another_depends_on_its_schedule_and_its_clips(plan: Plan):
    recipe = plan.scale.recipes["joint"].model_copy(update={"epochs": 1})
    other = changed(plan, recipes={**plan.scale.recipes, "joint": recipe})
    assert ("train", "mit_longer") in differing(plan, other)
    assert plan.train_datasets("mit_longer") == ["mit", "k400", "ssv2", "actnet"]
    assert plan.train_datasets("mit_baseline") == ["mit"]


def test_a_published_size_changes_that_dataset_alone(plan: Plan):
    world = plan.scale.world
    videos = {**world.videos, "mit": world.videos["mit"].model_copy(update={"train": 7})}
    assert differing(plan, changed(plan, world=world.model_copy(update={"videos": videos}))) == {("synth", "mit")}


def test_the_model_changes_every_run_and_the_costs(plan: Plan):
    model = plan.scale.model.model_copy(update={"frames": 4})
    runs = {("train", name) for name in plan.experiments.runs}
    assert differing(plan, changed(plan, model=model)) == runs | {("flops", "")}


def test_the_longest_chain_of_trainings_is_the_most_urgent(plan: Plan):
    order = sorted(plan.experiments.runs, key=plan.urgency, reverse=True)
    assert order[:2] == ["k400_baseline", "vanilla_long"]
    assert plan.urgency("k400_baseline") == 100
    assert plan.urgency("multitrain_large") > plan.urgency("multitrain")
    assert plan.urgency("multitrain") > plan.urgency("mit_baseline")


def test_data_is_as_urgent_as_what_reads_it(plan: Plan):
    assert plan.data_priority("mit") == plan.urgency("vanilla_long")
    assert plan.data_priority("k700") == plan.urgency("k700_baseline")


def test_the_data_of_the_longest_chain_outweighs_all_else_on_its_cores(plan: Plan):
    assert plan.data_threads("k400") == 4
    assert plan.data_priority("k400") > 4 * plan.data_priority("mit")


def test_a_table_shows_each_run_once_and_only_its_datasets(plan: Plan):
    cells = plan.table_cells("table1")
    assert len(cells) == 4 + 4 + 4 + 4
    assert {"run": "multitrain", "dataset": "mit", "seed": 0} in cells
    assert "vanilla" not in plan.experiments.shown_runs("table1")


def test_options_are_quoted_for_the_shell():
    plan = Plan.load({"data": "my data"}, str(CONFIG))
    assert plan.options("data", "results").endswith("--data 'my data' --results results")


def test_a_training_waits_for_the_test_sets_that_its_videos_may_be_in():
    plan = Plan.load({"scale": "paper"}, str(CONFIG))
    assert set(plan.train_datasets("k400_baseline")) == {"k400", "mit", "actnet"}  # tested by what starts from it
    kept = Plan.load({"scale": "paper", "exclude_leaks": False}, str(CONFIG))
    assert kept.train_datasets("k400_baseline") == ["k400"]
    assert plan.train_settings("k400_baseline") != kept.train_settings("k400_baseline")
    assert Plan.load({}, str(CONFIG)).train_datasets("k400_baseline") == ["k400"]  # synthetic: nothing to leak
