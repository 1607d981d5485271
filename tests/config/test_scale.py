"""Scales, experiments and the project: the shipped ones are read; a mistake is one message with its place and cure."""

import os
import re
import shutil
from pathlib import Path

import pytest
import typer
import yaml

from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_scale, parse
from multitrain.config.experiments import Experiments, Run
from multitrain.config.scale import Project, Scale
from multitrain.engine.setup import Job
from multitrain.planning.jobs import Jobs
from multitrain.planning.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
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


@pytest.mark.parametrize(
    ("batch", "processes", "micro_batch", "fits"),
    [
        (7, 1, None, True),
        (6, 2, None, False),
        (8, 2, None, True),
        (6, 1, 3, False),
        (16, 2, 4, True),
    ],
)
def test_a_batch_is_an_even_number_of_videos_for_each_part_of_each_process(mini, batch, processes, micro_batch, fits):
    mini["machine"]["cpu_processes"] = processes
    mini["recipes"]["joint"] |= {"batch": batch, "micro_batch": micro_batch}
    if fits:
        assert parse(Scale, mini, "mini").recipes["joint"].batch == batch
    else:
        with pytest.raises(UserError, match=rf"recipes\.joint: a batch of {batch} is no even number of videos"):
            parse(Scale, mini, "mini")


@pytest.mark.parametrize("name", SCALES)
def test_a_fingerprint_has_the_twelve_digits_of_the_records_of_earlier_runs(name: str):
    assert re.fullmatch("[0-9a-f]{12}", load_scale(name, CONFIG).fingerprint)


def test_a_joint_run_is_one_on_two_datasets_or_more():
    shipped = load_experiments(CONFIG, load_scale("mini", CONFIG))
    runs = shipped.runs | {"multitrain": shipped.runs["multitrain"].model_copy(update={"datasets": ("k400", "mit")})}
    joint = shipped.model_copy(update={"runs": runs}).joint_runs()
    assert "multitrain" in joint
    assert {name for name in shipped.shown_runs() if name not in joint} == {
        name for name in shipped.shown_runs() if len(shipped.runs[name].datasets) == 1
    }


def test_the_shipped_project_is_what_its_defaults_say():
    assert parse(Project, yaml.safe_load((CONFIG / "config.yaml").read_text()), "config.yaml") == Project()


def test_the_papers_scale_has_the_papers_model():
    scale = load_scale("paper", CONFIG)
    assert (scale.sizes, scale.model.frames, scale.model.depths) == ({"base": 224, "large": 312}, 32, (2, 3, 16, 3))
    assert scale.world is None


