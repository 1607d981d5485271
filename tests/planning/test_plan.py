"""The settings that each job depends on, and the priorities of jobs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from multitrain.config.config_files import load_experiments, load_scale
from multitrain.config.experiments import Row, Run, Table
from multitrain.data.manifest import write_manifest
from multitrain.engine.setup import Job
from multitrain.planning import copied_runs
from multitrain.planning.depends import DEPENDS, settings
from multitrain.planning.outputs import OUTPUTS
from multitrain.planning.plan import Plan
from tests.config.test_scale import CONFIG


@pytest.fixture
def plan() -> Plan:
    return Plan.load({}, str(CONFIG))


def trained(plan: Plan, run: str, seed: int = 0) -> str:
    return settings(plan, "train", {"run": run, "seed": str(seed)})


def jobs(plan: Plan) -> dict[tuple[str, str], str]:
    """The settings of every job of the plan."""
    by_job = {("table", name): settings(plan, "table", {"table": name}) for name in plan.experiments.tables}
    by_job |= {("train", name): trained(plan, name) for name in plan.experiments.runs}
    for rule in ("synth", "prepare", "evaluate"):
        by_job |= {(rule, name): settings(plan, rule, {"dataset": name}) for name in plan.scale.datasets}
    return by_job | {("flops", ""): settings(plan, "flops", {})}


TABLES = {("table", f"table{n}") for n in (1, 2, 3)}  # their remarks contain the scale's settings


def differing(one: Plan, other: Plan) -> set[tuple[str, str]]:
    first, second = jobs(one), jobs(other)
    return {job for job in first if first[job] != second[job]}


@pytest.mark.parametrize(
    ("path", "value", "own"),
    [
        ("title", "Moments", set()),
        ("views.temporal", 3, {("evaluate", "mit")}),
        ("transcode.crf", 30, {("prepare", "mit")}),
    ],
)
def test_a_dataset_changes_its_own_job_and_the_tables(plan: Plan, path: str, value: object, own: set):
    assert differing(plan, with_field(plan, f"scale.datasets.mit.{path}".split("."), value)) == own | TABLES


def test_a_datasets_flip_changes_the_runs_that_read_it(plan: Plan):
    others = {"k400_baseline", "ssv2_baseline", "actnet_baseline", "k700_baseline"}
    others |= {"k400_longer", "ssv2_longer", "actnet_longer", "ssv2_scratch", "actnet_scratch"}
    readers = {("train", name) for name in plan.experiments.runs if name not in others}
    assert differing(plan, with_field(plan, ["scale", "datasets", "mit", "flip"], False)) == readers | TABLES


def test_a_recipe_changes_the_runs_that_use_it(plan: Plan):
    other = with_field(plan, ["scale", "recipes", "joint", "lr"], 1)
    users = [name for name, run in plan.experiments.runs.items() if run.recipe == "joint"]
    assert "multitrain" in users and "vanilla" not in users
    assert differing(plan, other) == {("train", name) for name in users} | TABLES


def test_a_run_with_the_steps_of_another_depends_on_its_schedule_and_its_clips(plan: Plan):
    other = with_field(plan, ["scale", "recipes", "joint", "epochs"], 1)
    assert ("train", "mit_longer") in differing(plan, other)
    assert plan.train_datasets("mit_longer") == ["mit", "k400", "ssv2", "actnet"]
    assert plan.train_datasets("mit_baseline") == ["mit"]


def test_a_published_size_changes_that_dataset_and_the_tables(plan: Plan):
    other = with_field(plan, ["scale", "world", "videos", "mit", "train"], 7)
    assert differing(plan, other) == {("synth", "mit"), *TABLES}


def test_the_model_changes_every_run_and_the_costs(plan: Plan):
    runs = {("train", name) for name in plan.experiments.runs}
    assert differing(plan, with_field(plan, ["scale", "model", "frames"], 4)) == runs | {("flops", ""), *TABLES}


def test_the_longest_chain_of_trainings_has_the_highest_priority(plan: Plan):
    order = sorted(plan.experiments.runs, key=plan.run_priority, reverse=True)
    assert order[:2] == ["k400_baseline", "vanilla_long"]
    assert plan.run_priority("k400_baseline") == 100
    assert plan.run_priority("multitrain_large") > plan.run_priority("multitrain")
    assert plan.run_priority("multitrain") > plan.run_priority("mit_baseline")


def test_data_has_the_priority_of_the_runs_that_read_it(plan: Plan):
    assert plan.data_priority("mit") == plan.run_priority("vanilla_long")
    assert plan.data_priority("k700") == plan.run_priority("k700_baseline")


def test_the_data_of_the_longest_chain_outweighs_all_else_on_its_cores(plan: Plan):
    assert plan.data_threads("k400") == 4
    assert plan.data_priority("k400") > 4 * plan.data_priority("mit")


def test_a_table_shows_each_run_once_and_only_its_datasets(plan: Plan):
    cells = plan.table_cells("table1")
    assert len(cells) == 4 + 4 + 4
    assert {"run": "multitrain", "dataset": "mit", "seed": 0} in cells
    assert "vanilla" not in plan.experiments.shown_runs("table1")


SEVERAL = {"class_means", "projections", "recovery", "classes", "spectrum", "training", "table4", "evidence", "claims"}
SEVERAL |= {"study_records", "index", "card", "confusion", "reliability"}  # rules that read several runs
SCALE = {"table", "study_records", "study"}  # rules that depend on all settings of the scale that change numbers
RULES = {*DEPENDS, *(name for name, each in OUTPUTS.items() if "config" in each.options)}
JOB = {"dataset": "mit", "run": "mit_longer", "seed": "0", "table": "table1"}


@pytest.mark.parametrize(
    ("path", "value", "rules"),
    [
        ("scale.datasets.mit.title", "M", SEVERAL | {"table", "study", "accounting", "survey", "overview", "related"}),
        ("scale.datasets.mit.paper_letter", "X", SEVERAL | {"table", "study"}),
        ("scale.datasets.mit.flip", False, SCALE | {"train"}),
        (
            "scale.datasets.mit.views.temporal",
            3,
            SCALE | {"evaluate", "temporal", "survey", "overview", "related", "card"},
        ),
        (
            "scale.datasets.mit.transcode.crf",
            30,
            SCALE | {"prepare", "survey", "overview", "related", "card"},
        ),
        ("scale.datasets.mit.fraction", 0.5, SCALE | {"prepare", "accounting"}),
        ("scale.datasets.mit.holdout", 0.1, SCALE | {"prepare"}),
        ("scale.world.videos.mit.train", 7, SCALE | {"synth", "card"}),
        ("scale.world.seed", 7, SCALE | {"synth", "card"}),
        ("scale.recipes.joint.epochs", 1, SCALE | {"train"}),  # mit_longer takes its number of steps
        ("scale.recipes.joint.lr", 1, SCALE),
        ("scale.recipes.OWN.lr", 1, SCALE | {"train"}),  # that of mit_longer
        (
            "scale.model.frames",
            4,
            SCALE | {"train", "flops", "networks", "survey", "overview", "related", "card"},
        ),
        ("scale.sizes.base", 32, SCALE | {"train", "flops"}),
        ("scale.machine.precision", "bfloat16", SCALE | {"train"}),
        ("scale.machine.portable", True, {"train", "study"}),
        ("scale.machine.checkpointing", ("base",), {"networks", "study"}),
        ("scale.machine.workers", 7, {"study"}),
        ("scale.remark", "so", {"table", "study"}),
        ("scale.smoke_test", True, SEVERAL | {"table", "study"}),
        ("project.seeds", (0, 1), SEVERAL | {"table", "study", "networks"}),
        ("project.exclude_leaks", False, {"train"}),
        ("project.data", "elsewhere", set()),
        ("experiments.tables.table1.title", "A", {"table", "index", "study"}),
        ("experiments.tables.table2.title", "A", {"index", "study"}),
        ("experiments.projections.title", "A", {"table4", "index", "study"}),
        ("experiments.runs.mit_longer.informative", True, SEVERAL | {"train", "study"}),
        ("experiments.runs.mit_longer.init", None, SEVERAL | {"train", "study", "accounting"}),
        ("experiments.runs.mit_baseline.size", "large", SEVERAL | {"table", "study"}),
        ("claims.claims", {}, {"claims", "study", "index"}),  # what has no claims is left out
        ("claims.paper", {}, {"claims", "evidence", "study"}),
        ("claims.evidence_claims", {}, {"claims", "evidence", "study"}),
    ],
)
def test_a_rule_runs_again_for_the_fields_it_depends_on_and_for_no_other(plan: Plan, path: str, value, rules: set[str]):
    path = path.replace("OWN", plan.experiments.runs[JOB["run"]].recipe)
    other = with_field(plan, path.split("."), value)
    assert {rule for rule in RULES if settings(plan, rule, JOB) != settings(other, rule, JOB)} == rules


def with_field(part, path: list[str], value):
    """A copy of settings in which one field has another value."""
    if not path:
        return value
    name, *rest = path
    if isinstance(part, dict):
        return {**part, name: with_field(part[name], rest, value)}
    inner = with_field(getattr(part, name), rest, value)
    return replace(part, **{name: inner}) if isinstance(part, Plan) else part.model_copy(update={name: inner})


def test_options_are_quoted_for_the_shell():
    plan = Plan.load({"data": "my data"}, str(CONFIG))
    assert plan.options("data", "results").endswith("--data 'my data' --results results")


def test_a_training_waits_for_the_manifests_of_test_sets_that_may_share_its_videos():
    plan = Plan.load({"scale": "paper"}, str(CONFIG))
    assert plan.train_datasets("k400_baseline") == ["k400"]
    shown = {"k400", "mit", "ssv2", "actnet"}  # itself, and what is tested by runs that start from it
    assert set(plan.compared_datasets("k400_baseline")) == shown
    assert set(plan.compared_datasets("ssv2_baseline")) == shown  # through the run it starts from
    kept = Plan.load({"scale": "paper", "exclude_leaks": False}, str(CONFIG))
    assert kept.compared_datasets("k400_baseline") == []
    assert trained(plan, "k400_baseline", 0) != trained(kept, "k400_baseline", 0)
    assert Plan.load({}, str(CONFIG)).compared_datasets("k400_baseline") == []  # synthetic: nothing to leak


def manifest(data: Path, dataset: str, clips: dict[str, str]) -> None:
    """Write a manifest with one clip for each video: {video: split}."""
    rows = [
        {"clip_id": f"{dataset}{i}", "video_id": video, "path": f"{i}.mp4", "label": 0, "split": split}
        | {"publisher_split": "train", "frames": 9, "fps": 12.0, "width": 8, "height": 8}
        for i, (video, split) in enumerate(clips.items())
    ]
    write_manifest(data / "paper" / dataset / "manifest.parquet", ("a",), rows)


A, B, C = "AAAAAAAAAAA", "BBBBBBBBBBB", "CCCCCCCCCCC"


@pytest.fixture
def training(tmp_path: Path):
    """A function that gives each run's settings at scale paper; its keywords add runs to the experiments."""
    manifest(tmp_path, "k400", {A: "train", B: "train", C: "train"})
    manifest(tmp_path, "actnet", {A: "test", "a": "train"})

    def make(**extra) -> dict[str, str]:
        plan = Plan.load({"scale": "paper", "data": str(tmp_path)}, str(CONFIG))
        runs = {**plan.experiments.runs, **{name: Run.model_validate(run) for name, run in extra.items()}}
        rows = tuple(Row(method=name, runs=(name,)) for name in extra)
        shown = {"shown": Table(title="", datasets=(), rows=rows)} if rows else {}
        tables = {**plan.experiments.tables, **shown}
        plan = replace(plan, experiments=plan.experiments.model_copy(update={"runs": runs, "tables": tables}))
        return {name: trained(plan, name, 0) for name in runs}

    return make


