"""workflow/schemas holds what multitrain/config.py says."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from multitrain.schemas import FILES, schema

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", FILES)
def test_schema_is_in_step_with_the_settings(name: str):
    message = "run `python -m multitrain.schemas workflow/schemas`"
    assert (ROOT / "workflow" / "schemas" / name).read_text() == schema(FILES[name]), message


def test_no_schema_is_left_over():
    assert {path.name for path in (ROOT / "workflow" / "schemas").glob("*.json")} == set(FILES)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("config.schema.json", "config.yaml"),
        ("experiments.schema.json", "experiments.yaml"),
        ("claims.schema.json", "claims.yaml"),
        *(("scale.schema.json", f"scales/{name}.yaml") for name in ("ci", "desk", "lab", "mini", "paper")),
    ],
)
def test_shipped_configurations_fit_and_unknown_keys_do_not(name: str, path: str):
    content = yaml.safe_load((ROOT / "config" / path).read_text())
    validator = jsonschema.Draft202012Validator(yaml.safe_load(schema(FILES[name])))
    assert validator.is_valid(content)
    assert not validator.is_valid({**content, "scle": "mini"})
