"""The state of made-up runs from their records, whatever these records look like."""

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from multitrain.analysis.study.run_progress import RunStatus, run_statuses, seeds_on_disk
from multitrain.analysis.study.run_progress_table import duration, plain, render
from multitrain.common.codehash import code_hash
from multitrain.common.files.locks import NAME as LOCK
from multitrain.model.backbones.declarations import file_hashes

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
STATUS = {
    "state": "running",
    "step": 30,
    "steps": 120,
    "started": "2026-05-01T11:00:00+00:00",
    "updated": "2026-05-01T11:59:55+00:00",
    "starts": 2,
    "resumed_at": 20,
    "host": os.uname().nodename,
    "pid": os.getpid(),
    "process_count": 8,
    "message": "",
    "clips_per_second": 35.5,
    "data_wait": 0.031,
    "seconds_left": 7500,
    "memory_mb": 2345.6,
    "terms": {"total": 5.0},
}


def say(results, run: str, seed: int = 0, resume: bool = True, **changes: object):
    """A status.json of that run."""
    folder = results.folder / run / f"seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        (folder / "resume").mkdir()
    (folder / "status.json").write_text(json.dumps(STATUS | changes))
    return folder


def finish(results, run: str, ranks: dict[str, list[int]], seed: int = 0, **record: object):
    """A trained and evaluated run."""
    folder = results.add(run, ranks, seed)
    known = {"steps": 120, "seconds": 754.0, "starts": 3, "code": code_hash()}
    about = json.loads((folder / "run.json").read_text()) | known | record
    (folder / "run.json").write_text(json.dumps({key: value for key, value in about.items() if value is not None}))
    (folder / "model.pt").touch()
    return folder


def statuses(results, *seeds: int) -> dict[tuple[str, int], RunStatus]:
    found = run_statuses(results.scale, results.experiments, seeds or (0,), results.root, NOW)
    return {(status.run, status.seed): status for status in found}


def of(results, run: str, seed: int = 0) -> RunStatus:
    return statuses(results, seed)[run, seed]


@pytest.fixture
def gone() -> int:
    """The id of a process that is no more: one above all that a kernel gives, as others may be given anew."""
    return 2**31 - 1


