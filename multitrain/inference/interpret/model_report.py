"""Report on a model file: network, training, datasets and strongest projections, for `multitrain inspect`.

The file has the network's specification and the card of its training. What only the record of the training has, such as
epochs, clips and the learned sigma, is taken from the run.json beside the model where that is of the same run.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.table import Table

from multitrain.common.files.filenames import shown
from multitrain.common.records.run_record import RunRecord, has_record, read_record
from multitrain.common.terminal_columns import columns
from multitrain.model.files.metadata import Card, assumed_card
from multitrain.model.files.model_card import describe_frames
from multitrain.model.files.model_folder import CONFIG, README, WEIGHTS
from multitrain.model.network import Network

__all__ = ["describe_model", "lines", "strongest_projections"]

TRAINING = ("seconds", "device", "processor", "precision", "processes", "commit", "versions", "init", "skipped")


def describe_model(where: str, network: Network, gflops: float, strongest: int = 10, classes: bool = False) -> dict:
    """Everything known about a model, as plain values for JSON.

    `gflops` is the cost of one forward pass of a clip, `strongest` how many projection weights are listed; with
    `classes` every class is named.
    """
    card = network.card or assumed_card(network.spec.classes)
    record = _record(Path(where), card)
    learned = record is not None and record.get("settings", {}).get("weighting") == "uncertainty"
    sigma = record.get("sigma", {}) if record is not None and learned else {}
    return {
        "model": where,
        "bytes": _bytes(Path(where)),
        "network": _network(network, gflops),
        "training": _training(card, record),
        "datasets": {
            name: _dataset(network, card, name, classes)
            | ({"sigma": sigma[name]} if name in sigma else {})
            | (_clips(record, name) if record else {})
            for name in network.spec.classes
        },
        "projections": strongest_projections(network, strongest) if network.spec.projections else None,
    }


def strongest_projections(network: Network, count: int) -> list[dict]:
    """The largest weights of all projections, the largest first: source class -> target class (Eq. 4).

    They are signed, as Table 4 ranks them: a large weight raises the target's score.
    """
    found: list[dict] = []
    for (source, target), weight in network.projections.weights().items():
        values, places = weight.detach().flatten().topk(min(count, weight.numel()))  # of (C_target, C_source)
        rows, cols = places // weight.shape[1], places % weight.shape[1]
        for value, row, column in zip(values.tolist(), rows.tolist(), cols.tolist(), strict=True):
            ends = (network.spec.classes[source][column], network.spec.classes[target][row])
            found.append(
                {"source": source, "source_class": ends[0], "target": target, "target_class": ends[1], "weight": value}
            )
    return sorted(found, key=lambda each: -each["weight"])[:count]


def _network(network: Network, gflops: float) -> dict:
    spec = network.spec
    parts = {name: _count(getattr(network, name)) for name in ("backbone", "heads", "projections", "expander")}
    return {
        "frames": spec.model.frames,
        "pixels": spec.size,
        "gflops": gflops,
        "parameters": {"all": sum(parts.values()), **parts},
        "settings": spec.model.model_dump(mode="json"),
        "expander": None if spec.expander is None else list(spec.expander),
    }


def _count(part: torch.nn.Module) -> int:
    return sum(value.numel() for value in part.parameters())


def _dataset(network: Network, card: Card, name: str, classes: bool) -> dict:
    head, own = card.datasets[name], network.spec.classes[name]
    return {
        "title": head.title,
        "classes": len(own),
        **({"names": list(own)} if classes else {}),
        "synthetic": head.synthetic,
        "sampled": describe_frames(head.frames),
        "frames": head.frames.model_dump(mode="json"),
        "assumed": card.assumed,
    }


def _clips(record: RunRecord, name: str) -> dict:
    trained = record.get("datasets", {}).get(name)
    return {} if trained is None else {"clips": trained["clips"]}


def _training(card: Card, record: RunRecord | None) -> dict | None:
    """The training that made the weights; None where it is not recorded."""
    if card.origin is None:
        return None
    known: dict[str, Any] = card.origin.model_dump()
    if record is not None:
        recipe = record.get("recipe", {})
        known |= {name: recipe[name] for name in ("epochs", "batch", "lr") if name in recipe}
        known |= {name: record[name] for name in TRAINING if name in record}  # type: ignore[literal-required]
    return known


def _record(where: Path, card: Card) -> RunRecord | None:
    """The record of the training beside the model; None where there is none, or it is of another training."""
    folder = where if where.is_dir() else where.parent
    if card.origin is None or not has_record(folder):
        return None
    record = read_record(folder)
    same = all(record.get(name) == getattr(card.origin, name) for name in ("run", "scale", "seed", "steps"))
    return record if same else None


def _bytes(where: Path) -> int | None:
    """Bytes of the model's files; None for a model on the hub."""
    if where.is_file() and where.name != WEIGHTS:
        return where.stat().st_size
    folder = where if where.is_dir() else where.parent
    names = (WEIGHTS, CONFIG, README) if (folder / CONFIG).is_file() else ("model.pt",)
    sizes = [(folder / name).stat().st_size for name in names if (folder / name).is_file()]
    return sum(sizes) if where.exists() and sizes else None


