"""`multitrain predict` as a person types it, with right and wrong input."""

import csv
import io
import json
import os
import re

import pytest

from multitrain import cli
from multitrain.cli.commands.model_commands import parse_views
from multitrain.common.errors import UserError
from multitrain.config.scale import Views
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from tests.datasets.coded import write_video
from tests.datasets.forged import sound
from tests.datasets.server import Server, be_impatient


@pytest.fixture
def clips(tmp_path):
    for name in ("b.mp4", "a.mp4"):
        write_video(tmp_path / "clips" / name, 30)
    return tmp_path / "clips"


@pytest.fixture
def say(model, capsys):
    """Run `predict MODEL ...`: (exit status, standard output, standard error)."""

    def run(*arguments: object, of: object = None) -> tuple[int, str, str]:
        code = 0
        try:
            cli.run(["predict", str(of or model), *map(str, arguments)])
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return run


def test_a_table_for_people(say, clips):
    code, out, err = say(clips / "a.mp4", "--top", 2, "--related")
    assert code == 0
    (note,) = [line for line in err.splitlines() if line.startswith("note: ")]
    assert "Trained on synthetic videos: of filmed ones it knows nothing." in note
    assert "a.mp4" in out and " %" in out
    assert re.search(r"K400 +│ +1 │", out) and re.search(r"MiT +│ +3 │", out)  # views
    assert out.count("%") == 4


def test_a_json_object_a_line(say, clips):
    code, out, _ = say(clips, "--json", "--top", 3, "--related")
    assert code == 0
    first, second = map(json.loads, out.splitlines())
    assert [first["video"], second["video"]] == [str(clips / "a.mp4"), str(clips / "b.mp4")]
    assert list(first["datasets"]) == ["k400", "mit"]
    mit = first["datasets"]["mit"]
    assert (mit["title"], mit["views"], len(mit["top"])) == ("MiT", 3, 3)
    assert list(mit["related"]) == ["k400"] and len(mit["related"]["k400"]) == 3
    shares = [best["probability"] for best in mit["top"]]
    assert shares == sorted(shares, reverse=True) and 0 < shares[0] <= 1


def test_csv_lines(say, clips, tmp_path):
    how = ("--csv", "--top", 2, "--datasets", "mit", "--views", "2x1")
    code, out, _ = say(clips, *how)
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["video"][-5:], row["dataset"], row["rank"], row["views"]) for row in rows] == [
        ("a.mp4", "mit", "1", "2"),
        ("a.mp4", "mit", "2", "2"),
        ("b.mp4", "mit", "1", "2"),
        ("b.mp4", "mit", "2", "2"),
    ]
    code, nothing, _ = say(
        clips, "--csv", "--top", 2, "--datasets", "mit", "--views", "2x1", "--out", tmp_path / "o.csv"
    )
    assert (code, nothing) == (0, "") and (tmp_path / "o.csv").read_text() == out


def test_an_address(say, clips, monkeypatch):
    be_impatient(monkeypatch)
    with Server(clips) as server:
        code, out, err = say(f"{server.base}a.mp4", f"{server.base}none.mp4", "--json", "--top", 1)
    good, bad = map(json.loads, out.splitlines())
    assert code == 1 and good["video"] == f"{server.base}a.mp4" and "404" in bad["error"]
    assert f"error: {server.base}none.mp4: the server answers 404" in err


