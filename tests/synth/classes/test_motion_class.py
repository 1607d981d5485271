"""Classes of a world's datasets, and their relations: the same motion, finer or coarser."""

from itertools import permutations

import pytest

from multitrain.common.errors import UserError
from multitrain.config.bias import KINDS
from multitrain.config.scale import World
from multitrain.synth.classes.catalogue import GERUNDS, OBJECT_GERUNDS, TEMPLATES, VERBS
from multitrain.synth.classes.motion_class import TRAITS, Variant, action, variant
from multitrain.synth.motions.objects import OBJECTS
from multitrain.synth.motions.registry import MOTIONS
from multitrain.synth.world import Relation, relations, spec, specs

INVERSE = {"same motion": "same motion", "finer": "coarser", "coarser": "finer"}
SEEDS = range(12)


def world(seed=0, **relatives):
    return World(
        seed=seed,
        videos={name: {"train": 100, "validation": 30} for name in KINDS},
        bias={name: {"relatives": count} for name, count in relatives.items()},
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_every_world_has_the_classes_it_should_and_no_two_overlap(seed):
    for name, about in specs(world(seed)).items():
        assert len(set(about.classes)) == len(about.actions) == KINDS[name].classes
        for a, b in permutations(about.actions, 2):
            assert not a.cells() & b.cells(), (name, a.name, b.name)
        assert sum(each.variants[0].motion in OBJECTS for each in about.actions) >= KINDS[name].objects


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("mit", "ssv2", "actnet"), [(0, 0, 0), (7, 4, 4), (8, 6, 11)])
def test_as_many_classes_are_related_to_k400_as_configured_and_the_others_share_no_motion(seed, mit, ssv2, actnet):
    made = specs(world(seed, mit=mit, ssv2=ssv2, actnet=actnet))
    covered = frozenset().union(*(each.cells() for each in made["k400"].actions))
    for name, count in (("mit", mit), ("ssv2", ssv2), ("actnet", actnet)):
        related = [a for a in made[name].actions if any(a.relation(b) for b in made["k400"].actions)]
        assert len(related) == count
        assert not any(a.cells() & covered for a in made[name].actions if a not in related)


def test_the_classes_depend_on_the_seed_alone():
    assert specs(world(3)) == specs(world(3))
    first, second = (set(spec("k400", world(seed)).classes) for seed in (0, 1))
    assert first != second and first & second  # of one catalogue


@pytest.mark.parametrize("seed", SEEDS)
def test_relations_are_symmetrical_and_name_existing_classes(seed):
    made, found = specs(world(seed)), relations(world(seed))
    assert len(set(found)) == len(found)
    for r in found:
        assert r.source_class in made[r.source_dataset].classes
        assert r.target_class in made[r.target_dataset].classes
        assert (
            Relation(r.target_dataset, r.target_class, r.source_dataset, r.source_class, INVERSE[r.relation]) in found
        )


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("star_jump", "star_jump", "same motion"),
        ("star_jump", "star_jump leap hop", "finer"),
        ("wave", "wave/one", "coarser"),
        ("wave", "clap wave/both", None),  # an overlap alone is no relation
        ("lift/forward", "topple/backward lift/forward tip/backward", "finer"),
    ],
)
def test_relations_of_single_classes(ours, theirs, expected):
    assert action("a", ours).relation(action("b", theirs)) == expected


@pytest.mark.parametrize("seed", SEEDS)
def test_the_larger_kinetics_holds_the_smaller_one(seed):
    made = specs(world(seed))
    k400, k700 = made["k400"].actions, made["k700"].actions
    for whole in k400:
        parts = [other.cells() for other in k700 if other.cells() <= whole.cells()]
        assert frozenset().union(*parts) == whole.cells()
        assert sum(map(len, parts)) == len(whole.cells())
    everything = frozenset().union(*(a.cells() for a in k400))
    assert any(not other.cells() & everything for other in k700)
    sideways = {"slide", "roll", "turn"}  # Kinetics' clips are flipped: left and right must not be classes
    assert not any(a.variants[0].motion in sideways and a.variants[0].fixed for a in k700)


def test_labels_are_in_the_publishers_order():
    made = specs(world())
    for dataset in ("k400", "k700", "ssv2", "actnet"):
        assert list(made[dataset].classes) == sorted(made[dataset].classes)
    assert list(made["mit"].classes) != sorted(made["mit"].classes)


def test_every_template_comes_with_its_reverse():
    classes = spec("ssv2", world()).classes
    for pair in TEMPLATES.values():
        assert (pair[0] in classes) == (pair[1] in classes)


def test_the_catalogue_names_every_motion_and_no_way_has_two_verbs():
    once = {"topple"}  # falling and rising are verbs, and no activity
    assert set(GERUNDS) == set(MOTIONS) - once
    assert set(OBJECT_GERUNDS) == set(TEMPLATES) == {name for name, each in OBJECTS.items() if each.traits}
    verbs = [action(name, ways) for name, ways in VERBS.items()]
    for a, b in permutations(verbs, 2):
        assert not a.cells() & b.cells(), (a.name, b.name)
    assert {way.motion for each in verbs for way in each.variants} >= set(MOTIONS)


def test_datasets_whose_clips_are_flipped_are_not_split_by_side():
    values = {value for known in TRAITS.values() for value in known}
    assert not values & {"left", "right"}


def test_a_constraint_needs_its_trait():
    assert variant("run/slow") == Variant("run", (("pace", "slow"),))
    with pytest.raises(ValueError, match="run/both: motion run has no such trait"):
        variant("run/both")


@pytest.mark.parametrize(
    ("relatives", "said"),
    [
        ({"ssv2": 8}, "world.bias.ssv2.relatives: 8 is too many, K400 has so few motions of things"),
        ({"ssv2": 3}, "world.bias.ssv2.relatives: 3 is odd: each template comes with its reverse"),
        (
            {"mit": 14},
            "world.bias.mit.relatives: 14 is too many, only so many verbs name a motion of this world's K400",
        ),
    ],
)
def test_more_relatives_than_there_can_be_are_an_error(relatives, said):
    with pytest.raises(UserError) as raised:
        specs(world(**relatives))
    assert str(raised.value).startswith(said)


def test_an_unknown_dataset_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UserError, match="k400, k700, mit, ssv2, actnet"):
        spec("ucf101", world())
