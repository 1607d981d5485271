"""Renamed keys of the settings: the error about a former key, and the translation of older records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["RENAMED", "advice", "current_claims", "current_recipe"]


@dataclass(frozen=True)
class Renamed:
    """The present names of a former key, and its present values."""

    keys: tuple[str, ...]  # more than one: each has an element of the former list
    values: Mapping[Any, Any] = field(default_factory=dict)  # by the former value, where that changed too


RENAMED: dict[str, dict[str, Renamed]] = {  # class of settings: former key
    "Recipe": {
        "rate": Renamed(("lr",)),
        "rate_ends": Renamed(("lr_start_factor", "lr_end_factor")),
        "sigma_rate": Renamed(("sigma_lr_factor",)),
        "accumulate": Renamed(("informative_statistics",), {"whole": "batch", "parts": "micro_batch"}),
    },
    "Mixing": {
        "switch": Renamed(("switch_probability",)),
        "partner_label": Renamed(("cross_dataset_labels",), {"kept": True, "lost": False}),
    },
    "Claims": {"answered": Renamed(("evidence_claims",))},
    "Claim": {
        "than_on": Renamed(("reference_datasets",)),
        "times": Renamed(("left_factor",)),
        "plus": Renamed(("right_offset",)),
    },
    "Dataset": {"letter": Renamed(("paper_letter",))},
    "Download": {
        "base": Renamed(("base_url",)),
        "parts_on_disk": Renamed(("max_archives",)),
        "keep": Renamed(("keep_archives",)),
    },
    "Sweep": {"schedule": Renamed(("epochs_factor",)), "world_seed": Renamed(("world_seed_offset",))},
}


def advice(settings: str, key: str) -> str:
    """`is called lr now` for a former key of a class of settings, "" for any other."""
    if (renamed := RENAMED.get(settings, {}).get(key)) is None:
        return ""
    values = "".join(f", {old} is {str(new).lower()}" for old, new in renamed.values.items())
    return f"is called {' and '.join(renamed.keys)} now{values}"


def current_recipe(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe of a record, former keys by their present names; what is no key of a recipe stays as it is."""
    found = _current("Recipe", recipe)
    if isinstance(found.get("mixing"), Mapping):
        found["mixing"] = _current("Mixing", found["mixing"])
    return found


def current_claims(claims: Mapping[str, Any]) -> dict[str, Any]:
    """claims.yaml of a packed study with its former keys by their present names."""
    current = _current("Claims", claims)
    if isinstance(current.get("claims"), Mapping):
        current["claims"] = {
            name: _current("Claim", claim) if isinstance(claim, Mapping) else claim
            for name, claim in current["claims"].items()
        }
    return current


def _current(settings: str, values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        renamed = RENAMED[settings].get(key)
        if renamed is None:
            found[key] = value
        elif len(renamed.keys) == 1:
            found[renamed.keys[0]] = renamed.values.get(value, value) if renamed.values else value
        elif isinstance(value, list | tuple) and len(value) == len(renamed.keys):
            found |= dict(zip(renamed.keys, value, strict=True))
    return found
