"""Extra loss terms of a run: imported, checked on random batches before the training, and called."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.config.recipes import ExtraLoss
from multitrain.losses.extra_terms import BatchOutputs, ExtraTerms
from multitrain.losses.objective import partner_of
from multitrain.model.backbones.build import kept_buffers
from multitrain.model.backbones.contract import failure, import_function

__all__ = ["load_terms", "term_values", "try_early"]

OF_SIZES = (RuntimeError, IndexError, ValueError)  # errors that made-up sizes can cause
CLIPS = 4  # of each dataset, in the random batch


def load_terms(
    losses: Sequence[ExtraLoss], where: str, classes: Mapping[str, int], width: int, embedding: int
) -> ExtraTerms | None:
    """The extra terms of a run, checked; None where there are none. `classes` are C_k, `width` is D, `embedding` d.

    A class is called with these three by name, and gives a torch module.

    Raises:
        UserError: one cannot be imported, or fails on a random batch.
    """
    functions = {}
    for place, each in enumerate(losses):
        function = import_function(each.function, key := f"{where}.{place}")
        if isinstance(function, type):
            try:
                function = function(classes=dict(classes), width=width, embedding=embedding)
            except Exception as error:
                needs = "give it __init__(self, classes, width, embedding)"
                raise UserError(f"{key}: {each.function} cannot be made: {failure(error)}: {needs}") from error
        functions[each.name] = function
    if not functions:
        return None
    terms = ExtraTerms(functions, {each.name: None if each.weight == "learned" else each.weight for each in losses})
    with torch.random.fork_rng(devices=[]), kept_buffers(terms), torch.enable_grad():
        for place, name in enumerate(functions):
            for datasets in dict.fromkeys((tuple(classes), tuple(classes)[:1])):  # also a batch that lacks some
                for mixed in (False, True):
                    _try(terms, name, f"{where}.{place}", _random(datasets, classes, width, embedding, mixed))
    return terms


def try_early(losses: Sequence[ExtraLoss], where: str, datasets: Sequence[str]) -> None:
    """Check with made-up sizes, before those of the run are known; errors that such sizes can cause are ignored.

    Raises:
        UserError: as `load_terms`.
    """
    try:
        load_terms(losses, where, {name: 5 + k for k, name in enumerate(datasets)}, 16, 12)
    except UserError as error:
        if not isinstance(error.__cause__, OF_SIZES):
            raise


def term_values(terms: ExtraTerms, outputs: BatchOutputs) -> Tensor:
    """(E,): the value of every extra term, unweighted.

    Raises:
        UserError: a function fails, or returns something else.
    """
    return torch.stack([_value(terms, name, f"extra_losses: {name}", outputs) for name in terms.functions])


def _value(terms: ExtraTerms, name: str, where: str, outputs: BatchOutputs) -> Tensor:
    """A term's value; its exceptions as a UserError."""
    try:
        return terms.term(name, outputs)
    except Exception as error:
        raise UserError(f"{where}: {failure(error)}") from error


def _random(
    datasets: Sequence[str], classes: Mapping[str, int], width: int, embedding: int, mixed: bool
) -> BatchOutputs:
    """A batch of random outputs that require a gradient, for clips of these datasets in turn."""
    count = CLIPS * len(classes)
    torch.manual_seed(0)
    index = torch.arange(count)
    dataset = index % len(datasets)
    label = index // len(datasets) // 2 % torch.tensor(list(classes.values()))[dataset]  # each twice
    features, expanded = torch.randn(count, width), torch.randn(count, embedding)
    own, projected = ({name: torch.randn(count, its) for name, its in classes.items()} for _ in range(2))
    for each in (features, expanded, *own.values(), *projected.values()):
        each.requires_grad_()
    partner = partner_of(label, dataset, 0.7) if mixed else None
    return BatchOutputs(features, expanded, own, projected, label, dataset, tuple(classes), partner)


def _try(terms: ExtraTerms, name: str, where: str, outputs: BatchOutputs) -> None:
    """Raise a UserError where a term's value or gradient for a random batch is not finite, or it has no gradient."""
    there = ", ".join(outputs.datasets[k] for k in outputs.dataset.unique().tolist())
    what = f"{name} on a random batch of {len(outputs.label)} clips of {there}{', mixed' * bool(outputs.partner)}"
    value = _value(terms, name, f"{where}: {what}", outputs)
    given = [outputs.features, outputs.embedding, *outputs.logits.values(), *outputs.projected.values()]
    if not value.requires_grad:
        raise UserError(f"{where}: {what} does not depend on the network's outputs: compute it of them, without detach")
    gradients = torch.autograd.grad(value, given, materialize_grads=True)
    if not value.isfinite() or not all(each.isfinite().all() for each in gradients):
        of = f"is {value.item()}" if not value.isfinite() else "has a gradient that is not finite"
        raise UserError(
            f"{where}: {what} {of}: guard the logarithm, root or division; without a clip to count return 0"
        )
