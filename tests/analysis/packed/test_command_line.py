"""Options of `results pack` and `results render` as they are typed: ignored, each would be seen."""

import json
import shutil
from pathlib import Path

import pytest

from multitrain.analysis.packed import render_study
from multitrain.cli import run
from tests.analysis.packed.made import PUBLISHED


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
