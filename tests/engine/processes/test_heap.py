"""Thresholds of the C library's heap: set to keep freed memory, unless the environment has its own, or it cannot."""

from types import SimpleNamespace

import pytest

from multitrain.engine.processes import heap


@pytest.fixture
def asked(monkeypatch):
    """The calls of mallopt, by the numbers of glibc's malloc.h."""
    calls = {}
    library = SimpleNamespace(mallopt=lambda name, value: calls.update({name: value}) or 1)
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: library)
    for name in (*heap.CHOSEN, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    return calls


def test_both_thresholds_are_as_high_as_they_can_be(asked):
    assert heap.keep_freed_memory()
    assert asked == {-3: 32 * 1024**2, -1: 2**31 - 1}


@pytest.mark.parametrize(
    ("name", "value"), [("MALLOC_MMAP_THRESHOLD_", "4000000"), ("GLIBC_TUNABLES", "glibc.malloc.trim_threshold=1")]
)
def test_settings_of_the_environment_are_kept(monkeypatch, asked, name, value):
    monkeypatch.setenv(name, value)
    assert not heap.keep_freed_memory()
    assert not asked


def test_a_c_library_without_mallopt_is_no_error(monkeypatch, asked):
    monkeypatch.setattr(heap.ctypes, "CDLL", lambda _: object())
    assert not heap.keep_freed_memory()


def test_this_systems_c_library_takes_them(monkeypatch):
    if not hasattr(heap.ctypes.CDLL(None), "mallopt"):
        pytest.skip("it has no such choice")
    for name in (*heap.CHOSEN, "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    assert heap.keep_freed_memory()
