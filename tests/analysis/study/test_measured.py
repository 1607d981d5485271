"""What was measured of a scale before: read, refused by row, and not used where it is of other settings."""

import csv
from pathlib import Path

import pytest

from multitrain.analysis.study.measured import Doubling, Spread, Trial, doublings, read_plateau, read_spread
from multitrain.analysis.tables.paper_tables import write_table
from multitrain.common.errors import UserError
from multitrain.config.bias import BIASES
from tests.analysis.claimed import PUBLISHED


def plateau(folder: Path, scale, *rows: str, settings: str | None = None) -> Path:
    """A plateau.csv whose rows are `run,seed,factor,dataset,top1`."""
    path = folder / scale.name / "plateau.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"{scale.fingerprint if settings is None else settings},{row}" for row in rows]
    path.write_text("\n".join(["settings,run,seed,epochs_factor,dataset,top1", *lines]) + "\n")
    return path


def trials(run: str, dataset: str, *pairs: tuple[float, float]) -> list[str]:
    """The rows of a run with schedules times 1 and 2, a pair a seed."""
    return [
        f"{run},{seed},{factor},{dataset},{top1}"
        for seed, pair in enumerate(pairs)
        for factor, top1 in zip((1, 2), pair, strict=True)
    ]


def test_a_plateau_is_read_and_decided_by_the_mean_over_datasets_and_seeds(results, tmp_path):
    rows = trials("vanilla", "k400", (50, 51), (52, 52), (54, 55)) + trials(
        "vanilla", "mit", (20, 26), (20, 20), (20, 20)
    )
    plateau(tmp_path, results.scale, *rows, "vanilla,0,4,k400,58")
    found = read_plateau(tmp_path, results.scale)
    assert (found.unused, found.is_other) == ("", False)
    assert found.rows[0] == Trial("vanilla", 0, 1.0, "k400", 50.0)
    one, k400, mit, twice, again = doublings(found.rows)
    assert (one.dataset, one.seeds, one.verdict) == (None, 3, "plateau")
    assert one.change == pytest.approx((2 / 3 + 2) / 2)
    assert (k400.change, mit.change) == (pytest.approx(2 / 3), pytest.approx(2))
    assert mit.verdict == "longer is better"
    assert twice == Doubling("vanilla", 2.0, None, 1, 7.0) and again.dataset == "k400"
    assert twice.verdict == "undecided: 1 of 3 seeds"


def test_a_fall_is_told_from_a_gain_and_seeds_without_both_schedules_do_not_count(results, tmp_path):
    rows = trials("vanilla", "k400", (50, 47), (52, 49), (54, 51))
    plateau(tmp_path, results.scale, *rows, "vanilla,3,1,k400,90", "vanilla,4,2,k400,10")
    whole, _ = doublings(read_plateau(tmp_path, results.scale).rows)
    assert (whole.seeds, whole.change, whole.verdict) == (3, pytest.approx(-3), "longer is worse")


def test_a_file_of_another_world_is_not_used(results, tmp_path):
    path = plateau(tmp_path, results.scale, "vanilla,0,1,k400,50", settings="0123456789ab")
    found = read_plateau(tmp_path, results.scale)
    assert found.rows == () and found.is_other
    assert found.unused == f"of other settings (0123456789ab; here {results.scale.fingerprint}), so not used"
    path.unlink()
    assert read_plateau(tmp_path, results.scale).unused == "not there"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("vanilla,0,1,k400,lots", r"line 2: top1 is 'lots', not a number: correct the row, or remove the file"),
        ("vanilla,0,1,k400,101", r"line 2: top1 is 101: it takes percent"),
        ("vanilla,0,0,k400,1", r"line 2: epochs_factor is 0: it takes a number above 0"),
        ("vanilla,0.5,1,k400,1", r"line 2: it takes a run, a whole seed and a dataset"),
        ("vanilla,0,1,,1", r"line 2: it takes a run, a whole seed and a dataset"),
        ("vanilla,0,nan,k400,1", r"line 2: epochs_factor is nan"),
        ("vanilla", r"line 2: epochs_factor is None, not a number"),
        ("vanilla,0,1,k400,1\n{own},vanilla,0,1.0,k400,2", r"line 3: the same cell as line 2: leave one of the two"),
    ],
)
def test_a_wrong_row_is_named(results, tmp_path, row, message):
    plateau(tmp_path, results.scale, row.format(own=results.scale.fingerprint))
    with pytest.raises(UserError, match=rf"mini/plateau.csv: {message}"):
        read_plateau(tmp_path, results.scale)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"settings,run\n", "no column 'seed': it takes settings, run, seed, epochs_factor, dataset, top1"),
        (b"\xff\xfe", "not a readable table"),
        (b'settings,run,seed,epochs_factor,dataset,top1\n"', "not a readable table"),
    ],
)
def test_what_is_no_such_table_is_told(results, tmp_path, content, message):
    plateau(tmp_path, results.scale).write_bytes(content)
    with pytest.raises(UserError, match=rf"plateau.csv: {message}"):
        read_plateau(tmp_path, results.scale)


