"""The same pixels under another name: planted in readers' formats, found, listed and not trained on."""

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from multitrain.analysis.datasets.accounting import write_accounting
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Dataset, Scale
from multitrain.data.duplicates import listed
from multitrain.data.duplicates.fingerprints import NAME
from multitrain.data.duplicates.listed import near_duplicates
from multitrain.data.leakage import leaks
from multitrain.data.manifest import read_manifest
from multitrain.datasets.prepare import prepare
from multitrain.datasets.transcode import fingerprint_clips
from multitrain.engine.setup import Job
from tests.datasets.coded import encoded_again
from tests.datasets.raw import HEADER, dataset, kinetics_name, put, tar_bytes

PUBLISHED = Path(__file__).parents[2] / "resources" / "published"


@pytest.fixture(scope="module")
def videos(data: Path) -> list[Path]:
    """Eight different videos of the synthetic world."""
    folder = data / "ci" / "k400"
    return [folder / path for path in read_manifest(folder / "manifest.parquet").table["path"].to_pylist()[:8]]


def kinetics(raw: Path, train: list[Path], tested: list[Path]) -> Dataset:
    for split, files in (("train", train), ("val", tested)):
        names = [f"{split}{number:0{11 - len(split)}d}" for number in range(len(files))]
        rows = [f"c{number % 2},{name},417,427,{split},0\n" for number, name in enumerate(names)]
        put(raw / f"annotations/{split}.csv", HEADER + "".join(rows))
        content = {f"{kinetics_name(name)}.mp4": file.read_bytes() for name, file in zip(names, files, strict=True)}
        put(raw / f"{split}/part_0.tar.gz", tar_bytes(content))
    return dataset("kinetics", raw=str(raw))


def lists(raw: Path, train: list[Path], tested: list[Path]) -> Dataset:
    put(raw / "classes.csv", "0,c0\n1,c1\n")
    for split, files in (("train", train), ("val", tested)):
        rows = []
        for number, file in enumerate(files):
            name = f"{split}-{number}{file.suffix}"
            put(raw / "videos" / name, file.read_bytes())
            rows.append(f"{name} {number % 2}\n")
        put(raw / f"{split}.csv", "".join(rows))
    return dataset("list", raw=str(raw), classes_file="classes.csv")


def folders(raw: Path, train: list[Path], tested: list[Path]) -> Dataset:
    for split, files in (("train", train), ("test", tested)):
        for number, file in enumerate(files):
            put(raw / split / f"c{number % 2}" / f"{split}-{number}{file.suffix}", file.read_bytes())
    return dataset("folder", raw=str(raw))