def printed(results, width: int) -> str:
    out = io.StringIO()
    render(list(statuses(results).values()), results.scale, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_every_run_and_seed_has_a_row_and_waits_at_first(results):
    found = statuses(results, 0, 3)
    assert list(found) == [(run, seed) for run in results.experiments.runs for seed in (0, 3)]
    assert {status.state for status in found.values()} == {"waiting"}
    assert found["multitrain", 3] == RunStatus("multitrain", 3, "waiting")


def test_a_running_training_says_how_far_it_is(results):
    say(results, "multitrain")
    found = of(results, "multitrain")
    assert (found.state, found.step, found.steps, found.seconds_left, found.note) == ("running", 30, 120, 7500, "")
    assert (found.clips_per_second, found.data_wait, found.memory_mb, found.starts) == (35.5, 0.031, 2345.6, 2)
    assert (found.resumed_at, found.processes) == (20, 8)
    assert of(results, "k400_baseline").state == "waiting"  # it started from that one; a table waits for it still


def test_a_process_that_is_gone_has_stopped_at_once(results, gone):
    say(results, "multitrain", pid=gone)
    found = of(results, "multitrain")
    assert (found.state, found.step) == ("stopped", 30) and f"process {gone} is gone" in found.note


@pytest.mark.parametrize(
    ("minutes", "left", "state"), [(5, 7500, "running"), (11, 7500, "stopped"), (11, 90 * 300, "running")]
)
def test_a_process_elsewhere_has_stopped_when_it_is_silent(results, gone, minutes, left, state):
    """Longer where a step takes five minutes; a process id of another machine says nothing."""
    updated = (NOW - timedelta(minutes=minutes)).isoformat()
    say(results, "multitrain", host="node17", pid=gone, updated=updated, seconds_left=left)
    found = of(results, "multitrain")
    assert found.state == state
    assert ("no word from node17 for 11 minutes" in found.note) == (state == "stopped")


def test_a_silent_process_that_lives_is_running_with_a_note(results):
    say(results, "multitrain", updated=(NOW - timedelta(hours=1)).isoformat())
    found = of(results, "multitrain")
    assert found.state == "running" and "no word" in found.note and "60 minutes" in found.note


def test_a_process_that_does_not_own_its_folder_is_not_that_training(results):
    """Killed, and its number given to another process since."""
    say(results, "multitrain")
    (results.folder / "multitrain" / "seed0" / LOCK).touch()
    assert of(results, "multitrain").state == "stopped"


@pytest.mark.parametrize("state", ["failed", "preempted"])
def test_the_end_of_a_run_comes_with_its_message(results, gone, state):
    say(results, "multitrain", state=state, pid=gone, message="the loss is nan\nat step 30")
    found = of(results, "multitrain")
    assert (found.state, found.note) == (state, "the loss is nan at step 30")


def test_a_finished_run_shows_minutes_starts_and_accuracy(results):
    finish(results, "multitrain", {"k400": [0, 0, 0, 6], "mit": [0, 1, 1, 1]})
    say(results, "multitrain", resume=False, state="finished", step=120, starts=3)
    found = of(results, "multitrain")
    assert (found.state, found.seconds, found.seconds_left, found.starts) == ("finished", 754.0, None, 3)
    assert found.top1 == {"k400": 75.0, "mit": 25.0}


def test_a_run_of_before_there_was_a_status_is_finished_too(results):
    folder = finish(results, "multitrain", {}, starts=None)
    assert (of(results, "multitrain").state, of(results, "multitrain").starts) == ("finished", None)
    (folder / "model.pt").unlink()
    assert of(results, "multitrain").note == "without its model.pt"
    (folder / "run.json").unlink()
    (folder / "resume").mkdir()
    assert of(results, "multitrain").state == "stopped"


def test_a_run_of_other_numerical_code_is_marked_with_the_cure(results):
    finish(results, "multitrain", {})
    finish(results, "wo_actnet", {}, code="")  # of a version that recorded none
    finish(results, "vanilla", {}, code=f"0123456789ab+{code_hash()}")  # resumed after the change: it ended with ours
    assert not any(status.other_code for status in statuses(results).values())
    assert "--forcerun" not in printed(results, 130)
    finish(results, "wo_projection", {}, code=f"{code_hash()}+0123456789ab")
    found = of(results, "wo_projection")
    assert found.other_code and found.note == "trained by other code (0123456789ab)"
    assert "`snakemake --forcerun train`" in " ".join(printed(results, 130).split())


def test_a_run_is_marked_whose_own_loss_was_edited_and_not_one_of_another_backbone(results):
    function = "tests.engine.own_losses:contrast"
    (ours,) = file_hashes([function])
    settings = {"extra_losses": [{"function": function, "weight": 1.0}]}
    finish(results, "multitrain", {}, code=f"{code_hash()}-{ours}", settings=settings)
    finish(results, "vanilla", {}, code=f"{code_hash()}-0123456789ab")
    finish(results, "wo_projection", {}, code=f"{code_hash()}-0123456789ab", settings=settings)
    marked = {name for (name, _), status in statuses(results).items() if status.other_code}
    assert marked == {"wo_projection"}


def test_killed_between_its_record_and_its_last_word_is_finished(results, gone):
    finish(results, "multitrain", {})
    say(results, "multitrain", resume=False, pid=gone, step=120)
    assert of(results, "multitrain").state == "finished"


def test_trained_again_is_running_although_the_old_record_is_there(results, gone):
    finish(results, "multitrain", {"k400": [0]})
    say(results, "multitrain")
    assert (of(results, "multitrain").state, of(results, "multitrain").top1) == ("running", {})
    (results.folder / "multitrain" / "seed0" / "status.json").write_text(json.dumps(STATUS | {"pid": gone}))
    assert of(results, "multitrain").state == "stopped"


def test_outputs_that_were_removed_are_to_be_made_again(results):
    say(results, "multitrain", resume=False, state="finished", step=120)
    found = of(results, "multitrain")
    assert found.state == "waiting" and "run.json is gone" in found.note and found.step is None


def test_the_best_of_each_dataset_is_marked_over_runs_and_seeds(results):
    finish(results, "k400_baseline", {"k400": [0, 0, 1, 1]})
    finish(results, "multitrain", {"k400": [0, 0, 0, 1], "mit": [0, 1]})
    finish(results, "multitrain", {"k400": [0, 0, 0, 1], "mit": [1, 1]}, seed=1)
    found = statuses(results, 0, 1)
    assert found["k400_baseline", 0].best == ()
    assert found["multitrain", 0].best == ("k400", "mit")
    assert found["multitrain", 1].best == ("k400",)


def test_predictions_that_are_made_again_are_read_again(results):
    path = finish(results, "multitrain", {"k400": [0, 1]}) / "predictions" / "k400.parquet"
    assert of(results, "multitrain").top1 == {"k400": 50.0}
    made = path.stat().st_mtime_ns
    other = finish(results, "vanilla", {"k400": [0, 0]}) / "predictions" / "k400.parquet"
    path.write_bytes(other.read_bytes())
    os.utime(path, ns=(made + 1, made + 1))
    assert of(results, "multitrain").top1 == {"k400": 100.0}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"state": "running"}',
        *(
            pytest.param(json.dumps(STATUS | change).encode(), id=str(change))  # without the process's id
            for change in (
                {"state": "asleep"},
                {"pid": -1},
                {"pid": 10**30},
                {"step": -1},
                {"steps": 0},
                {"updated": "yesterday"},
                {"updated": "2026-05-01T11:59:55"},
                {"host": None},
                {"seconds_left": "soon"},
            )
        ),
    ],
)
def test_a_damaged_status_is_a_cell(results, content):
    folder = say(results, "multitrain")
    (folder / "status.json").write_bytes(content)
    found = of(results, "multitrain")
    assert (found.state, found.damaged) == ("stopped", ("status.json",))
    assert "status.json" in printed(results, 80) and "status.json" in printed(results, 160)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"synthetic": 3}', b'{"synthetic": true, "steps": "many"}', b"\xff"]
)
def test_a_damaged_record_is_a_cell(results, content):
    folder = finish(results, "multitrain", {"k400": [0]})
    (folder / "run.json").write_bytes(content)
    assert of(results, "multitrain") == RunStatus("multitrain", 0, "waiting", damaged=("run.json",))
    (folder / "run.json").write_text(json.dumps({"synthetic": True}))
    found = of(results, "multitrain")
    assert (found.state, found.steps, found.seconds, found.starts) == ("finished", None, None, None)