def written(results, measured: Path, *seeds: int) -> str:
    write_table("table1", results.scale, results.experiments, seeds, results.root, PUBLISHED, measured)
    return (results.root / "table1.md").read_text()


@pytest.fixture
def measured(results, tmp_path) -> Path:
    """A table of three seeds, copied as it is: the baseline of seed 2 on MiT has one clip more."""
    for seed in (0, 1, 2):
        results.add_table1(seed)
    folder = results.folder / "mit_baseline" / "seed2"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    results.add("mit_baseline", {"mit": [0, 0, 0, 6]}, 2)
    assert "Spread between seeds" not in written(results, tmp_path / "none", 0, 1, 2)
    (tmp_path / "m" / "mini").mkdir(parents=True)
    (results.root / "table1.csv").rename(tmp_path / "m" / "mini" / "table1.csv")
    return tmp_path / "m"


def test_a_table_of_one_seed_shows_the_spread_that_was_recorded(results, measured):
    text = " ".join(written(results, measured, 0).split())
    assert "standard deviation of 3 seeds (0-2), points of top-1 by Yₖ, from" in text
    assert "mini/table1.csv; processor: a processor (AVX2)." in text
    assert "| Baseline | 0.0 | 14.4 | 0.0 | 0.0 |" in text  # 50, 50, 75
    assert "Spread between seeds" not in written(results, measured, 0, 1, 2)  # has its own
    found = {(each.method, each.dataset): each for each in read_spread(measured, results.scale).rows}
    assert found["Baseline", "mit"] == Spread("Baseline", "mit", (0, 1, 2), 58.33, 14.43, "a processor (AVX2)")


def test_a_table_shows_how_far_its_runs_are_from_their_plateau(results, measured):
    rows = trials("mit_baseline", "mit", (50, 53), (50, 53), (50, 53))
    plateau(measured, results.scale, *rows, *trials("vanilla", "mit", (1, 2)))  # no run of this table
    text = " ".join(written(results, measured, 0).split())
    assert "| Baseline, MiT | x1 to x2 | 3 | +3.0 | - | +3.0 | - | - | longer is better |" in text
    assert "Vanilla" not in text


def test_a_spread_of_other_settings_is_named_and_not_shown(results, measured):
    path = measured / "mini" / "table1.csv"
    path.write_text(path.read_text().replace(results.scale.fingerprint, "0123456789ab"))
    text = written(results, measured, 0)
    assert "table1.csv: of other settings (0123456789ab; here" in text
    assert "Spread between seeds" not in text
    path.unlink()
    assert "of other settings" not in written(results, measured, 0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0 1 2", "0", "seeds is '0': a spread takes several"),
        ("14.43", "", "top1_std is '', not a number"),
        ("0 1 2", "0 one", "invalid literal"),
    ],
)
def test_a_wrong_row_of_a_spread_is_named(results, measured, old, new, message):
    path = measured / "mini" / "table1.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=rf"table1.csv: line \d+: {message}"):
        written(results, measured, 0)


def test_settings_are_told_apart_by_what_decides_numbers(results):
    scale, seen = results.scale, {results.scale.fingerprint}
    same = [
        scale.model_copy(update={"remark": "another"}),
        scale.model_copy(update={"machine": scale.machine.model_copy(update={"workers": 7, "portable": True})}),
        scale.model_copy(
            update={
                "datasets": {**scale.datasets, "mit": scale.datasets["mit"].model_copy(update={"title": "Moments"})}
            }
        ),
    ]
    assert {each.fingerprint for each in same} == seen
    other = [
        scale.model_copy(update={"world": scale.world.model_copy(update={"seed": 99})}),
        scale.model_copy(update={"sizes": {"base": 32, "large": 40}}),
        scale.model_copy(update={"machine": scale.machine.model_copy(update={"precision": "bfloat16"})}),
    ]
    assert len({each.fingerprint for each in other} | seen) == 4


def test_the_tables_say_of_which_settings_they_are(results):
    results.add_table1()
    written(results, results.root / "none", 0)
    with (results.root / "table1.csv").open(newline="") as stream:
        assert {row["settings"] for row in csv.DictReader(stream) if row["source"] == "ours"} == {
            results.scale.fingerprint
        }


def test_what_a_dataset_of_the_world_has_by_default_is_a_setting(results, monkeypatch):
    before = results.scale.fingerprint
    monkeypatch.setitem(BIASES, "mit", BIASES["mit"].model_copy(update={"noise": 0.5}))
    assert results.scale.fingerprint != before
