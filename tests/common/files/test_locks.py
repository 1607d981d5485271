"""Folder locks: a second process is refused, waits, or takes over from one that died or lost the lock."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.common.files import locks
from multitrain.common.files.locks import NAME, FolderRemoved, is_locked, locked_folder
from multitrain.datasets.prepare import prepare
from multitrain.synth.publishing.publish import publish
from tests.holder import holding, start

TRAIN_SH = Path(__file__).parents[3] / "workflow" / "scripts" / "train.sh"


def test_a_second_process_is_refused_with_the_holder_and_the_cure(tmp_path):
    with holding(tmp_path, "run a seed 0 is being trained") as other:
        with pytest.raises(UserError) as caught, locked_folder(tmp_path, "the same"):
            pytest.fail("two owners")
        assert is_locked(tmp_path) is True
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}: run a seed 0 is being trained there by process {other.pid} on ")
    assert " since 20" in said and said.endswith(f"wait for its end, or end it with `kill {other.pid}`")


def test_on_a_cluster_the_cure_is_the_schedulers(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    with (
        holding(tmp_path),
        pytest.raises(UserError, match="end it with `scancel 17`"),
        locked_folder(tmp_path, "the same"),
    ):
        pytest.fail("two owners")


@pytest.mark.parametrize("how", [(), ("fork",)], ids=["alone", "with a child that stays"])
def test_the_lock_of_a_killed_process_is_free(tmp_path, how):
    with holding(tmp_path, "something is done", *how) as other:
        other.kill()
        other.wait()
        assert is_locked(tmp_path) is False  # the file alone is no lock
        with locked_folder(tmp_path, "the next"):
            assert f'"pid": {os.getpid()}' in (tmp_path / NAME).read_text()
    assert not (tmp_path / NAME).exists() and is_locked(tmp_path) is None


@pytest.mark.parametrize("removed", [False, True], ids=["the same file", "removed meanwhile"])
def test_a_waiting_process_gets_the_lock(tmp_path, removed):
    folder = tmp_path / "folder"
    with holding(folder, "run a is being trained") as other, start(folder, "run b", "wait") as second:
        said = second.stderr.readline()
        assert said.endswith("waiting for its end\n") and f"run a is being trained there by process {other.pid}" in said
        if removed:
            shutil.rmtree(folder)
        other.stdin.close()
        assert second.stdout.readline() == "owned\n"
        assert is_locked(folder) is True and f'"pid": {second.pid}' in (folder / NAME).read_text()
        second.stdin.close()
        assert second.wait() == 0


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGUSR1, 75), (signal.SIGINT, 130)])
def test_a_signal_ends_the_wait(tmp_path, number, status):
    with holding(tmp_path), start(tmp_path, "the next", "wait") as second:
        second.stderr.readline()
        second.send_signal(number)
        assert second.wait() == status


@pytest.mark.parametrize("what", ["folder", "file"])
def test_an_owner_notices_that_its_folder_was_removed(tmp_path, what):
    folder = tmp_path / "folder"
    gone = r"folder: (it|its \.lock) was removed while"
    with pytest.raises(FolderRemoved, match=gone), locked_folder(folder, "something is done") as owner:
        owner.require()
        shutil.rmtree(folder)
        if what == "file":
            folder.mkdir()
            (folder / NAME).touch()  # of another process
        with pytest.raises(FolderRemoved, match=gone):
            owner.require()
    assert (folder / NAME).exists() == (what == "file")  # which is not the owner's to remove


def test_a_thread_goes_on_in_its_own_folder_and_another_does_not(tmp_path):
    def other() -> None:
        with locked_folder(tmp_path, "the same"):
            pytest.fail("two owners")

    with locked_folder(tmp_path, "outer") as outer:
        with locked_folder(tmp_path, "inner") as inner:
            assert inner is outer
        outer.require()
        with ThreadPoolExecutor(1) as pool, pytest.raises(UserError, match="outer there by process"):
            pool.submit(other).result()


def test_without_locks_the_work_goes_on_and_says_so(tmp_path, monkeypatch, capsys):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "lockf", refuse)
    with locked_folder(tmp_path, "something is done") as owner:
        owner.require()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "its file system has no locks (No locks available)" in said and "flock" in said


def test_what_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / NAME).symlink_to(tmp_path / "nowhere" / "lock")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", tmp_path):
        with (
            pytest.raises(UserError, match=r"cannot be written .*: choose another folder"),
            locked_folder(folder, "something"),
        ):
            pytest.fail("owned")


def test_preparation_and_publication_are_refused_while_another_owns_the_folder(scale, data, tmp_path):
    dataset, raw, out = scale.datasets["k400"], data / "ci" / "k400" / "raw", tmp_path / "out"
    fetching = dataset.model_copy(update={"download": object()})
    with holding(out, "dataset k400 is being prepared"):
        with pytest.raises(UserError, match="dataset k400 is being prepared there by process"):
            prepare("k400", dataset, raw, out)
        with pytest.raises(UserError, match="is being prepared there by process"):
            publish("k400", scale.world, out, dataset.reader)
        with pytest.raises(UserError, match="is being prepared there by process"):
            prepare("k400", fetching, out, tmp_path / "other")  # the same folder, to download into
    assert [path.name for path in out.iterdir()] == [NAME]


def test_a_preparation_whose_folder_is_removed_ends(scale, data, tmp_path):
    out, told = tmp_path / "out", []

    def remove(done: int, total: int) -> None:
        if not told:
            shutil.rmtree(out)
        told.append(done)

    with pytest.raises(FolderRemoved, match=r"out: .* was removed"):
        prepare("k400", scale.datasets["k400"], data / "ci" / "k400" / "raw", out, progress=remove)
    assert len(told) == 1 and not (out / "manifest.parquet").exists()


WRITES = """
import sys
from multitrain.common.progress import outlive_readers
outlive_readers()
sys.stdin.read()
for _ in range(3):
    sys.stderr.write("a line\\n")
"""


def test_work_goes_on_when_nobody_reads_its_progress():
    pipes = dict.fromkeys(("stdin", "stderr"), subprocess.PIPE)
    with subprocess.Popen([sys.executable, "-c", WRITES], **pipes) as process:
        process.stderr.close()
        process.stdin.close()
        assert process.wait() == 0


def test_a_log_is_written_when_nobody_reads_its_copy(tmp_path):
    """As `tee` does where Snakemake, or what its lines were piped to, has been killed."""
    script = "read; for i in 1 2 3; do echo $i; done; exit 3"
    command = ["bash", str(TRAIN_SH), str(tmp_path / "log"), "bash", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        process.stdin.close()
        assert process.wait() == 3
    assert (tmp_path / "log").read_text() == "1\n2\n3\n"
