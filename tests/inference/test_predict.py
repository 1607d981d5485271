"""`predict` says what `evaluate` says, shows each head what it was trained on, and never stops at a bad file."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import multitrain
from multitrain.common.errors import UserError
from multitrain.config.scale import Sampling, Views
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.engine.evaluate import evaluate
from multitrain.inference.answers import Failure, best, related
from multitrain.inference.predict import Recogniser
from multitrain.inference.video_frames import read_views
from multitrain.model.files.metadata import Card, Frames, HeadData, assumed_card, frames_of
from multitrain.model.network import normalise
from tests.datasets.coded import write_video
from tests.datasets.forged import encode
from tests.datasets.raw import dataset

NEAR = 1e-5  # between probabilities: kernels for another number of clips round logits of about 10 in their own way


@pytest.fixture(scope="module")
def scored(trained, tmp_path_factory):
    """What evaluation writes, by dataset: clip ids, prepared files and scores."""
    found = {}
    for name in trained.run.datasets:
        out = tmp_path_factory.mktemp("predictions") / f"{name}.parquet"
        evaluate(trained, name, "test", out, torch.device("cpu"))
        source, table = trained.source(name, "test"), pq.read_table(out)
        paths = dict(zip(source.columns["clip_id"].to_pylist(), source.columns["path"].to_pylist(), strict=True))
        found[name] = [
            (source.folder / paths[clip], np.array(scores, np.float32))
            for clip, scores in zip(table["clip_id"].to_pylist(), table["scores"].to_pylist(), strict=True)
        ]
    return found


@pytest.mark.parametrize("name", ["k400", "mit"])
def test_a_prepared_clip_gets_the_scores_that_evaluation_writes(recogniser, scored, name):
    assert len(scored[name]) > 5
    for path, expected in scored[name]:
        answer = recogniser.answer(path, [name])
        assert list(answer.scores) == [name]
        assert np.abs(answer.scores[name] - expected).max() < NEAR


def test_the_raw_video_gets_nearly_the_scores_of_its_prepared_clip(recogniser, scored, data, tmp_path):
    """They differ by what preparation's compression loses."""
    with zipfile.ZipFile(data / "ci/mit/raw/Moments_in_Time_Raw.zip") as archive:
        names = {Path(name).stem: name for name in archive.namelist() if name.endswith(".mp4")}
        pairs = [(path, names[stem], scores) for path, scores in scored["mit"] for stem in names if stem in path.stem]
        assert len(pairs) > 5
        for _, name, expected in pairs:
            found = recogniser.answer(archive.extract(name, tmp_path), ["mit"]).scores["mit"]
            assert np.abs(found - expected).max() < 0.02


def test_a_trained_model_carries_what_its_heads_were_shown_and_where_it_is_from(trained, model):
    card = load_network(model).card
    assert list(card.datasets) == ["k400", "mit"] and not card.assumed
    mit = trained.scale.datasets["mit"]
    expected = Frames(sampling=mit.sampling, views=mit.views, fps=12, grid=3, short_side=40)
    assert card.datasets["mit"] == HeadData(title="MiT", frames=expected, synthetic=True)
    record = json.loads((trained.folder / "run.json").read_text())
    origin = card.origin.model_dump()
    assert origin == {key: record[key] for key in origin} and origin["run"] == "joint"


def test_files_that_were_used_as_they_are_are_shown_as_they_are():
    listed = dataset("list", classes_file="classes.txt", prepared=True)
    assert frames_of(listed) == Frames(fps=None, grid=1, short_side=None)
    assert frames_of(dataset("mit")) == Frames(fps=12, grid=3, short_side=24)


def test_heads_that_look_at_the_same_frames_share_a_forward_pass(model):
    network = load_network(model)
    same, other = Frames(fps=12, short_side=40), Frames(fps=None, short_side=40, sampling=Sampling(kind="segment"))
    network.card = Card(datasets={"k400": HeadData(title="K", frames=same), "mit": HeadData(title="M", frames=same)})
    assert Recogniser(network).plan() == {same: ("k400", "mit")}
    assert Recogniser(network).plan(["mit"]) == {same: ("mit",)}
    network.card = Card(datasets={"k400": HeadData(title="K", frames=same), "mit": HeadData(title="M", frames=other)})
    assert Recogniser(network).plan() == {same: ("k400",), other: ("mit",)}
    views = Views(temporal=2, spatial=3)
    assert [frames.views for frames in Recogniser(network).plan(None, views)] == [views, views]


