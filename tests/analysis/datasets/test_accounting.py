"""Every clip is in the account: sums, planted losses, classes without a clip, leaks by run."""

from pathlib import Path

import pandas as pd
import pytest

from multitrain.analysis.datasets.accounting import account, read_published, role, write_accounting
from multitrain.common.errors import UserError
from multitrain.config.scale import Scale
from multitrain.data.manifest import REASONS, Missing, read_manifest, write_manifest, write_missing

PUBLISHED = Path(__file__).parents[3] / "resources" / "published"
NAMES = ("running", "a < b & c", "never there")
LEAKED = "AAAAAAAAAAA"
WORDS = {"train": "train", "val": "train", "test": "validate"}
TWICE = "dataset,split,clips\nk400,train,1\nk400,train,2\n"
REASON_COLUMNS = [reason.replace(" ", "_") for reason in REASONS]


def clip(number: int, split: str, video: str | None = None, label: int = 0) -> dict:
    name = f"clip{number:03d}"
    row = {"clip_id": name, "video_id": video or name, "path": f"{name}.mp4", "label": label, "split": split}
    return row | {"publisher_split": WORDS[split], "frames": 9, "fps": 12.0, "width": 8, "height": 8}


def lost(name: str, split: str, reason: str) -> Missing:
    return Missing(name, name, split, "running", reason, name)


def put(folder: Path, clips: list[dict], missing: list[Missing], annotated: str | None = None) -> None:
    write_manifest(folder / "manifest.parquet", NAMES, clips)
    write_missing(folder / "missing.csv", missing)
    if annotated is not None:
        (folder / "annotated.csv").write_text(f"publisher_split,clips\n{annotated}")


@pytest.fixture
def data(scale: Scale, tmp_path) -> Path:
    """Every dataset of the scale; K400 with missing clips, and one video both in K700's train and ActNet's test."""
    root = tmp_path / "data" / scale.name
    train = [clip(i, "train", label=i % 2) for i in range(4)] + [clip(4, "val")]
    usual = [*train, clip(5, "test"), clip(6, "test", label=1)]
    for name in scale.datasets:
        put(root / name, usual, [])
    gone = [lost(f"lost{i}", "train", reason) for i, reason in enumerate(REASONS)]
    gone += [lost("lost9", "validate", "empty"), lost("clip005", "train", "duplicate")]
    put(root / "k400", usual, gone, "train,13\nvalidate,3\n")
    put(root / "k700", [*usual, clip(7, "train", LEAKED), clip(8, "train", LEAKED)], [])
    put(root / "actnet", [*usual, clip(7, "test", LEAKED)], [])
    return tmp_path / "data"


def written(scale, experiments, data, results) -> pd.DataFrame:
    write_accounting(scale, experiments, data, results, PUBLISHED)
    return pd.read_csv(results / "datasets.csv", keep_default_na=False)


def test_columns_sum_up(scale, experiments, data, tmp_path):
    table = written(scale, experiments, data, tmp_path / "results")
    assert (table["annotated"] == table["prepared"] + table[REASON_COLUMNS].sum(axis=1)).all()
    assert (table["prepared"] == table[[f"used_as_{split}" for split in ("train", "val", "test")]].sum(axis=1)).all()
    assert (table["unaccounted"] == 0).all() and set(table["synthetic"]) == {"yes"} and set(table["scale"]) == {"ci"}
    for name in scale.datasets:
        manifest = read_manifest(data / scale.name / name / "manifest.parquet")
        rows = table[table["dataset"] == name]
        assert rows["prepared"].sum() == len(manifest)
        assert rows["annotated"].sum() == len(manifest) + len(
            pd.read_csv(data / scale.name / name / "missing.csv", keep_default_na=False)
        )


