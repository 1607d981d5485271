"""ActivityNet by yt-dlp: a stand-in on the PATH that answers as told, and the real one where it is installed."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Download
from multitrain.datasets.fetch import ytdlp
from multitrain.datasets.fetch.ytdlp import address
from multitrain.datasets.prepare import prepare
from tests.datasets.raw import ACTIVITYNET, activitynet, dataset, missing_rows, put
from tests.datasets.server import Server

STANDIN = """#!{python}
import json, pathlib, sys
home = pathlib.Path({home!r})
arguments, url = sys.argv[1:-2], sys.argv[-1]
assert sys.argv[-2] == "--"
with (home / "calls").open("a") as calls:
    calls.write(json.dumps([url, arguments]) + "\\n")
name = arguments[arguments.index("--output") + 1]
answers = json.loads((home / "answers.json").read_text())
answer = answers.get(name[2:].split(".")[0], "mp4")
if isinstance(answer, list):
    count = sum(json.loads(line)[0] == url for line in (home / "calls").open())
    answer = answer[min(count, len(answer)) - 1]
if answer in ("mp4", "webm", "mkv"):
    pathlib.Path(name.replace("%(ext)s", answer)).write_bytes((home / "video").read_bytes())
elif answer == "part":
    pathlib.Path(name.replace("%(ext)s", "mp4.part")).write_bytes(b"half")
elif answer != "nothing":
    sys.exit("WARNING: what it adds\\n" + answer)
"""
GONE = "ERROR: [youtube] abc: Private video.\n\x1b[31mSign in if you've been granted access"
BUSY = "ERROR: [youtube] abc: Unable to download API page: HTTP Error 429: Too Many Requests"
IDS = ("5n7NCViB5TU", "-_train0002", "validation1")


@pytest.fixture
def home(tmp_path, video, monkeypatch) -> Path:
    """The stand-in's folder; calls and answers lie there."""
    folder = tmp_path / "standin"
    put(folder / "yt-dlp", STANDIN.format(python=sys.executable, home=str(folder))).chmod(0o755)
    put(folder / "answers.json", "{}")
    put(folder / "video", video)
    monkeypatch.setenv("PATH", f"{folder}")
    return folder


@pytest.fixture
def local(video, tmp_path) -> bytes:
    """The manifest of videos that the user has."""
    prepare("actnet", dataset("activitynet"), activitynet(tmp_path / "mine", video), tmp_path / "local")
    return (tmp_path / "local/manifest.parquet").read_bytes()


def annotated(raw: Path, urls: dict | None = None) -> Path:
    database = {name: dict(entry) for name, entry in ACTIVITYNET.items()}
    for name in database:
        database[name]["url"] = f"https://www.youtube.com/watch?v={name}"
    for name, url in (urls or {}).items():
        database[name]["url"] = url
    put(raw / "activity_net.v1-3.min.json", json.dumps({"database": database, "taxonomy": [], "version": "1.3"}))
    return raw


def fetched(home: Path, **answers):
    put(home / "answers.json", json.dumps({name.replace("__", "-_"): answer for name, answer in answers.items()}))
    raw = home.parent / "raw"
    if not raw.exists():
        annotated(raw)
    settings = dataset("activitynet", download=Download(videos=True, attempts=3))
    return prepare("actnet", settings, raw, home.parent / "out")


def calls(home: Path) -> list[str]:
    """The videos that were asked for, in order."""
    path = home / "calls"
    return [json.loads(line)[0].split("=")[-1] for line in path.open()] if path.is_file() else []


def missing(home: Path) -> dict[str, tuple[str, str]]:
    return {row["video_id"]: (row["reason"], row["detail"]) for row in missing_rows(home.parent / "out")}


def test_fetched_is_as_brought(home, local):
    fetched(home)
    assert (home.parent / "out/manifest.parquet").read_bytes() == local
    assert sorted(calls(home)) == sorted(IDS), "testing videos have no labels and are not asked for"
    assert sorted(path.name for path in (home.parent / "raw/videos").iterdir()) == sorted(f"v_{i}.mp4" for i in IDS)
    _, arguments = json.loads((home / "calls").read_text().splitlines()[0])
    assert {"--ignore-config", "--no-playlist"} <= set(arguments)


def test_what_is_there_is_not_asked_for(home, video, local):
    put(home.parent / "raw/videos/v_validation1.mkv", video)
    annotated(home.parent / "raw")
    fetched(home)
    assert "validation1" not in calls(home)
    before = calls(home)
    fetched(home)
    assert calls(home) == before
    assert len((home.parent / "out/manifest.parquet").read_bytes()) == len(local)


def test_what_is_gone_is_listed_and_not_asked_for_again(home):
    fetched(home, validation1=GONE, __train0002="nothing")
    assert missing(home)["validation1"] == ("not found", "validation1: yt-dlp: [youtube] abc: Private video.")
    assert calls(home).count("validation1") == 1
    unavailable = home.parent / "raw/videos" / ytdlp.UNAVAILABLE
    assert unavailable.read_text() == "id,reason\nvalidation1,[youtube] abc: Private video.\n"
    first = (home.parent / "out/missing.csv").read_bytes()
    fetched(home, __train0002="nothing")
    assert calls(home).count("validation1") == 1
    assert (home.parent / "out/missing.csv").read_bytes() == first
    unavailable.unlink()
    fetched(home)
    assert missing(home) == {}


