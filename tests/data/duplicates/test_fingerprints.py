"""Films of clips: exact means of cells, the frames they show, and their file."""

import numpy as np
import pytest

from multitrain.common.seeding import generator
from multitrain.data.duplicates.fingerprints import (
    CELLS,
    FRAMES,
    LUMA,
    Fingerprints,
    film,
    film_frames,
    read_fingerprints,
    write_fingerprints,
)


@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 40), (35, 51), (5, 3)])
def test_a_cell_is_the_mean_luma_of_its_part_of_the_picture(height: int, width: int):
    frames = generator(0, "frames").integers(0, 256, (FRAMES, height, width, 3), np.uint8)
    luma = frames @ (np.array(LUMA) / sum(LUMA))
    fine = luma.repeat(CELLS, 1).repeat(CELLS, 2)  # each cell has whole pixels of it
    means = fine.reshape(FRAMES, CELLS, height, CELLS, width).mean((2, 4))
    assert np.abs(film(frames) - means).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("length", "grid"), [(2, 1), (7, 3), (36, 3), (300, 3), (301, 1)])
def test_frames_are_spread_over_the_clip_on_the_grid(length: int, grid: int):
    frames = film_frames(length, grid)
    assert len(frames) == FRAMES and (frames % grid == 0).all() and (np.diff(frames) >= 0).all()
    assert 0 <= frames[0] <= length / 16 and length * 15 / 16 - grid <= frames[-1] < length


def test_the_file_gives_back_what_was_written_and_a_damaged_one_nothing(tmp_path):
    path = tmp_path / "fingerprints.parquet"
    assert read_fingerprints(path) is None
    films = generator(0, "films").integers(0, 256, (3, FRAMES, CELLS, CELLS), np.uint8)
    write_fingerprints(path, Fingerprints(np.array(["a", "b", "c"]), np.array([1, 2, 3]), films))
    read = read_fingerprints(path)
    assert read is not None and read.sizes.tolist() == [1, 2, 3] and (read.films == films).all()
    chosen = read.of(["c", "absent", "a"])
    assert chosen.clip_ids.tolist() == ["c", "a"] and (chosen.films == films[[2, 0]]).all()
    path.write_bytes(path.read_bytes()[:-20])
    assert read_fingerprints(path) is None
    write_fingerprints(path, Fingerprints(np.empty(0, np.str_), np.empty(0, np.int64), films[:0]))
    assert len(read_fingerprints(path).films) == 0
