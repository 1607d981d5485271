"""A head for one's own videos: what stays is the same to the bit, what is new learns, and a kill costs nothing."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multitrain.config import Model
from multitrain.engine import train as engine_train
from multitrain.engine.checkpoint import load_network
from multitrain.engine.training import Training
from multitrain.errors import UserError
from multitrain.model.network import Network
from multitrain.use import finetune as tuning
from multitrain.use import probe
from multitrain.use.choices import Choices, claim
from multitrain.use.finetune import finetune, make_recipe
from multitrain.use.outcome import wilson
from multitrain.use.predict import Recogniser
from tests.sources.coded import write_video

CPU = torch.device("cpu")


def test_a_head_alone_learns_and_leaves_the_others_as_they_are(network, videos, tmp_path):
    report = finetune(network, videos, tmp_path / "out", Choices(freeze=True), CPU)
    found = load_network(tmp_path / "out/model.pt")
    assert list(found.heads) == ["k400", "mit", "own"]
    assert found.spec.classes["own"] == ("upper half", "à gauche")
    clips = torch.randn(2, 3, found.spec.model.frames, found.spec.size, found.spec.size)
    before, after = network.added(network.logits(clips)), found.added(found.logits(clips))
    assert all(torch.equal(before[name], after[name]) for name in network.spec.classes)
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