def test_each_head_sees_its_own_frames(model, tmp_path):
    network = load_network(model)
    with torch.no_grad():
        for weight in network.heads.parameters():
            weight.mul_(20)  # sure of itself: now the mean of softmax is not the softmax of the mean
    dense = Frames(fps=12, short_side=40, views=Views(temporal=3))
    spread = Frames(fps=12, short_side=40, sampling=Sampling(kind="segment"), views=Views(temporal=2))
    network.card = Card(datasets={"k400": HeadData(title="K", frames=dense), "mit": HeadData(title="M", frames=spread)})
    path = write_video(tmp_path / "clip.mp4", 100)
    answer = Recogniser(network).answer(path)
    for name, frames in (("k400", dense), ("mit", spread)):
        clips = normalise(read_views(path, frames, *Recogniser(network).size), network.spec.model.normalisation)
        with torch.no_grad():
            expected = network.logits(clips)[name].softmax(-1).mean(0)
        np.testing.assert_allclose(answer.scores[name], expected, atol=NEAR)


def test_the_batch_changes_nothing(model, tmp_path):
    path = write_video(tmp_path / "clip.mp4", 60)
    views = Views(temporal=5, spatial=3)
    answers = [Recogniser(load_network(model), batch=batch).answer(path, views=views) for batch in (1, 4, 100)]
    assert all(answer.views == {"k400": 15, "mit": 15} for answer in answers)
    for other in answers[1:]:
        np.testing.assert_allclose(other.scores["mit"], answers[0].scores["mit"], atol=NEAR)


def test_three_lines_of_python(model, tmp_path):
    path = write_video(tmp_path / "clip.mp4", 30)
    network = multitrain.load(model)
    answer = multitrain.predict(network, path)
    assert answer.views == {"k400": 1, "mit": 3}
    tops = answer.top(3)
    assert [len(top) for top in tops.values()] == [3, 3]
    assert all(name in network.spec.classes["mit"] for name, _ in tops["mit"])
    shares = [share for _, share in answer.top(1000)["k400"]]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1, abs=1e-5)


def test_the_network_stays_in_the_mode_it_is_in(model, tmp_path):
    path = write_video(tmp_path / "clip.mp4", 30)
    network = multitrain.load(model)
    expected = multitrain.predict(network, path)
    assert not network.training
    network.train()
    found = multitrain.predict(network, path)  # without dropout and drop path all the same
    assert network.training and all(part.training for part in network.modules())
    np.testing.assert_array_equal(found.scores["mit"], expected.scores["mit"])


def test_arguments_that_make_no_sense_are_no_answers(recogniser, tmp_path):
    with pytest.raises(ValueError, match="batch: 0"):
        Recogniser(recogniser.network, batch=0)
    with pytest.raises(TypeError, match="'k400': give a list"):
        recogniser.plan("k400")
    answer = recogniser.answer(write_video(tmp_path / "clip.mp4", 30))
    with pytest.raises(ValueError, match=r"top\(-1\)"):
        answer.top(-1)


def test_equally_likely_classes_keep_their_order():
    assert best(("a", "b", "c"), np.array([0.2, 0.4, 0.4], np.float32), 2) == [
        ("b", pytest.approx(0.4)),
        ("c", pytest.approx(0.4)),
    ]


def test_related_classes_are_the_largest_weights_into_the_class(model):
    network = load_network(model)
    name = network.spec.classes["k400"][2]
    found = related(network, "k400", name, 2)
    assert list(found) == ["mit"]
    weight = network.projections.into["k400"]["mit"].weight[2]
    assert [share for _, share in found["mit"]] == weight.detach().topk(2).values.tolist()
    assert found["mit"][0][0] == network.spec.classes["mit"][int(weight.argmax())]


def test_without_projections_nothing_is_related(model):
    network = load_network(model)
    plain = multitrain.model.network.Network(network.spec.model_copy(update={"projections": False}))
    with pytest.raises(UserError, match="no projections"):
        related(plain, "k400", network.spec.classes["k400"][0])


