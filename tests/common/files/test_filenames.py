"""File names as text: on one line, the same in every locale, and reversible."""

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.files.filenames import as_bytes, as_path, as_text, one_line, shown
from multitrain.datasets.publication import safe_id
from tests.datasets.coded import write_video

NAMES = {  # bytes of a name: how it is shown
    b"plain.mp4": "plain.mp4",
    b"caf\xc3\xa9.mp4": "café.mp4",
    b"caf\xe9.mp4": r"caf\xe9.mp4",
    b"two\nlines.mp4": r"two\nlines.mp4",
    b"tab\t.mp4": r"tab\t.mp4",
    b"-dash.mp4": "-dash.mp4",
    b'quote",.mp4': 'quote",.mp4',
    b"back\\slash.mp4": r"back\\slash.mp4",
    b"\x1b[31m.mp4": r"\x1b[31m.mp4",
    b"bell\xc2\x85.mp4": r"bell\u0085.mp4",
    b"wide\xe2\x80\x8b.mp4": r"wide\u200b.mp4",
    b"$x$|<b>.mp4": "$x$|<b>.mp4",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_bash_takes_it(name):
    assert shown(os.fsdecode(name)) == NAMES[name] == shown(name.decode("ascii", "surrogateescape"))  # as in locale C
    back = subprocess.run(["bash", "-c", f"printf %s $'{NAMES[name]}'"], capture_output=True, env={"LC_ALL": "C.UTF-8"})
    assert back.stdout == name


@given(st.binary(min_size=1, max_size=12).filter(lambda name: b"\0" not in name))
def test_what_is_shown_is_one_line_and_tells_names_apart(name):
    text = shown(os.fsdecode(name))
    assert text.isprintable() and text.encode()
    rest = text.replace("\\\\", "")
    assert rest.count("\\") == sum(rest.count(f"\\{sort}") for sort in "xuUntr")  # each backslash begins an escape
    assert as_bytes(os.fsdecode(name)) == name and os.fsencode(as_path(os.fsdecode(name))) == name
    assert as_text(name.decode("ascii", "surrogateescape")) == as_text(os.fsdecode(name))


def test_messages_keep_their_backslashes():
    assert one_line("error: a\nb\udcff: class '\\x' é") == "error: a\\nb\\xff: class '\\x' é"
    assert shown("half \ud800") == "half \\\\ud800"  # no file is called that


def test_clip_ids_do_not_depend_on_the_locale():
    for name in NAMES:
        here, there = os.fsdecode(name), name.decode("ascii", "surrogateescape")
        assert safe_id(here) == safe_id(there)
        assert safe_id(here).isascii()
    assert len({safe_id(os.fsdecode(name)) for name in NAMES}) == len(NAMES)


SCRIPT = """
import sys
from multitrain import cli
from tests.common.files.test_filenames import model_in
model_in(sys.argv[1])
for arguments in ARGUMENTS:
    try:
        cli.run([part.format(*sys.argv[1:]) for part in arguments])
    except SystemExit as end:
        print(end.code, file=sys.stderr)
"""
ARGUMENTS = [
    ["predict", "{0}/model.pt", "{1}", "--csv", "--top", "1"],
    ["predict", "{0}/model.pt", "{1}", "--json", "--top", "1"],
    ["predict", "{0}/model.pt", "{1}", "--top", "1"],
    ["predict", "{0}/model.pt", "{1}", "--csv", "--out", "{0}/a.csv", "--top", "1"],
    ["features", "{0}/model.pt", "{1}", "{0}/z.parquet"],
    ["predict", "{0}/model.pt", "{2}", "--timeline", "{0}/time"],
    ["finetune", "{0}/model.pt", "{1}", "--out", "{0}/tuned", "--freeze"],
]


def model_in(folder: str) -> None:
    """A random network of scale ci as a model file."""
    from multitrain.engine.checkpointing.checkpoint import save_network
    from tests.fuzz.videos import recogniser

    save_network(Path(folder, "model.pt"), recogniser().network)


@pytest.fixture(scope="module", params=["C", "C.UTF-8"])
def outputs(request, tmp_path_factory):
    """Folder, output, errors of all commands on two classes of oddly named videos, in one process of that locale."""
    folder = tmp_path_factory.mktemp("names")
    clip = write_video(folder / "clip.mp4", 12).read_bytes()
    films = os.fsencode(folder) + b"/films \xe9"
    for number, name in enumerate(NAMES):
        place = films + (b"/caf\xc3\xa9", b"/b")[number % 2]
        os.makedirs(place, exist_ok=True)
        with open(place + b"/" + name, "wb") as stream:
            stream.write(clip + bytes(number))  # else they would be each other's duplicates
    with open(films + b"/b/bro\xffken\n.mp4", "wb") as stream:
        stream.write(b"no video")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("LC_", "LANG", "PYTHONIO"))}
    environment |= {"LC_ALL": request.param, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", f"ARGUMENTS = {ARGUMENTS}\n{SCRIPT}", os.fsencode(folder), films]
    command.append(next(name for name in _files(films) if name.endswith(b"/caf\xe9.mp4")))
    done = subprocess.run(command, capture_output=True, env=environment, cwd=Path(__file__).parents[3])
    return folder, films, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")


def _files(folder: bytes) -> set[bytes]:
    return {os.path.join(where, name) for where, _, names in os.walk(folder) for name in names}


@pytest.mark.slow
def test_every_name_is_predicted_and_listed_in_every_locale(outputs):
    folder, films, out, err = outputs  # films of the same bytes in any locale
    assert "Traceback" not in err and "UnicodeEncodeError" not in err, err
    # The broken one costs predict and features their 0, a timeline of another and finetune go on without it.
    assert [line for line in err.splitlines() if line.isdigit()] == ["1"] * 5 + ["0"] * 2
    there = _files(films)
    good = {shown(os.fsdecode(name)) for name in there if b"ken\n" not in name}
    (broken,) = (shown(os.fsdecode(name)) for name in there if b"ken\n" in name)
    assert err.count(f"error: {broken}: ") == 5
    lines = out.split("\n")  # other ends of lines may stand in a name
    rows = list(csv.reader(io.StringIO("\n".join(lines[: 1 + 2 * len(good)]))))
    assert {row[0] for row in rows[1:]} == good
    assert "\n".join(lines[: 1 + 2 * len(good)]) + "\n" == (folder / "a.csv").read_text(encoding="utf-8")
    records = [json.loads(line) for line in lines if line.startswith("{")]
    assert {as_bytes(record["video"]) for record in records} == there


@pytest.mark.slow
def test_every_name_is_in_the_tables(outputs):
    folder, films, _, _ = outputs
    paths = set(pq.read_table(folder / "z.parquet")["path"].to_pylist())
    assert paths == {shown(os.fsdecode(name[len(films) + 1 :])) for name in _files(films) if b"ken\n" not in name}
    page = (folder / "time/timeline.html").read_text(encoding="utf-8")
    assert r"caf\xe9.mp4" in page and "caf%E9.mp4" in page


@pytest.mark.slow
def test_finetune_learns_the_classes_by_their_text(outputs):
    folder, _, _, _ = outputs
    report = (folder / "tuned/report.md").read_text(encoding="utf-8")
    assert "# 2 classes" in report and "1 file is not used" in report
    with (folder / "tuned/finetune/own/missing.csv").open(newline="", encoding="utf-8") as stream:
        (row,) = csv.DictReader(stream)
    assert row["detail"].startswith(r"b/bro\xffken\n.mp4: ") and row["reason"] == "undecodable"
    manifest = pq.read_table(folder / "tuned/finetune/own/manifest.parquet")
    assert json.loads(manifest.schema.metadata[b"classes"]) == ["b", "café"]
    assert len(manifest) == len(NAMES)
