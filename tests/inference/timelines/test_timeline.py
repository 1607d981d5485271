"""The timeline says what the windows say, in bounded memory; its page keeps video, line and answers together."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from multitrain.cli import app
from multitrain.common.errors import UserError
from multitrain.inference.answers import Timeline, Window
from multitrain.inference.timelines import timeline as timeline_module
from multitrain.inference.timelines.curves import SHOWN, clock, curve
from multitrain.inference.timelines.timeline import Moments, video_seconds, write_timeline
from multitrain.inference.timelines.timeline_page import LEFT, RIGHT, SIZE, data, timeline_page
from tests.csv_rows import csv_rows
from tests.datasets.coded import write_video
from tests.datasets.server import Server, be_impatient
from tests.inference.browser import browser

BOX = "(({x, y, width, height}) => [x, y, width, height])(document.querySelector('svg.panel').getBoundingClientRect())"
FILES = {"timeline.csv", "timeline.html", "timeline.png"}


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "a long #1.mp4", 96)


@pytest.fixture(scope="module")
def made(recogniser, video, tmp_path_factory) -> tuple[Path, Timeline]:
    folder = tmp_path_factory.mktemp("made") / "new" / "folder"
    return folder, write_timeline(recogniser, str(video), folder, hop=0.5, top=2)


def planted(**scores: list[list[float]]) -> Timeline:
    """A timeline of moments of a second each."""
    count = len(next(iter(scores.values())))
    times = np.stack([np.arange(count), np.arange(count) + 1.0], 1)
    arrays = {name: np.array(rows, np.float32) for name, rows in scores.items()}
    classes = {name: tuple("abcdefghij"[: rows.shape[1]]) for name, rows in arrays.items()}
    return Timeline(float(count), 1.0, times, {name: name.upper() for name in arrays}, classes, arrays)


def test_the_table_has_the_best_classes_of_every_window(made, recogniser, video):
    rows = csv_rows(made[0] / "timeline.csv")
    windows = list(recogniser.windows(video, hop=0.5))
    assert len(windows) > 10 and len(rows) == len(windows) * 2 * 2
    for index, window in enumerate(windows):
        for row in rows[4 * index : 4 * index + 4]:
            scores = window.scores[row["dataset"]]
            order = np.argsort(-scores, kind="stable")[int(row["rank"]) - 1]
            assert (float(row["start"]), float(row["end"])) == pytest.approx((window.start, window.end), abs=1e-3)
            assert row["class"] == recogniser.network.spec.classes[row["dataset"]][order]
            assert float(row["probability"]) == pytest.approx(float(scores[order]), abs=1e-6)


def test_the_whole_video_is_covered(made, recogniser, video):
    timeline = made[1]
    assert timeline.seconds == pytest.approx(video_seconds(recogniser, video)) == pytest.approx(timeline.times[-1, 1])
    assert timeline.times[0, 0] == 0 and not timeline.broken
    assert {path.name for path in made[0].iterdir()} == FILES


def test_the_same_bytes_every_time(made, recogniser, video, tmp_path):
    write_timeline(recogniser, str(video), tmp_path / "again", hop=0.5, top=2)
    for name in FILES - {"timeline.html"}:  # which says where the video is
        assert (tmp_path / "again" / name).read_bytes() == (made[0] / name).read_bytes()


def test_the_video_is_found_from_the_page_and_copied_where_asked(made, recogniser, video, tmp_path):
    source = json.loads(re.search(r"\.src = (\".*?\");", (made[0] / "timeline.html").read_text())[1])
    assert not source.startswith("/") and "%20" in source and "%231" in source
    write_timeline(recogniser, str(video), tmp_path, embed=True)
    assert '.src = "video.mp4"' in (tmp_path / "timeline.html").read_text()
    assert (tmp_path / "video.mp4").read_bytes() == video.read_bytes()


def test_joined_moments_are_means_of_as_many_windows_as_before():
    moments, rng = Moments(most=4), np.random.default_rng(0)
    rows = rng.random((27, 3)).astype(np.float32)
    for index, row in enumerate(rows):
        moments.add(Window(index, index + 2.0, {"a": row}))
        assert moments.count < 4
    moments.close()
    assert moments.times.tolist() == [[0, 9], [8, 17], [16, 25], [24, 28]]
    for (start, end), scores in zip(moments.times, moments.scores["a"], strict=True):
        np.testing.assert_allclose(scores, rows[int(start) : int(end) - 1].mean(0), rtol=1e-5)


def test_the_classes_that_lead_are_shown_in_order_of_time():
    timeline = planted(k=[[0.2, 0.1, 0.7, 0], [0.2, 0.1, 0.7, 0], [0.5, 0.49, 0.01, 0], [0.1, 0.6, 0.3, 0]])
    assert timeline.strongest("k", 3) == [2, 0, 1]
    assert timeline.strongest("k", 1) == [2]
    assert sorted(timeline.strongest("k", 9)) == [0, 1, 2, 3]
    assert timeline.top("k", 3, 2) == [("b", pytest.approx(0.6)), ("c", pytest.approx(0.3))]


def test_curves_reach_both_ends():
    times, shares = curve(planted(k=[[0.2, 0.8], [0.9, 0.1]]), "k", 0)
    assert times.tolist() == [0, 0.5, 1.5, 2]
    assert shares.tolist() == pytest.approx([0.2, 0.2, 0.9, 0.9])


def test_long_curves_are_drawn_by_means():
    rows = np.random.default_rng(0).dirichlet(np.ones(2), 1000)
    times, shares = curve(planted(k=rows.tolist()), "k", 1)
    assert len(times) == len(shares) == 334 + 2 and times[1:3].tolist() == [1.5, 4.5] and times[-1] == 1000
    np.testing.assert_allclose(shares[1:-2], rows[:999, 1].reshape(-1, 3).mean(1), rtol=1e-5)
    assert shares[-2] == pytest.approx(rows[999, 1])


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0:00"), (2.5, "0:02.5"), (65, "1:05"), (599.95, "10:00"), (3661, "1:01:01")]
)
def test_clock(seconds, said):
    assert clock(seconds) == said


def test_names_of_classes_cannot_break_the_page():
    timeline = planted(k=[[0.9, 0.1]])
    evil = "</script><script>alert('&')</script>"
    timeline = Timeline(1.0, 1.0, timeline.times, {"k": evil}, {"k": (evil, "b")}, timeline.scores)
    html = timeline_page(timeline, evil, evil)
    assert html.count("</script>") == html.count("<script") == 3 and "alert" in html
    assert data(timeline)["datasets"][0]["labels"][0] == evil


def test_the_page_asks_nobody():
    html = timeline_page(planted(k=[[0.9, 0.1]]), "title", "video.mp4")
    assert not re.search(r"https?:|@import|url\(|<link|src=", html)


def test_no_more_curves_than_can_be_told_apart():
    scores = np.random.default_rng(0).dirichlet(np.ones(10), 20).tolist()
    assert timeline_page(planted(k=scores), "t", "v").count("<polyline") == SHOWN


def test_a_file_that_breaks_off_is_shown_as_far_as_it_goes(model, recogniser, tmp_path):
    path = write_video(tmp_path / "broken.mp4", 120, options={"g": "12", "bf": "0"})
    content = bytearray(path.read_bytes())
    start, half = content.index(b"mdat") + 4, content.index(b"moov") // 2
    assert start < half
    content[half : content.index(b"moov") - 4] = bytes(content.index(b"moov") - 4 - half)
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["predict", str(model), str(path), "--timeline", str(tmp_path / "out")])
    assert isinstance(result.exception, UserError)
    said = re.search(r"broken\.mp4: read up to ([0-9.]+) s only", str(result.exception))
    assert 3 < float(said[1]) < 8
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert "The file could be read up to 0:0" in (tmp_path / "out" / "timeline.html").read_text()


def test_nothing_is_left_of_a_failure(recogniser, tmp_path):
    (tmp_path / "text.mp4").write_text("no video " * 99)
    with pytest.raises(UserError, match=r"text\.mp4: no video"):
        write_timeline(recogniser, str(tmp_path / "text.mp4"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failure_midway_leaves_no_partial_file(recogniser, video, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(timeline_module, "draw", fail)
    with pytest.raises(UserError, match=r"out: cannot be written: No space left"):
        write_timeline(recogniser, str(video), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"timeline.csv"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{v}", "{v}", "--timeline", "{o}"], "--timeline: is of one video: 2 given"),
        (["{f}", "--timeline", "{o}"], "--timeline: is of one video: a folder is given"),
        (["{v}", "--timeline", "{o}", "--hop", "0"], "--hop 0: give seconds above 0"),
        (["{v}", "--timeline", "{o}", "--hop", "nan"], "--hop nan: give seconds above 0"),
        (["{v}", "--timeline", "{o}", "--json"], "--json: does not go with --timeline"),
        (["{v}", "--timeline", "{o}", "--views", "2x1"], "--views: does not go with --timeline"),
        (["{v}", "--hop", "1"], "--hop: goes with --timeline"),
        (["{v}", "--embed"], "--embed: goes with --timeline"),
        (["{v}", "--timeline", "{v}"], "is a file: name a folder"),
        (["{f}/gone.mp4", "--timeline", "{o}"], "gone.mp4: no"),
    ],
)
def test_wrong_input_is_one_line(arguments, said, model, video, tmp_path):
    names = {"{v}": str(video), "{f}": str(video.parent), "{o}": str(tmp_path / "out")}
    for short, long in names.items():
        arguments = [argument.replace(short, long) for argument in arguments]
    result = CliRunner().invoke(app, ["predict", str(model), *arguments])
    assert isinstance(result.exception, UserError)
    assert said in str(result.exception) and "\n" not in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_command(model, video, tmp_path):
    result = CliRunner().invoke(app, ["predict", str(model), str(video), "--timeline", str(tmp_path), "--top", "3"])
    assert result.exit_code == 0, result.output
    assert {path.name for path in tmp_path.iterdir()} == FILES and "timeline.html" in result.output


def test_the_video_of_an_address_is_copied_beside_the_page(model, video, tmp_path, monkeypatch):
    be_impatient(monkeypatch)
    (tmp_path / "served").mkdir()
    (tmp_path / "served/a.mp4").write_bytes(video.read_bytes())
    (tmp_path / "served/no.mp4").write_bytes(b"no video " * 99)
    out = tmp_path / "out"
    with Server(tmp_path / "served") as server:
        result = CliRunner().invoke(app, ["predict", str(model), f"{server.base}a.mp4", "--timeline", str(out)])
        assert result.exit_code == 0, result.output
        wrong = CliRunner().invoke(app, ["predict", str(model), f"{server.base}no.mp4", "--timeline", str(out)])
        assert str(wrong.exception).startswith(f"{server.base}no.mp4: no video that can be used")
    assert {path.name for path in out.iterdir()} == FILES | {"video.mp4"}
    assert (out / "video.mp4").read_bytes() == video.read_bytes()
    assert '.src = "video.mp4"' in (out / "timeline.html").read_text()


def test_in_a_browser_a_click_seeks_and_the_line_follows(made, tmp_path):
    folder, timeline = made
    with browser(tmp_path) as page:
        page.open((folder / "timeline.html").as_uri())
        page.wait("document.querySelector('video').readyState > 1")
        x = "Number(document.querySelector('svg.panel:last-of-type .cursor').getAttribute('x1'))"
        assert page.value(x) == LEFT
        box = page.value(BOX)
        place = (LEFT + 0.75 * (RIGHT - LEFT)) / SIZE[0]
        page.click(box[0] + place * box[2], box[1] + box[3] / 2)
        page.wait("!document.querySelector('video').seeking")
        time = page.value("document.querySelector('video').currentTime")
        assert time == pytest.approx(0.75 * timeline.seconds, abs=timeline.seconds / 300)
        assert page.value(x) == pytest.approx(LEFT + 0.75 * (RIGHT - LEFT), abs=3)
        moment = int(np.abs(timeline.middles - time).argmin())
        listed = page.value("[...document.querySelectorAll('ol.now[data-dataset=mit] .label')].map(e => e.textContent)")
        assert listed == [name for name, _ in timeline.top("mit", moment, 5)]

        before = page.value(x)
        page.value("document.querySelector('video').play()")
        page.wait(f"{x} > {before} + 5")
        follows = "(() => { const v = document.querySelector('video'); v.pause(); return v.currentTime; })()"
        time = page.value(follows)
        page.wait(f"Math.abs({x} - {LEFT + (RIGHT - LEFT) * time / timeline.seconds}) < 3")
        assert not page.console


@pytest.mark.parametrize("width", [320, 400, 1400])
def test_in_a_browser_of_any_width_labels_are_whole_and_apart(made, tmp_path, width):
    with browser(tmp_path) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        page.open((made[0] / "timeline.html").as_uri())
        rectangles = (
            "[...document.querySelector('svg.panel').querySelectorAll('text')].map(e => e.getBoundingClientRect())"
            ".concat(document.querySelector('svg.panel').getBoundingClientRect())"
            ".map(({left, right, top, bottom}) => [left, right, top, bottom])"
        )
        *labels, panel = page.value(rectangles)
        assert len(labels) > 4
        for left, right, top, bottom in labels:
            assert left >= panel[0] and right <= panel[1] and top >= panel[2] and bottom <= panel[3] + 1
        origin, zero = labels[0], labels[3]  # "0 %" and "0:00"
        assert origin[1] <= zero[0] or origin[3] <= zero[2] + 0.25 * (zero[3] - zero[2])  # a line's box has air above
        assert page.value("document.documentElement.scrollWidth") <= width


def test_in_a_browser_a_long_class_name_without_a_space_widens_no_page(tmp_path):
    timeline = planted(k=[[0.9, 0.1]] * 8)
    timeline = dataclasses.replace(timeline, classes={"k": ("x" * 140, "y" * 140)})
    (tmp_path / "long.html").write_text(timeline_page(timeline, "z" * 140, "video.mp4"))
    with browser(tmp_path) as page:
        for width in (320, 800):
            page.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            page.open((tmp_path / "long.html").as_uri())
            assert page.value("document.documentElement.scrollWidth") <= width


def test_in_a_browser_a_missing_video_is_said_and_clicks_still_work(made, tmp_path):
    html = (made[0] / "timeline.html").read_text()
    lone = tmp_path / "lone.html"
    lone.write_text(re.sub(r"\.src = \".*?\";", '.src = "gone.mp4";', html))
    with browser(tmp_path) as page:
        page.open(lone.as_uri())
        page.wait("!document.querySelector('.unplayable').hidden")
        box = page.value(BOX)
        page.click(box[0] + RIGHT / SIZE[0] * box[2], box[1] + 20)
        assert float(page.value("document.querySelector('.cursor').getAttribute('x1')")) == pytest.approx(RIGHT, abs=2)
