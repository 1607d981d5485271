"""A study in one file: taken from its base, left out with a reason, and mistakes in one line."""

from pathlib import Path

import pytest
import yaml

from multitrain.cli.commands.pipeline_commands import prepare, synth
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_claims, load_experiments, load_scale
from multitrain.config.study_file import read_study
from multitrain.planning.jobs import Jobs
from multitrain.planning.outputs.left_out import lacking
from multitrain.planning.plan import Plan

ROOT = Path(__file__).parents[2]
ROW = {"method": "Alone", "runs": ["pets_alone", "films_alone"]}
STUDY = {
    "extends": "ci",
    "datasets": {
        "pets": {"reader": "folder", "raw": "pets"},
        "films": {"title": "Films", "reader": "folder", "raw": "films", "like": "ssv2"},
        "idle": {"reader": "folder", "raw": "idle"},
    },
    "runs": {
        "pets_alone": {"datasets": ["pets"], "recipe": "baseline"},
        "films_alone": {"datasets": ["films"], "recipe": "baseline"},
        "both": {"extends": "multitrain", "datasets": ["pets", "films"], "init": "pets_alone"},
    },
    "tables": {"mine": {"datasets": ["pets", "films"], "rows": [ROW, {"method": "Together", "runs": ["both"]}]}},
    "claims": {"one": {"text": "Together is better", "table": "mine", "left": "Together", "right": "Alone"}},
}


@pytest.fixture
def plan(tmp_path: Path, monkeypatch):
    """plan(section={...}): of STUDY with these sections in the place of its own; None takes one out."""
    monkeypatch.chdir(ROOT)

    def make(given: tuple = (), values: dict | None = None, **changed: object) -> Plan:
        content = {key: value for key, value in {**STUDY, **changed}.items() if value is not None}
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(content, sort_keys=False))
        return Plan.load(values or {}, str(path), given)

    return make


def test_own_datasets_runs_tables_and_claims_are_a_study(plan):
    its = plan()
    assert (its.scale.name, its.scale.world, its.project.results) == ("mine", None, "results/mine")
    assert list(its.scale.datasets) == ["pets", "films"]  # no run uses idle
    ci = load_scale("ci", ROOT / "config")
    assert its.scale.datasets["pets"].transcode == ci.datasets["k400"].transcode
    assert its.scale.datasets["films"].sampling == ci.datasets["ssv2"].sampling
    assert (its.scale.datasets["pets"].title, its.scale.datasets["pets"].holdout) == ("pets", 0)
    assert its.experiments.runs["both"].projection == "add"
    assert its.claims.claims["one"].stated_by == "us" and not its.claims.paper
    assert its.compared_datasets("pets_alone") == [
        "pets",
        "films",
    ]  # its own lists too; nothing of the paper's datasets


def test_what_the_study_does_not_have_is_left_out_with_a_reason(plan):
    gone = plan(claims={}).left_out
    assert gone["claims"] == "the study has no claims"
    assert gone["figure_forest"] == "needs claims.csv: the study has no claims"
    assert gone["table4"] == "the study names no `projections`"
    assert not {"index", "report_page", "figure_accuracy", "figure_cost", "classes"} & set(gone)
    assert "figure_forest" not in plan().left_out
    papers = {"figure_accuracy_k700", "figure_per_class_k700", *(f"notebook table{n}" for n in (1, 2, 3))}
    assert papers < set(gone) and set(gone) - set(lacking(gone)) == papers
    runs = {name: run for name, run in STUDY["runs"].items() if name != "both"}
    alone = plan(runs=runs, tables={"mine": {"datasets": ["pets", "films"], "rows": [ROW]}}, claims={}).left_out
    assert alone["spectrum"] == "no row of a table is a run on several datasets"
    assert alone["confusion"] == alone["reliability"] == "no table has a baseline and a joint run"
    assert alone["figure_per_class"] == "no table has a baseline and a joint run"