def test_a_bad_file_costs_itself_only(recogniser, tmp_path):
    good = write_video(tmp_path / "good.mp4", 30)
    files = {"empty.mp4": b"", "text.mp4": b"a text, not a video\n" * 99, "one.mp4": encode(count=1)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    paths = [tmp_path / "empty.mp4", good, tmp_path / "gone.mp4", tmp_path / "text.mp4", good, tmp_path / "one.mp4"]
    found = list(recogniser.answers(paths, recogniser.plan(), jobs=2))
    assert [found_one.path for found_one in found] == [str(path) for path in paths]
    failures = [one for one in found if isinstance(one, Failure)]
    assert [Path(one.path).name for one in failures] == ["empty.mp4", "gone.mp4", "text.mp4", "one.mp4"]
    assert all("\n" not in one.reason and str(tmp_path) not in one.reason for one in failures)
    alone = recogniser.answer(good)
    for index in (1, 4):
        np.testing.assert_array_equal(found[index].scores["mit"], alone.scores["mit"])


def test_memory_does_not_grow_with_the_number_of_videos(recogniser, tmp_path):
    """No more than a few videos are ever held: the next are asked for as answers are taken."""
    path = write_video(tmp_path / "clip.mp4", 30)
    taken = []

    def paths():
        for index in range(60):
            taken.append(index)
            yield path

    ahead = [len(taken) - done for done, _ in enumerate(recogniser.answers(paths(), recogniser.plan(), jobs=1))]
    assert len(ahead) == 60 and max(ahead) <= 5


def test_parts_of_a_long_video_are_answered_in_turn(recogniser, tmp_path):
    path = write_video(tmp_path / "clip.mp4", 60)
    windows = list(recogniser.windows(path, 2.0, 1.0))
    assert [(window.start, window.end) for window in windows] == [(0, 2), (1, 3), (2, 4), (3, 5)]
    assert all(list(window.scores) == ["k400", "mit"] for window in windows)
    assert all(sum(window.scores["k400"]) == pytest.approx(1, abs=1e-5) for window in windows)
    assert not np.allclose(windows[0].scores["k400"], windows[-1].scores["k400"], atol=1e-6)
    assert len(list(recogniser.windows(path))) == 9  # parts of 4 frames, 3 apart at 12 a second, every half of one


def test_parts_that_are_read_at_once_get_the_answers_they_get_alone(model, tmp_path):
    network = load_network(model)
    other = Frames(fps=6, short_side=40, sampling=Sampling(kind="segment"))
    network.card = Card(datasets={"k400": network.card.datasets["k400"], "mit": HeadData(title="M", frames=other)})
    path = write_video(tmp_path / "clip.mp4", 60)
    alone, *others = (list(Recogniser(network, batch=batch).windows(path, 2.0, 0.5)) for batch in (1, 2, 3, 16))
    assert len(alone) == 7
    for windows in others:
        for window, expected in zip(windows, alone, strict=True):
            assert (window.start, window.end, list(window.scores)) == (expected.start, expected.end, ["k400", "mit"])
            for name, scores in expected.scores.items():
                np.testing.assert_allclose(window.scores[name], scores, atol=NEAR)


@pytest.mark.parametrize(("seconds", "hop"), [(0, 1), (1, 0), (-1, 1), (1, float("nan")), (float("inf"), 1)])
def test_parts_need_a_length(recogniser, tmp_path, seconds, hop):
    with pytest.raises(UserError, match="above 0"):
        next(recogniser.windows(write_video(tmp_path / "clip.mp4", 30), seconds, hop))


def test_an_unknown_dataset_is_named_with_those_there_are(recogniser, tmp_path):
    with pytest.raises(UserError, match=r"'ucf101'.*k400, mit"):
        recogniser.answer(tmp_path / "clip.mp4", ["ucf101"])


def test_a_file_without_card_is_assumed_to_be_the_papers(model, tmp_path):
    network = load_network(model)
    network.card = None
    save_network(tmp_path / "old.pt", network)
    found = Recogniser(load_network(tmp_path / "old.pt")).card
    assert found == assumed_card(("k400", "mit")) and found.assumed
    assert (found.datasets["mit"].frames.fps, found.datasets["mit"].frames.sampling.stride) == (30, 3)
