"""Captions of the report, rendered as Snakemake renders them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from docutils.core import publish_parts
from jinja2 import Environment, StrictUndefined

from multitrain.planning.outputs import OUTPUTS

FOLDER = Path(__file__).parents[2] / "workflow" / "report"


def rendered(path: Path, rule: str = "", **wildcards: str) -> str:
    """The caption as reStructuredText; what it asks for and is not there is an error."""
    environment = Environment(trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)  # as snakemake.report
    captions = {name: each.description for name, each in OUTPUTS.items()}
    known = SimpleNamespace(wildcards=SimpleNamespace(**wildcards), rule=rule, config={"captions": captions})
    return environment.from_string(path.read_text(encoding="utf-8")).render(snakemake=known, categories={}, files={})


@pytest.mark.parametrize(
    ("table", "begins"),
    [
        ("table1", "Table 1: the set with K400. The paper's rows"),
        ("table2", "Table 2: the set with K700 in the place of K400. The paper's rows"),
        ("table3", "Table 3: what is left of the method's accuracy when one of its parts is taken away"),
        ("mine", "mine: a table of config/experiments.yaml that is none of the paper's. The paper's rows"),
    ],
)
def test_a_table_is_captioned_by_its_own_name(table: str, begins: str):
    text = " ".join(rendered(FOLDER / "table.rst", table=table).split())
    assert text.startswith(begins)
    assert table == "mine" or text.split("Table 3 has the controls")[0].count("Table ") == 1


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.rst")), ids=lambda path: path.stem)
def test_every_caption_is_valid(path: Path):
    publish_parts(rendered(path, "table4", table="table3"), writer="html", settings_overrides={"halt_level": 2})


@pytest.mark.parametrize("rule", [name for name, each in OUTPUTS.items() if each.category and name != "table"])
def test_every_output_of_the_report_has_a_caption(rule: str):
    text = rendered(FOLDER / "output.rst", rule)
    assert text.strip() == OUTPUTS[rule].description and OUTPUTS[rule].caption.endswith((".", "?"))
    publish_parts(text, writer="html", settings_overrides={"halt_level": 2})