@pytest.mark.parametrize("nodes", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("name", ["paper", "lab"])
def test_the_real_scales_fit_any_usual_number_of_nodes(name: str, nodes: int):
    """With fewer processes more is accumulated, to the same batch."""
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
    assert (joint.lr, joint.batch) == (2 * 2e-4, 64 * 8)  # two machines, eight parts of a batch that is global
    assert recipes["k400_baseline"].lr == recipes["baseline"].lr == pytest.approx(4 * 4e-4)
    heads = {name: (recipe.head, recipe.gradient_divisor) for name, recipe in recipes.items()}
    assert heads["k400_baseline"] == ("linear", 4 * 8) and heads["baseline"] == heads["ssv2_baseline"] == ("linear", 1)
    assert {heads[name] for name in recipes if name.startswith("joint")} == {("model", 2 * 8)}
    assert {recipe.projection_std for recipe in recipes.values()} == {0.02}
    assert ssv2.lr / ssv2.batch == pytest.approx(0.02 / 128)
    assert (joint.repeats, joint.erasing, joint.label_smoothing, joint.randaugment.magnitude) == (2, 0.25, 0.1, 7)
    assert (joint.mixing.mixup, joint.mixing.cutmix, joint.variance_weight) == (0.8, 1.0, 1.0)
    assert ssv2.crop_square == (224 / 320, 224 / 256) and joint.crop_square is None
    assert (ssv2.repeats, ssv2.randaugment, ssv2.mixing, ssv2.erasing) == (1, None, None, 0.0)


def test_the_labs_files_are_laid_out_for_its_sampler():
    lab = load_scale("lab", CONFIG)
    assert {dataset.fraction for dataset in lab.datasets.values()} == {0.12}
    for dataset in lab.datasets.values():
        assert dataset.sampling.kind == "segment" or dataset.sampling.stride == dataset.transcode.stride == 4


def test_settings_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        load_scale("mini", CONFIG).name = "other"


def test_a_missing_key_is_named(mini: dict):
    del mini["recipes"]["joint"]["batch"]
    with pytest.raises(
        UserError, match=r"^file: recipes.joint.batch: this key is required: videos of one step, over all processes$"
    ):
        parse(Scale, mini, "file")


def test_a_misspelt_key_goes_before_the_one_it_should_have_been(mini: dict):
    mini["recipes"]["joint"]["bacth"] = mini["recipes"]["joint"].pop("batch")
    with pytest.raises(
        UserError, match=r"^file: recipes.joint.bacth: no such key \(its value is 16\): did you mean batch\?"
    ):
        parse(Scale, mini, "file")


def test_the_number_of_further_mistakes_is_given(mini: dict):
    mini["datset"] = mini["recipies"] = {}
    with pytest.raises(UserError, match=r"no such key.*\(and 1 more\)$"):
        parse(Scale, mini, "file")


@pytest.mark.parametrize(("mode", "adds"), [("add", True), ("detached", True), ("separate", False), ("none", False)])
def test_the_sum_is_scored_of_runs_that_are_trained_on_it(mode: str, adds: bool):
    assert Run(datasets=("k400", "mit"), recipe="joint", projection=mode).adds == adds


@pytest.mark.parametrize(
    ("run", "key", "value", "message"),
    [
        ("multitrain", "projektion", "add", r"file: runs.multitrain.projektion: no such key"),
        ("multitrain", "projection", "added", r"file: runs.multitrain.projection: Input should be 'add'"),
        ("multitrain", "init", "k400", r"runs.multitrain.init: no run 'k400': there are k400_baseline, "),
        ("vanilla", "steps_of", "joint", r"runs.vanilla.steps_of: no run 'joint': there are "),
        ("vanilla", "steps_of", "mit_longer", r"runs.vanilla.steps_of: 'mit_longer' has no epochs"),
        (
            "k400_baseline",
            "init",
            "multitrain",
            r"runs.k400_baseline.init: goes in a circle, k400_baseline -> multitrain -> k400_baseline",
        ),
        ("vanilla", "init", "vanilla", r"runs.vanilla.init: goes in a circle, vanilla -> vanilla"),
        (
            "k400_baseline",
            "projection",
            "add",
            r"runs.k400_baseline.projection: 'add' is between datasets, and there is k400",
        ),
        (
            "mit_baseline",
            "projection",
            "separate",
            r"runs.mit_baseline.projection: 'separate' is between datasets, and",
        ),
        ("vanilla", "datasets", ["mit", "mit"], r"file: runs.vanilla.datasets: 'mit' is named twice"),
        (
            "vanilla",
            "datasets",
            [],
            r"file: runs.vanilla.datasets: Tuple should have at least 1 item .*, but it is \(?\[?",
        ),
    ],
)
def test_a_mistake_in_a_run_is_named(experiments: dict, run: str, key: str, value: object, message: str):
    experiments["runs"][run][key] = value
    with pytest.raises(UserError, match=message):
        parse(Experiments, experiments, "file")


def test_a_table_names_runs_that_exist(experiments: dict):
    experiments["tables"]["table1"]["rows"][0]["runs"] = ["k400_baselin"]
    with pytest.raises(
        UserError, match=r"file: tables.table1.rows.0.runs: no run 'k400_baselin': did you mean 'k400_baseline'\?"
    ):
        parse(Experiments, experiments, "file")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration folder."""
    (tmp_path / "scales").mkdir()
    for path in (*CONFIG.glob("*.yaml"), *CONFIG.glob("scales/*.yaml")):
        (tmp_path / path.relative_to(CONFIG)).write_text(path.read_text())
    return tmp_path


def test_recipes_are_checked_against_the_scale(folder: Path, experiments: dict):
    experiments["runs"]["vanilla"]["recipe"] = "joined"
    (folder / "experiments.yaml").write_text(yaml.safe_dump(experiments))
    with pytest.raises(UserError, match=r"runs.vanilla.recipe: no recipe 'joined' at scale mini: did you mean 'joint'"):
        Plan.load({}, str(folder))


def test_a_run_whose_datasets_the_scale_lacks_is_an_error_when_it_is_asked_for(folder: Path, experiments: dict):
    experiments["runs"]["vanilla"]["datasets"] = ["k40"]
    experiments["tables"]["table2"]["datasets"] = ["k700", "mitt"]
    (folder / "experiments.yaml").write_text(yaml.safe_dump(experiments))
    plan = Plan.load({}, str(folder))
    assert list(plan.experiments.tables) == ["table1"]  # table3 shows vanilla
    why = "no dataset 'k40' at scale mini: did you mean 'k400'?"
    assert plan.left_out["table table3"] == f"run vanilla: {why}"
    with pytest.raises(UserError, match=rf"runs.vanilla: {re.escape(why)}"):
        plan.experiments.run("vanilla")
    with pytest.raises(UserError, match=r"tables.table2: no dataset 'mitt' at scale mini: did you mean 'mit'\?"):
        plan.experiments.table("table2")
    assert not [its for its in plan.claims.claims.values() if its.table != "table1"]


def test_an_unknown_scale_lists_those_there_are():
    with pytest.raises(UserError, match=r"huge.yaml: no such file; in that folder there are: ci, desk, gpu, lab, mini"):
        load_scale("huge", CONFIG)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name: [mini", r"not valid YAML: line 1, column 12: expected ',' or ']'"),
        (
            b"name: mini\n\tsizes: {}\n",
            r"not valid YAML: line 2, column 1: found character '\\t' .*: indent with spaces",
        ),
        (
            b"name: mini\nsizes: {base: 1, large: 2, base: 3}\n",
            r"line 2, column 28: the key base comes twice: leave one",
        ),
        (b"name: mini\n? [a]\n: b\n", r"not valid YAML: line 2, column 3: found unhashable key"),
        (b"name: 2020-13-01\n", r"not valid YAML: month must be in 1..12"),
        (b"---\na: 1\n---\nb: 1\n", r"not valid YAML: line 3, column 1: but found another document"),
        (b"name: m\xfcni\n", r"mini.yaml: byte 7 is not UTF-8: save the file as UTF-8"),
        (b"name: \x01\n", r"not valid YAML: .*special characters are not allowed"),
        (b"", r"mini.yaml: is empty: restore the committed file"),
        (b"# a remark\n", r"mini.yaml: is empty"),
        (b"[a, b]\n", r"mini.yaml: should be keys with values \(KEY: VALUE\), but it is \['a', 'b'\]"),
        (b"mini\n", r"mini.yaml: should be keys with values \(KEY: VALUE\), but it is 'mini'"),
        (b"[" * 5000, r"mini.yaml: not valid YAML"),
    ],
)
def test_a_file_that_is_no_yaml_is_named(folder: Path, content: bytes, message: str):
    (folder / "scales" / "mini.yaml").write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        load_scale("mini", folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "message"), [("folder", "is a folder"), ("pipe", "is a pipe"), ("link", "no such file")]
)
def test_a_special_file_is_named(folder: Path, kind: str, message: str):
    path = folder / "experiments.yaml"
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("nowhere")
    with pytest.raises(UserError, match=rf"experiments.yaml: {message}"):
        load_experiments(folder)


def test_a_scale_has_the_name_of_its_file(folder: Path):
    shutil.copy(folder / "scales/mini.yaml", folder / "scales/mine.yaml")
    with pytest.raises(UserError, match=r"mine.yaml: name: 'mini' is not the file's: write mine"):
        load_scale("mine", folder)


SCALE_MISTAKES = [  # path, value, the message after "file: "
    ("recipes.joint.batch", "many", "recipes.joint.batch: Input should be a valid integer, unable to parse string as"),
    ("recipes.joint.batch", 1, "recipes.joint.batch: Input should be greater than or equal to 2, but it is 1"),
    ("recipes.joint.epoch", 3, "recipes.joint.epoch: no such key"),
    ("recipes.joint.lr", -1, "recipes.joint.lr: Input should be greater than 0"),
    ("datasets.k400.transcode.fsp", 3, "datasets.k400.transcode.fsp: no such key"),
    ("datasets.k400.transcode.keyint", 47, "datasets.k400.transcode: keyint 47 is no multiple of stride"),
    ("datasets.k400.sampling", {"stride": 2}, "datasets.k400: sampling.stride 2 is no multiple of transcode.stride 3"),
    ("datasets.k400.reader", "kinetic", "datasets.k400.reader: Input should be 'kinetics'"),
    ("world.videos.ucf", {"train": 1, "validation": 1}, "world: no synthetic dataset 'ucf'; there are k400"),
    ("recipes.joint.lr", float("nan"), "recipes.joint.lr: Input should be a finite number, but it is nan"),
    ("recipes.joint.lr", float("inf"), "recipes.joint.lr: Input should be a finite number, but it is inf"),
    ("recipes.joint", [3], "recipes.joint: should be keys with values (KEY: VALUE), but it is [3]"),
    ("recipes.joint.betas", 0.9, "recipes.joint.betas: should be a list, [ONE, ANOTHER], but it is 0.9"),
    ("recipes.Joint", {}, "recipes.Joint: a name has lower-case letters, digits and _, and starts with a letter, and"),
    ("recipes.joint.optimiser", "adam", "recipes.joint.optimiser: Input should be 'adamw' or 'sgd', but it is 'adam'"),
    ("recipes.joint.optimizer", "sgd", "recipes.joint.optimizer: no such key (its value is 'sgd'): did you mean opt"),
    ("recipes.joint.mixing.batch", 1, "recipes.joint.mixing.batch: no such key (its value is 1): did you mean recipes"),
    ("recipes.joint.seeds", [1], "recipes.joint.seeds: no such key (its value is [1]): did you mean seeds of config.y"),
    (
        "datasets.k400.xyzzy",
        1,
        "datasets.k400.xyzzy: no such key (its value is 1): there are title, paper_letter, ",
    ),
    ("datasets.k400.title", 400, "datasets.k400.title: Input should be a valid string, but it is 400"),
    ("recipes.joint.rate", 1e-3, "recipes.joint.rate: is called lr now"),
    ("recipes.joint.rate_ends", [0, 0.1], "recipes.joint.rate_ends: is called lr_start_factor and lr_end_factor now"),
    ("recipes.joint.sigma_rate", 1, "recipes.joint.sigma_rate: is called sigma_lr_factor now"),
    (
        "recipes.joint.mixing.partner_label",
        "lost",
        "recipes.joint.mixing.partner_label: is called cross_dataset_labels now, kept is true, lost is false",
    ),
    ("recipes.joint.letter", "e", "recipes.joint.letter: no such key"),
    ("datasets.mit.letter", "e", "datasets.mit.letter: is called paper_letter now"),
    (
        "datasets.k400.transcode.keyint",
        -2,
        "datasets.k400.transcode.keyint: Input should be greater than or equal to 1",
    ),
    ("sizes", {"base": 48}, "sizes needs both base and large, and has base"),
    ("model.depths", "deep", "model.depths: should be a list, [ONE, ANOTHER], but it is 'deep'"),
]


@pytest.mark.parametrize(("path", "value", "message"), SCALE_MISTAKES, ids=[f"{p}={v}" for p, v, _ in SCALE_MISTAKES])
def test_a_mistake_in_a_scale_is_named_with_its_path_and_value(mini: dict, path: str, value: object, message: str):
    *above, last = path.split(".")
    place = mini
    for key in above:
        place = place.setdefault(key, {})
    place[last] = value
    with pytest.raises(UserError) as caught:
        parse(Scale, mini, "file")
    assert str(caught.value).startswith(f"file: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"covariance_weight": 2},
            "covariance_weight: no such key (its value is 2): did you mean "
            "recipes.NAME.covariance_weight of scales/SCALE.yaml?",
        ),
        ({"projection": "add"}, "projection: no such key (its value is 'add'): did you mean runs.NAME.projection of e"),
        ({"scale": 3}, "scale: Input should be a valid string, but it is 3"),
        ({"data": ""}, "data: '' is no folder of its own: name one"),
        ({"results": "./"}, "results: './' is no folder of its own"),
        ({"results": "a{b}"}, "results: 'a{b}' is no folder of its own"),
        ({"results": 3}, "results: Input should be a valid string, but it is 3"),
        ({"results": "config/config.yaml"}, "results: 'config/config.yaml' is no folder: name another"),
        ({"pretrained": {"k400": "x"}}, "pretrained.k400: no run starts from 'k400'"),
        ({"exclude_leaks": "maybe"}, "exclude_leaks: Input should be a valid boolean, unable to interpret input, but"),
    ],
)
def test_a_mistake_in_the_project_is_named(values: dict, message: str, monkeypatch):
    monkeypatch.chdir(CONFIG.parent)
    with pytest.raises(UserError) as caught:
        Plan.load(values)
    assert str(caught.value).startswith(f"config/config.yaml or --config: {message}")


@pytest.mark.parametrize(
    "value", [[0, 0], [-1], 3, [1.5], "", [], ["x"], ["-1"], ["0", 0], [True], [None], None, {"a": 1}]
)
def test_seeds_have_one_rule_and_one_message(value: object):
    with pytest.raises(UserError) as caught:
        Plan.load({"seeds": value}, str(CONFIG))
    rule = "seeds are a list of different whole numbers from 0 on, as in [0, 1, 2], and not"
    assert str(caught.value).endswith(f"or --config: seeds: {rule} {value!r}")


@pytest.mark.parametrize("said", [["--seed", "0", "--seed", "0"], ["--seed", "x"], ["--seed=-1"], ["--seed", "1.5"]])
@pytest.mark.parametrize("command", [["table", "table1"], ["status"], ["train", "multitrain"]])
def test_commands_have_the_same_rule_for_seeds(command: list[str], said: list[str], capsys):
    if command[0] == "train" and len(said) == 4:
        said = ["--seed", ""]  # it takes one
    with pytest.raises(SystemExit) as ended:
        typer.main.get_command(app)([*command, *said], windows_expand_args=False)
    assert ended.value.code == 2
    message = " ".join(word for word in capsys.readouterr().err.split() if word != "│")
    assert "seeds are a list of different whole numbers from 0 on, as in [0, 1, 2], and not" in message


def test_seeds_of_the_command_line_come_as_text():
    """As Snakemake 9 gives --config 'seeds=[3,0]'."""
    assert Plan.load({"seeds": ["3", "0"]}, str(CONFIG)).project.seeds == (3, 0)


def test_folders_are_written_in_one_way():
    said = {
        "results": ["results/", "./results", "results//", "x/../results"],
        "data": ["/a/data/", "/a//data", "/a/data/."],
    }
    for key, ways in said.items():
        assert len({getattr(parse(Project, {key: way}, "file"), key) for way in ways}) == 1
    assert parse(Project, {"results": "results/"}, "file").results == "results"


def test_the_world_publishes_every_dataset_without_a_folder_of_raw_files():
    values = load_scale("ci").model_dump()
    values["datasets"]["mine"] = {**values["datasets"]["k400"], "raw": "videos"}
    Scale.model_validate(values)
    values["datasets"]["mine"]["raw"] = None
    with pytest.raises(ValueError, match=r"datasets without raw files are .*'mine'"):
        Scale.model_validate(values)


def test_a_recipe_with_a_run_s_name_is_that_run_s():
    scale = load_scale("mini", CONFIG)
    slower = scale.recipes["joint"].model_copy(update={"lr": 1e-5})
    own = scale.model_copy(update={"recipes": {**scale.recipes, "wo_projection": slower}})
    runs = load_experiments(CONFIG, own).runs
    assert own.recipes[runs["wo_projection"].recipe].lr == 1e-5
    assert own.recipes[runs["multitrain"].recipe].lr == scale.recipes["joint"].lr == 2e-3


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        ({"actnet": {"relatives": 12}}, "world: bias.actnet.relatives: 12 is more than its 11 classes"),
        ({"mit": {"noise": 1.2}}, "world: bias.mit.noise: Input should be less than 1"),
        ({"mit": {"nois": 0.1}}, "world: bias.mit.nois: no such key: did you mean 'noise'?"),
        ({"ucf": {"noise": 0.1}}, "world: no synthetic dataset 'ucf'; there are k400"),
        ({"k400": {"tempo": [0.5, 1.5]}}, "world: bias.k400: tempo: 0.5 to 1.5 is more than a factor of 2"),
        ({"ssv2": {"appearance": -1}}, "world: bias.ssv2.appearance: Input should be greater than or equal to 0"),
        ({"ssv2": {"zoom": [1, 0.5]}}, "world: bias.ssv2: zoom: the lower end 1.0 is above"),
    ],
)
def test_a_mistake_in_the_world_s_bias_is_named(mini: dict, bias: dict, message: str):
    mini["world"]["bias"] = bias
    with pytest.raises(UserError, match=re.escape(message)):
        parse(Scale, mini, "file")


def test_a_class_without_a_video_is_refused_before_anything_is_rendered(mini: dict):
    mini["world"]["videos"]["k400"]["train"] = 15
    with pytest.raises(UserError, match=r"world.videos.k400.train: 15 videos leave some of 16 classes without one"):
        parse(Scale, mini, "file")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (("world", "run_seeds"), 0, r"desk.yaml: world.run_seeds: .*1"),
        (
            ("datasets", "ssv2", "holdout"),
            0.99,
            r"desk.yaml: world.videos.ssv2.train: after holdout 0.99 run ssv2_baseline has at most \d+ training clips, "
            r"and recipes.ssv2_baseline.batch is 64: raise the one or lower the other",
        ),
    ],
)
def test_mistakes_in_a_world_are_named_before_it_is_rendered(folder: Path, key: tuple, value: object, message: str):
    scale = yaml.safe_load((CONFIG / "scales" / "desk.yaml").read_text())
    scale["recipes"]["ssv2_baseline"]["batch"] = 64
    inner = scale
    for name in key[:-1]:
        inner = inner[name]
    inner[key[-1]] = value
    (folder / "scales" / "desk.yaml").write_text(yaml.safe_dump(scale))
    with pytest.raises(UserError, match=message) as caught:
        Plan.load({"scale": "desk"}, str(folder))
    assert "\n" not in str(caught.value)


def test_desk_has_two_worlds_and_the_other_scales_one(tmp_path: Path):
    desk, mini = (load_scale(name, CONFIG) for name in ("desk", "mini"))
    assert [desk.world_of(seed) for seed in (0, 4, 5, 9)] == [0, 0, 1, 1] and mini.world_of(9) == 0
    assert desk.clips_folder("mit", tmp_path, 1) == tmp_path / "desk" / "world1" / "mit"
    assert mini.clips_folder("mit", tmp_path) == tmp_path / "mini" / "mit"
    with pytest.raises(UserError, match=r"scale mini has no world 1: leave --world out, or set world.run_seeds"):
        mini.clips_folder("mit", tmp_path, 1)
    assert desk.by_world((0, 6, 1)) == {0: (0, 1), 1: (6,)} and desk.first_world((6, 0)) == (6,)


def test_a_dataset_that_is_not_there_is_named_before_its_files(tmp_path: Path):
    scale = load_scale("mini", CONFIG)
    job = Job(scale, load_experiments(CONFIG, scale), "vanilla", 0, tmp_path, tmp_path)
    with pytest.raises(UserError, match=r"scale mini: no dataset 'k4000'; there are k400"):
        job.source("k4000", "val")


def test_keys_of_the_machine_follow_a_scale_s_name():
    plain = load_scale("desk", CONFIG)
    changed = load_scale("desk,machine.precision=bf16,machine.checkpointing=[base, large],machine.workers=3", CONFIG)
    machine = {"precision": "bfloat16", "checkpointing": ("base", "large"), "workers": 3}
    assert changed == plain.model_copy(update={"machine": plain.machine.model_copy(update=machine)})
    assert changed.fingerprint != plain.fingerprint
    assert load_scale("desk,machine.precision=fp32,machine.workers=3", CONFIG).fingerprint == plain.fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("machine.precision=bf17", "machine.precision: Input should be 'float32', .* but it is 'bf17'"),
        ("machine.gpu=2", r"machine.gpu: no such key \(its value is 2\): did you mean gpus"),
        ("machine.gpus", "machine.gpus has no value: give machine.gpus=VALUE"),
        ("machine.gpus=7", "recipes.k400_baseline: a batch of 16 is no even number of videos for each of 7"),
        ("machine.gpus=[", "not valid YAML: line 1, column 2"),
    ],
)
def test_a_mistake_in_a_changed_machine_is_named_with_what_was_given(change: str, message: str):
    with pytest.raises(UserError, match=rf"mini\.yaml with {re.escape(change)}: {message}"):
        load_scale(f"mini,{change}", CONFIG)


def test_a_study_has_its_machine_in_its_file(tmp_path: Path):
    (study := tmp_path / "own.yaml").write_text("extends: mini\n")
    with pytest.raises(UserError, match=r"own\.yaml: is a study: set gpus=1 under the key machine in it"):
        load_scale(f"{study},machine.gpus=1", CONFIG)


def test_a_changed_machine_reaches_every_command_of_the_workflow(monkeypatch):
    monkeypatch.chdir(CONFIG.parent)
    plan = Plan.load({"scale": "mini,machine.precision=bf16"})
    assert plan.scale.machine.precision == "bfloat16" and plan.scale.name == "mini"
    assert plan.options().startswith("--scale mini,machine.precision=bf16 ")
    named = Jobs(plan)._options(["scale"])
    assert named == ["--scale", "mini,machine.precision=bf16"]
