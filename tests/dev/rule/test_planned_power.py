from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dev.rule.planned_power import CONTRASTS, SETS, between_trainings, components, main, planned, read_trials
from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_experiments, load_scale

ROOT = Path(__file__).parents[3]
VIDEOS = 400


def answers(seed: int, seeds: int = 6) -> list[tuple[np.ndarray, np.ndarray]]:
    """Differences of right answers (S, N) on two datasets, the second with two clips a video."""
    rng, pairs = np.random.default_rng(seed), []
    for clips in (1, 2):
        of = np.repeat(np.arange(VIDEOS), clips)
        effect = rng.normal(0, 0.2, (seeds, 1)) + rng.normal(0, 0.7, VIDEOS)[of] + rng.normal(size=(seeds, len(of)))
        pairs.append((np.sign(np.round(effect)), of))
    return pairs


@pytest.mark.parametrize("seed", range(5))
def test_the_same_study_planned_again_has_its_own_error(seed):
    pairs = answers(seed)
    _, again = planned(pairs, worlds=1, seeds=6, videos=VIDEOS)
    here = estimate([values / 2 for values, _ in pairs], [of for _, of in pairs])
    assert again.error == pytest.approx(here.error, rel=1e-12)
    assert [df for _, df in again.terms] == [df for _, df in here.terms]


def test_two_worlds_halve_the_variance_of_one():
    pairs = answers(0)
    one, two = (planned(pairs, worlds, 5, VIDEOS)[1].error for worlds in (1, 2))
    assert two**2 == pytest.approx(one**2 / 2, rel=1e-12)


def test_more_videos_leave_the_variance_between_trainings():
    training, many = planned(answers(1), worlds=1, seeds=4, videos=10**12)
    assert many.error == pytest.approx(training / 2, rel=1e-6)


def test_components_of_a_video_that_decides_alone():
    values = np.tile(np.repeat([0.0, 1.0], 50), (3, 1))
    video, interaction, count = components(values, np.arange(100))
    assert (video, interaction, count) == (pytest.approx(values[0].var(ddof=1)), 0, 100)


def test_its_contrasts_are_of_runs_that_there_are():
    experiments = load_experiments(scale=load_scale("desk"))
    for left, other in CONTRASTS.values():
        for name in (left, other.format("k400")):
            assert experiments.run(name).datasets


def searched(folder, deviation: float, settings: int = 400, name: str = "a") -> list:
    """A search's file: settings of unlike means, and three seeds of each that differ by `deviation` points."""
    rng, rows = np.random.default_rng(0), []
    runs = [("vanilla", SETS), *((f"{each}_baseline", (each,)) for each in SETS)]
    for run, sets in runs:
        for lr in range(settings):
            means = rng.uniform(20, 80, len(sets))
            for seed in range(3):
                its = means + rng.normal(0, deviation, len(sets))
                rows.append({"run": run, "seed": seed, "lr": lr} | dict(zip(sets, its, strict=True)))
    path = folder / f"{name}.csv"
    pd.DataFrame(rows).assign(effective_rank=rng.normal(size=len(rows))).to_csv(path, index=False)
    return [path]


def test_variance_between_trainings_is_that_within_settings(tmp_path):
    trials = read_trials(searched(tmp_path, 3.0))
    one, mean = 0.03**2, 0.03**2 / 4  # of a dataset, and of the mean of four
    for other, dataset, expected in [
        ("multitrain", None, 2 * mean),
        ("{}_baseline", None, 2 * mean),
        ("multitrain", "mit", 2 * one),
        ("{}_baseline", "mit", 2 * one),
    ]:
        variance, df = between_trainings(trials, other, dataset)
        assert variance == pytest.approx(expected, rel=0.15)  # 3 deviations of a variance's estimate
        assert df == 800


def test_the_same_setting_of_two_files_is_two_settings(tmp_path):
    once, twice = (searched(tmp_path, 1.0, 5, name) for name in "ab")
    moved = pd.read_csv(twice[0])
    moved[list(SETS)] += 10
    moved.to_csv(twice[0], index=False)
    assert between_trainings(read_trials([*once, *twice]), "multitrain", None) == pytest.approx(
        (between_trainings(read_trials(once), "multitrain", None)[0], 20)
    )


def test_trials_without_a_second_seed_give_no_variance(tmp_path):
    trials = read_trials(searched(tmp_path, 1.0, 2))
    with pytest.raises(UserError, match="no setting of a joint run has two seeds among the --trials: name more"):
        between_trainings(trials[trials["seed"] == 0], "multitrain", None)


def test_trials_without_a_baseline_name_it(tmp_path):
    trials = read_trials(searched(tmp_path, 1.0, 2))
    with pytest.raises(UserError, match="no setting of k400_baseline has two seeds"):
        between_trainings(trials[trials["run"] != "k400_baseline"], "{}_baseline", None)


def test_a_file_that_is_none_of_the_search_or_not_there(tmp_path):
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"other.csv: no column run or seed: name a file"):
        read_trials([tmp_path / "other.csv"])
    with pytest.raises(UserError, match=r"absent.csv: cannot be read .*: name a file that --trials wrote"):
        read_trials([tmp_path / "absent.csv"])


def test_the_design_says_what_the_trials_of_desk_give(monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "docs" / "notes")
    files = ["search-desk-from100.csv", "search-desk-from200.csv"]
    monkeypatch.setattr("sys.argv", ["planned_power", "mini-table1.parquet", "--trials", *files])
    main()
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()[2:]]
    page = (ROOT / "docs/reference/design.md").read_text(encoding="utf-8")
    for row, title in ((0, "MultiTrain minus baselines"), (5, "one joint row minus another")):
        _, between, df, error, *powers = lines[row]
        assert f"| {title} | {between} ({df}) | {error} | {' | '.join(f'{power}%' for power in powers)} |" in page
    single = np.array([line[1:] for line in lines[1:5]], float)
    low, high = single.min(axis=0), single.max(axis=0)
    powers = " | ".join(f"{a:.0f} to {b:.0f}%" for a, b in zip(low[3:], high[3:], strict=True))
    said = f"{low[0]:.1f} to {high[0]:.1f} | {low[2]:.2f} to {high[2]:.2f} | {powers} |"
    assert f"| MultiTrain minus baselines, one dataset | {said}" in page


def test_more_variance_of_trials_is_more_of_the_plan():
    few, many = (planned(answers(0), 2, 5, VIDEOS, between)[1] for between in (0.01**2, 0.03**2))
    assert many.error**2 - few.error**2 == pytest.approx((0.03**2 - 0.01**2) / 10, rel=1e-12)
