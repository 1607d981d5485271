"""Resume points with every kind of damage: the one before it is used, or the training starts anew with a warning."""

import os
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from multitrain.common.errors import UserError
from multitrain.config.recipes import Machine
from multitrain.data.loader import train_batches
from multitrain.engine.checkpointing import checkpoint
from multitrain.engine.checkpointing.checkpoint import CHECKSUM, ResumePoint, read_state
from multitrain.engine.checkpointing.resume import check_state
from multitrain.engine.processes.distributed import ProcessGroup
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from multitrain.model.files.storage import checksum, read_plain, write_plain
from tests.engine.stopping import stopped_at, with_run

CPU = torch.device("cpu")
MATRIX = "backbone.position_space"
LOST = object()


def at(*keys: object, to: object = LOST):
    """A damage of a state: its entry at `keys` is replaced by `to`, or removed."""

    def change(state: dict) -> None:
        for key in keys[:-1]:
            state = state[key]
        if to is LOST:
            del state[keys[-1]]
        else:
            state[keys[-1]] = to(state[keys[-1]]) if callable(to) else to

    return change


def first_of(tensor: torch.Tensor, value: float) -> torch.Tensor:
    changed = tensor.clone()
    changed.view(-1)[0] = value
    return changed


MOMENTS = ("optimiser", "state", 0)
WRONG = {  # states with a right checksum and a wrong entry: (change, part of the message)
    "done a text": (at("done", to="2"), "done is '2', no whole number"),
    "done a float": (at("done", to=1e9), "done is 1000000000.0, no whole number"),
    "done a truth": (at("done", to=True), "done is True, no whole number"),
    "done too large": (at("done", to=10**9), "done is 1000000000, no whole number from 0 to"),
    "done below 0": (at("done", to=-5), "done is -5, no whole number"),
    "done lost": (at("done"), "done is missing"),
    "done another": (at("done", to=1), "step is 2, where 1 were done"),
    "skipped more than done": (at("skipped", to=3), "skipped is 3, no whole number from 0 to 2"),
    "skipped a list": (at("skipped", to=[]), "skipped is a list"),
    "seconds a text": (at("seconds", to="long"), "seconds is 'long', no number"),
    "seconds not finite": (at("seconds", to=float("nan")), "seconds is nan, no number"),
    "seconds below 0": (at("seconds", to=-1.0), "seconds is -1.0, no number"),
    "codes a number": (at("codes", to=3), "codes is no list of code hashes"),
    "codes of numbers": (at("codes", to=[3]), "codes is no list of code hashes"),
    "codes of empty texts": (at("codes", to=[""]), "codes is no list of code hashes"),
    "codes empty": (at("codes", to=[]), "codes is no list of code hashes"),
    "fingerprint a number": (at("fingerprint", to=7), "fingerprint is no text"),
    "fingerprint another": (at("fingerprint", to="0" * 64), "made with other settings, clips or initial weights"),
    "network lost": (at("network"), "network is missing"),
    "network a list": (at("network", to=list), "network is a list, no dict"),
    "network empty": (at("network", to={}), "network: backbone."),
    "weight lost": (at("network", MATRIX), f"network: {MATRIX} is missing"),
    "weight unknown": (lambda state: state["network"].update(other=1), "network: other is unknown"),
    "weight of another shape": (
        at("network", MATRIX, to=lambda w: w[:-1]),
        f"network: {MATRIX} is float32 (63, 8) and not float32 (64, 8)",
    ),
    "weight of another type": (
        at("network", MATRIX, to=lambda w: w.half()),
        f"network: {MATRIX} is float16 (64, 8) and not",
    ),
    "weight no tensor": (at("network", MATRIX, to=0.5), f"network: {MATRIX} is 0.5, no tensor"),
    "weight not finite": (at("network", MATRIX, to=lambda w: first_of(w, torch.inf)), "numbers that are not finite"),
    "sigma of another shape": (at("objective", "log_sigma", to=torch.zeros(9)), "objective: log_sigma is float32 (9,)"),
    "optimiser lost": (at("optimiser"), "optimiser is missing"),
    "optimiser empty": (at("optimiser", to={}), "optimiser: param_groups is missing"),
    "moments lost": (at("optimiser", "state", to={}), "optimiser: state: 0 is missing"),
    "moments of a weight lost": (at(*MOMENTS), "optimiser: state: 0 is missing"),
    "moments a list": (at("optimiser", "state", to=[]), "optimiser: state is no dict"),
    "a moment lost": (at(*MOMENTS, "exp_avg"), "optimiser: state 0: exp_avg is missing"),
    "a moment of another shape": (at(*MOMENTS, "exp_avg", to=torch.zeros(3)), "state 0: exp_avg is float32 (3,)"),
    "a moment not finite": (at(*MOMENTS, "exp_avg", to=lambda m: first_of(m, torch.nan)), "not finite"),
    "squares below 0": (at(*MOMENTS, "exp_avg_sq", to=lambda m: first_of(m, -1)), "exp_avg_sq is below 0"),
    "step a number": (at(*MOMENTS, "step", to=2), "state 0: step is 2, no tensor"),
    "groups lost": (at("optimiser", "param_groups", to=None), "param_groups is no list"),
    "groups of numbers": (at("optimiser", "param_groups", to=[3]), "param_groups is no list of groups"),
    "groups of other weights": (at("optimiser", "param_groups", 0, "params", to=[0]), "groups are of other weights"),
    "scaler empty": (at("scaler", to={}), "scaler: _growth_tracker is missing"),
    "scale 0": (at("scaler", "scale", to=0.0), "scaler: scale is 0.0, no number above 0"),
    "scale a text": (at("scaler", "scale", to="x"), "scaler: scale is 'x', no number above 0"),
    "tracker too large": (at("scaler", "_growth_tracker", to=10**6), "scaler: _growth_tracker is 1000000, no whole"),
    "growth another": (at("scaler", "growth_factor", to=1e30), "scaler: growth_factor is 1e+30 and not 2.0"),
    "interval no whole number": (at("scaler", "growth_interval", to=2000.0), "growth_interval is 2000.0 and not 2000"),
    "a key too many": (lambda state: state.update(more=1), "more is unknown"),
}