TUNED = {"datasets": ["k700"], "recipe": "baseline", "init": "k400_baseline"}  # k400_baseline is then tested on K700
K400 = {name for name, run in Plan.load({}, str(CONFIG)).experiments.runs.items() if "k400" in run.datasets}


def changes(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in one if one[name] != other[name]}


@pytest.mark.parametrize(
    ("videos", "changed"),
    [
        (None, set()),  # not prepared yet
        ({B: "train", "x": "test"}, set()),
        ({A: "test"}, set()),  # left out already
        ({B: "test"}, {"k400_baseline"}),
        ({B: "val"}, {"k400_baseline"}),
    ],
)
def test_a_new_run_changes_only_trainings_that_then_leave_out_other_clips(training, tmp_path, videos, changed):
    alone = training()
    if videos:
        manifest(tmp_path, "k700", videos)
    assert training() == alone
    assert changes(alone, training(tuned=TUNED)) == changed


def test_a_manifest_that_was_written_again_is_read_again(training, tmp_path: Path):
    before = training()
    manifest(tmp_path, "actnet", {A: "test", "a": "train", "b": "test"})
    assert training() == before
    manifest(tmp_path, "actnet", {B: "test", "a": "train"})
    users = changes(before, training())
    assert "k400_baseline" in users and users <= K400 | {"mit_longer", "ssv2_longer", "actnet_longer"}


