"""A study whose seeds have worlds of their own: other classes, other clips, another number of them."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

from multitrain.analysis.accuracy.contrasts import estimate_over_worlds
from multitrain.analysis.packed.packed_study import read_study
from multitrain.analysis.packed.unpack import unpack
from multitrain.cli.commands import result_commands
from multitrain.common.errors import UserError
from multitrain.common.ranks import top
from multitrain.common.records.predictions import read_predictions
from multitrain.config.config_files import load_scale
from tests.analysis.packed import made
from tests.analysis.packed.made import CONFIG, PUBLISHED, pack, settings
from tests.analysis.packed.test_packed import READERS, analysed

MORE = 3  # clips of world 1 beyond those of world 0


@pytest.fixture(scope="module")
def worlds(tmp_path_factory) -> tuple[Path, Path]:
    """Results of seed 0 in world 0 and of seed 1 in world 1, and their settings."""
    root = made.make(tmp_path_factory.mktemp("study"), 0)
    with pytest.MonkeyPatch.context() as patch:
        names = {name: (*(f"other {each}" for each in its), "new") for name, its in made.CLASSES.items()}
        patch.setattr(made, "CLASSES", names)
        patch.setattr(made, "CLIPS", made.CLIPS + MORE)
        other = made.make(tmp_path_factory.mktemp("other"), 1)
    shutil.copytree(other / "runs", root / "runs", dirs_exist_ok=True)
    for number, folder in enumerate((root, other)):
        shutil.move(folder / "data" / "ci", folder / f"world{number}")
        shutil.copytree(folder / f"world{number}", root / "data" / "ci" / f"world{number}")
    world = yaml.safe_load((CONFIG / "scales" / "ci.yaml").read_text())["world"]
    return root, settings(tmp_path_factory.mktemp("config"), world=world | {"run_seeds": 1})


def test_it_is_analysed_packed_and_analysed_again_the_same(worlds, tmp_path):
    root, config = worlds
    packed = pack(root, config, tmp_path / "study.parquet")
    out = tmp_path / "out"
    unpack(read_study(packed), out, load_scale("ci", config))
    assert analysed(out, out / "config", READERS, ("table1", "table4")) == analysed(
        root, config, READERS, ("table1", "table4")
    )
    table = pd.read_csv(root / "table1.csv")
    ours = table[(table["source"] == "ours") & (table["method"] == "MultiTrain")].set_index("dataset")
    assert set(ours["clips"]) == {2 * made.CLIPS + MORE} and set(ours["seeds"]) == {"0 1"}
    folders = [root / f"runs/ci/multitrain/seed{seed}/predictions/mit.parquet" for seed in (0, 1)]
    right = [top(1, read_predictions(path).rank)[None].astype(float) for path in folders]
    videos = [read_predictions(path).videos for path in folders]
    its = estimate_over_worlds([([each], [of]) for each, of in zip(right, videos, strict=True)])
    assert ours.loc["mit", "top1"] == pytest.approx(100 * (right[0].mean() + right[1].mean()) / 2, abs=0.01)
    assert ours.loc["mit", "top1_low"] == pytest.approx(100 * max(its.interval[0], 0), abs=0.01)
    assert "synthetic worlds 0 and 1 of `ci`" in (root / "table1.md").read_text()
    per_class = pd.read_csv(root / "per_class.csv", dtype=str)
    assert set(per_class["seeds"]) == {"0"} and not per_class["class"].str.contains("other").any()
    weights = pd.read_parquet(root / "projections.parquet").groupby("seed")["related"].sum()
    assert weights[0] > 0 and weights[1] > 0  # each held against its own world's relations


def test_seeds_of_the_second_world_alone_are_of_its_classes(worlds, tmp_path):
    root, config = Path(shutil.copytree(worlds[0], tmp_path / "results")), worlds[1]
    common = {"scale": "ci", "seed": [1], "config": config, "results": root, "published": PUBLISHED}
    result_commands.table("table1", **common)
    result_commands.analyse("classes", data=root / "data", **common)
    assert pd.read_csv(root / "per_class.csv")["class"].str.contains("other|new").all()
    assert set(pd.read_csv(root / "table1.csv").query("source == 'ours'")["clips"]) == {made.CLIPS + MORE}


def test_without_worlds_in_the_settings_its_seeds_do_not_go_together(worlds, tmp_path):
    config = settings(tmp_path / "config")
    common = {"scale": "ci", "seed": [0, 1], "config": config, "published": PUBLISHED}
    with pytest.raises(UserError, match=r"seed1/predictions/k400.parquet: not the clips of .*seed0"):
        result_commands.table("table1", results=worlds[0], **common)


def test_a_study_on_another_scales_clips_is_analysed_again_from_the_packed_file(worlds, tmp_path):
    """`clips_of`: the related classes lie in the other scale's folder of data."""
    root = Path(shutil.copytree(worlds[0], tmp_path / "results"))
    shutil.move(root / "data" / "ci", root / "data" / "desk")
    world = load_scale("ci", worlds[1]).world.model_dump(mode="json")
    config = settings(tmp_path / "config", world=world, clips_of="desk")
    out = tmp_path / "out"
    unpack(read_study(pack(root, config, tmp_path / "study.parquet")), out, load_scale("ci", config))
    readers = ("projections", "recovery")
    again, before = analysed(out, out / "config", readers, ("table4",)), analysed(root, config, readers, ("table4",))
    assert again == {name: before[name] for name in again} and "projection_recovery.csv" in again