def replaced(path: Path, content: object) -> None:
    path.unlink()
    torch.save(content, path)


def folder_instead(path: Path) -> None:
    path.unlink()
    (path / "within").mkdir(parents=True)


def bit_changed(path: Path) -> None:
    """Change one bit of a weight: the archive stays readable, and torch raises nothing."""
    weight = next(iter(read_plain(path, "")["network"].values()))
    whole = path.read_bytes()
    place = whole.index(weight.contiguous().numpy().tobytes())
    path.write_bytes(whole[: place + 2] + bytes([whole[place + 2] ^ 1]) + whole[place + 3 :])


FILES = {  # damaged files: (change, part of the message)
    "empty": (lambda path: path.write_bytes(b""), "damaged"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-100]), "damaged"),
    "zeros": (lambda path: path.write_bytes(bytes(path.stat().st_size)), "damaged"),
    "text": (lambda path: path.write_text("no checkpoint"), "damaged"),
    "a bit of a weight": (bit_changed, "its checksum is another one"),
    "a value changed": (
        lambda path: write_plain(path, {**read_plain(path, ""), "seconds": 1.0}),
        "its checksum is another one",
    ),
    "checksum a number": (lambda path: write_plain(path, {**read_plain(path, ""), CHECKSUM: 5}), "its checksum is"),
    "a sparse tensor": (
        lambda path: write_plain(path, {**read_plain(path, ""), "more": torch.eye(2).to_sparse()}),
        "its checksum is another one",
    ),
    "a list": (lambda path: replaced(path, [1, 2]), "holds a list"),
    "another format": (lambda path: write_plain(path, {**read_plain(path, ""), "format": "other"}), "no resume point"),
    "more than weights": (lambda path: replaced(path, {"format": Path("x")}), "damaged, or no file of weights alone"),
    "a folder": (folder_instead, "is no file"),
    "a link to nothing": (lambda path: (path.unlink(), path.symlink_to("gone")), "is no file"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path)), "is no file"),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder for the module's training and its two resume points, which are made once."""
    return {"folder": tmp_path_factory.mktemp("points")}


