"""Statistics of an evaluation: read as written, or refused with the file and what is wrong with it."""

from pathlib import Path

import numpy as np
import pytest

from multitrain.common.errors import UserError
from multitrain.common.records.statistics import read_statistics

CLASSES = {"mit": ["bending", "clapping"], "k400": ["a", "b", "c"]}


def arrays(**changes: object) -> dict[str, object]:
    """A sound file of dataset mit with a head for k400 as well; None leaves an array out."""
    sound = {
        "views": np.int64(4),
        "features_mean": np.arange(3.0),
        "features_covariance": np.eye(3),
        "embedding_mean": np.zeros(2),
        "embedding_covariance": np.eye(2),
        "logit_std.mit": np.array([1.0, 0.0]),
        "logit_std.k400": np.array([1.0, 2.0, 3.0]),
        "classes.mit": np.array(CLASSES["mit"]),
        "classes.k400": np.array(CLASSES["k400"]),
        "projection.k400": np.arange(6, dtype=np.float32).reshape(2, 3),
    }
    return {name: array for name, array in {**sound, **changes}.items() if array is not None}


def write(folder: Path, **changes: object) -> Path:
    np.savez(folder / "mit.npz", **arrays(**changes))
    return folder / "mit.npz"


def test_everything_in_the_file_is_read_as_it_is(tmp_path):
    found = read_statistics(write(tmp_path))
    assert found.views == 4
    assert found.features_mean.tolist() == [0, 1, 2]
    assert found.features_covariance.shape == (3, 3)
    assert found.embedding_covariance.shape == (2, 2)
    assert found.classes == {name: tuple(names) for name, names in CLASSES.items()}
    assert found.logit_std["k400"].tolist() == [1, 2, 3]
    assert list(found.projections) == ["k400"]
    assert found.projections["k400"][1, 2] == 5  # target class 1, source class 2


def test_a_run_without_expander_and_projections_has_none(tmp_path):
    gone = {"embedding_mean": None, "embedding_covariance": None, "projection.k400": None}
    found = read_statistics(write(tmp_path, **gone))
    assert found.embedding_mean is None
    assert found.embedding_covariance is None
    assert found.projections == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"views": None}, "lacks views"),
        ({"views": np.int64(0)}, "views is not a count"),
        ({"views": np.array([4, 4])}, "views is not a count"),
        ({"features_covariance": np.eye(2)}, r"features_mean \(3,\) and features_covariance \(2, 2\)"),
        ({"embedding_covariance": None}, "one without the other"),
        ({"embedding_mean": np.zeros(5)}, "embedding_mean"),
        ({"features_mean": np.array([0, np.nan, 1])}, "features_mean is not all finite"),
        ({"features_mean": np.array(["a", "b", "c"])}, "features_mean is not all finite"),
        ({"projection.k400": np.zeros((3, 2))}, "projection.k400 is not a weight for each class of mit"),
        ({"projection.ssv2": np.zeros((2, 3))}, "projection.ssv2 is not"),
        ({"projection.mit": np.zeros((2, 2))}, "projection.mit is not"),
        ({"classes.mit": None, "logit_std.mit": None}, "classes.mit is missing"),
        ({"classes.k400": np.array(["a", "b", "a"])}, "classes.k400 has a name twice"),
        ({"logit_std.k400": np.ones(2)}, "logit_std.k400 has no standard deviation"),
        ({"logit_std.k400": None}, "logit_std.k400 has no standard deviation"),
        ({"logit_std.k400": -np.ones(3)}, "logit_std.k400 has no standard deviation"),
        ({"classes.k400": None, "projection.k400": None}, "logit_std.k400 has no standard deviation"),
    ],
)
def test_what_does_not_fit_is_named_with_the_file(tmp_path, changes, says):
    with pytest.raises(UserError, match=f"mit.npz: .*{says}") as error:
        read_statistics(write(tmp_path, **changes))
    assert "evaluate the run again" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_damaged_file_is_one_message(tmp_path):
    path = tmp_path / "mit.npz"
    with pytest.raises(UserError, match=r"mit.npz: no such statistics: run `multitrain evaluate`"):
        read_statistics(path)
    whole = write(tmp_path).read_bytes()
    flipped = bytearray(whole)
    flipped[whole.rindex(b"NUMPY") + 130] ^= 1
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"mit.npz: not a readable statistics file") as error:
            read_statistics(path)
        assert "\n" not in str(error.value)
    np.save(tmp_path / "plain.npy", np.zeros(3))
    path.write_bytes((tmp_path / "plain.npy").read_bytes())
    with pytest.raises(UserError, match="not a readable statistics file"):
        read_statistics(path)
