"""A study in one file, packed: it is rendered without its base, its folder, its videos and its backbone's module."""

import json
import shutil
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from multitrain.analysis.packed.packed_study import read_study, write_study
from multitrain.analysis.packed.unpack import unpack
from multitrain.cli.commands import packed_commands, result_commands
from multitrain.common.errors import UserError
from multitrain.config.config_files import load_scale, load_settings
from multitrain.planning.jobs import Jobs
from multitrain.planning.plan import Plan
from tests.analysis.packed import made
from tests.analysis.packed.made import PUBLISHED, ROOT, make
from tests.analysis.packed.test_packed import files

BACKBONE = """from multitrain.model.backbones.contract import backbone
from tests.engine.batch_norm_net import Net

@backbone()
def net(frames, size):
    return Net(4)
"""
ALONE = {"recipe": "baseline"}
STUDY = {
    "extends": "ci",
    "seeds": [0, 1],
    "datasets": {name: {"reader": "folder", "raw": name} for name in ("pets", "films")},
    "runs": {
        "pets_alone": {"datasets": ["pets"], **ALONE},
        "films_alone": {"datasets": ["films"], "backbone": "own_net:net", **ALONE},
        "multitrain": {"extends": "multitrain", "datasets": ["pets", "films"], "init": "pets_alone"},
    },
    "tables": {
        "main": {
            "datasets": ["pets", "films"],
            "rows": [
                {"method": "Baseline", "runs": ["pets_alone", "films_alone"]},
                {"method": "MultiTrain", "runs": ["multitrain"]},
            ],
        }
    },
    "projections": {"runs": ["multitrain"]},
    "claims": {"one": {"text": "One for all is better", "table": "main", "left": "MultiTrain", "right": "Baseline"}},
}
ANALYSES = ("projections", "recovery", "classes", "spectrum", "training", "networks", "evidence", "claims", "study")
COST = {"backbone": "own_net:net", "size": "base", "gflops": 0.25, "pixels": 32, "frames": 4}


def analyse(config: Path, results: Path) -> None:
    """What the workflow's rules make of the runs, without figures and pages."""
    common = {"scale": "mine", "seed": [0, 1], "config": config, "results": results, "published": PUBLISHED}
    for name in ANALYSES:
        result_commands.analyse(name, data=results / "data", **common)
    for name in ("main", "table4"):
        result_commands.table(name, **common)


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> tuple[Path, Path]:
    """The study's file and its packed file; beside them lie its results, `results`."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_net.py").write_text(BACKBONE)
    file = folder / "mine.yaml"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.syspath_prepend(folder)
        file.write_text(yaml.safe_dump({**STUDY, "results": str(folder / "results"), "data": str(folder / "data")}))
        scale, experiments = load_settings("mine", file)
        patch.setattr(made, "SCALE", scale)
        patch.setattr(made, "CLASSES", {"pets": ("cat", "dog", "eel"), "films": ("dog", "run", "jump", "eat")})
        results = make(folder / "results", 0, 1, of=experiments)
        costs = results / "runs/mine/flops.json"
        costs.write_text(json.dumps([*json.loads(costs.read_text()), COST]))
        packed_commands.pack(folder / "study.parquet", "mine", config=file, data=folder / "data", results=results)
        analyse(file, results)
        sys.modules.pop("own_net", None)
    return file, folder / "study.parquet"


def test_it_is_rendered_elsewhere_as_the_workflow_makes_it(own, tmp_path, monkeypatch):
    file, packed = own
    monkeypatch.chdir(tmp_path)  # neither config nor own_net is here
    out = tmp_path / "out"
    study = read_study(packed)
    unpack(study, out, load_scale("mine", _settings(study, tmp_path)))
    assert (out / "study" / "mine.yaml").read_bytes() == file.read_bytes()
    analyse(out / "config", out)
    expected = files(file.parent / "results")
    assert files(out) == expected
    assert {"main.csv", "main.tex", "table4.csv", "claims.md", "networks.csv", "runs.csv"} <= expected.keys()
    assert not [name for name in ("main.md", "main.tex", "claims.md") if b"paper" in expected[name].lower()]


def _settings(study, folder: Path) -> Path:
    """The folder of settings that a packed study has."""
    for key, text in study.texts.items():
        if key.name.startswith("config/"):
            (folder / key.name).parent.mkdir(parents=True, exist_ok=True)
            (folder / key.name).write_text(text)
    return folder / "config"


@pytest.mark.slow
def test_render_writes_its_figures_and_a_report_that_names_its_file(own, tmp_path, monkeypatch, capsys):
    _, packed = own
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    packed_commands.render(packed, tmp_path / "out", published=PUBLISHED, measured=ROOT / "resources/measured")
    assert "One for all is better" in (tmp_path / "out/report.html").read_text()
    assert "--configfile mine.yaml" in (tmp_path / "out/report.html").read_text()
    figures = {path.stem for path in (tmp_path / "out/figures").iterdir()}
    assert {"forest", "accuracy", "cost", "per_class", "projections"} <= figures
    assert "MultiTrain" in capsys.readouterr().out


def test_the_study_is_joined_with_its_own_seeds_and_with_no_other(own, tmp_path, monkeypatch):
    file, packed = own
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(file.parent)
    folders = {"config": file, "data": file.parent / "data", "results": file.parent / "results"}
    packed_commands.pack(tmp_path / "one.parquet", "mine", seed=[1], **folders)
    joined = tmp_path / "both.parquet"
    packed_commands.pack(joined, "mine", seed=[0], others=[tmp_path / "one.parquet"], **folders)
    assert joined.read_bytes() == packed.read_bytes()
    values = yaml.safe_load(file.read_text())
    values["recipes"] = {"baseline": {"extends": "baseline", "lr": 0.5}}
    other = tmp_path / "mine.yaml"
    other.write_text(yaml.safe_dump(values))
    with pytest.raises(
        UserError, match=r"study\.parquet: scale\.recipes\.baseline\.lr is .*, and 0\.5 in .*mine\.yaml"
    ):
        packed_commands.render(packed, tmp_path / "out", config=other, published=PUBLISHED)


@pytest.mark.parametrize("part", ["mine.yaml", "config/claims.yaml", "networks.json"])
def test_what_was_altered_is_refused(own, part, tmp_path):
    study, path = read_study(own[1]), tmp_path / "altered.parquet"
    key = next(key for key in study.texts if key.name.endswith(part))
    study.texts[key] += " "
    write_study(study, path)
    pq.write_table(pq.read_table(path).replace_schema_metadata(pq.read_schema(own[1]).metadata), path)
    named = f"run {key.run}, seed {key.seed}" if key.run else "what is of no run"
    with pytest.raises(UserError, match=f"altered.parquet: {named}: not as it was packed"):
        read_study(path)


def test_the_network_of_a_backbone_of_ones_own_is_recorded_and_no_other(own):
    kept = [key for key in read_study(own[1]).texts if key.name == "networks.json"]
    assert {(key.run, key.seed) for key in kept} == {("films_alone", 0), ("films_alone", 1)}
    rows = json.loads(read_study(own[1]).texts[kept[0]])
    assert [row["dataset"] for row in rows] == ["films"] and rows[0]["parameters"] > 0


def test_the_workflow_packs_it(own, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(own[0].parent)
    jobs = Jobs(Plan.load({}, str(own[0])))
    assert "study" in jobs.outputs() and jobs.refused([f"{own[0].parent}/results/study.parquet"]) == ""
    assert f"--config-dir {own[0]}" in jobs.command("study")({})