def test_the_papers_study_leaves_nothing_out(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert Plan.load({}).left_out == {}


def test_a_request_for_a_file_that_is_left_out_is_refused_in_one_line(plan):
    jobs = Jobs(plan())
    assert jobs.refused(["results/mine/table4.csv"]) == (
        "results/mine/table4.csv: left out: the study names no `projections`"
    )
    assert "no such table; its tables are mine" in jobs.refused(["results/mine/table1.csv"])
    assert jobs.refused(["results/mine/mine.csv"]) == ""


def test_an_ablation_of_the_base_is_one_entry(plan):
    runs = {name: {"extends": name} for name in ("k400_baseline", "multitrain")}
    runs["plain"] = {"extends": "multitrain", "informative": False}
    rows = [{"method": name, "runs": [name]} for name in ("multitrain", "plain")]
    its = plan(datasets=None, runs=runs, tables={"mine": {"datasets": ["k400"], "rows": rows}}, claims=None)
    assert its.scale.synthetic("k400") and "k700" not in its.scale.datasets
    assert its.scale.fingerprint != load_scale("ci", ROOT / "config").fingerprint  # other datasets


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"extends": "cii"}, r"mine.yaml: extends: no base 'cii': did you mean 'ci'\?, or give the path of a file"),
        ({"tabels": {}}, "mine.yaml: tabels: no such key"),
        ({"claims": {"one": {**STUDY["claims"]["one"], "left": "All"}}}, "claims.one.left: no method 'All'"),
        ({"claims": {"one": {**STUDY["claims"]["one"], "table": "main"}}}, "claims.one.table: no table 'main'"),
        (
            {"tables": {"mine": {"datasets": ["pets"], "rows": [{"method": "A", "runs": ["pet"]}]}}},
            "mine.yaml: tables.mine.rows.0.runs: no run 'pet'",
        ),
        (
            {"tables": {"mine": {"datasets": ["dogs"], "rows": [ROW]}}},
            "mine.yaml: tables.mine: no dataset 'dogs' at scale mine",
        ),
        ({"tables": {"runs": STUDY["tables"]["mine"]}, "claims": {}}, "tables.runs: the results have a file runs"),
        ({"datasets": {"pets": {"like": "k40", "reader": "folder"}}}, "datasets.pets.like: no dataset 'k40'"),
        ({"runs": {"both": {"extends": "multitrian"}}}, "runs.both.extends: no entry 'multitrian': did you mean"),
    ],
)
def test_a_mistake_is_named_in_one_line(plan, changed: dict, message: str):
    with pytest.raises(UserError, match=message) as caught:
        plan(**changed)
    assert "\n" not in str(caught.value)


def test_outside_the_repository_the_folder_is_named(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("extends: mini\n")
    with pytest.raises(UserError, match=r"^mine.yaml: extends: no folder config/scales for 'mini': start in the repo"):
        load_scale("mine", Path("mine.yaml"))
    with pytest.raises(UserError, match=r"^config/scales/mini.yaml: no such file, and no folder config/scales: start"):
        load_scale("mini")


def test_the_command_line_changes_seeds_and_folders_alone(plan):
    assert plan(("seeds",), {"seeds": [0, 1]}).project.seeds == (0, 1)
    with pytest.raises(UserError, match=r"--config scale: .*mine.yaml is a study"):
        plan(("scale",), {"scale": "ci"})
    with pytest.raises(UserError, match=r"--config extends: set it in .*mine.yaml"):
        plan(("extends",), {"extends": "mini"})


def test_a_study_called_as_a_scale_and_one_that_extends_itself_are_refused(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    for name, base, message in (("ci", "mini", "a scale of .*config/scales is called ci"), ("a", "a.yaml", "circle")):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"extends": base}))
        with pytest.raises(UserError, match=message):
            load_scale(str(path), ROOT / "config")


