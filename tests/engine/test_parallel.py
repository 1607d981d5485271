"""One, two and four processes, each with any number of parts: the loss and the gradient of the plain step."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from multitrain.data.loader import Share
from multitrain.data.mixing import Mix
from tests.engine.process_group import (
    VIDEOS,
    Case,
    StepResult,
    all_cases,
    in_processes,
    plain_terms,
    plainly,
    rows_of,
    single,
    step_result,
    together,
)

pytestmark = pytest.mark.xdist_group("processes")  # one test process, so that the groups work once

CASES = [
    Case("multitrain"),
    Case("vanilla", informative=False, projection="none", weighting="fixed"),
    Case("no informative loss", informative=False),
    Case("separate projections", projection="separate"),
    Case("detached projections", projection="detached"),
    Case("no projections", projection="none"),
    Case("fixed weights", weighting="fixed"),
    Case("smoothed", smoothing=0.1),
    Case("mixup", mix=Mix(0.3), smoothing=0.1),
    Case("cutmix", mix=Mix(1 - 8 * 5 / 256, (3, 2, 8, 5)), projection="separate"),
    Case("labels lost", mix=Mix(0.6), lost=True),
    Case("drop path", drop_path=0.5),
    Case("dropout", dropout=0.5),
    Case("repeated", repeats=2, mix=Mix(0.7), drop_path=0.3, dropout=0.3),
    Case("checkpointed", checkpointing=True, drop_path=0.5, dropout=0.5),
    Case("apart", apart=True),
    Case("apart and mixed", apart=True, mix=Mix(0.4)),
    Case("two parts", parts=2),
    Case("two parts of vanilla", informative=False, projection="none", weighting="fixed", parts=2),
    Case("two parts apart", parts=2, apart=True),
    Case("extra terms", extra=True),
    Case("extra terms alone", extra=True, informative=False, projection="none", weighting="fixed", parts=2),
    Case(
        "everything",
        smoothing=0.1,
        drop_path=0.5,
        dropout=0.5,
        repeats=2,
        mix=Mix(0.7),
        checkpointing=True,
        parts=2,
        extra=True,
    ),
]
PARTS = Case(
    "parts with statistics of their own", parts=2, informative_statistics="micro_batch", smoothing=0.1, mix=Mix(0.7)
)
IDS = [case.name for case in CASES]


@pytest.fixture(scope="module")
def groups(tmp_path_factory) -> dict[int, list[dict[Case, StepResult]]]:
    """The results of each process, by the number of processes."""
    folder, cases = tmp_path_factory.mktemp("groups"), [*CASES, *map(single, CASES), PARTS]
    return {count: in_processes(count, folder / str(count), all_cases, cases) for count in (2, 4)}


def agree(one: StepResult, other: StepResult, tolerance: float) -> None:
    """Every term and every weight's gradient, relative to its own size; to the whole where it is nearly zero."""
    assert one.terms == pytest.approx(other.terms, rel=tolerance, abs=tolerance * 1e-2)
    assert one.gradients.keys() == other.gradients.keys()
    whole = torch.cat([gradient.flatten() for gradient in other.gradients.values()]).norm()
    for name, gradient in one.gradients.items():
        expected = other.gradients[name]
        floor = 1e-3 * whole
        assert (gradient - expected).norm() <= tolerance * max(expected.norm(), floor), name


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.parametrize(("double", "tolerance"), [(True, 1e-6), (False, 1e-4)], ids=["float64", "float32"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_and_parts_have_the_gradient_of_one_batch(groups, case, double, tolerance, count):
    case = case if double else single(case)
    everyone = [found[case] for found in groups[count]] if count > 1 else [together(case)]
    expected = plainly(case)
    for found in everyone:
        agree(found, expected, tolerance)
        assert found.terms == everyone[0].terms  # bit for bit: all processes decide the same
        assert all(torch.equal(found.gradients[name], g) for name, g in everyone[0].gradients.items())


@pytest.mark.parametrize("count", [1, 2, 4])
def test_parts_may_have_statistics_of_their_own(groups, count):
    """Then the loss is the mean over the parts of the plain loss of each, over all processes."""
    network, objective = PARTS.modules()
    batch, each = PARTS.batch(), []
    for part in range(PARTS.parts):
        videos = [Share(process, count, PARTS.parts).positions(VIDEOS, part) for process in range(count)]
        videos = np.sort(np.concatenate(videos))  # the batch's own order, so that its reverse is the partner
        each.append(plain_terms(PARTS, rows_of(batch, videos, 1), network, objective))
    (sum(terms.total for terms in each) / len(each)).backward()
    found = groups[count][0][PARTS] if count > 1 else together(PARTS)
    assert found.terms["variance"] == pytest.approx(sum(t.variance.item() for t in each) / len(each), rel=1e-9)
    agree(replace(found, terms={}), replace(step_result(each[0], network, objective), terms={}), 1e-6)


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.parts == 1 and not case.extra], ids=lambda case: case.name
)
def test_one_process_has_the_bits_of_the_plain_step(case):
    """Bits must not change from version to version, nor with recomputed activations."""
    one, other = together(single(case)), plainly(single(case))
    assert one.terms == other.terms
    for name, gradient in one.gradients.items():
        assert torch.equal(gradient, other.gradients[name]), name


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_near_and_leaves_weights_and_losses_in_float32(precision):
    case = replace(single(CASES[-1]), precision=precision)
    one, other = together(case), plainly(case)
    assert one.terms != other.terms
    assert one.terms == pytest.approx(other.terms, rel=0.05, abs=0.02)
    assert {gradient.dtype for gradient in one.gradients.values()} == {torch.float32}
    ours, theirs = (torch.cat([g.flatten() for g in found.gradients.values()]) for found in (one, other))
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0) > 0.99


@pytest.mark.slow
def test_compiled_blocks_have_the_gradient_and_the_names_of_plain_ones(monkeypatch):
    case = replace(single(CASES[0]), drop_path=0.5, checkpointing=True)
    expected, plain = plainly(case), case.modules
    calls = []

    def compiled(self):
        network, objective = plain()
        network.backbone.compile_blocks(backend=lambda module, inputs: (calls.append(1), module)[1])
        return network, objective

    names = plain()[0].state_dict().keys()
    monkeypatch.setattr(Case, "modules", compiled)
    agree(together(case), expected, 1e-4)
    assert calls and case.modules()[0].state_dict().keys() == names
