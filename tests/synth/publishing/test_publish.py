"""Publishing a synthetic dataset: exact counts, the same bytes for the same seed, whole or not at all."""

import csv
import hashlib
import os
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import World
from multitrain.synth.publishing import contents
from multitrain.synth.publishing import publish as module
from multitrain.synth.publishing.contents import render_video
from multitrain.synth.publishing.publish import MARKER, publish
from multitrain.synth.world import relations
from tests.synth.conftest import READER, SPECS, summary, world

pytestmark = pytest.mark.xdist_group("published")  # one process, which publishes once for all of these tests


@pytest.mark.parametrize("dataset", SPECS)
def test_summary_and_relations(published, dataset):
    about = summary(published[dataset])
    assert about["videos"] == {"train": 5, "validation": 3}
    assert about["classes"] == list(SPECS[dataset].classes)
    for name, size in about["bytes"].items():
        assert (published[dataset] / name).stat().st_size == size
    table = list(csv.DictReader((published[dataset] / "relations.csv").open()))
    assert [tuple(r.values()) for r in table] == [
        tuple(vars(r).values()) for r in relations(world()) if r.source_dataset == dataset
    ]


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_seed_decides_every_byte_whatever_the_processes(published, tmp_path):
    publish("mit", world(), tmp_path / "again", "mit", jobs=2)
    assert digests(tmp_path / "again") == digests(published["mit"])
    publish("mit", world(seed=1), tmp_path / "other", "mit")
    archive = "Moments_in_Time_Raw.zip"
    assert digests(tmp_path / "other")[archive] != digests(published["mit"])[archive]


def die(*_: object) -> None:
    os._exit(3)


def test_a_process_that_dies_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "render_video", die)
    with pytest.raises(UserError, match=r"^mit: video \S+ could not be rendered: its process ended: free memory"):
        publish("mit", world(), tmp_path / "raw", "mit", jobs=2)
    assert not (tmp_path / "raw" / module.SUMMARY).exists()


def planned(count, validation=5, **values):
    """The good videos of K400, listed with other values of its bias: (training, validation)."""
    small = world(k400={"train": count, "validation": validation}).model_copy(update={"bias": {"k400": values}})
    videos = module.plan("k400", small)
    assert len({v.id for v in videos}) == len(videos)
    good = [v for v in videos if v.trouble not in module.LOST]
    return [[v for v in good if v.split == split] for split in ("train", "validation")]


def test_labels_are_balanced_and_shuffled_without_a_tail():
    count = 2 * len(SPECS["k400"].classes) + 3
    train, _ = planned(count, tail=1)
    counted = Counter(v.label for v in train)
    assert len(train) == count and set(counted.values()) == {2, 3}
    assert [v.label for v in train] != sorted(v.label for v in train)


@pytest.mark.parametrize("tail", [1.5, 3.0, 8.0])
def test_a_long_tail_is_of_the_training_videos_alone(tail):
    train, validation = planned(1600, 160, tail=tail)
    counts = sorted(Counter(v.label for v in train).values())
    assert sum(counts) == 1600
    assert counts[-1] / counts[0] == pytest.approx(tail, rel=0.1)  # whole videos, and one a class beforehand
    factors = [b / a for a, b in pairwise(counts)]
    assert factors == pytest.approx([tail ** (1 / 15)] * 15, rel=0.1)
    assert set(Counter(v.label for v in validation).values()) == {10}


def test_no_class_of_a_long_tail_is_without_a_video():
    train, _ = planned(20, tail=20)
    assert set(Counter(v.label for v in train)) == set(range(16))


@pytest.mark.parametrize("noise", [0.0, 0.2, 0.5])
def test_noise_is_the_part_of_the_training_videos_that_show_another_class(noise):
    train, validation = planned(400, noise=noise)
    wrong = [v for v in train if v.shown != v.label]
    assert len(wrong) == pytest.approx(noise * 400, abs=3)  # the three that are listed and lost have their share
    assert all(0 <= v.shown < 16 for v in train)
    assert noise == 0 or len({(v.shown - v.label) % 16 for v in wrong}) > 10  # not always the next one
    assert all(v.shown == v.label for v in validation)


