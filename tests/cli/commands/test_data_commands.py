"""`multitrain data ...` as people type it: before, amid and after a preparation, and when clips are damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from multitrain.cli.commands import data_commands
from multitrain.common.errors import UserError
from multitrain.config.scale import Limits
from multitrain.data.manifest import read_manifest
from multitrain.datasets.integrity import Expected, find_problem, sampled_rows
from multitrain.datasets.preparation_status import disk_usage
from multitrain.datasets.transcode.encode_clip import Clip
from multitrain.datasets.transcode.untranscoded import probe
from tests.csv_rows import csv_rows
from tests.datasets.coded import write_video

ROOT = Path(__file__).parents[3]


def call(*arguments: str) -> int:
    """Exit status of a command line, and 1 for a UserError as multitrain.cli has it."""
    command = [*arguments, "--config-dir", str(ROOT / "config"), "--scale", "ci"]
    with pytest.raises((SystemExit, UserError)) as end:
        data_commands.app(args=command)
    if isinstance(end.value, UserError):
        assert "\n" not in str(end.value)
        return 1
    return end.value.code or 0


@pytest.fixture
def mine(data, tmp_path) -> Path:
    """A copy of the prepared world without its archives, to damage."""
    target = tmp_path / "data"
    shutil.copytree(data / "ci" / "mit", target / "ci" / "mit", ignore=shutil.ignore_patterns("raw"))
    return target


def statuses(capsys, folder: Path) -> dict[str, list[str]]:
    assert call("status", "--data", str(folder)) == 0
    lines = [[cell for cell in line.split("  ") if cell] for line in capsys.readouterr().out.splitlines()]
    return {line[0].strip(): [cell.strip() for cell in line[1:]] for line in lines[1:]}


def test_status_without_any_data(tmp_path, capsys):
    found = statuses(capsys, tmp_path / "nowhere")
    assert list(found) == ["k400", "k700", "mit", "ssv2", "actnet"]
    assert all(row == ["absent", "not begun", "0", "?", "-", "0 B", "0 B"] for row in found.values())
    assert not (tmp_path / "nowhere").exists()


def test_status_of_prepared_data(data, capsys):
    manifest = read_manifest(data / "ci/mit/manifest.parquet")
    lost = (data / "ci/mit/missing.csv").read_text().splitlines()[1:]
    row = statuses(capsys, data)["mit"]
    assert row[:4] == ["there", "prepared", str(len(manifest)), str(len(manifest) + len(lost))]
    counts = dict(reversed(part.split(" ", 1)) for part in row[4].split(", "))
    assert sum(map(int, counts.values())) == len(lost) > 0
    assert row[5].endswith("kB") and row[6].endswith("kB")


def test_status_in_the_middle_of_a_preparation(mine, capsys):
    folder = mine / "ci/mit"
    (folder / "manifest.parquet").unlink()
    (folder / "annotated.csv").unlink()
    journal = folder / "videos/journal.jsonl"
    lines = journal.read_text().splitlines()
    kept = [line for line in lines if '"clip"' in line and '"reason": ""' in line][:7]
    refused = '{"clip": "z", "batch": "b", "source": "s", "reason": "empty"}'
    journal.write_text("\n".join([lines[0], *kept, kept[0], refused, lines[-1][:20]]))
    assert statuses(capsys, mine)["mit"][:5] == ["absent", "in preparation", "7", "?", "1 empty"]
    (folder / "annotated.csv").write_text("publisher_split,clips\ntraining,60\nvalidation,12\n")
    assert statuses(capsys, mine)["mit"][3] == "72"
    (folder / "annotated.csv").write_text("nonsense")
    assert statuses(capsys, mine)["mit"][3] == "?"


def test_status_says_what_is_damaged(mine, capsys):
    (mine / "ci/mit/manifest.parquet").write_text("nonsense")
    assert "not a readable Parquet file" in statuses(capsys, mine)["mit"][1]
    shutil.rmtree(mine)
    (mine / "ci/k400").mkdir(parents=True)
    (mine / "ci/k400/raw").mkdir()
    assert statuses(capsys, mine)["k400"][:2] == ["empty", "not begun"]


def test_disk_is_the_sum_of_files(tmp_path):
    for i in range(3):
        (tmp_path / f"a/{i}").mkdir(parents=True)
        (tmp_path / f"a/{i}/f").write_bytes(bytes(10 * i))
    assert disk_usage(tmp_path) == (3, 30) and disk_usage(tmp_path / "absent") == (0, 0)


def test_check_finds_nothing_wrong_in_what_was_prepared(mine, tmp_path, capsys):
    count = len(read_manifest(mine / "ci/mit/manifest.parquet"))
    out = tmp_path / "wrong.csv"
    assert call("check", "mit", "--all", "--jobs", "2", "--data", str(mine), "--out", str(out)) == 0
    said = capsys.readouterr()
    assert said.out == f"mit: {count} of {count} clips decoded, 0 wrong\n"
    assert f"{count}/{count} clips" in said.err and "left" in said.err
    assert out.read_text() == "clip_id,path,trouble\n"
    assert call("check", "mit", "--sample", "3", "--data", str(mine)) == 0
    assert capsys.readouterr().out == f"mit: 3 of {count} clips decoded, 0 wrong\n"


def test_check_reports_every_damaged_clip(mine, tmp_path, capsys):
    table = read_manifest(mine / "ci/mit/manifest.parquet").table
    paths = [mine / "ci/mit" / path for path in table["path"].to_pylist()[:6]]
    lengths = table["frames"].to_pylist()
    other = next(i for i in range(6, len(lengths)) if lengths[i] != lengths[3])
    paths[0].unlink()
    paths[1].write_bytes(b"")
    paths[2].write_bytes(paths[2].read_bytes()[: paths[2].stat().st_size // 2])
    shutil.copy(mine / "ci/mit" / table["path"][other].as_py(), paths[3])
    content = bytearray(paths[4].read_bytes())
    middle = len(content) // 2
    content[middle : middle + 60] = bytes(60)
    paths[4].write_bytes(content)
    out = tmp_path / "wrong.csv"
    assert call("check", "mit", "--all", "--data", str(mine), "--out", str(out)) == 1
    rows = csv_rows(out)
    assert [row["clip_id"] for row in rows] == table["clip_id"].to_pylist()[:5]
    assert [row["path"] for row in rows] == [str(path) for path in paths[:5]]
    assert rows[0]["trouble"] == "no such file" and "does not decode" in rows[1]["trouble"]
    assert rows[3]["trouble"] == f"{lengths[other]} frames where the manifest has {lengths[3]}"
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == [f"{row['clip_id']}: {row['path']}: {row['trouble']}" for row in rows]
    assert said[-1].endswith("5 wrong")


def test_which_clips_are_checked_is_as_asked(data, monkeypatch):
    given = []

    def sampled(manifest, sample, seed) -> np.ndarray:
        given.append((sample, seed))
        return np.arange(0)

    monkeypatch.setattr("multitrain.datasets.integrity.sampled_rows", sampled)
    for options in (["--sample", "3"], ["--sample", "3", "--seed", "5"], ["--all"]):
        assert call("check", "mit", *options, "--data", str(data)) == 0
    assert given == [(3, 0), (3, 5), (None, 0)]


@pytest.mark.parametrize("suffix", ["mp4", "webm"])
def test_whatever_a_file_holds_it_is_told_in_words(tmp_path, suffix):
    codec = {"mp4": "libx264", "webm": "libvpx-vp9"}[suffix]
    content = write_video(tmp_path / f"whole.{suffix}", 20, codec=codec).read_bytes()
    rng, path, told = np.random.default_rng(0), tmp_path / f"damaged.{suffix}", 0
    for number in range(60):
        damaged = np.frombuffer(content, np.uint8)[: rng.integers(len(content)) if number % 3 == 0 else None].copy()
        for place in rng.integers(0, max(len(damaged), 1), rng.choice([1, 4, 30])):
            damaged[place : place + 1] = rng.integers(256)
        path.write_bytes(damaged.tobytes())
        problem = find_problem(Expected(path, 20, 12.0, 48, 32))
        assert isinstance(problem, str) and "\n" not in problem
        assert problem or number % 3, "a torn file passed"
        told += bool(problem)
        assert isinstance(probe(path, Limits()), Clip | tuple)
    assert told > 30 and find_problem(Expected(tmp_path / f"whole.{suffix}", 20, 12.0, 48, 32)) == ""


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ((19, 12.0, 48, 32), "20 frames where the manifest has 19"),
        ((20, 12.0, 48, 30), "48x32 pixels where the manifest has 48x30"),
        ((20, 11.0, 48, 32), "frame 4 stands at the time of frame 3.67"),
    ],
)
def test_what_differs_from_the_manifest_is_told(tmp_path, expected, told):
    path = write_video(tmp_path / "a.mp4", 20)
    assert find_problem(Expected(path, *expected)) == told


def test_a_sample_is_seeded_and_within_the_clips(data):
    manifest = read_manifest(data / "ci/mit/manifest.parquet")
    first, again, other = (sampled_rows(manifest, 20, seed) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()
    assert len(set(first.tolist())) == 20 and (np.diff(first) > 0).all() and first.max() < len(manifest)
    assert (sampled_rows(manifest, None, 0) == np.arange(len(manifest))).all()
    assert (sampled_rows(manifest, 10**9, 0) == np.arange(len(manifest))).all()


@pytest.mark.parametrize(
    "arguments",
    [["check", "k700"], ["check", "ucf101"], ["account"], ["check", "mit", "--sample", "0"]],
)
def test_what_is_wrong_has_status_1_or_2(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert call(*arguments) in (1, 2)
    assert not list(tmp_path.iterdir()) and "Traceback" not in capsys.readouterr().err


def test_account_writes_its_three_files(scale, data, tmp_path):
    everything = tmp_path / "data"
    for name in scale.datasets:
        source = data / "ci" / ("k400" if name == "k400" else "mit")
        (everything / "ci" / name).mkdir(parents=True)
        for file in ("manifest.parquet", "missing.csv", "annotated.csv"):
            shutil.copy(source / file, everything / "ci" / name / file)
    options = ["--data", str(everything), "--results", str(tmp_path / "results")]
    assert call("account", *options, "--published", str(ROOT / "resources/published")) == 0
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == [
        "datasets.csv",
        "datasets.md",
        "leakage.csv",
    ]