def test_one_row_a_split_with_the_papers_count_and_each_reason(scale, experiments, data, tmp_path):
    table = written(scale, experiments, data, tmp_path / "results").set_index(["dataset", "split"])
    train, validation = table.loc["k400", "train"], table.loc["k400", "validation"]
    assert (train["published"], validation["published"], validation["publisher_split"]) == (
        240000,
        20000,
        "validate",
    )
    assert (train["annotated"], train["prepared"], train["used_as_val"]) == (13, 5, 1)
    assert [train[column] for column in REASON_COLUMNS] == [1, 1, 1, 1, 1, 2, 1]
    assert [validation[column] for column in REASON_COLUMNS] == [0, 1, 0, 0, 0, 0, 0]
    assert (train["classes"], train["classes_without_clips"], train["without_clips"]) == (3, 1, "never there")


def test_the_page_says_what_the_table_does(scale, experiments, data, tmp_path):
    written(scale, experiments, data, tmp_path / "results")
    page = (tmp_path / "results" / "datasets.md").read_text()
    lines = {" ".join(line.split()) for line in page.splitlines()}
    assert "| K400 | train | 240,000 | 13 | 5 | 8 |" in lines
    assert "| K400 | train | 1 | 1 | 1 | 1 | 1 | 2 | 1 |" in lines
    assert "- K400, validate: 1 of 3: never there" in lines
    assert "Scale `ci`. Synthetic: all; not comparable with the paper's counts." in lines
    assert "| Dataset | Split | Paper | Annotated | Prepared | Missing |" in lines
    concerned = "multitrain_k700, multitrain_k700_large"
    assert f"| K700 | ActNet | test | 1 | 2 | 1 | {concerned} |" in lines


def test_the_page_of_datasets_that_the_paper_lacks_names_no_paper(scale, experiments, data, tmp_path):
    (tmp_path / "datasets.csv").write_text("dataset,split,printed,clips,classes\n")
    write_accounting(scale, experiments, data, tmp_path / "results", tmp_path)
    page = " ".join((tmp_path / "results" / "datasets.md").read_text().split())
    assert "| K400 | train | 13 | 5 | 8 |" in page and "paper" not in page.lower()


def test_what_is_not_in_the_fraction_is_neither_annotated_nor_missing(scale, experiments, data, tmp_path):
    whole = written(scale, experiments, data, tmp_path / "whole")
    assert "not_in_fraction" not in whole and "fraction" not in (tmp_path / "whole" / "datasets.md").read_text()
    counts = "publisher_split,clips,not_in_fraction\ntrain,13,117\nvalidate,3,0\n"
    (data / scale.name / "k400" / "annotated.csv").write_text(counts)
    datasets = {**scale.datasets, "k400": scale.datasets["k400"].model_copy(update={"fraction": 0.1})}
    part = written(scale.model_copy(update={"datasets": datasets}), experiments, data, tmp_path / "part")
    assert part.drop(columns="not_in_fraction").equals(whole)
    assert part["not_in_fraction"].to_list() == [117, *[0] * (len(whole) - 1)]
    page = (tmp_path / "part" / "datasets.md").read_text()
    assert "- K400, train: 117 clips are not in the fraction 0.1\n" in page and "K400, validate: 0" not in page


def test_leaks_are_listed_by_run(scale, experiments, data, tmp_path):
    written(scale, experiments, data, tmp_path / "results")
    found = pd.read_csv(tmp_path / "results" / "leakage.csv")
    assert list(found.columns) == [
        *("run", "trained_by", "train_dataset", "test_dataset"),
        *("test_split", "video_id", "train_clips", "test_clips"),
    ]
    assert set(found["run"]) == {"multitrain_k700", "multitrain_k700_large"}
    assert set(found["trained_by"]) == {"multitrain_k700", "multitrain_k700_large", "k700_baseline"}
    assert set(map(tuple, found.iloc[:, 2:].to_numpy().tolist())) == {("k700", "actnet", "test", LEAKED, 2, 1)}


def test_no_leak_is_a_header_and_a_word(scale, experiments, data, tmp_path):
    put(data / scale.name / "actnet", [clip(0, "train"), clip(1, "test")], [])
    written(scale, experiments, data, tmp_path / "results")
    assert len((tmp_path / "results" / "leakage.csv").read_text().splitlines()) == 1
    unseen = "compared by id alone; `multitrain prepare` again writes the fingerprints of their clips."
    end = f"and tested\n\n{', '.join(scale.datasets)}: {unseen}\n\nNone.\n"
    assert (tmp_path / "results" / "datasets.md").read_text().endswith(end)


