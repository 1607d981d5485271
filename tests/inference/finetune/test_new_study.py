"""`multitrain new`: what it writes can be read; what is wrong with the videos is named."""

import re
import shutil
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.config.config_files import load_scale
from multitrain.datasets.prepare import labelled_counts, prepare
from multitrain.inference.finetune.new_study import new_study
from multitrain.planning.plan import Plan
from tests.cli.test_cli import call
from tests.datasets.coded import encoded_again

ROOT = Path(__file__).parents[3]


@pytest.fixture
def videos(data: Path, tmp_path: Path, monkeypatch) -> Path:
    """Two folders of two classes with two prepared clips each."""
    monkeypatch.chdir(ROOT)
    for name in ("k400", "mit"):
        clips = sorted((data / "ci" / name).rglob("*.mp4"))[:4]
        for place, clip in enumerate(clips):
            home = tmp_path / name / f"class{place % 2}"
            home.mkdir(parents=True, exist_ok=True)
            shutil.copy(clip, home / f"{place}.mp4")
    return tmp_path


def test_what_is_written_is_a_study_of_both_datasets(videos: Path):
    path = new_study(videos / "My-study", {"films": videos / "k400", "verbs": videos / "mit"})
    assert path == videos / "My-study" / "my_study.yaml"
    plan = Plan.load({}, str(path))
    assert list(plan.scale.datasets) == ["films", "verbs"] and list(plan.experiments.tables) == ["main", "ablations"]
    assert "2 classes, 2 videos each; 2 to train on, 0 val, 2 to score." in path.read_text()
    with pytest.raises(UserError, match="there is such a file"):
        new_study(videos / "My-study", {"films": videos / "k400"})


def test_the_cost_is_the_one_that_estimate_tells(videos: Path, capsys):
    said = str(ROOT / "resources" / "published")
    home = videos / "mine"
    assert call("new", str(home), "--data", f"a={videos / 'k400'}", "--data", f"b={videos / 'mit'}") == 0
    text = (home / "mine.yaml").read_text()
    told = re.search(
        r"# Cost of table main, by `multitrain estimate`: (.+ of tests of one .+); preparation comes", text
    )
    runs = [word for run in ("a_alone", "b_alone", "vanilla", "multitrain") for word in ("--run", run)]
    capsys.readouterr()
    assert call("estimate", "--config", str(home / "mine.yaml"), "--published", said, *runs) == 0
    assert f"In all, 1 seed: {told[1]};" in capsys.readouterr().out
    assert call("estimate", "--config", str(home / "mine.yaml"), "--published", said) == 0
    assert told[1] not in capsys.readouterr().out  # with the ablations


def test_what_is_not_prepared_is_counted_as_it_will_be(videos: Path):
    for place in range(4, 12):
        shutil.copy(videos / "k400" / f"class{place % 2}" / f"{place % 4}.mp4", videos / f"{place}.mp4")
        (videos / "k400" / f"class{place % 2}" / f"{place}.mp4").write_bytes(
            (videos / f"{place}.mp4").read_bytes() + bytes(place)
        )
    dataset = (
        load_scale("ci", ROOT / "config")
        .datasets["k400"]
        .model_copy(update={"reader": "folder", "raw": str(videos / "k400"), "holdout": 0.34, "download": None})
    )
    found, classes = labelled_counts("films", dataset, videos / "k400")
    manifest = prepare("films", dataset, videos / "k400", videos / "out")
    assert classes == 2 and found["val"] > 0
    assert found == {split: len(manifest.split(split)) for split in ("train", "val", "test")}


def test_a_list_is_divided(videos: Path):
    lines = [f"{path.relative_to(videos)} {path.parent.name}" for path in sorted((videos / "mit").rglob("*.mp4"))]
    (videos / "list.txt").write_text("\n".join(lines))
    path = new_study(videos / "one", {"verbs": videos / "list.txt"})
    home = path.parent / "lists" / "verbs"
    assert [len((home / name).read_text().splitlines()) for name in ("train.csv", "val.csv", "classes.csv")] == [
        2,
        2,
        2,
    ]
    assert Plan.load({}, str(path)).scale.datasets["verbs"].reader == "list"


def test_videos_that_show_the_same_are_on_one_side_of_a_list(videos: Path):
    files = sorted((videos / "mit").rglob("*.mp4"))
    again = [encoded_again(file, file.with_name(f"again-{file.stem}.mkv"), half=True) for file in files]
    lines = [f"{path.relative_to(videos)} {path.parent.name}" for path in [*files, *again]]
    (videos / "list.txt").write_text("\n".join(lines))
    path = new_study(videos / "one", {"verbs": videos / "list.txt"})
    home = path.parent / "lists" / "verbs"
    for name in ("train.csv", "val.csv"):
        stems = [Path(line.split()[0]).stem for line in (home / name).read_text().splitlines()]
        assert len(stems) == 4 and {f"again-{stem}" for stem in stems if "-" not in stem} < set(stems)
    assert "on both sides" not in path.read_text()


def test_videos_that_show_the_same_are_reported(videos: Path):
    one, other = sorted((videos / "k400").rglob("*.mp4"))[:2]
    encoded_again(one, videos / "mit" / "class0" / "again.mkv")
    divided = videos / "divided"
    for split, name in (("train", "k400"), ("val", "mit")):
        shutil.copytree(videos / name, divided / split)
    encoded_again(other, divided / "val" / "class1" / "again.mkv", cut=1)
    path = new_study(videos / "study", {"films": videos / "k400", "verbs": videos / "mit"})
    shown = f"# The same video in two datasets: films: class0/{one.name} is verbs: class0/again.mkv"
    assert shown in path.read_text()
    path = new_study(videos / "own", {"films": divided})
    assert f"leaves it out: train/{other.parent.name}/{other.name}, val/class1/again.mkv" in path.read_text()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"a": "k400", "b": "k400"}, "4 videos are in both, such as"),
        ({"a": "nowhere"}, "no such folder or list"),
        ({"A": "k400"}, "'A': a name "),
        ({"a": "few"}, "class 'class0' has one video"),
        ({"a": "empty"}, "no folder of a class"),
    ],
)
def test_what_is_wrong_is_named(videos: Path, named: dict, message: str):
    shutil.copytree(videos / "k400", videos / "few")
    next((videos / "few" / "class0").iterdir()).unlink()
    (videos / "empty").mkdir()
    with pytest.raises(UserError, match=message) as caught:
        new_study(videos / "study", {name: videos / place for name, place in named.items()})
    assert "\n" not in str(caught.value) and not (videos / "study" / "study.yaml").exists()
