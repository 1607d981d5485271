"""Executed notebooks and their self-contained HTML pages."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbconvert.exporters import HTMLExporter
from papermill.exceptions import PapermillException, PapermillExecutionError

from multitrain.analysis.accuracy.metrics import SMOKE_TEST
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic

__all__ = ["run_notebook"]

TEMPLATES = Path(__file__).parent / "templates"
LONGEST = 400  # characters of a failing cell's error
TIMEOUT = 600  # seconds for a kernel to start and for a cell's output to arrive; the defaults are 60 and 4
ADDRESS = re.compile(r" at 0x[0-9a-f]+>")  # in the text of what is shown as HTML
KEPT = {"tags"}  # of a cell's metadata: the rest is when and how long


class ThisPython(AsyncKernelManager):
    """A Jupyter kernel of the running Python, independent of installed kernels."""

    @property
    def kernel_spec(self) -> KernelSpec:
        quiet = "--IPKernelApp.log_level=50"  # what a cell raises comes back all the same
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", quiet]
        return KernelSpec(argv=command, display_name="Python 3", language="python")


def run_notebook(
    path: Path,
    results: Path,
    scale: str,
    out_ipynb: Path,
    out_html: Path,
    smoke_test: bool = False,
    more: Mapping[str, object] | None = None,
) -> None:
    """Execute a notebook on `results` and write the executed copy and a page of it; neither if a cell fails.

    A page beside the copy leads to it and to the index; one elsewhere stands for itself, and can be sent.
    `smoke_test`: the page begins with a line that says that no number of it means anything. `more`: other parameters.
    """
    notebook = execute(path, {"results": str(results), "scale": scale, **(more or {})})
    beside = out_ipynb.parent == out_html.parent
    page = as_page(notebook, out_ipynb.name if beside else "", SMOKE_TEST if smoke_test else "")
    with atomic(out_ipynb) as temporary:
        nbformat.write(notebook, temporary)
    with atomic(out_html) as temporary:
        temporary.write_text(page, encoding="utf-8")


def execute(path: Path, parameters: dict[str, object]) -> nbformat.NotebookNode:
    """The notebook with its outputs, the same for the same results; a failing cell is a UserError."""
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.ipynb"))) or "none"
        raise UserError(f"{path}: no such notebook; in that folder there are: {known}")
    try:
        source = nbformat.read(path, as_version=4)
    except (ValueError, KeyError, AttributeError, nbformat.ValidationError) as error:
        raise UserError(f"{path}: not a readable notebook ({_short(error)}): restore the committed file") from None
    if not any("parameters" in cell.metadata.get("tags", []) for cell in source.cells):
        raise UserError(f"{path}: no cell is tagged `parameters`: restore the committed file")
    try:
        notebook = papermill.execute_notebook(
            source,
            None,  # papermill writes failed notebooks too
            parameters,
            kernel_name="python3",
            kernel_manager_class=ThisPython,
            start_timeout=TIMEOUT,
            iopub_timeout=TIMEOUT,
            raise_on_iopub_timeout=True,
            progress_bar={"desc": path.stem, "file": sys.stderr, "mininterval": 0.5 if sys.stderr.isatty() else 15},
        )
    except PapermillExecutionError as error:
        first = error.source.strip().splitlines()[0] if error.source.strip() else ""
        what = error.evalue if error.ename == "UserError" else f"{error.ename}: {error.evalue}"
        raise UserError(f"{path}: cell [{error.exec_count}], `{first}`: {_short(what)}") from None
    except (PapermillException, RuntimeError, TimeoutError) as error:  # a kernel that died is a RuntimeError
        raise UserError(f"{path}: could not be executed: {_short(error)}") from None
    return reproducible(notebook)


def as_page(notebook: nbformat.NotebookNode, file: str, notice: str = "") -> str:
    """The notebook as one HTML page, a notice first, code folded.

    `file` is the executed notebook that it links to; without one it links to nothing and has no code.
    """
    heading = re.search(r"^# (.+)$", "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown"), re.M)
    titled = nbformat.from_dict(
        {**notebook, "metadata": {**notebook.metadata, "title": heading[1] if heading else file or "Report"}}
    )
    exporter = HTMLExporter(template_name="notebook", extra_template_basedirs=[str(TEMPLATES)])
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    page, _ = exporter.from_notebook_node(titled, {"page_css": css, "notebook_file": file, "notice": notice})
    return page


def reproducible(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without times, random ids and memory addresses, for reproducible bytes."""
    notebook.metadata.pop("papermill", None)
    for place, cell in enumerate(notebook.cells):
        cell.metadata = nbformat.from_dict({key: value for key, value in cell.metadata.items() if key in KEPT})
        cell.id = f"cell-{place}"  # that of the injected parameters is drawn at random
        for shown in cell.get("outputs", ()):
            if "text/plain" in shown.get("data", {}):
                shown.data["text/plain"] = ADDRESS.sub(">", shown.data["text/plain"])
    return notebook


def _short(error: object) -> str:
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", str(error)).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
