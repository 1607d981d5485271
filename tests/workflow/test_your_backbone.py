"""The guide's way from a network in one file to a row of a table, its file, settings and commands word for word."""

import inspect
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
import yaml

from multitrain.common.errors import UserError
from multitrain.config.config_files import load_scale
from multitrain.config.model_settings import Model
from multitrain.config.study_file import read_study
from multitrain.data.loader import train_batches
from multitrain.engine.training_state import Training
from multitrain.model.backbones.build import build_backbone, check_backbone
from multitrain.model.backbones.cnn3d import cnn3d
from multitrain.model.backbones.declarations import built_in
from multitrain.planning.plan import Plan
from tests.cli.test_cli import call
from tests.engine.stopping import with_run
from tests.guide_pages import blocks, commands, inline, read, table
from tests.workflow.planned import job_counts, linked_checkout, snakemake

PAGE = "your-backbone.md"
COPIES = {"k400_baseline": "k400_two_layers", "multitrain": "multitrain_two_layers"}  # of the page's second step


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A checkout with the page's network, under the name that the page gives it, and settings that may be changed."""
    linked_checkout(tmp_path)
    (tmp_path / "config").unlink()
    shutil.copytree(Path(__file__).parents[2] / "config", tmp_path / "config")
    (name,) = re.findall(r"here `(\w+\.py)`", read(PAGE))
    (source,) = blocks(PAGE, "python")
    (tmp_path / name).write_text(source)
    monkeypatch.delitem(sys.modules, "two_layers", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def with_own_runs(settings: str) -> str:
    """The text of experiments.yaml with the page's key in copies of two runs, and with its row in Table 1."""
    content = yaml.safe_load(settings)
    key = yaml.safe_load(inline(PAGE, "backbone: "))
    for name, copy in COPIES.items():
        run = content["runs"][name]
        content["runs"][copy] = {**run, **key, **({"init": COPIES[run["init"]]} if "init" in run else {})}
    content["tables"]["table1"]["rows"] += yaml.safe_load(inline(PAGE, "- { method: "))
    return yaml.safe_dump(content, sort_keys=False)


@pytest.fixture
def own_runs(place: Path) -> Path:
    """The checkout with these runs and that row."""
    path = place / "config/experiments.yaml"
    path.write_text(with_own_runs(path.read_text()))
    return place


def test_the_network_of_the_page_is_a_backbone_and_learns(place: Path, job):
    own = with_run(job("joint"), backbone="two_layers:two_layers", init=None)
    training = Training(own, torch.device("cpu"))
    network = training.network
    check_backbone(network.backbone, network.spec.model, network.spec.size)
    clips = torch.randn(3, 3, network.spec.model.frames, network.spec.size, network.spec.size)
    z = network.backbone.eval()(clips)
    torch.testing.assert_close(z[:1], network.backbone(clips[:1]))
    before = {name: weight.detach().clone() for name, weight in network.backbone.named_parameters()}
    network.train()
    training.step([next(train_batches(training.clips, own.recipe.batch, 0, 1, 0, training.share))])
    assert len(before) == 4
    assert not [name for name, w in network.backbone.named_parameters() if torch.equal(w, before[name])]


def test_its_runs_and_row_are_planned_by_the_command(own_runs: Path):
    (command,) = re.findall(r"^4\. `(.*?)`", read(PAGE), re.M)
    program, *words = command.split()
    planned = snakemake(own_runs, "-n", *words)
    (run,) = Plan.load({"scale": "mini"}, "config").experiments.table("table1").rows[-1].runs
    assert program == "snakemake" and job_counts(planned)["index"] == 1
    assert f"results/runs/mini/{run}/seed0/model.pt" in planned.stdout


def test_the_cost_has_a_line_for_its_backbone(own_runs: Path, capsys):
    assert call("flops") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if "two_layers:two_layers" in line]
    scale = load_scale("mini")
    network = build_backbone(Model(backbone="two_layers:two_layers", frames=scale.model.frames), scale.sizes["base"])
    weights = f"{sum(weight.numel() for weight in network.parameters()):,}"
    assert [(line[0], line[-1]) for line in lines] == [(size, weights) for size in scale.sizes]


