"""What no packed study is made of, and what is none: one line that names the place and the cure."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from multitrain.analysis.packed import packed_checks
from multitrain.analysis.packed.collect import collect
from multitrain.analysis.packed.packed_study import Key, read_study, write_study
from multitrain.cli.commands import packed_commands
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_settings, scale_path
from tests.analysis.packed.made import CONFIG, PUBLISHED, SMALL, make, pack, settings


def edit(path: Path, **changed: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))


def test_other_settings_are_refused_by_the_first_key_that_differs(packed, config, tmp_path):
    values = yaml.safe_load((config / "scales/ci.yaml").read_text())
    values["recipes"]["joint"]["lr"] = 0.5
    values["datasets"]["k400"]["title"] = "Kinetics"
    own = settings(tmp_path / "config", recipes=values["recipes"], datasets=values["datasets"])
    results = make(tmp_path / "results", 2, runs=("k400_baseline",))
    message = r"study.parquet: scale.recipes.joint.lr is 0.001, and 0.5 in .*config: only studies of the same settings"
    with pytest.raises(UserError, match=message):
        pack(results, own, tmp_path / "out.parquet", packed)
    with pytest.raises(UserError, match=message):
        packed_commands.render(packed, tmp_path / "out", config=own, published=PUBLISHED)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("name", ["ci", "mini", "desk"])
def test_the_settings_of_a_packed_study_are_those_it_was_packed_with(name, tmp_path):
    """Scales have recipes of their own for some runs, by the runs' names."""
    scale, experiments = load_settings(name, CONFIG)
    study = collect(tmp_path, scale, experiments, None, tmp_path, CONFIG, scale_path(name, CONFIG))
    assert packed_checks.settings(study)[1].runs == experiments.runs
    packed_checks.require_same_settings(study, scale, experiments, CONFIG)


def test_another_world_is_refused(packed, config, tmp_path):
    world = yaml.safe_load((config / "scales/ci.yaml").read_text())["world"] | {"seed": 2}
    results = make(tmp_path / "results", 2)
    with pytest.raises(UserError, match=r"study.parquet: scale.world.seed is 1, and 2 in"):
        pack(results, settings(tmp_path / "config", world=world), tmp_path / "out.parquet", packed)


def test_titles_and_machines_may_differ(packed, config, tmp_path):
    values = yaml.safe_load((config / "scales/ci.yaml").read_text())
    values["datasets"]["k400"]["title"] = "Kinetics"
    machine = {**values.get("machine", {}), "workers": 3, "cache_mb": 5}
    own, one = settings(tmp_path / "own", datasets=values["datasets"], machine=machine), make(tmp_path / "one", 5)
    assert read_study(pack(one, own, tmp_path / "out.parquet", packed)).seeds() == (0, 1, 5)
    settings(own, machine=machine | {"portable": not machine.get("portable", False)})
    with pytest.raises(UserError, match=r"study.parquet: scale.machine.portable is (true|false), and (true|false) in"):
        pack(one, own, tmp_path / "out.parquet", packed)


def test_a_run_trained_with_other_settings_is_refused(folders, config, tmp_path):
    path = folders / "runs/ci/multitrain/seed1/run.json"
    recipe = json.loads(path.read_text())["recipe"] | {"epochs": 7.0}
    edit(path, recipe=recipe)
    with pytest.raises(
        UserError, match=r"multitrain/seed1/run.json: recipe.epochs is 7.0, and 1.0 in the settings: tr"
    ):
        pack(folders, config, tmp_path / "out.parquet")
    del recipe["epochs"]  # of a version that did not have the key
    edit(path, recipe=recipe)
    pack(folders, config, tmp_path / "out.parquet")


def test_different_code_is_refused_unless_asked_for(folders, config, tmp_path):
    edit(folders / "runs/ci/wo_projection/seed0/run.json", code="xyz")
    with pytest.raises(UserError, match=r"code is xyz in wo_projection, seed 0, and abc in k400_baseline, seed 0"):
        pack(folders, config, tmp_path / "out.parquet")
    pack(folders, config, tmp_path / "out.parquet", mixed_code=True)