FORMATS = {"kinetics": kinetics, "list": lists, "folder": folders}
CHANGES = {
    "codec": {},
    "half": {"half": True},
    "trim": {"cut": 3},  # a stride of scale ci, within a tenth of the length: others are found less often
    "mirrored": {"mirrored": True},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("form", FORMATS)
def test_a_copy_within_a_dataset_is_found_and_no_other_clip(videos, tmp_path, form, change):
    again = encoded_again(videos[6], tmp_path / "again.mkv", **CHANGES[change])
    settings = FORMATS[form](tmp_path / "raw", [*videos[:4], again], [videos[6], videos[7]])
    home = tmp_path / "home"
    train = prepare("own", settings, tmp_path / "raw", home).split("train")
    (row,) = near_duplicates(home, home).to_pylist()
    (copy,) = (name for name in train.table["clip_id"].to_pylist() if "train-4" in name or "train000004" in name)
    assert row["train_clip"] == copy and row["test_split"] == "test" and row["distance"] < 1
    assert row["mirrored"] == (change == "mirrored")


@pytest.fixture
def joint(videos, scale: Scale, experiments: Experiments, tmp_path: Path) -> Job:
    """A joint run of two formats; a test video of the lists is in Kinetics' training split, encoded again."""
    again = encoded_again(videos[6], tmp_path / "again.mkv", half=True)
    raws = {name: tmp_path / "raw" / name for name in ("k400", "mit")}
    datasets = {
        "k400": kinetics(raws["k400"], [*videos[:3], again], [videos[3], videos[4]]),
        "mit": lists(raws["mit"], [videos[5], videos[7]], [videos[6]]),
    }
    for name, settings in datasets.items():
        prepare(name, settings, raws[name], tmp_path / "ci" / name)
    runs = {name: experiments.runs[name] for name in ("k400_baseline", "joint")}
    asked = experiments.model_copy(update={"runs": runs, "tables": {}, "projections": None})
    return Job(scale.model_copy(update={"datasets": datasets}), asked, "joint", 0, tmp_path, tmp_path / "results")


def test_a_copy_in_another_dataset_is_not_trained_on(joint: Job):
    for run in ("joint", "k400_baseline"):  # from whose weights the joint run starts
        source = replace(joint, name=run).source("k400", "train")
        assert (len(source), source.left_out) == (3, 1)
        assert kinetics_name("train000003") not in source.columns["clip_id"].to_pylist()
    assert replace(joint, exclude_leaks=False).source("k400", "train").left_out == 0
    assert joint.source("mit", "train").left_out == 0


def test_the_list_of_leaks_has_both_paths_and_the_distance(joint: Job):
    write_accounting(joint.scale, joint.experiments, joint.data, joint.results, PUBLISHED)
    table = pd.read_csv(joint.results / "leakage.csv")
    assert table["run"].tolist() == ["joint"] * 2 and table["trained_by"].tolist() == ["joint", "k400_baseline"]
    row = table.iloc[0]
    assert (row["train_dataset"], row["test_dataset"], row["test_split"]) == ("k400", "mit", "test")
    assert all((joint.data / "ci" / row[side]).is_file() for side in ("train_path", "test_path"))
    assert row["video_id"] == "train000003" and 0 < row["distance"] < 1
    assert "compared by id alone" not in (joint.results / "datasets.md").read_text()


def test_without_fingerprints_the_page_says_that_ids_alone_were_compared(joint: Job):
    (joint.data / "ci" / "mit" / NAME).unlink()
    assert joint.source("k400", "train").left_out == 0
    write_accounting(joint.scale, joint.experiments, joint.data, joint.results, PUBLISHED)
    assert len((joint.results / "leakage.csv").read_text().splitlines()) == 1
    assert "\nmit: compared by id alone" in (joint.results / "datasets.md").read_text()


def test_the_clean_world_has_none(scale: Scale, data: Path):
    manifests = {name: read_manifest(data / "ci" / name / "manifest.parquet") for name in ("k400", "mit")}
    assert all((data / "ci" / name / NAME).is_file() for name in manifests)
    assert not len(leaks(scale, manifests))


def test_the_search_is_kept_until_a_dataset_changes(joint: Job, monkeypatch):
    home, other = joint.data / "ci" / "k400", joint.data / "ci" / "mit"
    found = near_duplicates(home, other)
    searches = []
    search = listed._search
    monkeypatch.setattr(listed, "_search", lambda *folders: searches.append(folders) or search(*folders))
    assert near_duplicates(home, other).equals(found) and not searches
    os.utime(other / "manifest.parquet", (1, 1))
    assert near_duplicates(home, other).equals(found) and len(searches) == 1
    (home / "duplicates" / "mit.parquet").write_bytes(b"PAR1")
    assert near_duplicates(home, other).equals(found) and len(searches) == 2


def test_only_changed_clips_are_decoded_again(videos, tmp_path, monkeypatch):
    settings, home = folders(tmp_path / "raw", videos[:3], videos[3:5]), tmp_path / "home"
    prepare("own", settings, tmp_path / "raw", home)
    before, decoded = (home / NAME).read_bytes(), []
    films = fingerprint_clips._films
    monkeypatch.setattr(fingerprint_clips, "_films", lambda items, *rest: decoded.extend(items) or films(items, *rest))
    prepare("own", settings, tmp_path / "raw", home)
    assert (home / NAME).read_bytes() == before and not decoded
    folders(tmp_path / "raw", [videos[0], videos[5], videos[2]], videos[3:5])
    prepare("own", settings, tmp_path / "raw", home)
    assert len(decoded) == 1 and (home / NAME).read_bytes() != before
