"""Figures of the results, each drawn from the tables in the results folder alone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from multitrain.analysis.figures import (
    accuracy,
    cost,
    per_class,
    projection_graph,
    projections,
    recovery,
    spectrum,
    style,
    training,
)
from multitrain.errors import UserError
from multitrain.files import atomic


@dataclass(frozen=True)
class Drawing:
    """How a figure is drawn, and the files of the results folder that it needs."""

    draw: Callable[[Path], Figure]
    inputs: tuple[str, ...]


FIGURES: dict[str, Drawing] = {
    "training": Drawing(training.draw, training.INPUTS),
    "accuracy": Drawing(accuracy.draw, accuracy.INPUTS),
    "accuracy_k700": Drawing(accuracy.draw_k700, accuracy.INPUTS_K700),
    "per_class": Drawing(per_class.draw, per_class.INPUTS),
    "per_class_k700": Drawing(per_class.draw_k700, per_class.INPUTS),
    "projections": Drawing(projections.draw, projections.INPUTS),
    "projection_graph": Drawing(projection_graph.draw, projection_graph.INPUTS),
    "recovery": Drawing(recovery.draw, recovery.INPUTS),
    "spectrum": Drawing(spectrum.draw, spectrum.INPUTS),
    "cost": Drawing(cost.draw, cost.INPUTS),
}


def write_figure(name: str, results: Path) -> None:
    """Draw <results>/figures/<name>.png; the same inputs give the same bytes."""
    if name not in FIGURES:
        raise UserError(f"no figure {name!r}; there are {', '.join(FIGURES)}")
    figure = FIGURES[name].draw(Path(results))
    with atomic(Path(results) / "figures" / f"{name}.png") as temporary, rc_context(style.RC):
        figure.savefig(temporary, dpi=style.DPI, metadata={"Software": None})