def test_the_plan_and_the_training_leave_out_the_same_clips(training, tmp_path: Path):
    excluded = json.loads(training()["k400_baseline"])["excluded"]
    assert excluded["k400_baseline k400"].startswith("1 clips, ")
    scale = load_scale("paper", CONFIG)
    job = Job(scale, load_experiments(CONFIG, scale), "k400_baseline", 0, tmp_path, tmp_path)
    for name, video in {"mit": "yt-x", "ssv2": "s"}.items():  # tested by runs that start from K400's baseline
        manifest(tmp_path, name, {video: "test"})
    assert job.source("k400", "train").left_out == 1


def test_a_damaged_manifest_does_not_stop_the_plan(training, tmp_path: Path):
    (tmp_path / "paper/actnet/manifest.parquet").write_bytes(b"PAR1")
    assert json.loads(training()["k400_baseline"])["excluded"] == {}


def test_only_jobs_that_make_clips_get_the_world():
    """The options of a scale with one world have no --world: its earlier jobs do not run again."""
    desk, mini = (Plan.load({"scale": name, "seeds": [0, 5]}, str(CONFIG)) for name in ("desk", "mini"))
    assert (desk.worlds, mini.worlds) == ((0, 1), (0,))
    first, second = (json.loads(settings(desk, "synth", {"dataset": "mit", "world": world})) for world in ("0", "1"))
    assert second["world"]["seed"] == first["world"]["seed"] + 1 and "run_seeds" not in first["world"]
    assert first | {"world": 0} == second | {"world": 0}
    assert desk.options("data", world=1).endswith("--world 1 --data data")
    assert "--world" not in mini.options("data", world=0) + desk.options("data", "results")
    assert trained(desk, "multitrain", 0) == trained(desk, "multitrain", 5)
    assert {cell["seed"] for cell in desk.card_cells()} == {0}


