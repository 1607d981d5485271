"""Publishing: exact counts, the same bytes for the same seed, whole or not at all."""

import csv
import hashlib
from collections import Counter

import pytest

from multitrain.config import World
from multitrain.errors import UserError
from multitrain.synth import publish as module
from multitrain.synth.publish import MARKER, publish
from multitrain.synth.world import DATASETS, relations
from tests.synth.conftest import READER, summary, world

pytestmark = pytest.mark.xdist_group("published")  # once for all who look at it


@pytest.mark.parametrize("dataset", DATASETS)
def test_summary_and_relations(published, dataset):
    about = summary(published[dataset])
    assert about["videos"] == {"train": 5, "validation": 3}
    assert about["classes"] == list(DATASETS[dataset].classes)
    for name, size in about["bytes"].items():
        assert (published[dataset] / name).stat().st_size == size
    table = list(csv.DictReader((published[dataset] / "relations.csv").open()))
    assert [tuple(r.values()) for r in table] == [
        tuple(vars(r).values()) for r in relations() if r.source_dataset == dataset
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


def test_labels_are_balanced_and_shuffled():
    count = 2 * len(DATASETS["k400"].classes) + 3
    videos = module.plan("k400", world(k400={"train": count, "validation": 5}))
    good = [v for v in videos if v.split == "train" and v.trouble not in module.LOST]
    counted = Counter(v.label for v in good)
    assert len(good) == count and set(counted.values()) == {2, 3}
    assert [v.label for v in good] != sorted(v.label for v in good)
    assert len({v.id for v in videos}) == len(videos)


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
