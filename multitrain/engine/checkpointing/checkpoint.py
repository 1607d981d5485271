"""Checkpoints: model files and resume points, written atomically."""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import remove_temporary_files
from multitrain.model.files.metadata import Card, checked_card
from multitrain.model.files.storage import checksum, read_plain, require_numbers, require_same_kinds, write_plain
from multitrain.model.network import Network, Spec

__all__ = ["CHECKSUM", "ResumePoint", "load_network", "read_state", "read_weights", "save_network"]

FORMAT = "multitrain-1"
CHECKSUM = "checksum"  # key of a resume point
ABSENT = "train the run, or import a checkpoint, first"
UNUSABLE = "give a whole model.pt of a training, a folder that `multitrain.save` wrote, or a release's .pyth"
AGAIN = "it was changed, or its training diverged: copy it again, or train it anew"


def save_network(path: Path, network: Network, card: Card | None = None) -> None:
    """Write weights, specification and card (by default the network's own); the same give the same bytes."""
    card = card or network.card
    content = {} if card is None else {"card": card.model_dump_json()}
    write_plain(
        path, {"format": FORMAT, "spec": network.spec.model_dump_json(), **content, "weights": network.state_dict()}
    )


def read_weights(path: Path) -> tuple[Spec, dict[str, Tensor]]:
    """The specification and weights of a model file.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    spec, _, weights = _read_model(path)
    return spec, weights


def _read_model(path: Path) -> tuple[Spec, Card | None, dict[str, Tensor]]:
    """Specification, card and weights of a model file, checked."""
    content = read_plain(path, ABSENT, UNUSABLE)
    if content.get("format") != FORMAT:
        raise UserError(f"{path}: not a checkpoint of this project: import a release's file with `checkpoint import`")
    try:
        spec, card, weights = Spec.model_validate(json.loads(content["spec"])), content.get("card"), content["weights"]
        card = card and checked_card(Card.model_validate_json(card), spec.classes)
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
    require_same_kinds(path, weights, network.state_dict(), AGAIN)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"{path}: weights and specification disagree: {str(error).splitlines()[1].strip()}") from None
    return network.eval()


class ResumePoint:
    """The resume point of a training: the newest whole state, and the one before it.

    It is saved every `seconds`, or less often where saving would take more than a twentieth of the time.
    """

    def __init__(self, path: Path, seconds: float):
        self.path, self.seconds = path, seconds
        self.previous = path.with_suffix(".previous")
        self.good: Path | None = None  # the newest one that is known to be good
        self.saved = time.monotonic()
        self.cost = 0.0  # seconds that the last writing took

    @property
    def recovery_note(self) -> str:
        """Whether a training that ends now can be resumed, for the end of an error's message."""
        return "the last resume point is kept" if self.good else "there is no resume point yet"

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self.saved > max(self.seconds, 20 * self.cost)

    def save(self, **state: object) -> None:
        """Write a state; the last good one stays as `previous`, and is the newest until the new one is complete.

        Raises:
            UserError: it cannot be written.
        """
        started = time.monotonic()
        content = {"format": FORMAT, **state}
        try:
            if self.path.exists() and self.good != self.previous:
                self.path.replace(self.previous)
                self.good = self.good and self.previous
            write_plain(self.path, {**content, CHECKSUM: checksum(content)})
        except OSError as error:
            raise UserError(
                f"{self.path}: cannot be written ({error.strerror}): make room; {self.recovery_note}"
            ) from None
        self.good = self.path
        self.saved = time.monotonic()
        self.cost = self.saved - started

    def newest(self, warn: Callable[[str], None], check: Callable[[dict], None] = lambda state: None) -> Path | None:
        """The file of the newest good state, or None; `warn` gets a message for each bad one.

        A good one can be read, has its checksum, and passes `check`, which raises a ValueError with the reason. Without
        a good one the training starts anew: an unattended study goes on. Temporary files of killed writers are deleted.
        """
        remove_temporary_files(self.path.parent)
        paths = [path for path in (self.path, self.previous) if os.path.lexists(path)]
        for path in paths:
            cure = "the one before it is tried" if path is not paths[-1] else "no other one is left: starting anew"
            try:
                if not path.is_file():
                    raise ValueError("is no file")
                state = read_state(path, cure)
                check(state)
            except ValueError as error:
                warn(f"{path}: {error}: {cure}")
            except UserError as error:
                warn(str(error))
            else:
                if CHECKSUM not in state:
                    warn(f"{path}: of an earlier version, without a checksum: its types, shapes and ranges are right")
                self.good = path
                return path
            if not path.is_file():  # in the way of the next one
                _remove(path)
        return None


def _remove(path: Path) -> None:
    """Remove a file or folder if possible; if not, the next writing fails with a message."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def read_state(path: Path, cure: str = "start the training again") -> dict:
    """Read a resume point.

    Raises:
        UserError: the file is missing, damaged or of another kind.
    """
    content = read_plain(path, cure)
    if content.get("format") != FORMAT:
        raise UserError(f"{path}: no resume point: {cure}")
    if CHECKSUM in content:
        try:
            actual = checksum({key: value for key, value in content.items() if key != CHECKSUM})
        except Exception:  # a file can hold more than is ever written: sparse tensors, numbers too long
            actual = None
        if actual is None or content[CHECKSUM] != actual:
            raise UserError(f"{path}: damaged: its checksum is another one: {cure}")
    return content
