"""A made-up study and its packed file, once for all these tests."""

import shutil
from pathlib import Path

import pytest

from tests.analysis.packed.made import make, pack, settings


@pytest.fixture(scope="package")
def config(tmp_path_factory) -> Path:
    return settings(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="package")
def study(tmp_path_factory) -> Path:
    """A made-up study of two seeds; no test changes it."""
    return make(tmp_path_factory.mktemp("study"), 0, 1)


@pytest.fixture(scope="package")
def packed(study, config, tmp_path_factory) -> Path:
    return pack(study, config, tmp_path_factory.mktemp("packed") / "study.parquet")


@pytest.fixture
def folders(study, tmp_path) -> Path:
    """A copy of the study to write into."""
    return Path(shutil.copytree(study, tmp_path / "folders"))