@pytest.mark.parametrize(
    ("gone", "told", "tables"),
    [
        ("runs/ci/multitrain", "without run multitrain, no seed: ", ["table2"]),
        ("runs/ci/multitrain/seed1/predictions/mit.parquet", "without run multitrain, seed 1, mit: pred", ["table2"]),
        (
            "runs/ci/multitrain/seed1/predictions/mit.npz",
            "without run multitrain, seed 1, mit: statistics: ",
            ["table2"],
        ),
        ("runs/ci/k400_baseline/seed0/history.jsonl", "without run k400_baseline, seed 0, history: ", ["table2"]),
        ("runs/ci/mit_baseline", "without run mit_baseline, no seed: ", []),  # both tables show it
        (
            "runs/ci/multitrain/seed0/features/mit.parquet",
            "without run multitrain, seed 0, mit: f",
            ["table1", "table2"],
        ),
        ("runs/ci/flops.json", "without flops.json: ", []),
        ("data/ci/mit/raw/relations.csv", "without mit: relations.csv: ", []),
    ],
)
def test_half_a_study_names_what_is_missing(folders, config, tmp_path, capsys, gone, told, tables):
    path = folders / gone
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(UserError, match=rf"half a study, {told}"):
        pack(folders, config, tmp_path / "out.parquet")
    half = pack(folders, config, tmp_path / "half.parquet", partial=True)
    assert f"half a study, {told.removesuffix(': ')}" in capsys.readouterr().err
    if tables:
        part = packed_checks.complete_part(read_study(half), SMALL)
        assert list(part.tables) == tables
        assert "features" in part.left_out and (part.projections is None) == ("table1" not in tables)
        return
    with pytest.raises(UserError, match=rf"half.parquet: half a study, {told}"):
        packed_commands.render(half, tmp_path / "out", published=PUBLISHED)
    assert not (tmp_path / "out").exists()


def test_tables_that_show_a_run_that_was_not_packed_are_left_out(packed, tmp_path):
    own = settings(tmp_path / "config")
    values = yaml.safe_load((own / "experiments.yaml").read_text())
    values["runs"]["vanilla"] = {"datasets": ["k400", "mit"], "recipe": "joint", "init": "k400_baseline"}
    values["tables"]["table1"]["rows"].append({"method": "Vanilla", "runs": ["vanilla"]})
    (own / "experiments.yaml").write_text(yaml.safe_dump(values))
    part = packed_checks.complete_part(read_study(packed), load_experiments(own))
    assert list(part.tables) == ["table2"]
    with pytest.raises(UserError, match=r"tables.table1: the packed study is without run vanilla, no seed"):
        part.table("table1")


def test_seeds_missing_in_one_arm_are_said(folders, config, tmp_path, capsys):
    shutil.rmtree(folders / "runs/ci/multitrain/seed1")
    out = pack(folders, config, tmp_path / "out.parquet")
    assert "not every run has all seeds: multitrain seeds 0 of 0-1\n" in capsys.readouterr().err
    assert packed_checks.missing(read_study(out), SMALL) == []


def test_runs_tested_on_other_clips_are_refused(folders, config, tmp_path):
    path = folders / "runs/ci/multitrain/seed1/predictions/mit.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(5, "video_id", pa.array(["other"] * len(table))), path)
    with pytest.raises(
        UserError, match=r"mit of multitrain, seed 1: not the clips of .*: mit of mit_baseline, seed 0: "
    ):
        pack(folders, config, tmp_path / "out.parquet")


def test_classes_of_other_names_are_refused(folders, config, tmp_path):
    path = folders / "runs/ci/multitrain/seed1/predictions/mit.parquet"
    table = pq.read_table(path)
    names = json.loads(table.schema.metadata[b"classes"])
    pq.write_table(table.replace_schema_metadata({"classes": json.dumps(names[::-1])}), path)
    with pytest.raises(
        UserError, match=r"seed1/predictions/mit.parquet: its classes of mit are not those of the other"
    ):
        pack(folders, config, tmp_path / "out.parquet")


def test_one_run_and_seed_with_two_answers_is_refused(packed, folders, config, tmp_path):
    path = folders / "runs/ci/multitrain/seed1/history.jsonl"
    path.write_text(path.read_text().replace("0.001", "0.002", 1))
    with pytest.raises(
        UserError, match=r"study.parquet: run multitrain, seed 1: history.rate is not that of .*runs/ci: "
    ):
        pack(folders, config, tmp_path / "out.parquet", packed)