def test_a_wrong_label_is_listed_as_such_and_its_video_shows_another_class(tmp_path):
    noisy = world(k400={"train": 4, "validation": 1}).model_copy(update={"bias": {"k400": {"noise": 0.5}}})
    publish("k400", noisy, tmp_path, "kinetics")
    wrong = {v.id: v for v in module.plan("k400", noisy) if v.shown != v.label}
    assert wrong and summary(tmp_path)["wrong_labels"] == sorted(wrong)
    video = next(v for v in wrong.values() if not v.trouble)
    seen = render_video(SPECS["k400"], noisy, video).data
    assert seen == render_video(SPECS["k400"], noisy, replace(video, label=video.shown)).data
    assert seen != render_video(SPECS["k400"], noisy, replace(video, shown=video.label)).data


def test_one_video_a_split_is_enough(tmp_path):
    for dataset in ("actnet", "k400"):
        publish(dataset, world(**{dataset: {"train": 1, "validation": 1}}), tmp_path / dataset, READER[dataset])
        assert summary(tmp_path / dataset)["videos"] == {"train": 1, "validation": 1}


def test_a_failure_leaves_no_summary_and_no_partial_file(tmp_path, monkeypatch):
    small = world(mit={"train": 2, "validation": 1})
    publish("mit", small, tmp_path, "mit")
    (tmp_path / "stale.zip").write_bytes(b"from an earlier call")
    steps = []

    def progress(done, total):
        steps.append((done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish("mit", small, tmp_path, "mit", progress=progress)
    assert steps == [(1, 6), (2, 6), (3, 6)]
    assert [path.name for path in tmp_path.iterdir()] == [MARKER]
    publish("mit", small, tmp_path, "mit")
    assert summary(tmp_path)["videos"] == {"train": 2, "validation": 1}


def test_the_summary_is_written_last(tmp_path, monkeypatch):
    written = []
    write = module.write
    monkeypatch.setattr(module, "write", lambda path, content: (written.append(path.name), write(path, content)))
    publish("mit", world(mit={"train": 1, "validation": 1}), tmp_path, "mit")
    assert written[-2:] == ["relations.csv", "published.json"]


def test_published_again_it_holds_nothing_else(tmp_path):
    folder, elsewhere = tmp_path / "raw", tmp_path / "elsewhere"
    made = []
    for _ in range(2):
        publish("mit", world(mit={"train": 1, "validation": 1}), folder, "mit")
        made.append((digests(folder), sorted(path.name for path in folder.iterdir())))
        (folder / "old/below").mkdir(parents=True)
        (folder / "old/below/clip.mp4").touch()
        (folder / "old.csv").touch()
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "kept").touch()
        (folder / "link").symlink_to(elsewhere)
    assert made[0] == made[1] and (elsewhere / "kept").exists()


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "train.csv").write_text("real annotations")
    with pytest.raises(UserError, match=r"train\.csv"):
        publish("mit", world(), tmp_path, "mit")
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_what_cannot_be_published_is_a_user_error(tmp_path):
    with pytest.raises(UserError, match="there are k400"):
        publish("ucf101", world(), tmp_path, "kinetics")
    with pytest.raises(UserError, match="reader 'mit'"):
        publish("mit", world(), tmp_path, "kinetics")
    with pytest.raises(UserError, match="even"):
        publish("mit", world().model_copy(update={"width": 47}), tmp_path, "mit")
    with pytest.raises(UserError, match=r"world\.videos"):
        publish("mit", World(videos={"k400": {"train": 1, "validation": 1}}), tmp_path, "mit")
    assert not list(tmp_path.iterdir())
