"""Tables, claims, figures and notebooks of an unpacked study, made one after the other as the workflow makes them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from multitrain.analysis.figures import write_figure
from multitrain.analysis.render.notebook_pages import run_notebook
from multitrain.analysis.tables.paper_tables import write_table
from multitrain.analysis.tables.table4 import write_table4
from multitrain.common.progress import progress
from multitrain.config.experiments import Experiments
from multitrain.planning.outputs import ANALYSES, FIGURES, NOTEBOOKS, REPORT, notebook_page
from multitrain.planning.outputs.arguments import Arguments
from multitrain.planning.outputs.left_out import left_out, own_tables, there

__all__ = ["render_study"]

PROBABILITIES = {"reliability"}  # analyses of probabilities, which a packed study does not have
PICTURES = ("datasets",)  # notebooks that show frames of clips, which a packed study does not have


def render_study(
    own: Arguments, notebooks: bool, asked: Experiments, file: str = "", tables_alone: bool = False
) -> None:
    """Write all that the results folder of a study holds beside its runs; the other notebooks where asked for.

    `asked` are all experiments, of which half a study has a part, `own.experiments`: claims say which runs are missing.
    `file` is the name of a study in one file, for the report. `tables_alone`: no figure and no page.
    """
    shared = own.scale, own.experiments, own.seeds, own.results, own.published
    gone = left_out(own.scale, own.experiments, own.claims)
    names = {"study_records" if name == "study" else name: each for name, each in ANALYSES.items()}
    others = {"claims": replace(own, experiments=asked)}
    steps: list[Callable[[], None]] = [
        partial(each.write, others.get(name, own))
        for name, each in names.items()
        if name not in {*gone, *PROBABILITIES} and not (tables_alone and each.category == "Figures")
    ]
    steps += [partial(write_table, name, *shared, own.measured) for name in own.experiments.tables]
    steps += [partial(write_table4, *shared)] if "table4" not in gone else []
    computed = len(steps)
    drawn = (own.results, own.scale.smoke_test, own_tables(own.experiments))
    steps += [partial(write_figure, name, *drawn) for name in there(FIGURES, "figure_", gone)]
    made = there(NOTEBOOKS, "notebook ", gone)
    pages = [REPORT, *(name for name in made if notebooks and name not in PICTURES)]
    steps += [partial(_write_notebook, name, own, file) for name in pages]
    steps = steps[:computed] if tables_alone else steps
    with progress("rendering", "file", len(steps)) as bar:
        for step in steps:
            step()
            bar.update()


def _write_notebook(name: str, own: Arguments, study: str) -> None:
    file, executed = Path("notebooks") / f"{name}.ipynb", own.results / "notebooks" / f"{name}.ipynb"
    page = own.results / notebook_page(name)
    tables = own_tables(own.experiments)
    more: dict[str, object] = {}
    if name == REPORT:
        more = {key: its for key, its in (("tables", tables), ("study", study)) if its}
    run_notebook(file, own.results, own.scale.name, executed, page, own.scale.smoke_test, more)
