"""What a person chooses of a fine-tuning, and the note in its folder that keeps two of them apart."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.filenames import shown
from multitrain.common.files.locks import NAME as LOCK
from multitrain.common.files.locks import locked_folder
from multitrain.config.base import Name
from multitrain.data.manifest import Manifest
from multitrain.datasets.formats.class_folders import LAYOUT, divided
from multitrain.model.network import Network

__all__ = ["Choices", "check_names", "claimed", "same_clips", "trainable"]

EPOCHS, LRS = (0.01, 10_000.0), (1e-9, 10.0)  # that can be asked for


@dataclass(frozen=True)
class Choices:
    """What a person may choose of a fine-tuning; together with checkpoint and videos they decide its result."""

    name: str = "own"  # of the new head
    like: str | None = None  # head whose sampling, frames a second and views the new one has; None: the first
    freeze: bool = False  # train the new head alone, on features
    keep: bool = False  # leave the other heads in the model; frozen, they always stay
    flip: bool = True
    epochs: float | None = None
    lr: float | None = None
    seed: int = 0


def check_names(out: Path, videos: Path, network: Network, choices: Choices) -> None:
    """Raise a UserError for names, numbers and places that cannot be."""
    for option, value, (low, high) in (("--epochs", choices.epochs, EPOCHS), ("--lr", choices.lr, LRS)):
        if value is not None and not low <= value <= high:  # as it is of no number at all
            raise UserError(f"{option} {value:g}: give a number from {low:g} to {high:g}")
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


@contextmanager
def claimed(out: Path, videos: Path, network: Network, choices: Choices, **joint: object) -> Iterator[None]:
    """Note in `out` what it is for, so that nothing else is mixed into it; within, no other process works there.

    `joint` is what else decides on a joint training.

    Raises:
        UserError: it is the output of something else, or another process works there.
    """
    digest = hashlib.sha256(network.spec.model_dump_json().encode())
    for weight in network.state_dict().values():
        digest.update(weight.detach().cpu().contiguous().numpy())
    said = {"videos": shown(videos.resolve()), "weights": digest.hexdigest(), **asdict(choices), **joint}
    note = out / "finetune.json"
    if not note.is_file() and out.is_dir() and any(_foreign(path) for path in out.iterdir()):
        raise UserError(f"{out}: holds other files: choose a new folder with --out")
    with locked_folder(out, f"a head for {videos} is being trained"):
        if not note.is_file():
            _note(note, said)
        before = _noted(note)
        if ("scale" in before) != ("scale" in said):
            what = "the settings of a joint training" if "scale" in before else "a fine-tuning without --join"
            raise UserError(f"{out}: holds {what}: choose a new folder with --out")
        if changed := [key for key, value in said.items() if before.get(key) != value]:
            raise UserError(
                f"{out}: holds a fine-tuning with another {changed[0]} ({before.get(changed[0])}): "
                "give the same again to go on with it, or a new folder with --out"
            )
        yield


def _foreign(path: Path) -> bool:
    """Whether a file is none that a fine-tuning leaves which was killed before it had noted what it is."""
    return path.name != LOCK and not path.name.startswith(".partial-")


def same_clips(out: Path, manifest: Path) -> None:
    """Raise a UserError where the model that is there, or is half trained, has seen other clips than these."""
    note, digest = out / "finetune.json", hashlib.sha256(manifest.read_bytes()).hexdigest()
    said = _noted(note)
    if said.get("clips", digest) != digest:
        if (out / "model.pt").is_file():
            raise UserError(f"{out}: its model was trained on other videos than are there now: choose a new --out")
        if any((out / "resume").glob("*.p*")):  # *.pt and *.previous
            raise UserError(
                f"{out}: its half-trained model has seen other videos than are there now: choose a new --out, "
                "or bring back the videos as they were to go on"
            )
    _note(note, {**said, "clips": digest})


def trainable(videos: Path, manifest: Manifest) -> None:
    """Raise a UserError where a class has no video to train on; it says why and what a person with a folder can do."""
    train = manifest.split("train")
    if not (absent := train.empty_classes()):
        return
    first, more = absent[0], f" (and {len(absent) - 1} more classes)" if len(absent) > 1 else ""
    lost = pd.read_csv(manifest.folder / "missing.csv", keep_default_na=False)
    lost = lost[(lost["label"] == first) & lost["publisher_split"].isin(["train", "whole"])]
    place = videos / "train" / first if divided(videos) else videos / first
    cure = f"put other videos into {place}, or take the class out of the folder"
    if not len(lost):
        raise UserError(f"{videos}: no video to train on of class {first!r}{more}: {cure}")
    reason, count = Counter(lost["reason"]).most_common(1)[0]
    detail = lost[lost["reason"] == reason]["detail"].iloc[0]
    told = f"{count} {reason}, e.g. {' '.join(detail.split())}"
    raise UserError(f"{videos}: no video to train on of class {first!r}{more} ({told}): {cure}")


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