def lines(about: dict) -> Iterator[str | Table]:
    """The description as lines and tables for people."""
    network, training = about["network"], about["training"]
    size = "" if about["bytes"] is None else f", {about['bytes'] / 1e6:.2f} MB"
    yield f"{shown(about['model'])}{size}"
    yield _what(network)
    yield _input(network)
    yield from _made(training)
    yield ""
    yield _heads(about["datasets"])
    for name, its in about["datasets"].items():
        if "names" in its:
            yield f"\n{name}: {', '.join(map(shown, its['names']))}"
    yield ""
    if about["projections"] is None:
        yield "No projections between datasets."
        return
    yield "The largest projection weights (Eq. 4):"
    pairs = [
        (f"{each['source']}: {shown(each['source_class'])}", f"{each['target']}: {shown(each['target_class'])}")
        for each in about["projections"]
    ]
    weights = [f"{each['weight']:.4f}" for each in about["projections"]]
    yield columns(
        ("source class", "target class", "weight"),
        [(*pair, weight) for pair, weight in zip(pairs, weights, strict=True)],
        left=2,
    )


def _what(network: dict) -> str:
    model, counts = network["settings"], network["parameters"]
    if "backbone" in model:  # not mvit, whose layout the other keys are
        what = model["backbone"] + "".join(
            f" {key}={value}" for key, value in model.get("backbone_options", {}).items()
        )
    else:
        what = f"MViTv2: {'+'.join(map(str, model['depths']))} blocks from {model['channels']} channels"
    parts = ", ".join(f"{name} {counts[name]:,}" for name in counts if name != "all" and counts[name])
    return f"{what}, {network['gflops']:.4g} GFLOPs a clip, {counts['all']:,} parameters ({parts})"


def _input(network: dict) -> str:
    how = {"constant": "by constants", "clip": "clip by clip"}[network["settings"]["normalisation"]]
    return f"Input: {network['frames']} frames of {network['pixels']} x {network['pixels']} pixels, normalised {how}"


def _made(training: dict | None) -> Iterator[str]:
    if training is None:
        yield "How it was made is not recorded in the file."
        return
    yield (
        f"Run {training['run']} at scale {training['scale']}, seed {training['seed']}: {training['steps']:,} steps, "
        f"code {training['code']}" + (f", commit {training['commit']}" if training.get("commit") else "")
    )
    if "epochs" not in training:
        yield "Epochs, clips and sigma are in the run.json of its training, which is not beside it."
        return
    processor, init = training.get("processor") or {}, training.get("init")
    start = f"the backbone of {_init(init)}" if init else "random weights"
    where = ", ".join(filter(None, (training.get("device"), processor.get("model"), processor.get("instructions"))))
    yield (
        f"{training['epochs']:g} epochs, batch {training['batch']}, learning rate {training['lr']:g}, from {start}"
        + (f"; {training['seconds'] / 60:.1f} minutes on {where}" if "seconds" in training and where else "")
    )


def _init(init: object) -> str:
    """The run or file that the backbone is from."""
    return shown(init["file"] if isinstance(init, dict) else str(init))


def _heads(datasets: dict[str, dict]) -> Table:
    has = {name: any(name in its for its in datasets.values()) for name in ("clips", "sigma")}
    head = ["head", "dataset", "videos", "clips seen as", "test views", "classes"]
    head += [*(["training clips"] if has["clips"] else []), *(["sigma"] if has["sigma"] else [])]
    rows = []
    for name, its in datasets.items():
        views = its["frames"]["views"]
        row = [name, its["title"], "not recorded" if its["assumed"] else "rendered" if its["synthetic"] else "filmed"]
        row += [its["sampled"], f"{views['temporal']} x {views['spatial']}", str(its["classes"])]
        row += [str(its.get("clips", ""))] if has["clips"] else []
        row += [f"{its['sigma']:.3f}" if "sigma" in its else ""] if has["sigma"] else []
        rows.append(row)
    return columns(head, rows, left=5)