def test_the_key_for_all_runs_of_a_scale_gives_all_its_option(place: Path):
    (place / "own.yaml").write_text(f"extends: mini\n{inline(PAGE, 'model: {')}\n")
    scale = load_scale("own.yaml")
    assert build_backbone(scale.model, scale.sizes["base"]).width == 32
    assert load_scale("mini").model.backbone == "mvit"


def test_a_run_takes_options_and_weights_by_the_name_that_the_scale_gives_them(place: Path):
    (block,) = blocks(PAGE, "yaml")
    path = place / "config/scales/mini.yaml"
    path.write_text(f"{path.read_text()}\n{block}")
    experiments = place / "config/experiments.yaml"
    text = experiments.read_text()
    experiments.write_text(text.replace("k400_baseline: {", "k400_baseline: { backbone: resnet,", 1))
    with pytest.raises(UserError, match="name a run of the same backbone"):  # as others start from its weights
        Plan.load({"scale": "mini"}, "config")
    experiments.write_text(text.replace("mit_scratch: {", "mit_scratch: { backbone: resnet,", 1))
    plan = Plan.load({"scale": "mini"}, "config")
    chosen = plan.scale.backbone_of(plan.experiments.runs["mit_scratch"].backbone)
    (name, weights) = re.search(r"backbone: (\S+), backbone_weights: (\S+) ", block).groups()
    assert (chosen.backbone, chosen.backbone_weights) == (name, weights)
    assert build_backbone(plan.scale.model.with_backbone(chosen), plan.scale.sizes["base"]).width == 512


def test_the_study_that_the_page_names_is_desk_with_the_cnn_on_its_clips(place: Path):
    _, *words = inline(PAGE, "snakemake --cores all --configfile").split()
    counts = job_counts(snakemake(place, "-n", *words))
    study = read_study(words[-1])
    assert (study.scale["clips_of"], study.scale["model"]["backbone"]) == ("desk", "cnn3d")
    assert counts["train"] % 3 == 0 and counts["table"] == 1  # of three seeds


def test_the_commands_of_the_page_are_parsed_and_refuse_what_is_not_there(place: Path, capsys):
    assert not commands(PAGE)  # all of them stand in a sentence
    _, *words = inline(PAGE, "multitrain results backbones").split()
    assert call(*words) == 1
    assert "A.parquet: no such file" in capsys.readouterr().err


def test_the_table_has_every_backbone_with_its_options():
    rows = dict(table(PAGE, "`backbone`"))
    names = {name.strip("`").replace("NAME", "") for name in rows}
    assert names == {*built_in(), "module:function"}
    given = {name: yaml.safe_load(value) for name, value in re.findall(r"(\w+) \((.*?)\)", rows["`cnn3d`"])}
    own = [each for each in inspect.signature(cnn3d).parameters.values() if each.name not in ("frames", "size")]
    assert given == {each.name: [*each.default] if isinstance(each.default, tuple) else each.default for each in own}


def test_the_networks_of_torchvision_take_the_clips_that_the_page_says():
    from torchvision.models import list_models, video

    listed = re.search(r"without its classifier: (.*?); options", dict(table(PAGE, "`backbone`"))["`torchvision:NAME`"])
    names = listed.group(1).split(", ")
    assert sorted(names) == sorted(list_models(module=video))
    text = " ".join(read(PAGE).split())
    said = r"s3d needs at least (\d+) frames of (\d+) pixels; the others take (\d+) frames of (\d+) pixels"
    large, small = [tuple(map(int, re.search(said, text).groups()[place : place + 2])) for place in (0, 2)]
    fits = {name: [clip for clip in (small, large) if taken(f"torchvision:{name}", *clip)] for name in names}
    assert fits == {name: [large] if name == "s3d" else [small, large] for name in names}
    assert not taken("torchvision:s3d", large[0] // 2, large[1]) and not taken(
        "torchvision:s3d", large[0], large[1] // 2
    )


def taken(name: str, frames: int, size: int) -> bool:
    """Whether a backbone gives features of such clips; nothing is computed."""
    with torch.device("meta"):
        model = Model(backbone=name, frames=frames)
        module = build_backbone(model, size).eval()
        try:
            return module(torch.zeros(1, 3, frames, size, size)).shape == (1, module.width)
        except RuntimeError:
            return False
