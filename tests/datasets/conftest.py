from pathlib import Path

import pytest

from tests.datasets.coded import write_video


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> bytes:
    """30 coded frames at 12 a second, as MP4."""
    return write_video(tmp_path_factory.mktemp("coded") / "a.mp4", 30).read_bytes()


@pytest.fixture(scope="session")
def webm(tmp_path_factory) -> bytes:
    """The same as WebM."""
    return write_video(tmp_path_factory.mktemp("coded") / "a.webm", 30, codec="libvpx-vp9").read_bytes()


@pytest.fixture
def raw(tmp_path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder
