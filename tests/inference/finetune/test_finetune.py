"""A head for one's own videos: what stays is the same to the bit, what is new learns, and a kill costs nothing."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.config.scale import Model
from multitrain.data.manifest import Manifest, read_manifest, write_manifest, write_missing
from multitrain.engine.checkpointing.checkpoint import load_network
from multitrain.engine.training_state import Training
from multitrain.inference.finetune import finetune as tuning
from multitrain.inference.finetune import linear_probe, outcome
from multitrain.inference.finetune.finetune import finetune, make_recipe, own_dataset
from multitrain.inference.finetune.finetune_options import LOCK, FinetuneOptions, reserve_output
from multitrain.inference.predict import Recogniser
from multitrain.model.network import Network
from tests.datasets.coded import write_video
from tests.holder import holding

CPU = torch.device("cpu")


def test_a_head_alone_learns_and_leaves_the_others_as_they_are(network, videos, tmp_path):
    report = finetune(network, videos, tmp_path / "out", FinetuneOptions(freeze=True), CPU)
    found = load_network(tmp_path / "out/model.pt")
    assert list(found.heads) == ["k400", "mit", "own"]
    assert found.spec.classes["own"] == ("upper half", "à gauche")
    clips = torch.randn(2, 3, found.spec.model.frames, found.spec.size, found.spec.size)
    before, after = network.added(network.logits(clips)), found.added(found.logits(clips))
    assert all(torch.equal(before[name], after[name]) for name in network.spec.classes)
    assert torch.equal(after["own"], found.logits(clips)["own"])
    assert "**Accuracy 100.0%** (4 of 4;" in report
    assert "**1 file is not used** (1 undecodable)" in report
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
    report = finetune(network, videos, out, FinetuneOptions(name="films", epochs=8, lr=1e-3), CPU)
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
    options = FinetuneOptions(keep=True, epochs=1)
    rendered = {name: seen.model_copy(update={"synthetic": True}) for name, seen in network.card.datasets.items()}
    network.card = network.card.model_copy(update={"datasets": rendered})
    finetune(network, videos, tmp_path / "out", options, CPU)
    found = load_network(tmp_path / "out/model.pt")
    assert list(found.heads) == ["k400", "mit", "own"]
    state = found.state_dict()
    assert all(torch.equal(state[name], w) for name, w in network.state_dict().items() if name.startswith("heads."))
    assert not torch.equal(found.backbone.position_time, network.backbone.position_time)
    assert set(found.card.datasets) == {"k400", "mit", "own"} and found.card.origin.run == "finetune"
    assert [name for name, seen in found.card.datasets.items() if seen.synthetic] == ["k400", "mit"]


def files(out: Path) -> dict[str, bytes]:
    names = ["model.pt", "history.jsonl", "report.md", "predictions/own.parquet"]
    return {name: (out / name).read_bytes().replace(str(out).encode(), b"") for name in names}


class Killed(BaseException):
    pass


def work_of(freeze: bool) -> tuple[type, str]:
    """The method that does one part of a fine-tuning's work."""
    return (Network, "features") if freeze else (Training, "step")


def kill_in(monkeypatch, place: tuple[type, str], part: int) -> None:
    """Save after each part of the work, and end within a later one, counted from 1."""
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    monkeypatch.setattr(linear_probe, "SECONDS", 0.0)
    seen, work = [], getattr(*place)

    def killed(self, *args):
        seen.append(1)
        if len(seen) == part:
            raise Killed
        return work(self, *args)

    monkeypatch.setattr(*place, killed)


def counted(monkeypatch, place: tuple[type, str]) -> list[int]:
    """An entry for each part of the work from here on."""
    seen, work = [], getattr(*place)
    monkeypatch.setattr(*place, lambda self, *args: seen.append(1) or work(self, *args))
    return seen


@pytest.mark.parametrize("freeze", [True, False])
def test_after_a_kill_it_goes_on_to_the_same_bytes(network, videos, tmp_path, monkeypatch, freeze):
    options = FinetuneOptions(freeze=freeze, epochs=None if freeze else 2)
    finetune(network, videos, tmp_path / "whole", options, CPU)
    place = work_of(freeze)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_in(patched, place, 3)
        finetune(network, videos, tmp_path / "killed", options, CPU)
    assert not (tmp_path / "killed/model.pt").exists()
    monkeypatch.setattr(tuning, "SECONDS", 0.0)
    monkeypatch.setattr(linear_probe, "SECONDS", 0.0)
    again = counted(monkeypatch, place)
    finetune(network, videos, tmp_path / "killed", options, CPU)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    steps = 3 if freeze else json.loads((tmp_path / "whole/run.json").read_text())["steps"]
    assert len(again) < steps


def test_finished_it_only_scores_anew(network, videos, tmp_path, monkeypatch):
    out = tmp_path / "out"
    finetune(network, videos, out, FinetuneOptions(freeze=True), CPU)
    before = files(out)
    monkeypatch.setattr(tuning, "train_head", None)
    finetune(network, videos, out, FinetuneOptions(freeze=True), CPU)
    assert files(out) == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (FinetuneOptions(freeze=True, seed=1), "another seed (0)"),
        (FinetuneOptions(name="films", freeze=True), "another name (own)"),
        (FinetuneOptions(freeze=True, like="mit"), "another like (None)"),
    ],
)
def test_a_folder_holds_one_fine_tuning(network, videos, tmp_path, options, told):
    with reserve_output(tmp_path / "out", videos, network, FinetuneOptions(freeze=True)):
        pass
    with pytest.raises(UserError, match="out: holds a fine-tuning with") as caught:
        finetune(network, videos, tmp_path / "out", options, CPU)
    assert told in str(caught.value) and str(videos.resolve()) not in str(caught.value)


def test_a_finished_model_is_not_passed_off_as_of_other_videos(network, videos, tmp_path):
    folder, out = tmp_path / "videos", tmp_path / "out"
    for path in sorted(videos.rglob("*.mp4")):
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        (folder / path.parent.name / path.name).symlink_to(path)
    finetune(network, folder, out, FinetuneOptions(freeze=True), CPU)
    write_video(folder / "upper half/new.mp4", 33, size=(64, 48))
    with pytest.raises(UserError, match="trained on other videos than are there now"):
        finetune(network, folder, out, FinetuneOptions(freeze=True), CPU)


def sorted_videos(folder: Path, videos: Path, **places: list[str]) -> Path:
    """A folder of links: split=["class/1.mp4", ...], the upper half for the first class and the left one for others."""
    for split, names in places.items():
        for name in names:
            link = folder / split / name
            link.parent.mkdir(parents=True, exist_ok=True)
            label = "upper half" if name.startswith("up") else "à gauche"
            link.symlink_to(videos / label / name.rpartition("/")[2])
    return folder


def test_one_video_a_class_is_enough_for_a_head(network, videos, tmp_path):
    folder = sorted_videos(
        tmp_path / "videos", videos, train=["up/0.mp4", "left/0.mp4"], val=["up/1.mp4", "left/1.mp4", "left/2.mp4"]
    )
    report = finetune(network, folder, tmp_path / "out", FinetuneOptions(freeze=True), CPU)
    assert "# 2 classes, 2 videos to train on, 3 to score" in report
    assert "a class with most videos, gives" in report  # as many as the other


@pytest.mark.parametrize(
    ("classes", "labels", "scores", "lines"),
    [
        (
            ("a|b", "<i>c</i>", "*d*"),
            [0, 0, 1, 2],
            [[0.1, 0.9, 0.0], [1.0, 0.0, 0.0], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]],
            [r"| &lt;i>c&lt;/i> | 0% | 1 | \*d\* (1) |", r"| a\|b | 50% | 2 | &lt;i>c&lt;/i> (1) |"],
        ),
        (
            tuple("abcdef"),
            [0, 0, 1],
            [[0.5, 0.5, 0, 0, 0, 0], [1 / 6] * 6, [0, 1, 0, 0, 0, 0]],
            [
                "**Accuracy 33.3%** (1 of 3;",
                "Always saying 'a', the class with most videos, gives 66.7%.",
                "Among the five likeliest: 66.7%.",
                "| a | 0% | 2 | b (2) |",
            ],
        ),
    ],
    ids=["odd names of classes", "a tie counts against the clip"],
)
def test_the_report_of_scores(tmp_path, classes, labels, scores, lines):
    manifest = write_table(tmp_path / "data", classes, labels)
    (tmp_path / "predictions").mkdir()
    pq.write_table(pa.table({"label": labels, "scores": scores}), tmp_path / "predictions/own.parquet")
    (tmp_path / "run.json").write_text('{"settings": {}, "steps": 1, "seed": 0, "synthetic": false}')
    report = outcome.write_report(tmp_path, "own", manifest)
    assert [line for line in lines if line not in report] == []


def write_table(folder: Path, classes: tuple[str, ...], labels: list[int]) -> Manifest:
    """A manifest of clips that are each in train and in test, and no missing one."""
    row = {"path": "", "publisher_split": "", "frames": 2, "fps": 1.0, "width": 1, "height": 1}
    rows = [
        {**row, "clip_id": f"{split}{index}", "video_id": "", "label": label, "split": split}
        for split in ("train", "test")
        for index, label in enumerate(labels)
    ]
    folder.mkdir()
    write_manifest(folder / "manifest.parquet", classes, rows)
    write_missing(folder / "missing.csv", [])
    return read_manifest(folder / "manifest.parquet")


