"""Figures, drawn from the tables of the results folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure

from multitrain.analysis.accuracy.metrics import SMOKE_TEST
from multitrain.analysis.figures import figure_style
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.planning import outputs


@dataclass(frozen=True)
class Drawing:
    """A figure; its module is imported when it is drawn, so figures do not depend on each other's code."""

    output: outputs.Output

    def draw(self, results: Path, tables: Sequence[str] = ()) -> Figure:
        """The figure from the files `output.inputs` of `results`, or from `tables` if it takes any tables."""
        function = self.output.load()
        return function(results, tables) if tables and self.output.any_tables else function(results)

    def parts(self, results: Path) -> Sequence[Figure]:
        """The figure split into figures that each fit on a page, if its module has `parts`."""
        module = import_module(self.output.module)
        return module.parts(results) if hasattr(module, "parts") else (self.draw(results),)


FIGURES: dict[str, Drawing] = {name: Drawing(output) for name, output in outputs.FIGURES.items()}


def write_figure(name: str, results: Path, smoke_test: bool = False, tables: Sequence[str] = ()) -> None:
    """Draw <results>/figures/<name>.png; the same inputs give the same bytes.

    `tables`: those that a figure of any tables is drawn from. `smoke_test`: a line above the figure says that no number
    of it means anything.
    """
    if name not in FIGURES:
        raise UserError(f"no figure {name!r}; there are {', '.join(FIGURES)}")
    save_figure(
        FIGURES[name].draw(Path(results), [f"{each}.csv" for each in tables]),
        Path(results) / "figures" / f"{name}.png",
        smoke_test,
    )


def save_figure(figure: Figure, path: Path, smoke_test: bool) -> None:
    """Write a figure as PNG, in one look."""
    with atomic(path) as temporary, rc_context(figure_style.RC):
        figure_style.save(figure, temporary, SMOKE_TEST if smoke_test else "")
