"""Which classes are related: by the world's files, or by name."""

import pytest

from multitrain.analysis.projections.class_relations import plain, read_relations
from multitrain.common.errors import UserError
from tests.analysis.planted import CLASSES, RELATIONS, relation_files


def test_names_are_compared_without_case_and_punctuation():
    assert plain("Picking [something] up") == plain("picking_something  up") == "picking something up"
    assert plain("playing+sports") == plain("Playing sports")
    assert plain("massaging person's head") == plain("massaging person’s head")
    assert plain("bending") != plain("bending metal")
    assert plain("front raises") != plain("frontraises")


def test_the_worlds_relations_are_exactly_those_of_its_files(tmp_path):
    known = read_relations(relation_files(tmp_path), CLASSES)
    assert known.origin == "world"
    found = {
        (source, of, target, into)
        for source in CLASSES
        for target in CLASSES
        if source != target
        for row, into in zip(known.matrix(source, target, CLASSES), CLASSES[target], strict=True)
        for related, of in zip(row, CLASSES[source], strict=True)
        if related
    }
    assert found == {*RELATIONS, *((*row[2:], *row[:2]) for row in RELATIONS)}


def test_rows_are_targets_and_columns_sources(tmp_path):
    matrix = read_relations(relation_files(tmp_path), CLASSES).matrix("mit", "actnet", CLASSES)
    assert matrix.shape == (5, 3)
    assert [tuple(place) for place in zip(*matrix.nonzero(), strict=True)] == [(2, 1)]  # marathon from running


def test_without_files_equal_names_are_related():
    classes = {
        "k400": ("clapping", "jogging", "hula hooping"),
        "mit": ("hooping hula", "Jogging!", "waving", "Clapping_"),
    }
    known = read_relations((), classes)
    assert known.origin == "same name"
    matrix = known.matrix("k400", "mit", classes)
    assert matrix.shape == (4, 3)
    assert [tuple(place) for place in zip(*matrix.nonzero(), strict=True)] == [(1, 1), (3, 0)]


def test_brackets_in_the_files_are_no_difference(tmp_path):
    paths = relation_files(tmp_path)
    head = paths[0].read_text().splitlines()[0]
    paths[3].write_text(f"{head}\nssv2,Closing [something],mit,waving,finer\n")
    paths[2].write_text(f"{head}\nmit,waving,ssv2,Closing [something],coarser\n")
    assert read_relations(paths[2:4], CLASSES).matrix("ssv2", "mit", CLASSES)[2, 1]


def test_datasets_that_a_run_lacks_are_left_out(tmp_path):
    few = {name: CLASSES[name] for name in ("k400", "mit")}
    assert read_relations(relation_files(tmp_path), few).matrix("k400", "mit", few).sum() == 2


def test_a_dataset_whose_file_was_not_given_is_found_out(tmp_path):
    paths = relation_files(tmp_path)
    with pytest.raises(UserError, match=r"not the other way round: give the relations.csv of every dataset"):
        read_relations((*paths[:2], *paths[3:]), CLASSES)  # without mit's


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "no column 'source_dataset'"),
        ("", "no column 'source_dataset'"),
        ("source_dataset,source_class,target_dataset,target_class\nk400,clapping,mit\n", "line 2: a field is empty"),
        ("source_dataset,source_class,target_dataset,target_class\nk400,clap,mit,clapping\n", "line 2: k400 has no"),
        ("source_dataset,source_class,target_dataset,target_class\nk400,clapping,mit,clap\n", "line 2: mit has no"),
    ],
)
def test_wrong_files_are_one_message(tmp_path, text, says):
    path = tmp_path / "relations.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=rf"relations.csv: {says}"):
        read_relations((path,), CLASSES)


def test_missing_and_binary_files_are_one_message(tmp_path):
    path = tmp_path / "relations.csv"
    with pytest.raises(UserError, match=r"relations.csv: no such file: `multitrain synth` writes it"):
        read_relations((path,), CLASSES)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"relations.csv: not a readable table"):
        read_relations((path,), CLASSES)
