"""Options of `results pack` and `results render` as they are typed: ignored, each would be seen."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from multitrain.analysis.packed import render_study
from multitrain.cli import run
from tests.analysis.packed.made import PUBLISHED, make
from tests.analysis.packed.made import pack as written


def typed(*arguments: object) -> int:
    """The exit status of a command."""
    with pytest.raises(SystemExit) as end:
        run([str(each) for each in arguments])
    return end.value.code or 0


def pack(folders: Path, config: Path, out: Path, *options: str) -> int:
    where = ("--config-dir", config, "--data", folders / "data", "--results", folders)
    return typed("results", "pack", out, "--scale", "ci", *where, *options)


def test_partial_packs_half_a_study(folders, config, tmp_path, capsys):
    shutil.rmtree(folders / "runs/ci/multitrain")
    assert pack(folders, config, tmp_path / "out.parquet") == 1
    assert "half a study, without run multitrain, no seed" in capsys.readouterr().err
    assert pack(folders, config, tmp_path / "out.parquet", "--partial") == 0
    assert (tmp_path / "out.parquet").is_file()


def test_mixed_code_packs_runs_of_two_versions(folders, config, tmp_path, capsys):
    path = folders / "runs/ci/wo_projection/seed0/run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": "xyz"}))
    assert pack(folders, config, tmp_path / "out.parquet") == 1
    assert "or say --mixed-code" in capsys.readouterr().err
    assert pack(folders, config, tmp_path / "out.parquet", "--mixed-code") == 0
    assert (tmp_path / "out.parquet").is_file()


def test_notebooks_and_measured_reach_what_renders(packed, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(render_study, "render_study", lambda own, pages, *_: found.append((own.measured, pages)))
    monkeypatch.setattr("multitrain.cli.commands.result_commands.show", lambda *_: None)
    for options in ((), ("--notebooks",), ("--measured", tmp_path / "m")):
        assert typed("results", "render", packed, tmp_path / "out", "--published", PUBLISHED, *options) == 0
    usual = Path("resources/measured")
    assert found == [(usual, False), (usual, True), (tmp_path / "m", False)]


def test_halves_compares_the_seeds_of_a_packed_study(config, packed, tmp_path, capsys):
    out = tmp_path / "out"
    assert typed("results", "halves", packed, out, "--published", PUBLISHED) == 1
    assert "study.parquet: a study without claims: nothing of it has a verdict" in capsys.readouterr().err
    own = Path(shutil.copytree(config, tmp_path / "config"))
    claim = {"text": "A.", "stated_by": "us", "table": "table1", "left": "MultiTrain", "right": "Baseline"}
    (own / "claims.yaml").write_text(yaml.safe_dump({"claims": {"one": claim}}))
    for seeds, status in ((2, 1), (4, 0)):
        made = make(tmp_path / f"study{seeds}", *range(seeds))
        whole = written(made, own, tmp_path / f"of{seeds}.parquet")
        assert typed("results", "halves", whole, out, "--published", PUBLISHED) == status
    printed = capsys.readouterr()
    assert "of2.parquet: seeds 0 as a half: " in printed.err
    assert re.search(r"halves.md: \d of 1 other claims agree.* \d of 2 lines of single datasets agree", printed.out)
    assert {path.name for path in out.iterdir()} == {"halves.csv", "halves.md"}
    (out / "claims.csv").write_text("claim,seeds,scale\none,0 1 2 3 4,ci\n")
    assert typed("results", "halves", whole, out, "--published", PUBLISHED) == 1
    assert "claims.csv: of seeds 0-4, where " in (said := capsys.readouterr().err)
    assert "of4.parquet has 0-3: name results of those seeds" in " ".join(said.split())
    (out / "claims.csv").write_text("claim,seeds,scale\none,0 1 2 3,ci\n")
    assert typed("results", "halves", whole, out, "--published", PUBLISHED) == 0
