"""paper-and-release.md: rows name the release's files, switches are settings, numbers are the scales'."""

import re
from pathlib import Path

from multitrain.config.config_files import load_scale
from multitrain.config.experiments import Run
from multitrain.config.recipes import Machine, Recipe
from multitrain.config.scale import Model

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reference/paper-and-release.md").read_text(encoding="utf-8")
FIELDS = {
    "recipe": {*Recipe.model_fields, "mixing.cross_dataset_labels"},
    "run": set(Run.model_fields),
    "scale": {
        "model",
        "machine",
        *(f"model.{key}" for key in Model.model_fields),
        *(f"machine.{key}" for key in Machine.model_fields),
    },
    "dataset": {"sampling.stride", "flip"},
}
FILE = re.compile(r"-|(config|datasets|models|utils|configs|tools)/[\w/+]+\.(py|yaml)|README\.md|\w+\.yaml")


def tables() -> list[list[dict[str, str]]]:
    """Those of the page that have a column of files."""
    found = []
    for block in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        head, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in block.splitlines()]
        head[0] = "what"
        if "file" in head:
            found.append([dict(zip(head, row, strict=True)) for row in rows])
    return found


VALUES = {"batch", "micro_batch", "true", "false", "separate", "none", "fixed", "model", "joint_large"}  # and no keys


def test_every_row_names_the_file_it_rests_on_and_settings_that_there_are():
    assert [len(table) > 10 for table in tables()] == [True] * 3
    for row in (row for table in tables() for row in table):
        assert all(FILE.fullmatch(name) for name in row["file"].split(", ")), row
        assert row["file"] != "-" or row["release"].startswith(("not given", "its joint")), row
        kind = None
        for word, setting in re.findall(r"\b(recipe|run|scale|dataset)\b|`([^`]+)`", row.get("switch", "")):
            kind = word or kind
            assert word or setting.partition(":")[0] in FIELDS[kind] | VALUES, row


def test_the_rates_and_divisors_it_tells_are_the_scales():
    recipes = load_scale("paper").recipes
    said = re.search(
        r"have (\d+) for\s+joint runs \(.*?\), (\d+) for the K400 baseline .*?, (\d+) for the others", PAGE, re.S
    )
    names = ("joint", "k400_baseline", "baseline")
    assert [int(number) for number in said.groups()] == [recipes[name].gradient_divisor for name in names]
    assert f"takes {recipes['joint'].lr * 1e4:.0f}e-4 at {recipes['joint'].batch} for the joint runs" in PAGE
    assert f"it takes {recipes['baseline'].lr * 1e3:.1f}e-3 at {recipes['baseline'].batch}, which their" in PAGE
