"""A packed study gives what the run folders give, byte for byte; it travels and joins others of its kind."""

import shutil
from pathlib import Path

import pytest

from multitrain import cli_packed, cli_results
from multitrain.analysis.outputs import FIGURES
from multitrain.packed.study import read_study
from multitrain.packed.unpack import unpack
from tests.packed.made import CONFIG, EXPERIMENTS, ROOT, make

PUBLISHED = ROOT / "resources" / "published"
Analysis = cli_results.Analysis
READERS = (Analysis.projections, Analysis.classes, Analysis.spectrum, Analysis.training, Analysis.class_means)


def pack(root: Path, out: Path, *others: Path, **options: object) -> Path:
    folders = {"config": CONFIG, "data": root / "data", "results": root}
    cli_packed.pack(out, **{"scale": "ci", "others": list(others), **folders, **options})
    return out


def analysed(root: Path, *analyses: Analysis, tables: tuple[str, ...] = ()) -> Path:
    """What the workflow's rules make of the runs in a folder."""
    common = {"scale": "ci", "seed": [0, 1], "config": CONFIG, "results": root, "published": PUBLISHED}
    for name in analyses:
        cli_results.analyse(name, data=root / "data", **common)
    for name in tables:
        cli_results.table(name, **common)
    return root


def files(root: Path) -> dict[str, bytes]:
    """Everything that was made, by its path."""
    made = [*root.glob("*.*"), *root.glob("figures/*")]
    return {str(path.relative_to(root)): path.read_bytes() for path in made}


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """A made-up study of two seeds; no test changes it."""
    return make(tmp_path_factory.mktemp("study"), 0, 1)


@pytest.fixture(scope="module")
def packed(study, tmp_path_factory) -> Path:
    return pack(study, tmp_path_factory.mktemp("packed") / "study.parquet")


@pytest.fixture
def folders(study, tmp_path) -> Path:
    """A copy of the study to write into."""
    return Path(shutil.copytree(study, tmp_path / "folders"))


def test_what_reads_runs_reads_the_same_from_a_packed_study(folders, packed, tmp_path):
    unpack(read_study(packed), tmp_path / "out")
    expected, found = (files(analysed(root, *READERS, tables=("table1",))) for root in (folders, tmp_path / "out"))
    assert found == expected and {"spectrum.csv", "table1.csv", "datasets.csv"} < set(found)
    assert not list((tmp_path / "out").rglob("model.pt"))


@pytest.mark.slow
def test_rendered_is_byte_for_byte_what_the_workflow_makes(folders, packed, tmp_path):
    order = sorted(Analysis, key=lambda name: name is Analysis.claims)
    analysed(folders, *order, tables=(*EXPERIMENTS.tables, "table4"))
    for name in FIGURES:
        cli_results.figure(name, results=folders, smoke_test=True)
    cli_packed.render(packed, tmp_path / "out", published=PUBLISHED)
    found = files(tmp_path / "out")
    assert found == files(folders) and len(found) > 30


def test_a_study_packed_again_from_what_was_unpacked_is_the_same_file(packed, tmp_path):
    unpack(read_study(packed), tmp_path / "out")
    assert pack(tmp_path / "out", tmp_path / "again.parquet").read_bytes() == packed.read_bytes()
