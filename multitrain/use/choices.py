"""What a person chooses of a fine-tuning, and the note in its folder that keeps two of them apart."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from multitrain.errors import UserError
from multitrain.files import atomic
from multitrain.model.network import Network
from multitrain.settings import Name
from multitrain.sources.folder import LAYOUT


@dataclass(frozen=True)
class Choices:
    """What a person may choose of a fine-tuning; together with checkpoint and videos they decide its result."""

    name: str = "own"  # of the new head
    like: str | None = None  # head whose sampling, rate and views the new one has; None: the first
    freeze: bool = False  # train the new head alone, on features
    keep: bool = False  # leave the other heads in the model; frozen, they always stay
    flip: bool = True
    epochs: float | None = None
    rate: float | None = None
    seed: int = 0


def check_names(out: Path, videos: Path, network: Network, choices: Choices) -> None:
    """Raise a UserError for names and places that cannot be."""
    try:
        TypeAdapter(Name).validate_python(choices.name)
    except ValidationError:
        raise UserError(f"--name {choices.name}: give small letters, digits and _, a letter first") from None
    if choices.name in network.spec.classes and (choices.freeze or choices.keep):
        raise UserError(f"--name {choices.name}: the model has such a head already: choose another name")
    if not videos.is_dir():
        raise UserError(f"{videos}: no such folder: {LAYOUT}")
    if out.resolve().is_relative_to(videos.resolve()):
        raise UserError(f"{out}: lies in the folder of videos: choose another --out")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file: choose a new folder with --out")


def claim(out: Path, videos: Path, network: Network, choices: Choices) -> None:
    """Note in `out` what it is for, so that nothing else is mixed into it.

    Raises:
        UserError: it is the output of something else.
    """
    digest = hashlib.sha256(network.spec.model_dump_json().encode())
    for weight in network.state_dict().values():
        digest.update(weight.detach().cpu().contiguous().numpy())
    said = {"videos": str(videos.resolve()), "weights": digest.hexdigest(), **asdict(choices)}
    note = out / "finetune.json"
    if not note.is_file():
        if out.is_dir() and any(out.iterdir()):
            raise UserError(f"{out}: holds other files: choose a new folder with --out")
        _note(note, said)
        return
    before = _noted(note)
    if changed := [key for key, value in said.items() if before.get(key) != value]:
        raise UserError(
            f"{out}: holds a fine-tuning with another {changed[0]} ({before.get(changed[0])}): "
            "give the same again to go on with it, or a new folder with --out"
        )


def same_clips(out: Path, manifest: Path) -> None:
    """A model that is there was trained on these clips."""
    note, digest = out / "finetune.json", hashlib.sha256(manifest.read_bytes()).hexdigest()
    said = _noted(note)
    if (out / "model.pt").is_file() and said.get("clips", digest) != digest:
        raise UserError(f"{out}: its model was trained on other videos than are there now: choose a new --out")
    _note(note, {**said, "clips": digest})


def _noted(note: Path) -> dict:
    try:
        return dict(json.loads(note.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UserError(f"{note}: damaged: choose a new folder with --out") from None


def _note(note: Path, said: dict) -> None:
    try:
        with atomic(note) as temporary:
            temporary.write_text(json.dumps(said, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{note.parent}: cannot be written ({error.strerror}): choose another --out") from None
