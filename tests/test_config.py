"""Shipped configurations are read; what is wrong in a configuration is named in one message."""

from pathlib import Path

import pytest
import yaml

from multitrain.config import Project, Scale
from multitrain.configfile import load_experiments, load_scale, parse
from multitrain.errors import UserError
from multitrain.experiments import Experiments
from multitrain.plan import Plan

CONFIG = Path(__file__).parents[1] / "config"
SCALES = sorted(path.stem for path in (CONFIG / "scales").glob("*.yaml"))


@pytest.fixture
def experiments() -> dict:
    return yaml.safe_load((CONFIG / "experiments.yaml").read_text())


@pytest.fixture
def mini() -> dict:
    return yaml.safe_load((CONFIG / "scales" / "mini.yaml").read_text())


@pytest.mark.parametrize("name", SCALES)
def test_each_shipped_scale_fits_the_experiments(name: str):
    scale = load_scale(name, CONFIG)
    assert scale.name == name
    assert load_experiments(CONFIG, scale).tables


def test_the_shipped_project_is_what_its_defaults_say():
    assert parse(Project, yaml.safe_load((CONFIG / "config.yaml").read_text()), "config.yaml") == Project()


def test_the_papers_scale_has_the_papers_model():
    scale = load_scale("paper", CONFIG)
    assert (scale.sizes, scale.model.frames, scale.model.depths) == ({"base": 224, "large": 312}, 32, (2, 3, 16, 3))
    assert scale.world is None


@pytest.mark.parametrize("nodes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("name", ["paper", "lab"])
def test_the_real_scales_fit_any_usual_number_of_nodes(name: str, nodes: int):
    """What a batch lacks in processes it accumulates, to the same batch."""
    content = yaml.safe_load((CONFIG / "scales" / f"{name}.yaml").read_text())
    content["machine"]["nodes"] = nodes if name == "paper" else 1
    scale = parse(Scale, content, name)
    for recipe in scale.recipes.values():
        parts = recipe.parts(scale.machine.processes)
        assert recipe.batch % (2 * parts * scale.machine.processes) == 0
        assert recipe.micro_batch is None or recipe.batch <= recipe.micro_batch * parts * scale.machine.processes


def test_the_papers_recipes_are_the_releases():
    """Figures of the release's configurations that the paper's scale states."""
    recipes = load_scale("paper", CONFIG).recipes
    schedule = {name: (each.epochs, each.warmup_epochs, each.drop_path) for name, each in recipes.items()}
    assert schedule["k400_baseline"] == (200, 30, 0.3) and schedule["baseline"] == (150, 30, 0.3)
    assert schedule["ssv2_baseline"] == (40, 0, 0.4) and schedule["joint"] == (50, 10, 0.1)
    joint, ssv2 = recipes["joint"], recipes["ssv2_baseline"]
    assert joint.rate / joint.batch == pytest.approx(2e-4 / 64)
    assert ssv2.rate / ssv2.batch == pytest.approx(0.02 / 128)
    assert (joint.repeats, joint.erasing, joint.label_smoothing, joint.randaugment.magnitude) == (2, 0.25, 0.1, 7)
    assert (joint.mixing.mixup, joint.mixing.cutmix, joint.variance_weight) == (0.8, 1.0, 1.0)
    assert (ssv2.repeats, ssv2.randaugment, ssv2.mixing, ssv2.erasing) == (1, None, None, 0.0)


def test_the_labs_files_are_laid_out_for_its_sampler():
    lab = load_scale("lab", CONFIG)
    assert {dataset.fraction for dataset in lab.datasets.values()} == {0.12}
    for dataset in lab.datasets.values():
        assert dataset.sampling.kind == "segment" or dataset.sampling.stride == dataset.transcode.stride == 4


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_scale("mini", CONFIG).name = "other"


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["recipes", "joint", "epoch"], 3, r"file: recipes.joint.epoch: no such key"),
        (["datasets", "k400", "transcode", "fsp"], 3, r"file: datasets.k400.transcode.fsp: no such key"),
        (["datasets", "k400", "transcode", "keyint"], 47, r"datasets.k400.transcode: keyint 47 is no multiple of str"),
        (["datasets", "k400", "sampling"], {"stride": 2}, r"sampling.stride 2 is no multiple of transcode.stride 3"),
        (["datasets", "k400", "reader"], "kinetic", r"file: datasets.k400.reader: Input should be 'kinetics'"),
        (["sizes"], {"base": 48}, r"sizes needs both base and large"),
        (["world", "videos", "ucf"], {"train": 1, "validation": 1}, r"world.videos lists .*'ucf'"),
        (["recipes", "joint", "rate"], -1, r"file: recipes.joint.rate: Input should be greater than 0"),
    ],
)
def test_what_is_wrong_in_a_scale_is_named(mini: dict, path: list, value: object, message: str):
    place = mini
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(UserError, match=message):
        parse(Scale, mini, "file")


