"""The committed notebooks are clean; executing one gives a notebook and a page, or nothing and one line."""

import ast
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from multitrain.analysis.render.index_page import links
from multitrain.analysis.render.notebook_pages import as_page, reproducible, run_notebook
from multitrain.common.errors import UserError
from multitrain.planning.outputs import NOTEBOOKS, OUTPUTS, REPORT
from tests.analysis.tabled import TITLES, fill

FOLDER = Path(__file__).parents[3] / "notebooks"
COMMITTED = sorted(FOLDER.glob("*.ipynb"))


def test_every_notebook_is_linked_and_made():
    assert {path.stem for path in COMMITTED} == {*NOTEBOOKS, REPORT}


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_notebooks_are_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].source.startswith("# ")
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    values = {}
    exec(compile(tagged[0].source, str(path), "exec"), values)
    assert (values["results"], values["scale"]) == ("results", "mini")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs and cell.execution_count is None


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_committed_notebooks_read_results_only(path):
    notebook = nbformat.read(path, as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    texts = [node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Constant)]
    assert not [text for text in texts if isinstance(text, str) and re.match(r"/|~|[A-Z]:\\|\.\./", text)]
    modules = {node.module for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)}
    assert {".".join(name.split(".")[:2]) for name in modules if name.startswith("multitrain")} <= {
        "multitrain.analysis"
    }
    files = {text for text in texts if isinstance(text, str) and re.fullmatch(r"[\w.]+\.(csv|parquet|jpg)", text)}
    inputs = OUTPUTS["report_page"].inputs if path.stem == REPORT else NOTEBOOKS[path.stem].inputs
    assert files <= {Path(name).name for name in inputs}
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert not re.search(r"\d\s*(%|points|percent)|\d\.\d", prose.replace("Section 4.2", "").replace("Section 4.3", ""))


def test_datasets_without_a_missing_clip_have_their_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = fill(tmp_path / "results")
    for name in TITLES:
        folder = root / "datasets" / "mini" / name
        folder.mkdir(parents=True)
        (folder / "classes.csv").write_text("class,train,val,test,seconds_mean\nrun,3,1,1,2.5\n")
        (folder / "durations.csv").write_text("split,lower,upper,clips\ntrain,2,3,3\nval,2,3,1\ntest,2,3,1\n")
        (folder / "missing.csv").write_text("reason,publisher_split,clips,examples,detail\n")
        Image.new("RGB", (8, 8)).save(folder / "contact_sheet.jpg")
    notebook = nbformat.read(FOLDER / "datasets.ipynb", as_version=4)
    names: dict = {}
    exec("\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code"), names)
    assert names["missing"].empty and list(names["missing"]) == ["Dataset", "Reason", "Split", "Clips", "Examples"]


def write(path: Path, *cells: str, parameters: bool = True) -> Path:
    tags = {"tags": ["parameters"]} if parameters else {}
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# A <b> title"),
            new_code_cell('results = "results"\nscale = "mini"', metadata=tags),
            *(new_code_cell(cell) for cell in cells),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, path)
    return path


def run(path: Path, out: Path) -> list[Path]:
    run_notebook(path, Path("my results"), "ci", out / "n.ipynb", out / "n.html")
    return sorted(out.iterdir())


def test_a_notebook_is_executed_here_with_its_parameters(tmp_path, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"  # another one of the name, that cannot start
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["false"], "display_name": "Other", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    show = (
        "import sys\nfrom multitrain.analysis.render.page_tables import picture\nfrom matplotlib.figure import Figure\n"
        "figure = Figure(figsize=(1, 1))\nfigure.subplots()\npicture(figure, 'a < b')"
    )
    path = write(tmp_path / "n.ipynb", "print(results, scale)", show, "sys.executable")
    assert [each.name for each in run(path, tmp_path / "a")] == ["n.html", "n.ipynb"]
    page = (tmp_path / "a" / "n.html").read_text()
    executed = nbformat.read(tmp_path / "a" / "n.ipynb", as_version=4)
    assert executed.cells[3].outputs[0].text == "my results ci\n"
    assert executed.cells[5].outputs[0].data["text/plain"] == repr(sys.executable)
    assert "papermill" not in executed.metadata  # nor anything else of when and how long
    assert {name for cell in executed.cells for name in cell.metadata} == {"tags"}
    assert [cell.id for cell in executed.cells] == [f"cell-{place}" for place in range(6)]
    assert 'lang="en"' in page and "<title>A &lt;b&gt; title</title>" in page
    assert 'alt="a &lt; b"' in page and page.count("<details>") == 4
    assert set(links(page)) - {"../index.html", "n.ipynb"} == {link for link in links(page) if link.startswith("data:")}
    assert "<script" not in page and not re.search(r"https?://", page)


@pytest.mark.parametrize("notice", ["", "smoke test: no <number> here means anything"])
def test_a_page_begins_with_its_notice(tmp_path, notice):
    notebook = nbformat.read(write(tmp_path / "n.ipynb", "1"), as_version=4)
    page = as_page(notebook, "n.ipynb", notice)
    said = "<strong>Smoke test: no &lt;number&gt; here means anything.</strong>"
    assert (said in page) == bool(notice) and page.count('class="note"') == bool(notice)
    assert not notice or page.index(said) < page.index("<h1")


def test_where_a_table_lay_in_memory_is_not_kept():
    shown = [{"text/plain": "<Styler at 0x7ff4efabaf50>", "text/html": "<table>"}, {"text/plain": "meet me at 0x7f"}]
    outputs = [new_output("display_data", data=data) for data in shown]
    notebook = reproducible(new_notebook(cells=[new_code_cell("", outputs=outputs)]))
    assert [each.data["text/plain"] for each in notebook.cells[0].outputs] == ["<Styler>", "meet me at 0x7f"]


@pytest.mark.slow
def test_executed_again_it_is_the_same_bytes(tmp_path):
    path = write(tmp_path / "n.ipynb", "print(results, scale)", "1 / 3")
    for name in "ab":
        run(path, tmp_path / name)
    for name in ("n.html", "n.ipynb"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1 +"], r"cell \[3\], `1 \+`: SyntaxError: invalid syntax"),
        (
            ["1", "from multitrain.common.errors import UserError\nraise UserError('a.csv: not there')"],
            "a.csv: not there",
        ),
        (["import os\nos._exit(1)"], "could not be executed: "),
    ],
)
def test_a_failing_cell_leaves_nothing_and_one_line(tmp_path, cells, message):
    out = tmp_path / "out"
    out.mkdir()
    (out / "n.ipynb").write_text("before")
    with pytest.raises(UserError, match=message) as caught:
        run(write(tmp_path / "bad.ipynb", *cells), out)
    assert "bad.ipynb" in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in out.iterdir()] == ["n.ipynb"] and (out / "n.ipynb").read_text() == "before"


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such notebook; in that folder there are: other"), ("{", "not a readable notebook"), ("{}", "readable")],
)
def test_a_notebook_that_is_none_is_told(tmp_path, content, message):
    write(tmp_path / "other.ipynb")
    if content is not None:
        (tmp_path / "n.ipynb").write_text(content)
    with pytest.raises(UserError, match=message):
        run(tmp_path / "n.ipynb", tmp_path / "out")


def test_a_notebook_without_parameters_is_refused(tmp_path):
    with pytest.raises(UserError, match="no cell is tagged `parameters`"):
        run(write(tmp_path / "n.ipynb", "1", parameters=False), tmp_path / "out")