@pytest.fixture
def training(job, kept) -> Training:
    """A training in float16 with AdamW after two steps, with a resume point of each."""
    if "training" not in kept:
        run = job("k400_baseline")
        run = replace(run, scale=run.scale.model_copy(update={"machine": Machine(precision="float16")}))
        made, point = Training(run, CPU), ResumePoint(kept["folder"] / "checkpoint.pt", 0)
        made.scaler.load_state_dict({**made.scaler.state_dict(), "scale": 1.0})  # low enough: no step is left out
        for batch in train_batches(made.clips, 8, 0, 2, 0, made.share):
            made.step([batch])
            point.save(**made.state())
        kept["training"] = made
    return kept["training"]


@pytest.fixture
def point(training, kept, tmp_path) -> ResumePoint:
    """Copies of both resume points in the test's folder."""
    for name in ("checkpoint.pt", "checkpoint.previous"):
        shutil.copy(kept["folder"] / name, tmp_path / name)
    return ResumePoint(tmp_path / "checkpoint.pt", 0)


def chosen(point: ResumePoint, training: Training, said: list[str]) -> Path | None:
    return point.newest(said.append, lambda state: check_state(state, training))


def require_fallback(point: ResumePoint, damage: Callable[[Path], object], training: Training, line: str) -> None:
    """Damage the newest resume point: the one before it is used, and without one the training starts anew."""
    said: list[str] = []
    alone = point.path.parent / "alone"
    alone.mkdir()
    without = ResumePoint(alone / "checkpoint.pt", 0)
    shutil.copy(point.path, without.path)
    damage(point.path)
    damage(without.path)
    assert chosen(point, training, said) == point.previous
    assert len(said) == 1 and said[0].startswith(f"{point.path}: ") and line in said[0] and "\n" not in said[0]
    assert said[0].endswith(": the one before it is tried")
    assert (read_state(point.previous)["done"], point.recovery_note) == (1, "the last resume point is kept")
    said.clear()
    assert chosen(without, training, said) is None
    assert len(said) == 1 and line in said[0] and said[0].endswith(": no other one is left: starting anew")
    assert without.recovery_note == "there is no resume point yet"


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_state_gives_way_to_the_one_before(kind, point, training):
    change, line = WRONG[kind]

    def damage(path: Path) -> None:
        state = {key: value for key, value in read_state(path).items() if key != CHECKSUM}
        change(state)
        write_plain(path, {**state, CHECKSUM: checksum(state)})

    require_fallback(point, damage, training, line)


def test_without_a_scale_no_step_is_left_out(point, training, monkeypatch):
    state = read_state(point.path) | {"skipped": 1}
    monkeypatch.setattr(training.scaler, "is_enabled", lambda: False)
    with pytest.raises(ValueError, match=r"^skipped is 1, no whole number from 0 to 0"):
        check_state(state, training)


def test_a_sparse_weight_is_refused(point, training):
    """A sparse weight has no checksum, but a file of an earlier version, without checksums, may hold one."""
    state = read_state(point.path)
    state["network"][MATRIX] = state["network"][MATRIX].to_sparse()
    with pytest.raises(ValueError, match=r"is sparse_coo float32 \(64, 8\) and not float32 \(64, 8\)"):
        check_state(state, training)


@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_file_gives_way_to_the_one_before(kind, point, training):
    change, line = FILES[kind]
    require_fallback(point, change, training, line)
    point.save(**training.state())  # the damaged one does not prevent the next
    assert chosen(point, training, []) == point.path


def test_two_hundred_changed_bytes_are_refused_or_change_nothing(tmp_path):
    """Only bytes outside the content may change: padding, and the archive's own checksums, which nothing reads."""
    point, rng, refused = ResumePoint(tmp_path / "checkpoint.pt", 0), random.Random(11), 0
    weights = {f"weight{index}": torch.linspace(-1, 1, 400).view(20, 20) + index for index in range(3)}
    point.save(done=3, codes=["one", "two"], seconds=2.5, network=weights)
    whole, content = point.path.read_bytes(), read_state(point.path)[CHECKSUM]
    for _ in range(200):
        place, value = rng.randrange(len(whole)), rng.randrange(1, 256)
        point.path.write_bytes(whole[:place] + bytes([whole[place] ^ value]) + whole[place + 1 :])
        if point.newest(lambda _: None):
            found = read_state(point.path)
            assert found.pop(CHECKSUM) == content == checksum(found)
        else:
            refused += 1
    assert refused > 100  # most of a file is weights