def test_files_that_are_no_videos_take_no_part(network, videos, tmp_path):
    train = ["up/0.mp4", "up/1.mp4", "left/0.mp4"]
    folder = sorted_videos(tmp_path / "videos", videos, train=train, val=["up/2.mp4", "left/1.mp4"])
    (folder / "train/up/notes.txt").write_text("notes")
    (folder / "val/left/a|b.json").write_text("{}")
    report = finetune(network, folder, tmp_path / "out", FinetuneOptions(freeze=True), CPU)
    assert "3 videos to train on, 2 to score" in report and "**2 files are not used** (2 undecodable)" in report
    assert "- not named as videos, and so no part of the split: train/up/notes.txt, val/left/a\\|b.json" in report


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ({"": ["up/0.mp4", "left/0.mp4"]}, "no clip to score: no class has a second video, to be set aside"),
        (
            {"train": ["up/0.mp4", "left/0.mp4"], "val": ["up/0.mp4", "left/0.mp4"]},
            "no clip to train on: 2 of 2 are missing as `duplicate`, e.g. train/",
        ),
        (
            {"train": ["up/0.mp4", "left/0.mp4"], "val": ["up/broken.mp4"]},
            "no clip to score: 1 of 1 are missing as `undecodable`",
        ),
    ],
)
def test_a_split_that_is_empty_is_told_with_its_cause(network, videos, tmp_path, places, told):
    folder = sorted_videos(tmp_path / "videos", videos, **places)
    with pytest.raises(UserError) as caught:
        finetune(network, folder, tmp_path / "out", FinetuneOptions(freeze=True), CPU)
    assert told in str(caught.value) and not (tmp_path / "out/model.pt").exists()


def test_the_report_names_what_is_not_scored_and_what_is_in_two_classes(network, videos, tmp_path):
    train = ["up/0.mp4", "up/1.mp4", "left/0.mp4", "other/5.mp4", "other/6.mp4", "other/7.mp4"]
    folder = sorted_videos(tmp_path / "videos", videos, train=train, val=["up/2.mp4", "left/1.mp4"])
    (folder / "train/other/twin.mp4").symlink_to(videos / "upper half/0.mp4")
    report = finetune(network, folder, tmp_path / "out", FinetuneOptions(freeze=True), CPU)
    assert "**Not scored**, since no video was set aside: other." in report
    assert "**1 file is not used** (1 duplicate)" in report
    line = "- train/up/0.mp4 has the very bytes of train/other/twin.mp4, of another class: other: one of the two"
    assert line in report and "'other', the class with most videos" in report


@pytest.mark.parametrize("freeze", [True, False])
def test_half_trained_work_is_not_dropped_for_other_videos(network, videos, tmp_path, monkeypatch, freeze):
    places = {"train": ["up/0.mp4", "up/1.mp4", "left/0.mp4", "left/1.mp4"], "val": ["up/2.mp4", "left/2.mp4"]}
    folder, out = sorted_videos(tmp_path / "videos", videos, **places), tmp_path / "out"
    options = FinetuneOptions(freeze=freeze, epochs=None if freeze else 8)
    place = work_of(freeze)
    monkeypatch.setattr(linear_probe, "BATCH", 2)
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_in(patched, place, 2)
        finetune(network, folder, out, options, CPU)
    kept = {path: path.read_bytes() for path in (out / "resume").iterdir()}
    sorted_videos(folder, videos, train=["left/3.mp4"])
    with pytest.raises(UserError, match="its half-trained model has seen other videos than"):
        finetune(network, folder, out, options, CPU)
    assert {path: path.read_bytes() for path in (out / "resume").iterdir()} == kept
    (folder / "train/left/3.mp4").unlink()
    again = counted(monkeypatch, place)
    finetune(network, folder, out, options, CPU)
    assert (out / "model.pt").exists() and len(again) >= 1


def test_a_class_without_a_training_video_is_told_with_its_reason(network, videos, tmp_path):
    train, val = ["up/0.mp4", "left/0.mp4"], ["up/2.mp4", "left/2.mp4"]
    folder = sorted_videos(tmp_path / "one", videos, train=train, val=[*val, "fallen/5.mp4"])
    told = f"one: no video to train on of class 'fallen': put other videos into {folder}/train/fallen, or take the"
    for freeze in (True, False):
        with pytest.raises(UserError) as caught:
            finetune(network, folder, tmp_path / f"out{freeze}", FinetuneOptions(freeze=freeze), CPU)
        assert told in str(caught.value) and "annotation" not in str(caught.value)
    folder = sorted_videos(tmp_path / "two", videos, train=["up/0.mp4", "left/2.mp4"], val=val)
    with pytest.raises(UserError) as caught:
        finetune(network, folder, tmp_path / "out", FinetuneOptions(freeze=True), CPU)
    duplicate = "of class 'left' (1 duplicate, e.g. train/left/2.mp4 has the very bytes of val/left/2.mp4): put other"
    assert duplicate in str(caught.value)


