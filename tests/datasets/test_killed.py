"""A preparation that is killed at any moment and started again leaves what an undisturbed one leaves, byte for byte."""

import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from multitrain.cli import app
from multitrain.config.config_files import load_scale
from multitrain.synth.publishing.publish import publish

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("killed")  # one preparation that is not disturbed

# Runs the command line and kills its own process just before it opens, renames or removes a file of the dataset's
# folder for the n-th time: moments told by progress, not by time, among them those between a clip and its record.
DRIVER = """
import os, signal, sys
folder, moment, log = sys.argv[1], int(sys.argv[2]), sys.argv[3]
count = 0
def watch(event, arguments):
    global count
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and str(arguments[0]).startswith(folder):
        count += 1
        if count == moment:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
from multitrain.cli import app
app(args=sys.argv[4:], standalone_mode=False)
open(log, "w").write(str(count))
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with the configuration of scale ci with fewer videos, and the raw files of one dataset."""
    folder = tmp_path_factory.mktemp("killed")
    shutil.copytree(ROOT / "config", folder / "config")
    path = folder / "config/scales/ci.yaml"
    values = yaml.safe_load(path.read_text())
    values["world"]["videos"]["actnet"] = {"train": 11, "validation": 2}
    path.write_text(yaml.safe_dump(values))
    scale = load_scale("ci", folder / "config")
    publish("actnet", scale.world, folder / "data/ci/actnet/raw", scale.datasets["actnet"].reader)
    return folder


def command(world: Path, data: Path) -> list[str]:
    folders = ["--config-dir", str(world / "config"), "--data", str(data)]
    return ["prepare", "actnet", "--scale", "ci", *folders, "--jobs", "2"]


def prepare(world: Path, data: Path, moment: int = 0) -> tuple[int, int]:
    """Exit status of a process of its own, and how often it touched the dataset's files."""
    log = data.with_suffix(".log")
    driver = [sys.executable, "-c", DRIVER, str(data / "ci/actnet"), str(moment), str(log)]
    ended = subprocess.run([*driver, *command(world, data)], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
    return ended.returncode, int(log.read_text()) if ended.returncode == 0 else 0


def files(data: Path) -> dict[str, bytes]:
    """What a preparation leaves, by relative path."""
    folder = data / "ci/actnet"
    paths = [path for path in folder.rglob("*") if path.is_file() and folder / "raw" not in path.parents]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def fresh(world: Path, name: str) -> Path:
    """A data folder in which nothing is prepared."""
    data = world / name
    (data / "ci/actnet").mkdir(parents=True)
    (data / "ci/actnet/raw").symlink_to(world / "data/ci/actnet/raw")
    return data


@pytest.fixture(scope="module")
def undisturbed(world) -> tuple[dict[str, bytes], int]:
    data = fresh(world, "undisturbed")
    status, count = prepare(world, data)
    assert status == 0
    return files(data), count


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.slow)])
def test_after_kills_at_any_moment_it_ends_the_same(world, undisturbed, kills):
    expected, count = undisturbed
    clips = [name for name in expected if name.endswith(".mp4")]
    assert "manifest.parquet" in expected and "missing.csv" in expected and len(clips) >= 12 and count > len(clips)
    for number, moment in enumerate(random.Random(4).sample(range(2, count), kills)):
        data = fresh(world, f"killed{number} of {kills}")
        assert prepare(world, data, moment)[0] == -signal.SIGKILL
        if moment < count // 2:
            assert not (data / "ci/actnet/manifest.parquet").exists()
        app(command(world, data), standalone_mode=False)
        assert files(data) == expected, f"killed at file {moment} of {count}"


def test_kill_upon_kill_ends_the_same(world, undisturbed):
    expected, count = undisturbed
    data = fresh(world, "again")
    assert [prepare(world, data, moment)[0] for moment in (count // 2, 5, 9)] == [-signal.SIGKILL] * 3
    assert prepare(world, data)[0] == 0
    assert files(data) == expected