def test_a_good_one_of_an_earlier_version_is_used_with_a_warning(point, training):
    state = read_state(point.path)
    del state[CHECKSUM]
    write_plain(point.path, state)
    said = []
    assert chosen(point, training, said) == point.path
    assert len(said) == 1 and "of an earlier version, without a checksum" in said[0]
    write_plain(point.path, {**state, "done": -5})
    assert chosen(point, training, said) == point.previous


def full(*_: object) -> None:
    """Stands for a writer on a full disk."""
    raise OSError(28, "No space left on device")


def test_the_good_one_before_a_damaged_one_outlives_the_next_writing(point, training, monkeypatch):
    """The damaged one never takes its place: a kill or a full disk while the next is written loses nothing."""
    good = point.previous.read_bytes()
    point.path.write_bytes(b"damaged")
    chosen(point, training, [])
    with monkeypatch.context() as patch, pytest.raises(UserError, match="make room; the last resume point is kept"):
        patch.setattr(checkpoint, "write_plain", full)
        point.save(**training.state())
    assert point.previous.read_bytes() == good
    assert chosen(ResumePoint(point.path, 0), training, []) == point.previous


def test_an_error_says_that_one_is_kept_only_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "write_plain", full)
    with pytest.raises(UserError, match=r"\(No space left on device\): make room; there is no resume point yet"):
        ResumePoint(tmp_path / "checkpoint.pt", 0).save(done=1)


def test_temporary_files_of_killed_writers_are_deleted(point, training):
    for name in (".partial-abc.pt", ".partial-xyz"):
        (point.path.parent / name).write_bytes(b"half")
    assert chosen(point, training, []) == point.path
    assert sorted(path.name for path in point.path.parent.iterdir()) == ["checkpoint.previous", "checkpoint.pt"]


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize(
    ("name", "precision"),
    [("k400_baseline", "float32"), ("joint", "float32"), ("joint", "float16"), ("mit_baseline", "bfloat16")],
)
def test_a_state_of_each_kind_of_run_is_good_at_every_step(job, name, precision, optimiser):
    """Every weight has its moments after one step: nothing in a network goes without a gradient."""
    run = with_run(job(name, optimiser=optimiser), init=None)
    scale = run.scale.model_copy(update={"machine": Machine(precision=precision)})
    training = Training(replace(run, scale=scale), CPU)
    check_state({**training.state(), "format": "any"}, training)
    for batch in train_batches(training.clips, 8, 0, 2, 0, training.share):
        training.step([batch])
        check_state({**training.state(), "format": "any"}, training)


def test_a_training_falls_back_and_ends_with_the_same_bytes(job, tmp_path, capsys, monkeypatch):
    """Its newest resume point is readable and wrong; the temporary file of a killed writer is deleted as well."""
    undisturbed, run = (job("k400_baseline", results=tmp_path / where) for where in ("undisturbed", "damaged"))
    train(undisturbed, CPU)
    resume = run.folder / "resume"
    with stopped_at(monkeypatch, 3, KeyboardInterrupt, keep=True):
        train(run, CPU)
    state = {key: value for key, value in read_state(resume / "checkpoint.pt").items() if key != CHECKSUM}
    state["done"] = 10**9
    write_plain(resume / "checkpoint.pt", {**state, CHECKSUM: checksum(state)})
    (run.folder / ".partial-model.pt").write_bytes(b"half")
    capsys.readouterr()
    train(run, CPU)
    said = capsys.readouterr().err
    assert "checkpoint.pt: done is 1000000000, no whole number from 0 to 4: the one before it is tried" in said
    assert "resuming at step 2 of 4" in said
    for name in ("model.pt", "history.jsonl"):
        assert (run.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()
    assert not list(run.folder.glob("**/.partial-*"))


def test_processes_that_read_different_content_do_not_go_on(job, monkeypatch):
    run = job("k400_baseline")
    with stopped_at(monkeypatch, 1, KeyboardInterrupt):
        train(run, CPU, checkpoint_seconds=0)
    monkeypatch.setattr(ProcessGroup, "all_gather_objects", lambda group, thing: [thing, "what another process has"])
    with pytest.raises(UserError, match=r"checkpoint\.pt: processes read different content"):
        train(run, CPU)