def test_damaged_and_foreign_files_are_refused(packed, config, tmp_path):
    path, whole = tmp_path / "other.parquet", packed.read_bytes()
    middle = len(whole) // 2
    for content, told in (
        (b"", "not a readable packed study"),
        (whole[:middle], "not a readable packed study"),
        (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], "not a readable packed study"),
    ):
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"other.parquet: {told}"):
            read_study(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(UserError, match=r"other.parquet: no packed study of this version"):
        packed_commands.render(path, tmp_path / "out", published=PUBLISHED)
    pq.write_table(pq.read_table(packed).drop_columns("rank"), path)
    with pytest.raises(UserError, match=r"other.parquet: columns differ"):
        read_study(path)
    with pytest.raises(UserError, match=r"gone.parquet: no such file: `multitrain results pack` writes one"):
        read_study(tmp_path / "gone.parquet")
    with pytest.raises(UserError, match=r"is a folder, not a regular file"):
        read_study(tmp_path)


@pytest.mark.parametrize(
    "key",
    [Key(name="../../outside.csv"), Key("../run", 0, name="run.json"), Key(name="/tmp/a"), Key("r", 0, "..", "x")],
)
def test_nothing_is_unpacked_outside_the_folder(packed, tmp_path, key):
    crafted = read_study(packed)
    crafted.texts[key] = "x"
    write_study(crafted, tmp_path / "crafted.parquet")
    with pytest.raises(UserError, match=r"crafted.parquet: not a readable packed study .*is no name of"):
        read_study(tmp_path / "crafted.parquet")
    del crafted.texts[key]
    crafted.scale = "../ci"
    write_study(crafted, tmp_path / "crafted.parquet")
    with pytest.raises(UserError, match=r"crafted.parquet: no packed study of this version"):
        read_study(tmp_path / "crafted.parquet")


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        (Key("multitrain", 0, name="run.json"), "[1]", r"run multitrain, seed 0: run.json: not the record of a run"),
        (Key(name="config/experiments.yaml"), "a: [", r"config/experiments.yaml: not valid YAML"),
        (Key(name="config/experiments.yaml"), "runs: 3", r"config/experiments.yaml: runs: "),
        (
            Key(name="config/scales/ci.yaml"),
            "recipes: { joint: { rate: 1 } }",
            r"config/scales/ci.yaml: recipes.joint.rate: is called lr now \(.*\): pack the study again",
        ),
        (Key(name="config/scales/ci.yaml"), None, r"lacks config/scales/ci.yaml: pack the study again"),
    ],
)
def test_records_that_are_none_are_named(packed, config, tmp_path, key, text, told):
    crafted = read_study(packed)
    crafted.texts[key] = text
    if text is None:
        del crafted.texts[key]
    write_study(crafted, tmp_path / "crafted.parquet")
    with pytest.raises(UserError, match=rf"crafted.parquet: {told}"):
        pack(tmp_path / "nothing", config, tmp_path / "out.parquet", tmp_path / "crafted.parquet")


def test_trained_runs_are_not_written_over(packed, folders, tmp_path):
    before = sorted(folders.rglob("*"))
    with pytest.raises(UserError, match=r"runs/ci: there are trained runs already: name another folder"):
        packed_commands.render(packed, folders, published=PUBLISHED)
    assert sorted(folders.rglob("*")) == before


def test_tables_of_another_scale_are_not_written_over(packed, tmp_path):
    (tmp_path / "table1.csv").write_text("source,scale\nours,mini\n")
    (tmp_path / "datasets.csv").write_text("dataset,scale\nk400,mini\n")
    with pytest.raises(
        UserError, match=r"datasets.csv and 1 more: of scale mini, and scale ci would be written over it"
    ):
        packed_commands.render(packed, tmp_path, published=PUBLISHED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["datasets.csv", "table1.csv"]


def test_without_a_run_or_another_study_nothing_is_packed(config, tmp_path, capsys):
    with pytest.raises(UserError, match=r"runs/ci: no trained run of the tables: train some, or name a packed study"):
        pack(tmp_path / "nothing", config, tmp_path / "out.parquet")
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match=r"out.csv: a packed study is a Parquet file"):
        pack(tmp_path / "nothing", config, tmp_path / "out.csv")
    assert not list(tmp_path.glob("out*"))