def test_bad_files_are_told_and_the_rest_is_done(say, clips, tmp_path):
    bad = {"text.mp4": b"not a video " * 99, "zero.mp4": b"", "sound.mp4": sound()}
    bad["cut.mp4"] = (clips / "a.mp4").read_bytes()[:700]
    for name, content in bad.items():
        (clips / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    code, out, err = say(clips, tmp_path / "empty", tmp_path / "gone.mp4", "--csv", "--top", 1)
    assert code == 1 and "6 of 8 gave no answer" in err and "Traceback" not in err
    assert len(list(csv.reader(io.StringIO(out)))) == 1 + 2 * 2
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 7
    for name in (*bad, "empty", "gone.mp4"):
        assert sum(f"/{name}: " in line for line in errors) == 1


def test_an_old_file_says_what_is_assumed(say, clips, model, tmp_path):
    network = load_network(model)
    network.card = None
    save_network(tmp_path / "old.pt", network)
    code, _, err = say(clips / "a.mp4", of=tmp_path / "old.pt")
    assert code == 0 and err.startswith("note: ") and "assumed" in err and "synthetic" not in err


def test_answers_and_complaints_come_in_the_order_of_the_names(say, clips, tmp_path):
    names = [str(tmp_path / "gone.mp4"), str(clips / "b.mp4"), str(tmp_path / "no.mp4"), str(clips / "a.mp4")]
    _, out, _ = say(*names, "--json")
    assert [json.loads(line)["video"] for line in out.splitlines()] == names


def test_a_file_that_breaks_off_is_answered_with_a_note(say, clips):
    path = write_video(clips / "cut.webm", 90, codec="libvpx-vp9")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, out, err = say(clips, "--json", "--top", 1)
    assert code == 0
    reached = [json.loads(line).get("read_up_to") for line in out.splitlines()]
    assert reached[:2] == [None, None] and 2 < reached[2] < 5
    assert f"note: {path}: read up to {reached[2]:.1f} s only, damaged or cut off there" in err


def test_a_name_that_is_no_text_costs_nothing(say, clips, tmp_path):
    name = os.fsdecode(os.fsencode(clips) + b"/\xff.mp4")
    os.rename(clips / "a.mp4", name)
    assert say(clips, "--csv", "--out", tmp_path / "o.csv")[0] == 0
    assert "/\\xff.mp4,mit,5," in (tmp_path / "o.csv").read_text()
    code, _, _ = say(clips, "--json", "--out", tmp_path / "o.json")
    assert code == 0
    assert {json.loads(line)["video"] for line in (tmp_path / "o.json").open()} == {name, str(clips / "b.mp4")}
    assert say(name, "--timeline", tmp_path / "out")[0] == 0
    assert '.src = "../clips/%FF.mp4"' in (tmp_path / "out/timeline.html").read_text()


def test_an_output_replaces_no_video_and_no_device(say, clips, tmp_path):
    before = (clips / "a.mp4").read_bytes()
    (tmp_path / "link.mp4").symlink_to(clips / "a.mp4")
    for out in (clips / "a.mp4", tmp_path / "link.mp4"):
        code, _, err = say(clips, "--json", "--out", out)
        assert code == 1 and f"--out {out}: is one of the videos" in err
    assert (clips / "a.mp4").read_bytes() == before
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    assert say(clips / "a.mp4", "--json", "--out", tmp_path / "pipe")[0] == 0
    assert json.loads(os.read(reader, 1 << 16))["video"] == str(clips / "a.mp4")
    os.close(reader)


WRONG = {
    "an unknown dataset": (["--datasets", "k400,ucf"], "'ucf'.*k400, mit"),
    "no dataset": (["--datasets", ","], "--datasets"),
    "no view": (["--views", "0x3"], "--views 0x3"),
    "two forms": (["--json", "--csv"], "choose one"),
    "a folder as file": (["--out", "."], r"\.: is a folder"),
    "a file as folder": (["--out", "/dev/null/x"], "/dev/null/x: cannot be written"),
    "no such device": (["--device", "abacus"], r"--device abacus: not usable here \(no such kind\)"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_options_are_one_line(say, clips, what):
    arguments, why = WRONG[what]
    code, out, err = say(clips / "a.mp4", *arguments)
    assert code == 1 and not out
    (line,) = [line for line in err.splitlines() if not line.startswith(("predict: ", "note: "))]
    assert re.search(f"error: .*{why}", line)


def test_a_checkpoint_that_is_none_is_named(say, clips, tmp_path):
    (tmp_path / "none.pt").write_bytes(b"nothing")
    code, _, err = say(clips / "a.mp4", of=tmp_path / "none.pt")
    assert code == 1 and len(err.splitlines()) == 1 and "none.pt" in err


@pytest.mark.parametrize("text", ["0x3", "3x2", "3", "x", "1x", "101x1", "-1x1", "1x1x1", "９x1", ""])
def test_views_that_are_none(text):
    with pytest.raises(UserError, match="--views"):
        parse_views(text)


def test_views_are_clips_along_time_by_crops():
    assert (parse_views("5x1"), parse_views("2×3"), parse_views(None)) == (
        Views(temporal=5, spatial=1),
        Views(temporal=2, spatial=3),
        None,
    )