def test_a_copied_run_with_other_settings_is_an_error_with_the_key_unless_it_is_trained_again(tmp_path: Path):
    plan = Plan.load({"scale": "desk", "seeds": [0, 3], "results": str(tmp_path)}, str(CONFIG))
    run = plan.experiments.runs["vanilla"]
    record = {"run": "vanilla", "scale": "desk", "seed": 3, "synthetic": True, "settings": run.model_dump(mode="json")}
    record |= {"recipe": plan.scale.recipes[run.recipe].model_dump(mode="json"), "pixels": 48, "precision": "float32"}
    path = tmp_path / "runs/desk/vanilla/seed3/run.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record))
    kept = (str(path),)
    assert copied_runs.conflict(plan, kept) == ""
    record["recipe"]["rate"] = record["recipe"].pop("lr")  # the key of an earlier version
    path.write_text(json.dumps(record))
    assert copied_runs.conflict(plan, kept) == ""
    record["recipe"]["epochs"] = 7
    path.write_text(json.dumps(record))
    epochs = plan.scale.recipes[run.recipe].epochs
    message = f"{path}: recipe.epochs is 7, and {json.dumps(epochs)} in the settings: {copied_runs.CURE}"
    assert copied_runs.conflict(plan, kept) == message
    assert copied_runs.conflict(plan, ()) == ""
    path.write_text("[")
    assert copied_runs.conflict(plan, kept) == f"{path}: no record of a run: {copied_runs.CURE}"


def test_a_seed_comes_before_the_next_and_its_worlds_clips_before_other_seeds_trainings():
    plan = Plan.load({"scale": "desk", "seeds": [0, 1, 5]}, str(CONFIG))
    first, second, last = (plan.seed_priority(seed) for seed in (0, 1, 5))
    assert first > second + 100 > last + 200 and plan.seed_priority("5") == plan.seed_priority(7) == 0
    training = max(map(plan.run_priority, plan.experiments.runs))
    for dataset in plan.scale.datasets:
        here, there = (plan.data_priority(dataset, world) for world in (0, 1))
        assert here > training + second > there + last
    one = Plan.load({"scale": "desk", "seeds": [3]}, str(CONFIG))
    assert one.seed_priority(3) == 0
    assert one.data_priority("mit") == one.run_priority("vanilla_long") * one.data_threads("mit")
