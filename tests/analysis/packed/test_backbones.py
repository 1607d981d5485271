"""Two studies with different backbones: their contrasts of Table 1, the difference of these, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml

from multitrain.analysis.accuracy.contrasts import estimate
from multitrain.analysis.figures.comparisons.backbones import draw
from multitrain.analysis.packed.backbone_contrasts import DIFFERENCE, FILE, MEAN, write_backbones
from multitrain.analysis.packed.packed_study import ANSWERS, Key, Study, write_study
from multitrain.analysis.render.table_files import read_rows
from multitrain.analysis.study import study_report
from multitrain.cli.commands.packed_commands import backbones
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_settings

ROOT = Path(__file__).parents[3]
CLIPS = 60
SCALE, EXPERIMENTS = load_settings("ci", ROOT / "config")
TABLE = EXPERIMENTS.tables["table1"]
RUNS = {run: EXPERIMENTS.runs[run] for row in TABLE.rows for run in row.runs}
RIGHT = {"k400_baseline": 0.5, "multitrain": 0.6, "multitrain_large": 0.8}  # of the clips; other baselines as K400's


def study(backbone: str, seeds: tuple[int, ...], right: dict[str, float], clip: str = "clip") -> Study:
    """A study of Table 1 at scale ci: each run answers that share of the clips right, partly others by seed."""
    scale = SCALE.model_copy(update={"model": SCALE.model.model_copy(update={"backbone": backbone})})
    runs = {"runs": RUNS, "tables": {"table1": TABLE}}
    made = Study(Path(f"{backbone}.parquet"), "ci")
    made.texts[Key(name="config/scales/ci.yaml")] = yaml.safe_dump(scale.model_dump(mode="json"))
    dumped = {key: {name: its.model_dump(mode="json") for name, its in of.items()} for key, of in runs.items()}
    made.texts[Key(name="config/experiments.yaml")] = yaml.safe_dump(dumped)
    for run, settings in RUNS.items():
        for seed in seeds:
            made.texts[Key(run, seed, name="run.json")] = "{}"
            for dataset in settings.datasets:
                words = f"{backbone}{run}{dataset}".encode()
                difficulty, noise = (np.random.default_rng(its).random(CLIPS) for its in ([*words], [seed, *words]))
                order = np.argsort(np.argsort(difficulty + noise / 2))
                wrong = order >= right.get(run, right["k400_baseline"]) * CLIPS
                columns = {
                    "clip": [f"{dataset} {clip} {i}" for i in range(CLIPS)],
                    "video": [f"{dataset} video {i // 2}" for i in range(CLIPS)],
                    "label": [0] * CLIPS,
                    "rank": wrong.astype(int),
                }
                made.answers[Key(run, seed, dataset)] = pa.table(
                    {f.name: pa.array(columns.get(f.name, [None] * CLIPS), f.type) for f in ANSWERS}, schema=ANSWERS
                )
    return made


ONE = study("mvit", (0, 1, 2, 3), RIGHT)
OTHER = study("cnn3d", (1, 2, 3), {**RIGHT, "multitrain": 0.9})


def answered(of: Study, run: str, dataset: str, seeds: tuple[int, ...]) -> np.ndarray:
    return np.stack([of.answers[Key(run, seed, dataset)]["rank"].to_numpy() == 0 for seed in seeds]).astype(float)


def test_both_contrasts_and_their_difference_are_those_of_the_answers(tmp_path: Path):
    write_backbones(ONE, OTHER, tmp_path)
    rows = read_rows(tmp_path / FILE)
    assert len(rows) == 2 * 3 * (1 + len(TABLE.datasets))
    found = {(row["right"], row["dataset"], row["backbone"]): row for row in rows}
    means = {key[::2]: float(row["difference"]) for key, row in found.items() if key[1] == MEAN}
    assert means == pytest.approx(
        {
            ("Baseline", "MViTv2"): 10,
            ("Baseline", "3-D CNN"): 40,
            ("Baseline", DIFFERENCE): 30,
            ("MultiTrain", "MViTv2"): 20,
            ("MultiTrain", "3-D CNN"): -10,
            ("MultiTrain", DIFFERENCE): -30,
        }
    )
    assert {(name, row["seeds"]) for (_, _, name), row in found.items()} == {
        ("MViTv2", (0, 1, 2, 3)),
        ("3-D CNN", (1, 2, 3)),
        (DIFFERENCE, (1, 2, 3)),
    }
    pairs = [(OTHER, 1), (ONE, -1)]
    values = sum(
        sign * (answered(of, "multitrain", "mit", (1, 2, 3)) - answered(of, "mit_baseline", "mit", (1, 2, 3)))
        for of, sign in pairs
    )
    expected = estimate([values], [ONE.answers[Key("multitrain", 1, "mit")]["video"].to_numpy()])
    row = found["Baseline", "mit", DIFFERENCE]
    assert [float(row[key]) for key in ("low", "high")] == pytest.approx(100 * np.array(expected.interval), abs=0.01)
    assert (row["label"], row["clips"], row["scale"], row["synthetic"]) == ("MiT", CLIPS, "ci", "yes")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (ONE, r"mvit.parquet: backbone MViTv2, as in mvit.parquet: name studies of two backbones"),
        (study("cnn3d", (7,), RIGHT), r"cnn3d.parquet: no seed of mvit.parquet: MultiTrain takes one that both have"),
        (
            study("cnn3d", (1,), RIGHT, clip="piece"),
            r"cnn3d.parquet: k400, seed 1: other test clips than in mvit.parquet: name studies of one world",
        ),
    ],
)
def test_studies_that_cannot_be_compared_are_refused(tmp_path: Path, other: Study, message: str):
    with pytest.raises(UserError, match=rf"^{message}$"):
        write_backbones(ONE, other, tmp_path)
    assert not (tmp_path / FILE).exists()


def test_a_missing_run_is_named(tmp_path: Path):
    half = study("cnn3d", (1, 2), RIGHT)
    for key in [key for key in half.texts if key.run == "multitrain_large"]:
        del half.texts[key]
    with pytest.raises(
        UserError, match=r"^cnn3d.parquet: no seed of all runs of MultiTrain \(large\) and MultiTrain: "
    ):
        write_backbones(ONE, half, tmp_path)


def test_the_report_shows_the_figure_where_two_studies_were_compared_and_else_nothing(tmp_path: Path, monkeypatch):
    shown: list = []
    monkeypatch.setattr("IPython.display.display", lambda *its, **_: shown.extend(its))
    study_report.backbones(tmp_path)
    assert shown == []
    files = []
    for each in (ONE, OTHER):
        files.append(tmp_path / each.where)
        write_study(each, files[-1])
    backbones(*files, tmp_path)
    assert (tmp_path / "backbones.png").stat().st_size > 10_000
    study_report.backbones(tmp_path)
    heading, picture, said = shown
    assert "backbone" in heading.data and picture.format == "png"
    assert "<b>MultiTrain minus Baseline</b>: MViTv2 +10.0 [" in said.data
    assert said.data.count("the backbones differ") == 2
    assert "it is not shown" not in said.data
    same = study("cnn3d", (1, 2, 3), RIGHT)
    write_backbones(ONE, same, tmp_path)
    assert all(
        "it is not shown that the backbones differ" in each for each in study_report.backbone_sentences(tmp_path)
    )


def test_the_figure_has_a_line_for_each_dataset_and_the_mean(tmp_path: Path):
    write_backbones(ONE, OTHER, tmp_path)
    figure = draw(tmp_path)
    left, right = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["MultiTrain − Baseline", "MultiTrain (large) − MultiTrain"]
    titles = [SCALE.datasets[name].title for name in TABLE.datasets]
    assert [text.get_text() for text in left.get_yticklabels()] == [MEAN, *titles]
    circles = [line.get_xdata()[0] for line in left.lines if line.get_marker() == "o"]
    assert circles[0] == pytest.approx(10) and len(circles) == 1 + len(titles)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["MViTv2", "3-D CNN", "3-D CNN minus MViTv2"]