def test_all_is_the_same_bytes_every_time(scale, experiments, data, tmp_path):
    for name in "ab":
        write_accounting(scale, experiments, data, tmp_path / name, PUBLISHED)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["datasets.csv", "datasets.md", "leakage.csv"]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)


@pytest.mark.parametrize(
    ("annotated", "told"),
    [
        ("train,14\nvalidate,3\n", "k400: train: 1 annotated clips are neither in manifest.parquet nor in missing.csv"),
        ("train,13\nvalidate,3\nvalid,2\n", "validation: 2 annotated clips are neither"),
        ("train,12\nvalidate,3\n", "train: manifest.parquet and missing.csv have 1 clips more than are annotated"),
        ("train,13\n", "validation: manifest.parquet and missing.csv have 3 clips more"),
        ("train,13\nvalidate,many\n", "annotated.csv: not a readable list of counts"),
        ("train,13,many\n", "annotated.csv: not a readable list of counts"),
    ],
)
def test_planted_unaccounted_clips_are_an_error(scale, experiments, data, tmp_path, annotated, told):
    (data / scale.name / "k400" / "annotated.csv").write_text(f"publisher_split,clips\n{annotated}")
    with pytest.raises(UserError) as caught:
        write_accounting(scale, experiments, data, tmp_path / "results", PUBLISHED)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "results").exists()


def test_a_clip_that_is_there_and_missing_is_an_error(scale, experiments, data, tmp_path):
    folder = data / scale.name / "ssv2"
    put(folder, [clip(0, "train"), clip(1, "test")], [lost("clip001", "validate", "undecodable")])
    with pytest.raises(UserError, match=r"ssv2: 1 clips, among them 'clip001', are both"):
        write_accounting(scale, experiments, data, tmp_path / "results", PUBLISHED)
    put(folder, [clip(0, "train"), clip(0, "test")], [])
    with pytest.raises(UserError, match=r"manifest.parquet: 1 clips are there more than once"):
        write_accounting(scale, experiments, data, tmp_path / "results", PUBLISHED)


def test_words_of_publishers_for_a_split():
    words = ["train", "training", "val", "validate", "validation", "test", "testing", "extra"]
    assert list(map(role, words)) == ["train"] * 2 + ["validation"] * 3 + ["test"] * 2 + ["extra"]


def test_two_words_for_one_split_share_a_row(scale, tmp_path):
    put(tmp_path, [clip(0, "train"), clip(1, "test")], [lost("x", "val", "empty"), lost("y", "bonus", "empty")])
    manifest = read_manifest(tmp_path / "manifest.parquet")
    table = account(scale, "k400", manifest, tmp_path, read_published(PUBLISHED / "datasets.csv"))
    assert table[["split", "publisher_split", "annotated", "prepared"]].to_numpy().tolist() == [
        ["train", "train", 1, 1],
        ["validation", "val validate", 2, 1],
        ["bonus", "bonus", 1, 0],
    ]


def test_the_papers_counts_cover_its_datasets():
    counts = read_published(PUBLISHED / "datasets.csv")
    assert sorted(counts.index) == sorted(
        (name, split) for name in ("k400", "k700", "mit", "ssv2", "actnet") for split in ("train", "validation")
    )
    table = pd.read_csv(PUBLISHED / "datasets.csv")
    assert (table["printed"] == (table["clips"] // 1000).astype(str) + "K").all()


@pytest.mark.parametrize("content", [None, "", "a,b\n1,2\n", "dataset,split,clips\nk400,train,many\n", TWICE])
def test_a_wrong_list_of_published_counts_is_named(scale, experiments, data, tmp_path, content):
    if content is not None:
        (tmp_path / "datasets.csv").write_text(content)
    with pytest.raises(UserError, match=r"datasets.csv: "):
        write_accounting(scale, experiments, data, tmp_path / "results", tmp_path)