def test_a_missing_key_is_named(mini: dict):
    del mini["recipes"]["joint"]["batch"]
    with pytest.raises(UserError, match=r"^file: recipes.joint.batch: this key is required$"):
        parse(Scale, mini, "file")


def test_a_misspelt_key_goes_before_the_one_it_should_have_been(mini: dict):
    mini["recipes"]["joint"]["bacth"] = mini["recipes"]["joint"].pop("batch")
    with pytest.raises(UserError, match=r"^file: recipes.joint.bacth: no such key: did you mean batch\?"):
        parse(Scale, mini, "file")


def test_further_mistakes_are_counted(mini: dict):
    mini["datset"] = mini["recipies"] = {}
    with pytest.raises(UserError, match=r"no such key.*\(and 1 more\)$"):
        parse(Scale, mini, "file")


@pytest.mark.parametrize(
    ("run", "key", "value", "message"),
    [
        ("multitrain", "projektion", "add", r"file: runs.multitrain.projektion: no such key"),
        ("multitrain", "projection", "added", r"file: runs.multitrain.projection: Input should be 'add'"),
        ("multitrain", "init", "k400", r"run multitrain: init names 'k400', which is no run"),
        ("vanilla", "steps_of", "joint", r"run vanilla: steps_of names 'joint', which is no run with epochs"),
        ("vanilla", "steps_of", "mit_longer", r"run vanilla: steps_of names 'mit_longer', which is no run with epoch"),
        ("k400_baseline", "init", "multitrain", r"goes in a circle: k400_baseline -> multitrain -> k400_baseline"),
        ("vanilla", "init", "vanilla", r"run vanilla: init goes in a circle: vanilla -> vanilla"),
    ],
)
def test_what_is_wrong_in_a_run_is_named(experiments: dict, run: str, key: str, value: object, message: str):
    experiments["runs"][run][key] = value
    with pytest.raises(UserError, match=message):
        parse(Experiments, experiments, "file")


def test_a_table_names_runs_that_exist(experiments: dict):
    experiments["tables"]["table1"]["rows"][0]["runs"] = ["k400_baselin"]
    with pytest.raises(UserError, match=r"table table1, row 'Baseline': no run k400_baselin"):
        parse(Experiments, experiments, "file")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration folder."""
    (tmp_path / "scales").mkdir()
    for path in CONFIG.rglob("*.yaml"):
        (tmp_path / path.relative_to(CONFIG)).write_text(path.read_text())
    return tmp_path


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("datasets", ["k40"], r"runs.vanilla.datasets: no dataset 'k40' at scale mini; there are k400, k700"),
        ("recipe", "joined", r"runs.vanilla.recipe: no recipe 'joined' at scale mini; there are"),
    ],
)
def test_runs_are_checked_against_the_scale(folder: Path, experiments: dict, key: str, value: object, message: str):
    experiments["runs"]["vanilla"][key] = value
    (folder / "experiments.yaml").write_text(yaml.safe_dump(experiments))
    with pytest.raises(UserError, match=message):
        Plan.load({}, str(folder))


def test_tables_are_checked_against_the_scale(folder: Path, experiments: dict):
    experiments["tables"]["table1"]["datasets"] = ["k400", "mitt"]
    (folder / "experiments.yaml").write_text(yaml.safe_dump(experiments))
    with pytest.raises(UserError, match=r"experiments.yaml: tables.table1.datasets: no dataset 'mitt' at scale mini"):
        Plan.load({}, str(folder))


def test_an_unknown_scale_lists_those_there_are():
    with pytest.raises(UserError, match=r"huge.yaml: no such file; in that folder there are: ci, lab, mini, paper"):
        load_scale("huge", CONFIG)


def test_what_is_not_yaml_is_named(folder: Path):
    (folder / "scales" / "mini.yaml").write_text("name: [mini")
    with pytest.raises(UserError, match=r"mini.yaml: not valid YAML: .*line 1") as caught:
        load_scale("mini", folder)
    assert "\n" not in str(caught.value)


def test_every_message_is_one_line(mini: dict):
    mini["model"]["depths"] = "deep"
    with pytest.raises(UserError) as caught:
        parse(Scale, mini, "file")
    assert "\n" not in str(caught.value)


def test_the_world_publishes_what_no_folder_of_raw_files_holds():
    values = load_scale("ci").model_dump()
    values["datasets"]["mine"] = {**values["datasets"]["k400"], "raw": "videos"}
    Scale.model_validate(values)
    values["datasets"]["mine"]["raw"] = None
    with pytest.raises(ValueError, match=r"datasets without raw files are .*'mine'"):
        Scale.model_validate(values)
