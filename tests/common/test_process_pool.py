"""The process pool: an item that hangs, dies or raises loses its own result alone, and no process stays behind."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from multitrain.common import process_pool
from multitrain.common.errors import UserError
from multitrain.common.process_pool import AHEAD, ProcessPool, process_map


class Deadly:
    """An item that kills the process which receives it, as the kernel does where memory runs out."""

    def __reduce__(self):
        return os._exit, (9,)


def behave(item: str) -> str:
    """Hang, after making a file of the item's name; die; raise; or return the item, as its name says."""
    if item.startswith("/"):
        Path(item).touch()
        time.sleep(10_000)
    if item == "die":
        os._exit(3)
    if item == "raise":
        raise UserError("told")
    return item


def several(item: str) -> Iterator[str]:
    """A result for each letter; a capital letter kills the process, and so does a full stop."""
    for letter in item:
        if letter == ".":
            os._exit(3)
        yield behave("die" if letter.isupper() else letter)


def interrupted(item: str) -> str:
    os.kill(os.getpid(), signal.SIGINT)
    return item


def write_pid_and_hang(pipe: str) -> None:
    """Write the process's number into a pipe, then hang."""
    Path(pipe).write_text(str(os.getpid()))
    time.sleep(10_000)


@pytest.mark.parametrize("jobs", [1, 3])
def test_what_hangs_or_kills_costs_itself_only(tmp_path, monkeypatch, jobs):
    """The limit starts when an item hangs: real seconds would be too few on a busy machine, and too many for a test."""
    hang = str(tmp_path / "hangs")

    def remaining(worker) -> float:
        return 0.0 if worker.task.item == hang and Path(hang).exists() else 0.01

    monkeypatch.setattr(process_pool._Worker, "remaining", remaining)
    items = ["a", "die", "b", hang, "c", Deadly(), Deadly(), "die", *"defgh"]
    found = list(process_map(behave, items, jobs, 4.0))
    assert [item for item, _ in found] == items
    told = [result for item, result in found if item not in list("abcdefgh")]
    assert [result for item, result in found if item in list("abcdefgh")] == list("abcdefgh")
    assert ["not done after 4 s" in words for words in told] == [False, True, False, False, False]
    assert all("died" in words for words in told if "not done" not in words)


def test_an_item_that_never_ends_is_ended_by_the_clock():
    ((_, told),) = process_map(time.sleep, [10_000], 1, 0.01)
    assert told == "not done after 0.01 s, its decoder was ended"


def test_each_result_has_the_whole_limit(monkeypatch):
    now, left, receive = [0.0], [], process_pool._Worker.receive

    def receive_later(worker) -> None:
        now[0] += 6
        receive(worker)
        left.append(worker.remaining())

    monkeypatch.setattr(process_pool, "monotonic", lambda: now[0])
    monkeypatch.setattr(process_pool._Worker, "receive", receive_later)
    with ProcessPool(several, 1, 10.0) as pool:
        (task,) = pool.map(["abc"])
    assert task.results == ["a", "b", "c"] and not task.ended
    assert left == [10.0] * 5  # it has started, three results, and done


def test_a_limit_may_be_longer_than_the_system_can_count():
    assert list(process_map(behave, ["a"], 1, 1e300)) == [("a", "a")]


def test_an_error_of_the_function_is_raised():
    with pytest.raises(UserError, match="told"):
        list(process_map(behave, ["a", "raise", "b"], 2, 60.0))


@pytest.mark.parametrize("ordered", [True, False])
def test_results_before_a_death_count(ordered):
    with ProcessPool(several, 2, 60.0) as pool:
        tasks = {task.item: task for task in pool.map(["abc", "abX", "", "X", "ab."], ordered)}
    assert {item: "".join(task.results) for item, task in tasks.items()} == {
        "abc": "abc",
        "abX": "ab",
        "": "",
        "X": "",
        "ab.": "ab",
    }
    assert {item for item, task in tasks.items() if task.ended} == {"abX", "X", "ab."}


@pytest.mark.parametrize("ordered", [True, False])
def test_items_before_an_error_of_their_source_are_done(ordered):
    def items():
        yield from "ab"
        raise UserError("the archive breaks off")

    done = []
    with ProcessPool(behave, 2, 60.0) as pool, pytest.raises(UserError, match="breaks off"):
        for task in pool.map(items(), ordered):
            done += task.results
    assert sorted(done) == ["a", "b"]


@pytest.mark.parametrize("ordered", [True, False])
def test_few_items_are_read_ahead(ordered):
    read, most = [], 0
    with ProcessPool(behave, 2, 60.0) as pool:
        for number, _ in enumerate(pool.map((read.append(i) or str(i) for i in range(40)), ordered)):
            most = max(most, len(read) - number)
    assert len(read) == 40 and most <= AHEAD[ordered] * 2


def test_leaving_ends_the_processes(tmp_path):
    with ProcessPool(behave, 2, 600.0) as pool:
        next(pool.map(["a", str(tmp_path / "hangs"), "b"]))
        processes = [worker.process for worker in pool._workers]
    assert processes and not any(process.is_alive() for process in processes)


def test_a_process_that_cannot_start_is_an_error(monkeypatch):
    monkeypatch.setattr(process_pool, "_serve", len)  # ends at once
    with pytest.raises(UserError, match="worker processes cannot be started"):
        list(process_map(behave, ["a"], 1, 60.0))


def test_ctrl_c_is_the_parents_to_handle():
    assert list(process_map(interrupted, ["a"], 1, 60.0)) == [("a", "a")]


def test_a_process_that_died_between_two_items_is_told_of_the_second():
    with ProcessPool(behave, 1, 60.0) as pool:
        assert [task.results for task in pool.map(["a"])] == [["a"]]
        (worker,) = pool._workers
        worker.process.kill()
        worker.process.join()
        (second,), (third,) = pool.map(["b"]), pool.map(["c"])
    assert second.results == [] and "died" in second.ended.detail
    assert third.results == ["c"] and third.ended is None


def test_processes_end_with_their_parent(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    code = f"list(process_map(write_pid_and_hang, [{str(tmp_path / 'pipe')!r}], 1, 1e6))"
    code = f"from tests.common.test_process_pool import *; {code}"
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as parent:
        worker = os.pidfd_open(int((tmp_path / "pipe").read_text()))
        parent.kill()
    try:
        assert select.select([worker], [], [], 60)[0]  # readable: it has ended
    finally:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(worker, signal.SIGKILL)
        os.close(worker)
