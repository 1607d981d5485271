"""`multitrain inspect`: what is said of a model is what its file, card and record say."""

import json
import shutil

import pytest

import multitrain
from multitrain import cli
from multitrain.analysis.cost.flops import cost
from multitrain.inference.interpret.model_report import describe_model, lines, strongest_projections
from multitrain.model.files.release import export_release
from multitrain.model.network import Network, Spec


@pytest.fixture
def say(capsys):
    """Run `inspect`: (exit status, standard output, standard error)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        code = 0
        try:
            cli.run(["inspect", *map(str, arguments)])
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return run


def test_a_model_of_a_run(say, model, trained, scale):
    code, out, _ = say(model, "--json")
    about = json.loads(out)
    record = json.loads((model.parent / "run.json").read_text())
    assert code == 0 and about["bytes"] == model.stat().st_size
    network = multitrain.load(model)
    assert about["network"]["parameters"]["all"] == sum(each.numel() for each in network.parameters())
    assert about["network"]["gflops"] == pytest.approx(cost(scale, "base").gflops)
    made = about["training"]
    assert (made["run"], made["seed"], made["epochs"]) == ("joint", 0, scale.recipes["joint"].epochs)
    assert made["processor"] == record["processor"] and made["code"] == record["code"]
    for name, its in about["datasets"].items():
        assert its["classes"] == len(network.spec.classes[name]) and "names" not in its
        assert its["sigma"] == record["sigma"][name] and its["clips"] == record["datasets"][name]["clips"]
        assert its["title"] == scale.datasets[name].title


def test_the_text_for_people(say, model):
    code, out, _ = say(model, "--classes", "--strongest", 3)
    network = multitrain.load(model)
    assert code == 0 and "Run joint at scale ci, seed 0" in out and "the backbone of k400_baseline" in out
    assert "sigma" in out and all(name in out for names in network.spec.classes.values() for name in names)
    assert len(out.split("source class")[1].splitlines()) == 1 + 3


def test_the_largest_weights_come_first(network):
    found = strongest_projections(network, 4)
    every = [
        (value, source, target)
        for (source, target), weight in network.projections.weights().items()
        for value in weight.flatten().tolist()
    ]
    assert [each["weight"] for each in found] == sorted((value for value, *_ in every), reverse=True)[:4]
    for each in found:
        weight = network.projections.weights()[each["source"], each["target"]]
        row = network.spec.classes[each["target"]].index(each["target_class"])
        column = network.spec.classes[each["source"]].index(each["source_class"])
        assert weight[row, column].item() == each["weight"]


def test_a_fixed_weight_is_no_learned_sigma(trained):
    where = trained.folder_of("k400_baseline") / "model.pt"
    about = describe_model(str(where), multitrain.load(where), 0.0)
    assert "sigma" not in about["datasets"]["k400"] and about["projections"] is None


def test_the_record_of_another_training_is_not_taken(say, model, trained, tmp_path):
    shutil.copy(model, tmp_path / "model.pt")
    code, alone, _ = say(tmp_path / "model.pt")
    assert code == 0 and "run.json of its training, which is not beside it" in alone
    shutil.copy(trained.folder_of("k400_baseline") / "run.json", tmp_path)
    assert say(tmp_path / "model.pt")[1] == alone


def test_a_folder_and_a_release(say, model, tmp_path):
    network = multitrain.load(model)
    multitrain.save(network, tmp_path / "saved")
    code, out, _ = say(tmp_path / "saved", "--json")
    sizes = sum(path.stat().st_size for path in (tmp_path / "saved").iterdir())
    assert code == 0 and json.loads(out)["bytes"] == sizes
    network.card = None
    export_release(network, tmp_path / "x.pyth")
    code, out, _ = say(tmp_path / "x.pyth")
    assert code == 0 and "How it was made is not recorded" in out and "not recorded" in out


def test_another_backbone_is_named_with_its_options(scale):
    own = {"backbone": "cnn3d", "backbone_options": {"channels": 16}}
    spec = Spec(model=scale.model.model_copy(update=own), size=32, classes={"k400": ("a", "b")})
    what = next(each for each in lines(describe_model("x.pt", Network(spec), 0.5)) if "GFLOPs" in str(each))
    assert what.startswith("cnn3d channels=16, 0.5 GFLOPs a clip, ") and "MViT" not in what


def test_no_model_is_one_line(say, tmp_path):
    code, out, err = say(tmp_path / "none.pt")
    assert (code, out) == (1, "") and len(err.splitlines()) == 1
