"""Model folders and model files: saved and loaded bit for bit; every damage is an error of one line."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import safetensors.torch
import torch

import multitrain
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_scale
from multitrain.config.scale import Model, Sampling, Views
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.model.files.metadata import Card, Frames, HeadData, Origin, checked_card, make_card
from multitrain.model.files.model_folder import load_folder, save_folder
from multitrain.model.files.release import export_release
from multitrain.model.network import Network, Spec

TINY = Model(frames=4, channels=8, depths=(1, 2), patch_kernel=(3, 7, 7), kv_stride=2, head_hidden=16, head_dropout=0.0)
CLASSES = {"a": ("Füße waschen", 'say "hi" | <b>'), "b": ("x", "y", "z")}
CARD = Card(
    datasets={
        "a": HeadData(
            title="A", frames=Frames(fps=12, short_side=40, views=Views(temporal=2, spatial=3)), synthetic=True
        ),
        "b": HeadData(title="B", frames=Frames(fps=None, grid=1, sampling=Sampling(kind="segment"))),
    },
    origin=Origin(run="r", scale="mini", seed=3, steps=100, code="abc"),
)


def make(card: Card | None = CARD, classes: dict | None = None) -> Network:
    torch.manual_seed(0)
    network = Network(Spec(model=TINY, size=16, classes=classes or CLASSES, projections=True, expander=(12, 10)))
    network.card = card
    return network.eval()


@pytest.fixture
def folder(tmp_path):
    save_folder(tmp_path / "net", make())
    return tmp_path / "net"


def same(one: Network, two: Network) -> bool:
    ours, theirs = one.state_dict(), two.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("card", [CARD, None], ids=["card", "no card"])
def test_all_of_a_network_comes_back(tmp_path, card):
    network = make(card)
    multitrain.save(network, tmp_path / "deep/net")
    loaded = multitrain.load(tmp_path / "deep/net")
    assert (loaded.spec, loaded.card, loaded.training) == (network.spec, card, False)
    assert same(network, loaded)
    clips = torch.randn(2, 3, 4, 16, 16)
    assert torch.equal(loaded.logits(clips)["b"], network.logits(clips)["b"])


def test_the_same_network_gives_the_same_bytes(folder, tmp_path):
    save_folder(tmp_path / "again", load_folder(folder))
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["README.md", "config.json", "model.safetensors"]
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in files)


@pytest.mark.parametrize("card", [CARD, None], ids=["card", "no card"])
def test_a_model_file_keeps_the_card(tmp_path, card):
    save_network(tmp_path / "model.pt", make(card))
    assert load_network(tmp_path / "model.pt").card == card
    save_network(tmp_path / "again.pt", load_network(tmp_path / "model.pt"))
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "model.pt").read_bytes()


def test_a_model_file_of_before_there_were_cards_loads(tmp_path):
    network = make()
    content = {"format": "multitrain-1", "spec": network.spec.model_dump_json(), "weights": network.state_dict()}
    torch.save(content, tmp_path / "old.pt")
    loaded = multitrain.load(tmp_path / "old.pt")
    assert loaded.card is None and same(network, loaded)


@pytest.mark.parametrize("said", [True, False])
def test_an_older_cards_flag_of_the_network_is_read_as_one_of_each_head(tmp_path, said):
    old = CARD.model_dump(mode="json")
    for seen in old["datasets"].values():
        del seen["synthetic"]
    old["origin"]["synthetic"] = said
    save_folder(tmp_path / "net", make())
    config = json.loads((tmp_path / "net/config.json").read_text())
    (tmp_path / "net/config.json").write_text(json.dumps(config | {"card": old}))
    card = load_folder(tmp_path / "net").card
    assert {name: seen.synthetic for name, seen in card.datasets.items()} == {"a": said, "b": said}
    assert card.origin == CARD.origin


def test_the_note_is_of_the_heads_that_know_rendered_videos():
    heads = {name: HeadData(title=name.upper(), synthetic=name != "b") for name in "abc"}
    assert Card(datasets=heads).note() == (
        "Trained on synthetic videos, so that they know nothing of filmed ones: the heads A, C."
    )
    assert Card(datasets={"a": heads["a"]}).note() == "Trained on synthetic videos: of filmed ones it knows nothing."
    assert Card(datasets={"b": heads["b"]}).note() == ""


def test_a_card_of_other_heads_is_refused(tmp_path):
    other = make(Card(datasets={"a": CARD.datasets["a"]}))
    save_network(tmp_path / "model.pt", other)
    with pytest.raises(UserError, match=r"model\.pt"):
        load_network(tmp_path / "model.pt")
    save_folder(tmp_path / "net", make())
    config = json.loads((tmp_path / "net/config.json").read_text())
    del config["card"]["datasets"]["b"]
    (tmp_path / "net/config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"config\.json.*heads are of"):
        load_folder(tmp_path / "net")


def test_the_readme_says_what_it_is(folder):
    text = (folder / "README.md").read_text()
    header = text.split("---")[1]
    assert "pipeline_tag: video-classification" in header and "- synthetic" in header
    assert "| `a` | A | 2 | rendered (synthetic) | one in 3 at 12 fps | 2 x 3 |" in text
    assert "| `b` | B | 3 | the dataset's own |" in text
    assert "they know nothing of filmed ones: the heads A.**" in text and "# A video transformer" in text
    assert "Füße waschen" in text and 'say "hi" \\| &lt;b>' in text
    assert "Run `r` at scale `mini`, seed 3, 100 steps" in text


def test_the_readme_says_what_it_was_trained_on_and_whose_weights_these_are(folder):
    text = (folder / "README.md").read_text()
    titles = ", ".join(head.title for head in load_folder(folder).card.datasets.values())
    assert f"Trained on {titles}. MultiTrain ships no weights for filmed videos: these are of who saved them." in text


def test_the_readme_of_rendered_videos_alone_says_so_first(tmp_path):
    card = CARD.model_copy(update={"datasets": {name: HeadData(title=name, synthetic=True) for name in CLASSES}})
    save_folder(tmp_path, make(card))
    text = (tmp_path / "README.md").read_text()
    assert "# Synthetic: a video transformer" in text and "rendered, not filmed" in text


def test_the_readme_does_not_claim_what_is_not_known(tmp_path):
    save_folder(tmp_path, make(None, {"a": tuple(f"class {index}" for index in range(400))}))
    text = (tmp_path / "README.md").read_text()
    assert "Not recorded" in text and "paper's values are assumed" in text and "synthetic" not in text
    assert "and 388 more" in text and "class 12" not in text and "heads of one dataset" in text


def change(path, key: str, value: object) -> None:
    config = json.loads(path.read_text())
    *parents, last = key.split(".")
    inner = config
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    path.write_text(json.dumps(config))


CHANGES = [
    ("format", "other", "not of a network of this project"),
    ("spec", None, "spec"),
    ("spec.size", -1, "size"),
    ("spec.model.depths", [1, 100000], "fewer weights"),
    ("spec.model.channels", 1 << 20, "two networks|no network"),
    ("spec.size", 32, "position_space"),
    ("spec.classes.a", ["one"], "heads.a"),
    ("spec.unknown", 1, "unknown"),
    ("card.datasets.a.frames.views.spatial", 2, "spatial"),
    ("card.datasets.a.frames.views.temporal", 10**9, r"views\.temporal is 1e\+09: it can be 1 to 1000"),
    ("card.datasets.a.frames.sampling.stride", 10**9, r"sampling\.stride is"),
    ("card.datasets.a.frames.fps", 1e9, r"fps is"),
    ("card.datasets.a.frames.fps", float("inf"), r"fps: Input should be a finite"),
    ("card.datasets.b.frames.grid", 10**9, r"b\.frames\.grid is"),
    ("card.datasets.a.frames.short_side", 10**9, r"short_side is"),
]


@pytest.mark.parametrize(("key", "value", "why"), CHANGES)
def test_a_changed_configuration_is_named(folder, key, value, why):
    change(folder / "config.json", key, value)
    with pytest.raises(UserError, match=why) as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value) and "net/" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_damaged_configuration_is_named(folder, content):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(UserError, match=r"config\.json: ") as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value)


def test_a_configuration_without_end_is_not_read(folder, monkeypatch):
    monkeypatch.setattr("multitrain.model.files.model_folder.LARGEST_CONFIG", 100)
    with pytest.raises(UserError, match="longer than 100 bytes"):
        load_folder(folder)


@pytest.mark.parametrize("share", [0, 0.001, 0.1, 0.5, 0.999])
def test_weights_that_break_off_are_named(folder, share):
    path = folder / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"model\.safetensors: damaged") as caught:
        load_folder(folder)
    assert "\n" not in str(caught.value)


def test_a_header_that_claims_more_than_there_is(folder):
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 1 << 60) + path.read_bytes()[8:])
    with pytest.raises(UserError, match="damaged"):
        load_folder(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match=rf"{name}: no such file|{name}: No such file"):
        load_folder(folder)


def test_weights_of_another_network_are_named(folder, tmp_path):
    save_folder(tmp_path / "other", make(None, {"a": ("one",), "b": ("x", "y", "z")}))
    (tmp_path / "other/model.safetensors").replace(folder / "model.safetensors")
    with pytest.raises(UserError, match=r"heads\.a\..*two networks"):
        load_folder(folder)


def test_load_takes_a_folder_a_file_of_weights_a_release_and_a_run(folder, tmp_path):
    network = make()
    export_release(network, tmp_path / "net.pyth")
    save_network(tmp_path / "run/model.pt", network)
    for where in (folder, str(folder), folder / "model.safetensors", tmp_path / "net.pyth", tmp_path / "run"):
        loaded = multitrain.load(where)
        assert same(network, loaded) and not loaded.training


@pytest.mark.parametrize("name", ["nothing", "a/b/c", "folder/model.pt", "/no/where", "../up", "owner/name/", ""])
def test_a_missing_model_is_one_line(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = r"no such file or folder|neither config\.json nor model\.pt|name is empty"
    with pytest.raises(UserError, match=told) as caught:
        multitrain.load(name)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        multitrain.save(make(), tmp_path / "file/net")


@pytest.mark.parametrize("scale", sorted((Path(__file__).parents[3] / "config" / "scales").glob("*.yaml")), ids=str)
def test_every_card_that_is_written_is_read(scale):
    datasets = load_scale(str(scale), scale.parents[1]).datasets
    card = make_card(datasets)
    assert checked_card(card, datasets) == card


@pytest.mark.parametrize("name", ["README.md", "config.json", "model.safetensors"])
@pytest.mark.parametrize("content", ["mine", '{"format": "other"}', "[]"])
def test_other_files_are_not_overwritten(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=rf"{name} there would be overwritten.*choose a new folder") as caught:
        multitrain.save(make(), tmp_path)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name] and (tmp_path / name).read_text() == content


def test_a_folder_of_other_files_or_of_an_earlier_network_is_written_to(folder):
    (folder / "notes.txt").write_text("mine")
    save_folder(folder, make(None))
    assert load_folder(folder).card is None and (folder / "notes.txt").read_text() == "mine"


def spoil(weights: dict, how: str) -> None:
    name = "heads.a.fc2.weight"
    changed = weights[name].clone()
    if how == "integers":
        weights[name] = changed.to(torch.int32)
    else:
        changed.view(-1)[3] = float(how)
        weights[name] = changed


@pytest.mark.parametrize(
    ("how", "why"),
    [("integers", "is of int32, where the network has float32"), ("nan", "not finite"), ("-inf", "not finite")],
)
def test_weights_that_are_no_finite_numbers_are_named(folder, tmp_path, how, why):
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    spoil(weights, how)
    safetensors.torch.save_file(weights, path)
    save_network(tmp_path / "model.pt", make())
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    spoil(content["weights"], how)
    torch.save(content, tmp_path / "model.pt")
    for where in (folder, tmp_path / "model.pt"):
        with pytest.raises(UserError, match=rf"heads\.a\.fc2\.weight .*{why}") as caught:
            multitrain.load(where)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_stored_with_other_digits_load(folder, kind):
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    safetensors.torch.save_file({name: value.to(kind) for name, value in weights.items()}, path)
    assert load_folder(folder).state_dict()["heads.a.fc2.weight"].dtype == torch.float32
    weights["heads.a.fc2.weight"] = torch.full_like(weights["heads.a.fc2.weight"], 1e39, dtype=torch.float64)
    safetensors.torch.save_file(weights, path)
    with pytest.raises(UserError, match="not finite"):
        load_folder(folder)


def test_a_file_that_is_no_model_is_refused_with_what_to_give(tmp_path, recwarn):
    path = tmp_path / "video.mp4"
    save_network(tmp_path / "model.pt", make())
    cut_off = (tmp_path / "model.pt").read_bytes()[:-5000]
    for content in (b"video", b"", cut_off, pickle.dumps({"a": print}, protocol=4)):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"video\.mp4: .*give a whole model\.pt of a training") as caught:
            multitrain.load(path)
        assert "train the run" not in str(caught.value)
    assert not recwarn.list  # torch has one of its own for a pickle
    torch.save({"weights": {}}, path)
    with pytest.raises(UserError, match=r"video\.mp4: not a checkpoint of this project"):
        multitrain.load(path)
    (tmp_path / "model.pt").rename(tmp_path / "model.pyth")
    with pytest.raises(UserError, match=r"a model file of this project.*ends in \.pt"):
        multitrain.load(tmp_path / "model.pyth")
