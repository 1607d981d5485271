"""Options of a fine-tuning, their checks, and the record in the output folder that keeps two fine-tunings apart."""

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
from multitrain.common.files.filenames import shown
from multitrain.common.files.json_files import write_json
from multitrain.common.files.locks import NAME as LOCK
from multitrain.common.files.locks import locked_folder
from multitrain.config.base import Name
from multitrain.data.manifest import Manifest
from multitrain.datasets.formats.class_folders import LAYOUT, has_splits
from multitrain.model.network import Network

__all__ = ["FinetuneOptions", "check_options", "require_same_videos", "require_training_videos", "reserve_output"]

EPOCHS, LRS = (0.01, 10_000.0), (1e-9, 10.0)  # allowed ranges


@dataclass(frozen=True)
class FinetuneOptions:
    """Options of a fine-tuning; with the checkpoint and the videos they decide its result."""

    name: str = "own"  # of the new head
    like: str | None = None  # head whose sampling, frames a second and views the new one has; None: the first
    freeze: bool = False  # train the new head alone, on features
    keep: bool = False  # leave the other heads in the model; frozen, they always stay
    flip: bool = True
    epochs: float | None = None
    lr: float | None = None
    seed: int = 0


def check_options(out: Path, videos: Path, network: Network, options: FinetuneOptions) -> None:
    """Raise a UserError for invalid names, numbers and folders."""
    for option, value, (low, high) in (("--epochs", options.epochs, EPOCHS), ("--lr", options.lr, LRS)):
        if value is not None and not low <= value <= high:  # also for NaN
            raise UserError(f"{option} {value:g}: give a number from {low:g} to {high:g}")
    try:
        TypeAdapter(Name).validate_python(options.name)
    except ValidationError:
        raise UserError(f"--name {options.name}: give small letters, digits and _, a letter first") from None
    if options.name in network.spec.classes and (options.freeze or options.keep):
        raise UserError(f"--name {options.name}: the model has such a head already: choose another name")
    if not videos.is_dir():
        raise UserError(f"{videos}: no such folder: {LAYOUT}")
    if out.resolve().is_relative_to(videos.resolve()):
        raise UserError(f"{out}: lies in the folder of videos: choose another --out")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file: choose a new folder with --out")


@contextmanager
def reserve_output(
    out: Path, videos: Path, network: Network, options: FinetuneOptions, **joint: object
) -> Iterator[None]:
    """Lock `out` and record there the fine-tuning that it holds; another one is an error.

    `joint` has the further settings of a joint training.

    Raises:
        UserError: the folder holds something else, or another process has locked it.
    """
    digest = hashlib.sha256(network.spec.model_dump_json().encode())
    for weight in network.state_dict().values():
        digest.update(weight.detach().cpu().contiguous().numpy())
    settings = {"videos": shown(videos.resolve()), "weights": digest.hexdigest(), **asdict(options), **joint}
    record = out / "finetune.json"
    if not record.is_file() and out.is_dir() and any(_is_foreign(path) for path in out.iterdir()):
        raise UserError(f"{out}: holds other files: choose a new folder with --out")
    with locked_folder(out, f"a head for {videos} is being trained"):
        if not record.is_file():
            _write_record(record, settings)
        before = _read_record(record)
        if ("scale" in before) != ("scale" in settings):
            what = "the settings of a joint training" if "scale" in before else "a fine-tuning without --join"
            raise UserError(f"{out}: holds {what}: choose a new folder with --out")
        if changed := [key for key, value in settings.items() if before.get(key) != value]:
            raise UserError(
                f"{out}: holds a fine-tuning with another {changed[0]} ({before.get(changed[0])}): "
                "give the same again to go on with it, or a new folder with --out"
            )
        yield


def _is_foreign(path: Path) -> bool:
    """Whether a file is not left by a fine-tuning that was killed before it wrote its record."""
    return path.name != LOCK and not path.name.startswith(".partial-")


def require_same_videos(out: Path, manifest: Path) -> None:
    """Raise a UserError where the model in `out`, trained or half trained, has seen other clips than these."""
    record, digest = out / "finetune.json", hashlib.sha256(manifest.read_bytes()).hexdigest()
    settings = _read_record(record)
    if settings.get("clips", digest) != digest:
        if (out / "model.pt").is_file():
            raise UserError(f"{out}: its model was trained on other videos than are there now: choose a new --out")
        if any((out / "resume").glob("*.p*")):  # *.pt and *.previous
            raise UserError(
                f"{out}: its half-trained model has seen other videos than are there now: choose a new --out, "
                "or bring back the videos as they were to go on"
            )
    _write_record(record, {**settings, "clips": digest})


def require_training_videos(videos: Path, manifest: Manifest) -> None:
    """Raise a UserError with reason and cure where a class has no video to train on."""
    train = manifest.split("train")
    if not (absent := train.empty_classes()):
        return
    first, more = absent[0], f" (and {len(absent) - 1} more classes)" if len(absent) > 1 else ""
    missing = pd.read_csv(manifest.folder / "missing.csv", keep_default_na=False)
    missing = missing[(missing["label"] == first) & missing["publisher_split"].isin(["train", "whole"])]
    place = videos / "train" / first if has_splits(videos) else videos / first
    cure = f"put other videos into {place}, or take the class out of the folder"
    if not len(missing):
        raise UserError(f"{videos}: no video to train on of class {first!r}{more}: {cure}")
    reason, count = Counter(missing["reason"]).most_common(1)[0]
    detail = missing[missing["reason"] == reason]["detail"].iloc[0]
    example = f"{count} {reason}, e.g. {' '.join(detail.split())}"
    raise UserError(f"{videos}: no video to train on of class {first!r}{more} ({example}): {cure}")


def _read_record(record: Path) -> dict:
    try:
        return dict(json.loads(record.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        raise UserError(f"{record}: damaged: choose a new folder with --out") from None


def _write_record(record: Path, settings: dict) -> None:
    try:
        write_json(record, settings, ascii=False)
    except OSError as error:
        raise UserError(f"{record.parent}: cannot be written ({error.strerror}): choose another --out") from None
