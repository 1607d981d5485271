"""Two hundred damaged videos through the readers, in processes that they may kill; `tests.fuzz.videos` takes more."""

from functools import partial

import pytest

from multitrain.common.process_pool import process_map
from tests.datasets.fuzzed import FORMATS, KINDS, fuzzed
from tests.fuzz import videos as fuzz

FILES = list(fuzzed(200, 0))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return fuzz.put(FILES, tmp_path_factory.mktemp("fuzz") / "files")


@pytest.fixture(scope="module")
def ours():
    return fuzz.recogniser()


def accounted(found: dict[str, fuzz.Outcome], other: str = "") -> None:
    """Each file is answered or refused in a line, what is whole is answered and what is empty is not."""
    assert {name for name, (how, _) in found.items() if how in fuzz.BAD} == set()
    assert len(found) == len(FILES)
    for file in FILES:
        how, words = found[file.name]
        assert how == "answered" or ("\n" not in words and words.isprintable() and words)
        if file.kind == "whole":
            assert how == "answered" or (other and other in words), (file.name, words)
        if file.kind == "empty":
            assert how == "refused"


def test_every_container_comes_in_every_kind_of_damage():
    assert {(file.suffix, file.kind) for file in FILES} == {(suffix, kind) for suffix in FORMATS for kind in KINDS}
    again = list(fuzzed(40, 0))
    assert again == FILES[:40] and list(fuzzed(40, 1)) != again


def test_predict_answers_or_refuses_each(paths, ours):
    work = partial(fuzz.decoded, plan=tuple(ours.plan()))
    found = process_map(partial(fuzz.caught, work), map(str, paths), 1, fuzz.SECONDS)
    said = [words for _, words in found]
    ended = {path.name: fuzz.outcome(its) if its else ("answered", "") for path, its in zip(paths, said, strict=True)}
    accounted(ended)
    assert sum(how == "answered" for how, _ in ended.values()) > 60


def test_training_and_check_answer_or_refuse_each(paths):
    found = process_map(fuzz.trained_and_checked, map(str, paths), 1, fuzz.SECONDS)
    for path, (_, said) in zip(paths, found, strict=True):
        assert isinstance(said, list), (path, said)
        assert all(not one.startswith("Traceback") for one in said), (path, said)


def test_prepare_lists_what_it_does_not_take(paths, ours, tmp_path):
    accounted(fuzz.prepared(ours, paths, tmp_path, 1), "the very bytes of")
