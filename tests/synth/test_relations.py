"""Which classes of different datasets are the same motion, or a part of one another."""

from itertools import permutations

import pytest

from multitrain.errors import UserError
from multitrain.synth.classes import TRAITS, Variant, _variant
from multitrain.synth.world import DATASETS, Relation, relations, spec

INVERSE = {"same motion": "same motion", "finer": "coarser", "coarser": "finer"}


def test_relations_are_symmetrical_and_name_existing_classes():
    found = set(relations())
    assert len(found) == len(relations())
    for r in found:
        assert r.source_class in DATASETS[r.source_dataset].classes
        assert r.target_class in DATASETS[r.target_dataset].classes
        back = Relation(r.target_dataset, r.target_class, r.source_dataset, r.source_class, INVERSE[r.relation])
        assert back in found


@pytest.mark.parametrize(
    "expected",
    [
        ("k400", "jumping jacks", "actnet", "Doing star jumps", "same motion"),
        ("k400", "jumping jacks", "mit", "jumping", "finer"),
        ("k400", "waving hand", "k700", "waving one hand", "coarser"),
        ("mit", "sliding", "ssv2", "Pushing [something] from left to right", "coarser"),
        ("ssv2", "Picking [something] up", "mit", "rising", "finer"),
        ("k700", "waving both hands", "actnet", "Cheering", "finer"),
    ],
)
def test_known_relations(expected):
    assert Relation(*expected) in relations()


def test_overlap_alone_is_no_relation():
    pair = ("k400", "waving hand", "actnet", "Cheering")  # one hand is not cheering, clapping is not waving
    assert all((r.source_dataset, r.source_class, r.target_dataset, r.target_class) != pair for r in relations())


@pytest.mark.parametrize(("source", "target"), list(permutations(DATASETS, 2)))
def test_all_share_motions_but_hands_and_objects_only_with_mit(source, target):
    shared = [r for r in relations() if (r.source_dataset, r.target_dataset) == (source, target)]
    assert bool(shared) == ("ssv2" not in (source, target) or "mit" in (source, target))


def test_the_larger_kinetics_holds_the_smaller_one():
    k400, k700 = DATASETS["k400"].actions, DATASETS["k700"].actions
    for action in k400:
        parts = [other.cells() for other in k700 if other.cells() <= action.cells()]
        assert frozenset().union(*parts) == action.cells()
        assert sum(map(len, parts)) == len(action.cells())
    everything = frozenset().union(*(a.cells() for a in k400))
    assert any(not action.cells() & everything for action in k700)
    assert len(k700) > len(k400)


@pytest.mark.parametrize("dataset", DATASETS)
def test_no_two_classes_of_a_dataset_overlap(dataset):
    actions = DATASETS[dataset].actions
    assert len(set(DATASETS[dataset].classes)) == len(actions)
    for a, b in permutations(actions, 2):
        assert not a.cells() & b.cells(), (a.name, b.name)


def test_labels_are_in_the_publishers_order():
    for dataset in ("k400", "k700", "ssv2", "actnet"):
        assert list(DATASETS[dataset].classes) == sorted(DATASETS[dataset].classes)
    assert list(DATASETS["mit"].classes) != sorted(DATASETS["mit"].classes)


def test_datasets_whose_clips_are_flipped_are_not_split_by_side():
    values = {value for known in TRAITS.values() for value in known}
    assert not values & {"left", "right"}


def test_a_constraint_needs_its_trait():
    assert _variant("run/slow") == Variant("run", (("pace", "slow"),))
    with pytest.raises(ValueError, match="no such trait"):
        _variant("run/both")


def test_an_unknown_dataset_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UserError, match="k400, k700, mit, ssv2, actnet"):
        spec("ucf101")