def test_damaged_predictions_are_a_cell_and_no_best(results):
    folder = finish(results, "multitrain", {"k400": [0], "mit": [0]})
    (folder / "predictions" / "mit.parquet").write_bytes(b"PAR1 and no more")
    finish(results, "mit_baseline", {"mit": [1, 0]})
    found = statuses(results)
    assert found["multitrain", 0].damaged == ("predictions/mit.parquet",)
    assert found["multitrain", 0].top1 == {"k400": 100.0} and found["mit_baseline", 0].best == ("mit",)
    row = next(line for line in printed(results, 160).splitlines() if line.startswith("multitrain "))
    assert "100.0*" in row and row.count("damaged") == 2


def test_a_folder_that_is_a_file_is_waiting(results):
    (results.folder / "multitrain").write_text("")
    assert of(results, "multitrain") == RunStatus("multitrain", 0, "waiting")


@pytest.mark.parametrize("width", [80, 129, 160, 220])
def test_the_table_fits_and_says_all(results, width, gone):
    finish(results, "multitrain", {"k400": [0, 0, 0, 6], "mit": [0, 1, 1, 1], "ssv2": [0], "actnet": [0]})
    say(results, "vanilla")
    say(results, "wo_projection", state="failed", message="clips [bold]k400_0001[/bold] have a loss of nan")
    say(results, "wo_informative_wo_add", pid=gone)
    text = printed(results, width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for part in ("75.0*", "25.0*", "120", "13 min", "30/120", "2 h 05 left", "35.5", "3%", "2.3 GB", "failed"):
        assert part in words
    assert "[bold]k400_0001[/bold]" in "".join(text.split())
    assert "1 running, 1 stopped, 1 failed, 1 finished" in words and "synthetic test clips" in words


def test_plain_values_are_json(results):
    finish(results, "multitrain", {"k400": [0, 1]})
    say(results, "vanilla")
    found = {
        row["run"]: row for row in json.loads(json.dumps(plain(list(statuses(results).values())), allow_nan=False))
    }
    assert found["multitrain"]["top1"] == {"k400": 50.0} and found["multitrain"]["best"] == ["k400"]
    assert found["vanilla"]["state"] == "running" and found["vanilla"]["seconds_left"] == 7500


def test_seeds_are_those_that_have_a_folder(results):
    assert seeds_on_disk(results.scale, results.root) == ()
    say(results, "multitrain", seed=2)
    say(results, "vanilla", seed=11)
    (results.folder / "vanilla" / "seedling").mkdir()
    assert seeds_on_disk(results.scale, results.root) == (2, 11)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        *((0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3540, "59 min"), (3599, "1 h 00"), (7500, "2 h 05")),
        *((86399, "1 d 00 h"), (1_209_600, "14 d 00 h")),
    ],
)
def test_durations(seconds, said):
    assert duration(seconds) == said


def test_nothing_heavy_is_imported():
    code = "import sys, multitrain.analysis.study.run_progress_table; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
