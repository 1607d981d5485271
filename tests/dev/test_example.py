"""What is copied into docs/example: pictures, and pages that link them."""

import base64
import contextlib
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import multitrain
from dev.example import records
from dev.example.complete_run import KEPT, PAGE_LIMIT, copy, shrink, write_page
from dev.example.model_and_clips import CLIPS
from dev.example.records import RECORDS, changed, tables, write_records
from multitrain.cli.commands.packed_commands import render
from multitrain.common.errors import UserError
from tests.analysis.packed.made import make, settings
from tests.csv_rows import csv_rows

ROOT = Path(__file__).parents[2]
CLAIMS = "claims: { one: { text: More is right, stated_by: us, table: table1, left: MultiTrain, right: Baseline } }"
EXAMPLE = ROOT / "docs" / "example"


def test_few_pixels_of_a_strong_colour_keep_it():
    """As the strongest weights of a map: a palette made for the many would show them grey."""
    greys = np.linspace(150, 255, 200).round().astype(np.uint8)
    picture = np.repeat(np.tile(greys, (200, 1))[:, :, None], 3, axis=2)
    for place, colour in enumerate(([180, 10, 40], [30, 60, 170], [0, 0, 0])):
        picture[3 * place : 3 * place + 2, 5:7] = colour
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    shrunk = np.asarray(Image.open(io.BytesIO(shrink(out.getvalue()))).convert("RGB")).astype(int)
    assert np.abs(shrunk - picture).max() <= 12  # of 255


@pytest.fixture(scope="module")
def example(tmp_path_factory) -> Path:
    """Records and tables of a made-up run, as they are copied."""
    root, out = make(tmp_path_factory.mktemp("run"), 0, 1), tmp_path_factory.mktemp("example")
    config = settings(root / "config")
    (config / "claims.yaml").write_text(CLAIMS)
    write_records(root, "ci", out, config, root / "data")
    with contextlib.chdir(ROOT):
        render(out / RECORDS, root / "rendered", tables_alone=True)
    for path in tables(root / "rendered"):
        shutil.copy(path, out)
    return out


def test_the_tables_of_a_copied_run_are_those_of_its_records_byte_for_byte(example: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert {"table1.csv", "table1.md", "table1.tex", "runs.csv"} <= {path.name for path in tables(example)}
    assert changed(example, tmp_path / "one") == []
    assert not {"figures", "report.html"} & {path.name for path in (tmp_path / "one").iterdir()}
    assert not list((tmp_path / "one").rglob("*.png"))
    other = shutil.copytree(example, tmp_path / "example")
    table = other / "table1.csv"
    table.write_text(table.read_text().replace(",ours,", ",ours ,") + "\n")
    (other / "table9.md").write_text("a table that no record gives\n")
    assert changed(other, tmp_path / "two") == ["table1.csv", "table9.md"]
    (other / RECORDS).unlink()
    with pytest.raises(UserError, match=r"records.parquet: no such file: `multitrain results pack` writes one"):
        changed(other, tmp_path / "three")


def test_the_committed_tables_are_those_of_the_committed_records_byte_for_byte(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert (EXAMPLE / RECORDS).stat().st_size <= records.LIMIT
    assert len(tables(EXAMPLE)) > 10
    assert changed(EXAMPLE, tmp_path) == [], "run `python -m dev.example.complete_run` anew, and commit"


def test_records_too_large_for_git_are_refused(tmp_path: Path, monkeypatch):
    root = make(tmp_path / "run", 0)
    monkeypatch.setattr(records, "LIMIT", 10_000)
    with pytest.raises(SystemExit, match=r"records.parquet: 0.\d MB, more than 0"):
        write_records(root, "ci", tmp_path, settings(root / "config"), root / "data")


def as_png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def test_a_page_links_its_style_the_figures_and_its_other_pictures(tmp_path):
    ramp = np.tile(np.linspace(0, 255, 200), (100, 1))
    for folder in ("figures", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "figures" / "ramp.png").write_bytes(as_png(ramp))
    (tmp_path / "figures" / "back.png").write_bytes(as_png(ramp[:, ::-1]))
    smaller, other = as_png(ramp[::2, ::2]), as_png(np.tile(np.linspace(0, 255, 100)[:, None], (1, 200)))
    pictures = "".join(
        f'<img src="data:image/png;base64,{base64.b64encode(each).decode()}">' for each in (smaller, other)
    )
    html = f"<style>a</style><header>links</header>{pictures}<style>of a table</style>"
    write_page(html, tmp_path / "notebooks" / "page.html", tmp_path / "figures")
    assert (tmp_path / "notebooks" / "page.html").read_text() == (
        '<link rel="stylesheet" href="style.css"><img src="../figures/ramp.png"><img src="page-1.png">'
        "<style>of a table</style>"
    )
    assert (tmp_path / "notebooks" / "style.css").read_text() == "a"
    assert Image.open(tmp_path / "notebooks" / "page-1.png").size == (200, 100)


def test_a_copy_replaces_the_tables_and_leaves_the_model_and_its_clips(tmp_path):
    results, out = tmp_path / "results", tmp_path / "example"
    for folder in (results / "datasets" / "mini", *(out / name for name in (*KEPT, "figures"))):
        folder.mkdir(parents=True)
        (folder / "overview.jpg").write_text("before")
    (results / "table1.csv").write_text("new")
    (results / "report.html").write_text("<style>a</style>the report")
    (out / "table9.csv").write_text("old")
    copy(results, "mini", out)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    pages = {"notebooks/report.html", "notebooks/style.css"}
    assert files == {"table1.csv", "datasets/overview.jpg", *pages, *(f"{name}/overview.jpg" for name in KEPT)}
    assert "the report" in (out / "notebooks" / "report.html").read_text()


def test_the_committed_pages_are_small_and_their_files_are_there():
    pages = sorted((EXAMPLE / "notebooks").glob("*.html"))
    assert len(pages) == 8
    for page in pages:
        html = page.read_text(encoding="utf-8")
        assert len(html.encode()) <= PAGE_LIMIT, page
        assert "base64" not in html
        files = re.findall(r'<(?:img|link|script)[^>]* (?:src|href)="([^"#]+)"', html)
        assert "style.css" in files and all((page.parent / file).is_file() for file in files)


def test_the_example_model_answers_its_clips():
    """5 of 10 are right by the head of the clip's own dataset; one may turn by another processor's rounding."""
    rows = csv_rows(EXAMPLE / "clips" / "labels.csv")
    network = multitrain.load(str(EXAMPLE / "model"))
    assert [row["dataset"] for row in rows] == [name for name, count in CLIPS.items() for _ in range(count)]
    assert len({(row["dataset"], row["label"]) for row in rows}) == len(rows)
    first = {}
    for row in rows:
        assert row["label"] in network.spec.classes[row["dataset"]]
        ((label, probability),) = multitrain.predict(network, str(EXAMPLE / "clips" / row["clip"])).top(1)[
            row["dataset"]
        ]
        first[row["clip"]] = label == row["label"]
        assert 1 / len(network.spec.classes[row["dataset"]]) < probability <= 1
    assert 4 <= sum(first.values()) <= 6
    sizes = [path.stat().st_size for folder in ("model", "clips") for path in (EXAMPLE / folder).iterdir()]
    assert sum(sizes) < 5_000_000