def test_a_file_with_nothing_but_its_base_is_the_base(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "same.yaml"
    path.write_text("extends: ci\n")
    scale, ci = load_scale("same", path), load_scale("ci", ROOT / "config")
    assert scale.fingerprint == ci.fingerprint
    experiments = load_experiments(path, scale)
    assert experiments == load_experiments(ROOT / "config", ci)
    assert load_claims(path, experiments) == load_claims(ROOT / "config", experiments)


def test_the_folder_that_a_study_is_packed_as_says_the_same(plan, tmp_path: Path):
    runs = {**STUDY["runs"], "wo_projection": {"extends": "both", "projection": "none"}}
    its = plan(extends="mini", runs=runs)  # mini has a recipe wo_projection, which a folder would give that run
    folder = tmp_path / "config"
    for path, text in read_study(its.folder).as_folder().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    scale = load_scale("mine", folder)
    assert scale == its.scale and scale.fingerprint == its.scale.fingerprint
    experiments = load_experiments(folder, scale)
    assert experiments.model_copy(update={"recipes_by_name": True}) == its.experiments
    assert experiments.runs["wo_projection"].recipe == "joint"
    assert load_claims(folder, experiments) == its.claims
    base = Path(its.folder).with_name("other.yaml")
    base.write_text(yaml.safe_dump({"extends": str(folder / "scales/mine.yaml")}))
    assert load_experiments(base, load_scale("other", base)).runs == its.experiments.runs


CNN = str(ROOT / "config" / "studies" / "desk_cnn.yaml")


def test_the_study_of_another_backbone_is_table_1_of_desk_but_for_network_and_rates(monkeypatch):
    """Snakemake makes no clip again: paths, commands and settings of the jobs are desk's."""
    monkeypatch.chdir(ROOT)
    its, desk = Plan.load({}, CNN), Plan.load({"scale": "desk"})
    runs = {run for row in desk.experiments.tables["table1"].rows for run in row.runs}
    assert list(its.experiments.tables) == ["table1"] and set(its.experiments.runs) == runs
    assert its.experiments.tables["table1"] == desk.experiments.tables["table1"]
    assert set(its.claims.claims) == {"joint_training", "larger_input"}
    for name, run in its.experiments.runs.items():
        assert run == desk.experiments.runs[name]
        recipes = [run.effective_recipe(each.scale.recipes).model_dump(exclude={"lr"}) for each in (its, desk)]
        assert recipes[0] == recipes[1]
        assert [its.compared_datasets(name), its.train_datasets(name)] == [
            [dataset for dataset in names if dataset != "k700"]
            for names in (desk.compared_datasets(name), desk.train_datasets(name))
        ]
    assert its.scale.model.backbone == "cnn3d" and its.scale.sizes == desk.scale.sizes
    assert its.scale.fingerprint != desk.scale.fingerprint
    ours, theirs = Jobs(its), Jobs(desk)
    assert ours.clips("manifest", "published") == theirs.clips("manifest", "published")
    for dataset in its.scale.datasets:
        assert its.scale.clips_folder(dataset, Path("data"), 0) == Path("data/desk/world0") / dataset
        job = {"dataset": dataset, "world": "0"}
        for rule in ("synth", "prepare"):
            assert ours.settings(rule)(job) == theirs.settings(rule)(job)
    assert ours.clip_options(0) == theirs.clip_options(0) == desk.options("data", world=0)
    assert ours.runs("model") != theirs.runs("model")


WHY = {  # each run of the study of reasons: the run of desk that it changes, and what is not the same
    "fixed_weights": ("multitrain", {"weighting"}),
    "projections_from_0": ("multitrain", {"projection_std"}),
    "detached": ("multitrain", {"projection"}),
    "informative_1": ("multitrain", {"variance_weight", "covariance_weight"}),
    "vanilla_learned_weights": ("vanilla", {"weighting"}),
}


def test_the_study_of_reasons_changes_one_thing_at_a_time(monkeypatch):
    monkeypatch.chdir(ROOT)
    its, desk = Plan.load({}, str(ROOT / "config" / "studies" / "desk_why.yaml")), Plan.load({"scale": "desk"})

    def settings(plan: Plan, name: str) -> dict:
        run = plan.experiments.runs[name]
        return run.model_dump(exclude={"recipe", "set"}) | run.effective_recipe(plan.scale.recipes).model_dump()

    assert set(its.experiments.runs) == {"k400_baseline", "multitrain", "vanilla", *WHY}
    for name in its.experiments.runs:
        base, changed = WHY.get(name, (name, set()))
        here, there = settings(its, name), settings(desk, base)
        assert {key for key in here.keys() | there.keys() if here.get(key) != there.get(key)} == changed
        assert its.train_datasets(name) == desk.train_datasets(base)
    assert {claim.left for claim in its.claims.claims.values()} | {"Vanilla"} == {
        row.method for row in its.experiments.tables["why"].rows
    }
    assert Jobs(its).clips("manifest", "published") == Jobs(desk).clips("manifest", "published")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"clips_of": "dsk"}, r"clips_of: no scale 'dsk': did you mean 'desk'\?"),
        ({"world": {"seed": 7}}, "clips_of: world is not that of scale desk: take out one of the two"),
        (
            {"datasets": {name: {"extends": name, "holdout": 0.5} for name in ("k400", "mit", "ssv2", "actnet")}},
            "clips_of: datasets.k400 is not that of scale desk: take out one of the two",
        ),
        ({"clips_of": "gpu"}, "clips_of: world is not that of scale gpu"),
    ],
)
def test_clips_of_another_world_or_preparation_are_refused(tmp_path: Path, monkeypatch, changed: dict, message: str):
    monkeypatch.chdir(ROOT)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(Path(CNN).read_text()), **changed}, sort_keys=False))
    with pytest.raises(UserError, match=rf"^{path}: {message}"):
        load_scale("mine", path)


def test_clips_of_another_scale_are_not_made_with_the_studys_own_name(monkeypatch):
    monkeypatch.chdir(ROOT)
    for command in (synth, prepare):
        with pytest.raises(UserError, match=r"^desk_cnn: takes the clips of scale desk: make them with --scale desk$"):
            command("unknown", scale=CNN, config=ROOT / "config")  # so that nothing is made if it is not refused


def test_a_study_of_one_of_the_bases_tables_has_the_claims_about_it(plan):
    rows = load_experiments(ROOT / "config", load_scale("ci", ROOT / "config")).tables["table1"].rows
    runs = {run: {"extends": run} for row in rows for run in row.runs}
    its = plan(datasets=None, runs=runs, tables=None, claims=None)
    assert list(its.experiments.tables) == list(its.claims.paper) == ["table1"]
    assert {claim.table for claim in its.claims.claims.values()} == {"table1"}
    assert {"joint_training", "larger_input"} <= set(its.claims.claims)
    assert {claim.table for claim in its.claims.evidence_claims.values()} <= {"table1", None}
    assert its.claims.not_tested and its.claims.margin == 2
