"""A head for one's own videos: what stays is the same to the bit, what is new learns, and a kill costs nothing."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import torch.nn.functional as F
import typer
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from typer.testing import CliRunner

from multitrain import cli, cli_finetune, cli_predict
from multitrain.config import Model
from multitrain.engine import train as engine_train
from multitrain.engine.checkpoint import load_network, save_network
from multitrain.engine.training import Training
from multitrain.errors import UserError
from multitrain.model.card import make_card
from multitrain.model.network import Network, Spec
from multitrain.use import finetune as tuning
from multitrain.use import probe
from multitrain.use.choices import Choices, claim
from multitrain.use.finetune import finetune, make_recipe
from multitrain.use.outcome import wilson
from multitrain.use.predict import Recogniser
from tests.sources.coded import write_video

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
CLASSES = {"k400": ("a", "b", "c"), "mit": ("d", "e")}


def half(index: int, width: int, height: int, axis: int) -> np.ndarray:
    """(H, W, 3): one half bright, a little brighter with each frame."""
    frame = np.full((height, width, 3), 20, np.uint8)
    frame[(slice(height // 2), slice(None)) if axis == 0 else (slice(None), slice(width // 2))] = 180 + index
    return frame


@pytest.fixture(scope="session")
def videos(tmp_path_factory) -> Path:
    """Two classes that any backbone tells apart: the upper half is bright, or the left one. Eight videos each."""
    folder = tmp_path_factory.mktemp("films") / "my films"
    for axis, label in enumerate(("upper half", "à gauche")):
        for number in range(8):
            write_video(
                folder / label / f"{number}.mp4", 20 + number, size=(64, 48), paint=lambda *at, a=axis: half(*at, a)
            )
    (folder / "upper half" / "broken.mp4").write_text("no video")
    return folder


@pytest.fixture
def network(scale) -> Network:
    torch.manual_seed(0)
    spec = Spec(model=scale.model, size=scale.sizes["base"], classes=CLASSES, projections=True)
    network = Network(spec).eval()
    network.card = make_card({name: scale.datasets[name] for name in CLASSES})
    return network


def test_a_head_alone_learns_and_leaves_the_others_as_they_are(network, videos, tmp_path):
    report = finetune(network, videos, tmp_path / "out", Choices(freeze=True), CPU)
    found = load_network(tmp_path / "out/model.pt")
    assert list(found.heads) == ["k400", "mit", "own"]
    assert found.spec.classes["own"] == ("upper half", "à gauche")
    clips = torch.randn(2, 3, found.spec.model.frames, found.spec.size, found.spec.size)
    before, after = network.added(network.logits(clips)), found.added(found.logits(clips))
    assert all(torch.equal(before[name], after[name]) for name in CLASSES)
    assert torch.equal(after["own"], found.logits(clips)["own"])
    assert "**Accuracy 100.0%** (4 of 4;" in report
    assert "**1 files are not used** (1 undecodable)" in report
    for label in found.spec.classes["own"]:
        answer = Recogniser(found).answer(videos / label / "3.mp4")
        assert answer.top(1)["own"][0][0] == label
        assert set(answer.scores) == {"k400", "mit", "own"}
    own = found.card.datasets["own"]
    assert (own.title, own.frames.sampling, own.frames.fps) == (
        "my films",
        network.card.datasets["k400"].frames.sampling,
        network.card.datasets["k400"].frames.fps,
    )


def test_all_weights_learn_and_the_head_is_the_only_one(network, videos, tmp_path):
    out = tmp_path / "out"
    report = finetune(network, videos, out, Choices(name="films", epochs=8, rate=1e-3), CPU)
    found = load_network(out / "model.pt")
    assert list(found.heads) == ["films"] and list(found.card.datasets) == ["films"]
    assert not torch.equal(found.backbone.position_time, network.backbone.position_time)
    losses = [json.loads(line)["total"] for line in (out / "history.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    scored = pq.read_table(out / "predictions/films.parquet")
    assert scored.num_rows == 4 and "(" in report and (out / "report.md").read_text() == report
    assert json.loads((out / "run.json").read_text())["init"]["run"] == "checkpoint"
    assert not (out / "resume").exists()


def test_other_heads_are_kept_where_asked(network, videos, tmp_path):
    choices = Choices(keep=True, epochs=1)
    finetune(network, videos, tmp_path / "out", choices, CPU)
    found = load_network(tmp_path / "out/model.pt")
    assert list(found.heads) == ["k400", "mit", "own"]
    state = found.state_dict()
    assert all(torch.equal(state[name], w) for name, w in network.state_dict().items() if name.startswith("heads."))
    assert not torch.equal(found.backbone.position_time, network.backbone.position_time)
    assert set(found.card.datasets) == {"k400", "mit", "own"} and found.card.origin.run == "finetune"


def files(out: Path) -> dict[str, bytes]:
    names = ["model.pt", "history.jsonl", "report.md", "predictions/own.parquet"]
    return {name: (out / name).read_bytes().replace(str(out).encode(), b"") for name in names}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("freeze", [True, False])
def test_after_a_kill_it_goes_on_to_the_same_bytes(network, videos, tmp_path, monkeypatch, freeze):
    choices = Choices(freeze=freeze, epochs=None if freeze else 2)
    finetune(network, videos, tmp_path / "whole", choices, CPU)
    monkeypatch.setattr(engine_train, "CHECKPOINT_SECONDS", 0.0)
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    seen = []

    def count(what, step):
        def counted(self, *args):
            if len(seen) == 2:
                raise Killed
            seen.append(what)
            return step(self, *args)

        return counted

    place = (Network, "features") if freeze else (Training, "step")
    with monkeypatch.context() as patched:
        patched.setattr(*place, count(place[1], getattr(*place)))
        with pytest.raises(Killed):
            finetune(network, videos, tmp_path / "killed", choices, CPU)
    assert not (tmp_path / "killed/model.pt").exists()
    again = []
    step = getattr(*place)
    monkeypatch.setattr(*place, lambda self, *args: again.append(1) or step(self, *args))
    finetune(network, videos, tmp_path / "killed", choices, CPU)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    steps = 3 if freeze else json.loads((tmp_path / "whole/run.json").read_text())["steps"]
    assert len(again) < steps


def test_finished_it_only_scores_anew(network, videos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    finetune(network, videos, out, Choices(freeze=True), CPU)
    before = files(out)
    monkeypatch.setattr(tuning, "train_head", None)
    finetune(network, videos, out, Choices(freeze=True), CPU)
    assert files(out) == before


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        (Choices(freeze=True, seed=1), "another seed (0)"),
        (Choices(name="films", freeze=True), "another name (own)"),
        (Choices(freeze=True, like="mit"), "another like (None)"),
    ],
)
def test_a_folder_holds_one_fine_tuning(network, videos, tmp_path, choices, told):
    (tmp_path / "out").mkdir()
    said = {"videos": str(videos.resolve())}
    claim(tmp_path / "out", videos, network, Choices(freeze=True))
    with pytest.raises(UserError, match="out: holds a fine-tuning with") as caught:
        finetune(network, videos, tmp_path / "out", choices, CPU)
    assert told in str(caught.value) and said["videos"] not in str(caught.value)


def test_a_finished_model_is_not_passed_off_as_of_other_videos(network, videos, tmp_path):
    folder, out = tmp_path / "videos", tmp_path / "out"
    for path in sorted(videos.rglob("*.mp4")):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path)
    finetune(network, folder, out, Choices(freeze=True), CPU)
    write_video(folder / "upper half/new.mp4", 33, size=(64, 48))
    with pytest.raises(UserError, match="trained on other videos than are there now"):
        finetune(network, folder, out, Choices(freeze=True), CPU)


@given(st.integers(2, 40) | st.integers(41, 100_000), st.sampled_from([48, 224]))
def test_a_recipe_fits_any_number_of_clips(clips, size):
    recipe = make_recipe(clips, Model(), size, Choices())
    assert 2 <= recipe.batch <= min(clips, tuning.BATCH) and recipe.batch % (2 * recipe.parts(1)) == 0
    low, high = tuning.EPOCHS
    assert low <= recipe.epochs <= high and recipe.warmup_epochs < recipe.epochs
    assert low < recipe.epochs < high or not low < tuning.SEEN / clips < high
    assert make_recipe(clips, Model(), size, Choices(epochs=2, rate=1.0)).model_dump() | {
        "epochs": 2.0,
        "rate": 1.0,
    } == (recipe.model_copy(update={"epochs": 2.0, "warmup_epochs": 0.2, "rate": 1.0}).model_dump())


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_is_one(counts):
    right, count = counts
    low, high = wilson(right, count)
    assert 0 <= low <= right / count + 1e-12 and right / count - 1e-12 <= high <= 1 and low < high
    # the definition: those shares from which `right` lies no further than so many deviations
    for edge in (low, high):
        if 0 < edge < 1:
            deviation = (edge * (1 - edge) / count) ** 0.5
            assert abs(abs(right / count - edge) - 1.959964 * deviation) < 1e-6


@pytest.mark.parametrize("hidden", [0, 8])
def test_the_fit_is_a_minimum_and_reads_features_as_they_are(hidden):
    torch.manual_seed(0)
    z, labels = torch.randn(30, 2, 6) * torch.tensor([1, 2, 5, 9, 0.1, 3]) + 4, torch.arange(30) % 3
    z[labels == 1] += 1
    from multitrain.model.heads import make_head

    head = make_head(6, 3, hidden, 0.5)
    history = probe.fit(head, z, labels, 1e-2, 300)
    assert history[-1]["total"] < history[0]["total"] and [line["step"] for line in history] == list(
        range(len(history))
    )
    first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear))
    flat, deviation = z.flatten(0, 1), z.flatten(0, 1).std(0, correction=0)
    weight, bias = (first.weight * deviation).detach(), (first.bias + first.weight @ flat.mean(0)).detach()
    first.weight.data, first.bias.data = weight, bias
    scaled = (flat - flat.mean(0)) / deviation
    squares = sum(w.square().sum() for w in head.parameters() if w.ndim > 1)
    total = F.cross_entropy(head(scaled), labels.repeat_interleave(2)) + 0.5e-2 * squares
    assert total.item() == pytest.approx(history[-1]["total"], abs=1e-4)
    gradients = torch.autograd.grad(total, list(head.parameters()))
    assert max(float(g.abs().max()) for g in gradients) < 1e-2


def test_noise_is_decayed_and_signal_is_not():
    torch.manual_seed(0)
    labels = torch.arange(48) % 4
    noise = torch.randn(48, 1, 20)
    clear = noise + 6 * F.one_hot(labels, 20)[:, None]

    def fresh():
        torch.manual_seed(1)
        return nn.Linear(20, 4)

    assert probe.choose_decay(noise, labels, fresh) == max(probe.DECAYS)
    assert probe.choose_decay(clear, labels, fresh) == min(probe.DECAYS)


@pytest.fixture
def command(network, tmp_path):
    """`multitrain finetune` with a model file of its own; returns (exit status, error)."""
    save_network(tmp_path / "model.pt", network)
    app = typer.Typer()
    app.command()(cli_finetune.finetune)

    def call(*arguments: object, model: object = tmp_path / "model.pt"):
        return CliRunner().invoke(app, [str(model), *map(str, arguments)])

    return call


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--like", "ssv2"], "--like ssv2: the model has heads of k400, mit"),
        (["--name", "mit", "--freeze"], "--name mit: the model has such a head already"),
        (["--name", "My Films"], "--name My Films: "),
        (["--freeze", "--rate", "1"], "--rate: a head alone is fitted until"),
        (["--device", "tpu"], "--device tpu"),
    ],
)
def test_options_that_cannot_be(command, videos, tmp_path, arguments, told):
    result = command(videos, "--out", tmp_path / "out", *arguments)
    assert isinstance(result.exception, UserError) and told in str(result.exception)
    assert "\n" not in str(result.exception) and not (tmp_path / "out/model.pt").exists()


def test_places_that_cannot_be(command, videos, tmp_path):
    (tmp_path / "one/a").mkdir(parents=True)
    (tmp_path / "one/a/x.mp4").write_text("no video")
    (tmp_path / "text.pt").write_text("no model")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/something").write_text("")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged/finetune.json").write_text("{")
    for where, out, model, told in (
        (tmp_path / "absent", "o1", "model.pt", "absent: no such folder"),
        (tmp_path / "one", "o2", "model.pt", "only one class, 'a'"),
        (tmp_path / "model.pt", "o3", "model.pt", "model.pt: no such folder"),
        (videos, "o4", "text.pt", "text.pt: damaged"),
        (videos, "o5", "absent.pt", "absent.pt: no such file"),
        (videos, "full", "model.pt", "full: holds other files"),
        (videos, "damaged", "model.pt", "damaged/finetune.json: damaged"),
        (videos, videos / "out", "model.pt", "lies in the folder of videos"),
        (videos, tmp_path / "text.pt", "model.pt", "text.pt: is a file"),
    ):
        result = command(where, "--out", tmp_path / out, model=tmp_path / model)
        assert isinstance(result.exception, UserError), result.output
        assert told in str(result.exception) and "\n" not in str(result.exception)
        assert not (tmp_path / out / "model.pt").exists()


@pytest.fixture
def prepared(data, tmp_path) -> Path:
    """A folder of data to which a dataset can be added."""
    place = tmp_path / "data" / "ci"
    place.mkdir(parents=True)
    for name in ("k400", "mit"):
        (place / name).symlink_to(data / "ci" / name)
    return tmp_path / "data"


def test_the_folder_joins_as_one_more_dataset(command, videos, prepared, tmp_path):
    """The very commands that are printed train and score it."""
    out = tmp_path / "out"
    where = ["--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    result = command(videos, "--out", out, "--join", "--name", "films", *where)
    assert result.exit_code == 0, result.output
    lines = [shlex.split(line) for line in result.output.splitlines() if line.startswith("multitrain ")]
    assert [line[1] for line in lines] == ["train", "evaluate", "evaluate", "evaluate"]
    for line in lines:
        done = CliRunner().invoke(cli.app, line[1:])
        assert done.exit_code == 0, done.output
    folder = out / "runs/ci/joined/seed0"
    found = load_network(folder / "model.pt")
    assert list(found.heads) == ["k400", "mit", "films"]
    pairs = set(found.projections.weights())
    assert {("films", "k400"), ("k400", "films"), ("mit", "films"), ("films", "mit")} < pairs
    assert {path.stem for path in (folder / "predictions").glob("*.parquet")} == {"k400", "mit", "films"}
    record = json.loads((folder / "run.json").read_text())
    assert record["settings"]["informative"] and record["init"]["file"] == str(out / "start.pt")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--with", "mit,k9"], "no dataset 'k9'"),
        (["--with", ""], "--with: name datasets to train with"),
        (["--with", "ssv2"], "ssv2/manifest.parquet: no such manifest"),
        (["--name", "ssv2"], "--name ssv2: scale ci has such a dataset already"),
        (["--freeze"], "--join: the scale's joint recipe is used"),
        (["--scale", "mini"], "--scale mini: its model has frames 8, the checkpoint's 4"),
        (["--scale", "none"], "none.yaml: no such file"),
    ],
)
def test_what_cannot_be_joined(command, videos, prepared, tmp_path, arguments, told):
    where = ["--scale", "ci", "--config-dir", ROOT / "config", "--data", prepared]
    result = command(videos, "--out", tmp_path / "out", "--join", *where, *arguments)
    assert isinstance(result.exception, UserError), result.output
    assert told in str(result.exception) and "\n" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_the_page_can_be_followed_to_the_letter(network, videos, prepared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tuning, "EPOCHS", (1, 2))  # fewer than a person has
    save_network(Path("model.pt"), network)
    for label, name in (("upper half", "falling"), ("à gauche", "jumping")):
        Path("my-videos", name).mkdir(parents=True)
        for path in sorted((videos / label).iterdir()):
            Path("my-videos", name, path.name).symlink_to(path)
    app = typer.Typer()
    app.command()(cli_finetune.finetune)
    app.command()(cli_predict.predict)
    blocks = re.findall(r"^```bash\nmultitrain (.*?)^```$", (ROOT / "docs/finetune.md").read_text(), re.M | re.S)
    assert len(blocks) == 4
    for block in blocks:
        words = shlex.split(block.replace("--scale mini", f"--scale ci --config-dir {ROOT / 'config'}"))
        result = CliRunner().invoke(app, words)
        told = str(result.exception or "")
        assert not told or "broken.mp4" in result.output, (block, told)  # the one that is no video
    made = ("tuned/report.md", "tuned-all/model.pt", "joined/config/experiments.yaml")
    assert all(Path(name).is_file() for name in made)
    assert Path("tuned/finetune/own/missing.csv").read_text().count("undecodable") == 1
