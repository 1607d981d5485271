"""Model files and resume points, written beside and renamed."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError
from torch import Tensor

from multitrain.errors import UserError
from multitrain.model.card import Card, fitting
from multitrain.model.network import Network, Spec
from multitrain.model.storage import read_plain, require_numbers, write_plain

FORMAT = "multitrain-1"
ABSENT = "train the run, or import a checkpoint, first"
UNUSABLE = "give a whole model.pt of a training, a folder that `multitrain.save` wrote, or a release's .pyth"
AGAIN = "it was changed, or its training diverged: copy it again, or train it anew"


def _read(path: Path, cure: str, unusable: str | None = None) -> dict:
    content = read_plain(path, cure, unusable)
    if content.get("format") != FORMAT:
        raise UserError(f"{path}: not a checkpoint of this project: import a release's file with `checkpoint import`")
    return content


def save_network(path: Path, network: Network, card: Card | None = None) -> None:
    """Write weights, specification and card (the network's own without another); the same give the same bytes."""
    card = card or network.card
    said = {} if card is None else {"card": card.model_dump_json()}
    write_plain(
        path, {"format": FORMAT, "spec": network.spec.model_dump_json(), **said, "weights": network.state_dict()}
    )


def read_weights(path: Path) -> tuple[Spec, dict[str, Tensor]]:
    """The specification and weights of a model file.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    spec, _, weights = _read_model(path)
    return spec, weights


def _read_model(path: Path) -> tuple[Spec, Card | None, dict[str, Tensor]]:
    content = _read(path, ABSENT, UNUSABLE)
    try:
        spec, card, weights = Spec.model_validate(json.loads(content["spec"])), content.get("card"), content["weights"]
        card = card and fitting(Card.model_validate_json(card), spec.classes)
        if not all(isinstance(value, Tensor) for value in weights.values()):
            raise TypeError("not all weights are tensors")
    except (AttributeError, KeyError, TypeError, ValueError, ValidationError) as error:
        detail = "" if isinstance(error, ValidationError | KeyError) else f" ({' '.join(str(error).split())[:200]})"
        raise UserError(
            f"{path}: its specification cannot be read{detail}: it was changed, or written by another version"
        ) from None
    require_numbers(path, weights, AGAIN)
    return spec, card, weights


def load_network(path: Path | str) -> Network:
    """A network in evaluation mode from a model file; see `read_weights` for the errors."""
    path = Path(path)
    spec, card, weights = _read_model(path)
    network = Network(spec)
    network.card = card
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: weights and specification disagree: {str(error).splitlines()[1].strip()}") from None
    return network.eval()


class ResumePoint:
    """What a killed training goes on from: the newest whole state, and the one before it.

    Writing takes at most a twentieth of the time: where it is slow, it is done more seldom than every `seconds`.
    """

    def __init__(self, path: Path, seconds: float):
        self.path, self.seconds = path, seconds
        self.previous = path.with_suffix(".previous")
        self.saved = time.monotonic()
        self.cost = 0.0  # seconds that the last writing took

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self.saved > max(self.seconds, 20 * self.cost)

    def save(self, **state: object) -> None:
        """Write a state; the one before it stays as `previous`, and is the newest until the new one is whole."""
        started = time.monotonic()
        if self.path.exists():
            self.path.replace(self.previous)
        try:
            write_plain(self.path, {"format": FORMAT, **state})
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}): make room; the last one is kept"
            ) from None
        self.saved = time.monotonic()
        self.cost = self.saved - started

    def newest(self, warn: Callable[[str], None]) -> Path | None:
        """The file of the newest whole state, or None; `warn` is told of a damaged one.

        With both damaged there is nothing to go on from: the training starts again and says so, since nobody may be
        there to be asked for days.
        """
        there = [path for path in (self.path, self.previous) if path.exists()]
        for path in there:
            try:
                read_state(path, "the one before it is used" if path is not there[-1] else "no other one is left")
                return path
            except UserError as error:
                warn(str(error))
        return None


def read_state(path: Path, cure: str = "start the training again") -> dict:
    """What a resume point holds.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    return _read(path, cure)
