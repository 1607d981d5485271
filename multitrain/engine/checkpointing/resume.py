"""Checks of a resume point against the training that resumes from it, before any of it is loaded."""

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from multitrain.engine.checkpointing.checkpoint import CHECKSUM
from multitrain.engine.training_state import Training
from multitrain.model.files.storage import finite

__all__ = ["check_state"]

MOMENTS = {torch.optim.AdamW: ("exp_avg", "exp_avg_sq"), torch.optim.SGD: ("momentum_buffer",)}  # by weight
SQUARES = "exp_avg_sq"  # a mean of squares: never below 0


def check_state(state: dict, training: Training) -> None:
    """Every key, type, range, shape and number of a resume point.

    Raises:
        ValueError: the first error, as a text that follows the file's name.
    """
    expected = training.state()
    _keys("", state, {*expected, "format"}, {CHECKSUM})
    if not isinstance(state["fingerprint"], str):
        raise ValueError("fingerprint is no text")
    if state["fingerprint"] != training.fingerprint:
        raise ValueError("made with other settings, clips or initial weights")
    _counts(state, training)
    for part in ("network", "objective", *(["ema"] if training.ema else [])):
        _keys(part, state[part], set(expected[part]))
        for name, like in expected[part].items():
            _tensor(f"{part}: {name}", state[part][name], like)
    if training.validation:
        _val(state["val"], expected["network"])
    _optimiser(state, training)
    _scaler(state["scaler"], expected["scaler"])


def _val(value: dict, network: Mapping[str, Tensor]) -> None:
    """Check the scores on val so far, and the best weights; there are none before the first scoring."""
    _keys("val", value, {"lines", "best"})
    if not isinstance(value["lines"], list):
        raise ValueError(f"val: lines is {_short(value['lines'])}, no list")
    for line in value["lines"]:
        _keys("val: line", line, {"step", "epoch", "top1"})
    _keys("val: best", value["best"], set(network) if value["lines"] else set())
    for name, weight in value["best"].items():
        _tensor(f"val: best: {name}", weight, network[name])


def _counts(state: dict, training: Training) -> None:
    """Check the code hashes, the counts of steps and the seconds."""
    codes, seconds = state["codes"], state["seconds"]
    if not isinstance(codes, list) or not codes or not all(isinstance(code, str) and code for code in codes):
        raise ValueError("codes is no list of code hashes")
    _whole("done", state["done"], training.steps)
    _whole("skipped", state["skipped"], state["done"] if training.scaler.is_enabled() else 0)
    if not _number(seconds) or seconds < 0:
        raise ValueError(f"seconds is {_short(seconds)}, no number from 0")


def _optimiser(state: dict, training: Training) -> None:
    """Check the moments of every trained weight; there are none before the first update."""
    optimiser, value, updates = training.optimiser, state["optimiser"], state["done"] - state["skipped"]
    _keys("optimiser", value, {"state", "param_groups"})
    groups = value["param_groups"]
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise ValueError("optimiser: param_groups is no list of groups")
    if [group.get("params") for group in groups] != [g["params"] for g in optimiser.state_dict()["param_groups"]]:
        raise ValueError("optimiser: its groups are of other weights")
    keys = MOMENTS[type(optimiser)] if optimiser.defaults.get("momentum", 1) else ()
    weights = [weight for group in optimiser.param_groups for weight in group["params"]]
    if not isinstance(value["state"], dict):
        raise ValueError("optimiser: state is no dict")
    if not keys or updates == 0:
        weights = []
    _keys("optimiser: state", value["state"], set(range(len(weights))))
    stepped = {"step"} if isinstance(optimiser, torch.optim.AdamW) else set()
    for index, weight in enumerate(weights):
        moments, where = value["state"][index], f"optimiser: state {index}"
        _keys(where, moments, {*keys, *stepped})
        for key in keys:
            _tensor(f"{where}: {key}", moments[key], weight)
            if key == SQUARES and moments[key].numel() and moments[key].min() < 0:
                raise ValueError(f"{where}: {key} is below 0")
        for key in stepped:
            _tensor(f"{where}: {key}", moments[key], torch.tensor(0.0))
            if moments[key] != updates:
                raise ValueError(f"{where}: step is {moments[key].item():g}, where {updates} were done")


def _scaler(value: dict, expected: dict) -> None:
    """Check the loss scale of half precision, and its constants."""
    _keys("scaler", value, set(expected))
    for key, like in expected.items():
        if key == "scale":
            if not _number(value[key]) or value[key] <= 0:
                raise ValueError(f"scaler: {key} is {_short(value[key])}, no number above 0")
        elif key == "_growth_tracker":
            _whole(f"scaler: {key}", value[key], expected["growth_interval"])
        elif type(value[key]) is not type(like) or value[key] != like:
            raise ValueError(f"scaler: {key} is {_short(value[key])} and not {like}")


def _keys(where: str, value: object, wanted: set, optional: Collection[str] = ()) -> None:
    """Raise a ValueError unless a value is a dict of these keys."""
    what = f"{where}: " if where else ""
    if not isinstance(value, Mapping):
        raise ValueError(f"{where} is {_short(value)}, no dict")
    if missing := [key for key in wanted if key not in value]:
        raise ValueError(f"{what}{min(map(str, missing))} is missing")
    if unknown := [key for key in value if key not in wanted and key not in optional]:
        raise ValueError(f"{what}{min(map(str, unknown))} is unknown")


def _whole(name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{name} is {_short(value)}, no whole number from 0 to {most}")


def _number(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _tensor(name: str, value: object, like: Tensor) -> None:
    """Raise a ValueError unless a value is a finite tensor of the layout, type and shape of another."""
    if not isinstance(value, Tensor):
        raise ValueError(f"{name} is {_short(value)}, no tensor")
    if (value.layout, value.dtype, value.shape) != (like.layout, like.dtype, like.shape):
        raise ValueError(f"{name} is {_kind(value)} and not {_kind(like)}")
    if like.is_floating_point() and not finite(value):
        raise ValueError(f"{name} holds numbers that are not finite")


def _kind(value: Tensor) -> str:
    layout = "" if value.layout is torch.strided else f"{str(value.layout).removeprefix('torch.')} "
    return f"{layout}{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"


def _short(value: object) -> str:
    if isinstance(value, str | int | float | None):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:40]}..."
    return f"a {type(value).__name__}"