def test_trouble_of_the_network_is_waited_out(home, local):
    fetched(home, validation1=[BUSY, BUSY, "webm"])
    assert calls(home).count("validation1") == 3
    assert missing(home) == {}


def test_one_lost_to_the_network_is_listed_but_asked_for_again(home):
    fetched(home, validation1=BUSY)
    assert "HTTP Error 429" in missing(home)["validation1"][1]
    assert not (home.parent / "raw/videos" / ytdlp.UNAVAILABLE).exists()
    fetched(home)
    assert missing(home) == {}


def test_a_network_that_is_gone_ends_the_run(home):
    with pytest.raises(UserError, match=r"yt-dlp: .*HTTP Error 429.*the last 3 videos ended so: start again later"):
        fetched(home, **dict.fromkeys(("validation1", "5n7NCViB5TU", "__train0002"), BUSY))
    assert not (home.parent / "out/manifest.parquet").exists()


def test_half_a_video_is_none(home):
    put(home.parent / "raw/videos/.partial-old/v_x.mp4", b"of a run that was killed")
    annotated(home.parent / "raw")
    fetched(home, validation1="part")
    assert "ended with 0 and no video" in missing(home)["validation1"][1]
    assert not list((home.parent / "raw/videos").glob(".partial-*"))


def test_an_old_program_is_told(home):
    with pytest.raises(UserError, match=r"no such option: --x: it is too old, update it"):
        fetched(home, validation1="yt-dlp: error: no such option: --x")


def test_without_the_program_the_cure_is_told(home, monkeypatch):
    (home / "yt-dlp").unlink()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"the program yt-dlp, .* is not there: pip install yt-dlp"):
        fetched(home)


def test_a_line_cut_short_by_a_kill_costs_nothing(home):
    annotated(home.parent / "raw")
    unavailable = put(home.parent / "raw/videos" / ytdlp.UNAVAILABLE, "id,reason\n5n7NCViB5TU,Private video\nvalida")
    fetched(home, validation1=GONE)
    assert "5n7NCViB5TU" not in calls(home) and missing(home)["5n7NCViB5TU"][1].endswith("yt-dlp: Private video")
    assert unavailable.read_text().splitlines()[-1].startswith("validation1,")
    before = calls(home)
    fetched(home)
    assert calls(home) == before


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=other000001",
        "--exec=touch pwned",
        "file:///etc/validation1",
        "https://example.org/validation1 --exec x",
        "ftp://example.org/validation1",
        "ytsearch:validation1",
        7,
        ["https://www.youtube.com/watch?v=validation1"],
    ],
)
def test_addresses_of_no_good_are_not_asked(home, url):
    annotated(home.parent / "raw", {"validation1": url})
    fetched(home)
    reason, detail = missing(home)["validation1"]
    assert reason == "not found" and "not fetched: its url" in detail
    assert len(calls(home)) == 2


@pytest.mark.parametrize("url", ["https://youtu.be/abc_DEF-123", "http://localhost/v_abc_DEF-123.mp4", None])
def test_addresses_of_a_video(url):
    assert address("abc_DEF-123", url) == (url or "https://www.youtube.com/watch?v=abc_DEF-123")


@pytest.mark.parametrize("video", ["../x", "a b", "", "x%(title)s", "$(touch x)"])
def test_ids_that_are_no_names_are_not_asked(video):
    with pytest.raises(ValueError, match="is no plain name"):
        address(video, None)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("yt_dlp") is None, reason="yt-dlp is not installed")
def test_the_real_program(tmp_path, video, local):
    with Server(activitynet(tmp_path / "host", video)) as server:
        gone = "validation1"
        (tmp_path / f"host/videos/v_{gone}.mp4").unlink()
        urls = {name: f"{server.base}videos/v_{name}.mp4" for name in IDS}
        settings = dataset("activitynet", download=Download(videos=True, attempts=2))
        raw = annotated(tmp_path / "raw", urls)
        prepare("actnet", settings, raw, tmp_path / "out")
        assert "HTTP Error 404" in missing(tmp_path / "x")[gone][1]
        put(tmp_path / f"host/videos/v_{gone}.mp4", video)
        (raw / "videos" / ytdlp.UNAVAILABLE).unlink()
        prepare("actnet", settings, raw, tmp_path / "out")
    assert (tmp_path / "out/manifest.parquet").read_bytes() == local


def test_the_annotations_are_fetched_too(home, local):
    with Server(annotated(home.parent / "host")) as server:
        names = {"activity_net.json": "activity_net.v1-3.min.json"}
        wanted = Download(base_url=server.base, annotations=names, videos=True)
        prepare("actnet", dataset("activitynet", download=wanted), home.parent / "raw", home.parent / "out")
    assert (home.parent / "out/manifest.parquet").read_bytes() == local
