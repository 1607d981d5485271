"""The benchmarks run at a tiny size, and their arithmetic holds on planted figures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from dev.bench import data, millions, scaling
from dev.bench.moving import KINDS, Kind, frames
from multitrain.data.manifest import read_manifest

DOCUMENT = Path(__file__).parents[3] / "docs" / "reference" / "scaling.md"
PLANTED = {
    "transcode": {"median": 20.0, "least": 20.0, "most": 20.0},
    "source_bytes": 1.0,
    "prepared_bytes": 1e5,
    "clip_core_seconds": 0.04,
    "crop_core_seconds": 0.05,
}


def numbers(line: str) -> list[float]:
    return [float(cell.replace(",", "")) for cell in line.strip("| ").split(" | ")[1:]]


def test_pictures_are_the_same_for_a_seed_and_move():
    kind = Kind("tiny", 64, 48, 10, 1)
    shown, again, other = (np.stack(list(frames(kind, seed))) for seed in (0, 0, 1))
    assert shown.shape == (10, 72, 64) and shown.dtype == np.uint8
    assert (shown == again).all() and (shown != other).any()
    assert (np.abs(np.diff(shown.astype(int), axis=0)).mean((1, 2)) > 1).all()


@pytest.mark.parametrize("kind", [Kind("a", 64, 48, 30, 2), Kind("b", 64, 48, 30, 2, cut=(0.5, 1.5))])
def test_one_kind_of_video_is_measured(tmp_path, kind):
    figures, lines = data.measure(kind, tmp_path, set(), 1, 1)
    assert figures.keys() == PLANTED.keys() and len(lines) == 6
    assert all(np.min(list(value.values()) if isinstance(value, dict) else value) > 0 for value in figures.values())
    assert json.loads(json.dumps(figures)) == figures


def test_readers_that_show_other_frames_are_found(tmp_path, monkeypatch):
    kind = Kind("a", 64, 48, 30, 4)
    video = data.prepare(kind, tmp_path, 0)
    late = {"late": lambda indices: data.ours(video)(np.minimum(indices + 9, 117))}
    monkeypatch.setattr(data, "readers", lambda *_: {data.OURS: data.ours(video), **late})
    with pytest.raises(AssertionError, match="late shows other frames"):
        data.check_alike(video, set())


def test_a_package_that_is_not_there_is_left_out_with_a_line():
    usable, lines = data.optional(("no_such_package.part", "json"))
    assert usable == {"json"}
    assert lines[0].startswith("no_such_package left out: pip install no_such_package (")


def test_ratios_are_taken_round_by_round():
    taken = {data.OURS: [(1, 1), (2, 2), (1, 4)], "other": [(2, 3), (8, 2), (3, 4)]}
    assert data.against_ours(taken, "") == [
        "  ",
        "    ours, prepared: 1.0 clips/s",
        "    other: 0.3 clips/s; ours is 3.00 (2.00 to 4.00) times as fast, 1.00 (1.00 to 3.00) by core-seconds",
    ]


def test_rows_by_the_million_are_a_manifest(tmp_path):
    manifest = read_manifest(millions.write_rows(tmp_path / "m.parquet", 5000))
    assert len(set(manifest.table["clip_id"].to_pylist())) == 5000
    assert len(millions.load(tmp_path / "m.parquet")) == len(manifest.split("train"))
    clock, core = millions.time_to_load(tmp_path / "m.parquet")
    assert clock > 0 and core > 0


def test_planted_figures_give_the_sums_worked_out_by_hand():
    figures = {kind.name: PLANTED for kind in KINDS}
    lines = scaling.table(figures)
    assert numbers(lines[2]) == [260_000, 722, 36, 378, 260, 264]  # K400: 2.6e6 s; / 20 / 3600; x 1e5 bytes; + 2 x 2 GB
    rows = np.array([numbers(line) for line in lines[2:]])
    assert np.abs(rows[:-1].sum(0) - rows[-1]).max() <= 3  # of rounding
    assert numbers(scaling.feeding(figures)[2]) == [50, 0.1, 0.5, 2.5]


def test_parts_of_each_mix_are_a_whole_and_every_kind_is_known():
    known = {kind.name for kind in KINDS}
    for real in scaling.DATASETS:
        assert abs(sum(real.mix.values()) - 1) < 1e-9 and real.mix.keys() <= known


def test_the_document_shows_the_tables_of_the_stored_figures():
    figures = json.loads(scaling.MEASURED.read_text())
    text = DOCUMENT.read_text()
    for line in (*scaling.table(figures), *scaling.feeding(figures)):
        assert line in text
    for kind in KINDS:
        row = next(line for line in text.splitlines() if line.startswith(f"| {kind.name} |"))
        assert re.search(rf"\b{figures[kind.name]['transcode']['median']:.1f}\b", row)