def test_two_processes_do_not_work_in_one_folder(network, videos, tmp_path):
    out = tmp_path / "out"
    finetune(network, videos, out, FinetuneOptions(freeze=True), CPU)
    before = files(out)
    with holding(out):
        with pytest.raises(UserError, match="out: something is done there by process"):
            finetune(network, videos, out, FinetuneOptions(freeze=True), CPU)
        (out / LOCK).write_bytes(b"")
        with pytest.raises(UserError, match="out: another process works in it"):
            finetune(network, videos, out, FinetuneOptions(freeze=True), CPU)
    finetune(network, videos, out, FinetuneOptions(freeze=True), CPU)
    assert files(out) == before


def test_a_rate_too_high_is_told_by_its_option(network, videos, tmp_path, monkeypatch):
    monkeypatch.setattr("multitrain.engine.training_state.clip_gradients", lambda *_: torch.tensor(math.nan))
    with pytest.raises(UserError, match="give a lower --lr, and a new --out; there is no resume point yet"):
        finetune(network, videos, tmp_path / "out", FinetuneOptions(epochs=1), CPU)


@given(st.integers(2, 40) | st.integers(41, 100_000), st.sampled_from([48, 224]))
def test_a_recipe_fits_any_number_of_clips(clips, size):
    recipe = make_recipe(clips, Model(), size, FinetuneOptions())
    assert 2 <= recipe.batch <= min(clips, tuning.BATCH) and recipe.batch % (2 * recipe.parts(1)) == 0
    low, high = tuning.EPOCHS
    passes, room = steps(recipe, clips) * recipe.batch / clips, recipe.batch / clips
    assert low - room <= passes <= high + room and recipe.warmup_epochs < recipe.epochs
    assert abs(passes - tuning.CLIPS_SEEN / clips) <= room or not low < tuning.CLIPS_SEEN / clips < high
    chosen = make_recipe(clips, Model(), size, FinetuneOptions(epochs=2, lr=1.0))
    kept = {"epochs": recipe.epochs, "warmup_epochs": recipe.warmup_epochs, "lr": recipe.lr}
    assert chosen.lr == 1.0 and chosen.model_copy(update=kept) == recipe


def steps(recipe, clips: int) -> int:
    """Of a training by the engine's epochs, which are of whole batches."""
    return max(round(recipe.epochs * (clips // recipe.batch)), 1)


@pytest.mark.parametrize(("clips", "epochs"), [(47, 15.0), (31, 10.0), (48, 15.0), (2, 0.01), (3, 1.0)])
def test_as_many_clips_are_seen_as_the_epochs_have(clips, epochs):
    recipe = make_recipe(clips, Model(), 48, FinetuneOptions(epochs=epochs))
    assert abs(steps(recipe, clips) - max(epochs * clips / recipe.batch, 1)) <= 0.5


def test_the_folder_is_a_dataset_like_the_head_it_is_to_be_like(network, videos):
    for like in ("k400", "mit"):
        seen = network.card.datasets[like].frames
        own = own_dataset(videos, network.card, FinetuneOptions(like=like, flip=like == "mit"), network.spec.size)
        assert (own.sampling, own.views, own.transcode.fps) == (seen.sampling, seen.views, seen.fps)
        assert own.flip is (like == "mit")
    assert network.card.datasets["k400"].frames.views != network.card.datasets["mit"].frames.views


def test_the_five_likeliest_are_five(tmp_path):
    """Of clips whose class is ranked 1st to 7th of seven, five are among the five likeliest."""
    scores = [np.roll(np.arange(7.0, 0, -1), label - rank).tolist() for rank, label in enumerate([3, 1, 6, 0, 2, 5, 4])]
    table = {"label": [3, 1, 6, 0, 2, 5, 4], "scores": scores}
    pq.write_table(pa.table(table), tmp_path / "own.parquet")
    train = SimpleNamespace(table={"label": pa.array([0, 0, 1, 2, 3, 4, 5, 6])})
    manifest = SimpleNamespace(classes=tuple("abcdefg"), split=lambda _: train)
    told = "\n".join(outcome._scores(tmp_path / "own.parquet", manifest))
    # Wilson's interval: the shares from which 1/7 lies no further than 1.96 standard deviations
    edges = [
        edge for edge in np.linspace(0, 1, 10_001) if abs(1 / 7 - edge) <= 1.959964 * (edge * (1 - edge) / 7) ** 0.5
    ]
    assert f"**Accuracy 14.3%** (1 of 7; 95 % interval {edges[0]:.1%} to {edges[-1]:.1%})" in told
    assert f"Among the five likeliest: {5 / 7:.1%}." in told
