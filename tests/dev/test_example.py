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
from dev.example.model_and_clips import CLIPS
from dev.example.publish import KEPT, PAGE_LIMIT, copy, readme, shrink, write_page
from dev.example.records import RECORDS, changed, tables, write_records, write_tables
from multitrain.analysis.packed.packed_study import read_study
from multitrain.cli.commands.packed_commands import pack
from multitrain.common.errors import UserError
from tests.analysis.packed.made import make, settings
from tests.csv_rows import csv_rows

ROOT = Path(__file__).parents[2]
CLAIMS = "claims: { one: { text: More is right, stated_by: us, table: table1, left: MultiTrain, right: Baseline } }"
EXAMPLE = ROOT / "docs" / "example"
BACKBONE = ROOT / "docs" / "notes" / "desk-cnn.parquet"


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
def made_up(tmp_path_factory) -> tuple[Path, Path]:
    """The settings of a made-up study, and a folder with two packed seeds of it."""
    root, packed = make(tmp_path_factory.mktemp("run"), 0, 1), tmp_path_factory.mktemp("packed")
    config = settings(root / "config")
    (config / "claims.yaml").write_text(CLAIMS)
    for seed in (0, 1):
        pack(packed / f"seed{seed}.parquet", "ci", [seed], config=config, data=root / "data", results=root)
    return config, packed


@pytest.fixture(scope="module")
def example(made_up, tmp_path_factory) -> Path:
    """Records and tables of a made-up study, as they are copied."""
    config, packed = made_up
    out, rendered = tmp_path_factory.mktemp("example"), tmp_path_factory.mktemp("rendered")
    write_records(sorted(packed.glob("*.parquet")), "ci", out, config)
    with contextlib.chdir(ROOT):
        write_tables(out, rendered)
    for path in tables(rendered):
        shutil.copy(path, out)
    return out


def test_the_tables_of_a_copied_study_are_those_of_its_records_byte_for_byte(
    example: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    assert read_study(example / RECORDS).seeds() == (0, 1)
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


@pytest.mark.slow
def test_the_committed_tables_are_those_of_the_committed_records_byte_for_byte(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert (EXAMPLE / RECORDS).stat().st_size <= records.LIMIT
    assert len(tables(EXAMPLE)) > 10
    assert changed(EXAMPLE, tmp_path, BACKBONE) == [], "run `python -m dev.example.publish` anew, and commit"


def test_halves_are_decided_apart_once_there_are_seeds_enough(tmp_path: Path, monkeypatch):
    root, config = make(tmp_path / "run", 0, 1, 2, 3), settings(tmp_path / "run" / "config")
    (config / "claims.yaml").write_text(CLAIMS)
    pack(tmp_path / "all.parquet", "ci", [0, 1, 2, 3], config=config, data=root / "data", results=root)
    write_records([tmp_path / "all.parquet"], "ci", tmp_path, config)
    monkeypatch.chdir(ROOT)
    for least, there in ((5, False), (4, True)):
        monkeypatch.setattr(records, "SEEDS_OF_HALVES", least)
        write_tables(tmp_path, tmp_path / str(least))
        assert [(tmp_path / str(least) / f"halves.{kind}").is_file() for kind in ("csv", "md")] == [there, there]
    assert "seeds 0-1" in (tmp_path / "4" / "halves.md").read_text(encoding="utf-8")


def test_records_too_large_for_git_are_refused(made_up, tmp_path: Path, monkeypatch):
    config, packed = made_up
    monkeypatch.setattr(records, "LIMIT", 10_000)
    with pytest.raises(SystemExit, match=r"records.parquet: 0.\d MB, more than 0"):
        write_records([packed / "seed0.parquet"], "ci", tmp_path, config)


def test_the_page_of_the_example_is_that_of_its_records_and_files(monkeypatch):
    monkeypatch.chdir(ROOT)
    page = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert readme(read_study(EXAMPLE / RECORDS), EXAMPLE) == page
    assert "[README]" not in page and "| in all | " in page and "![forest](figures/forest.png)" in page


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
    for folder in (results, *(out / name for name in (*KEPT, "figures"))):
        folder.mkdir(parents=True)
        (folder / "picture.jpg").write_text("before")
    for name in ("table1.csv", "per_class.csv"):
        (results / name).write_text("new")
    (results / "backbones.png").write_bytes(as_png(np.zeros((4, 4))))
    (results / "report.html").write_text(f"<style>a</style>the report of {results}")
    (out / "table9.csv").write_text("old")
    copy(results, out)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    pages = {"notebooks/report.html", "notebooks/style.css", "figures/backbones.png"}
    assert files == {"table1.csv", *pages, *(f"{name}/picture.jpg" for name in KEPT)}
    assert (out / "notebooks" / "report.html").read_text().endswith("the report of results")


def test_the_committed_pages_are_small_and_their_files_are_there():
    pages = sorted((EXAMPLE / "notebooks").glob("*.html"))
    assert len(pages) == 7
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
