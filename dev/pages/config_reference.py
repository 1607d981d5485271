"""config/README.md: every key of the configuration with type, default and meaning, from the settings' classes.

python -m dev.pages.config_reference
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from multitrain.config.base import Settings
from multitrain.config.bias import Bias
from multitrain.config.claims import Claims
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Project, Scale
from multitrain.config.study_file import StudyFile
from multitrain.planning.sweep_points import Sweep

OUT = Path(__file__).parents[2] / "config" / "README.md"
FILES: dict[str, tuple[type[Settings], ...]] = {  # and what their classes name beside their own keys
    "config.yaml": (Project,),
    "scales/*.yaml": (Scale, Bias),
    "experiments.yaml": (Experiments,),
    "claims.yaml": (Claims,),
    "sweep.yaml": (Sweep,),
    "a study in one file": (StudyFile,),
}
HEAD = """# Configuration

Every key of the files in this folder, from the settings' classes: `make config-reference` writes this page. An
unknown key is an error that names it. Any key of config.yaml can be set on the command line:
`snakemake --config scale=ci 'seeds=[0,1]'`.
"""
NAME = "^[a-z][a-z0-9_]*$"
Schema = dict[str, Any]


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for file, classes in FILES.items():
        parts.append(f"## {file}\n")
        seen: set[str] = set()
        for settings in classes:
            schema = settings.model_json_schema()
            parts += _sections(settings.__name__, schema, schema.get("$defs", {}), seen)
    return "\n".join(parts)


def _sections(name: str, schema: Schema, classes: Schema, seen: set[str]) -> Iterator[str]:
    """The table of a class, then those of the classes that its keys name, each once."""
    seen.add(name)
    lines = [f"### {name}\n", f"{schema['description']}\n"]
    lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
    for key, field in schema["properties"].items():
        default = "required" if key in schema.get("required", ()) else _default(field["default"])
        lines.append(f"| {key} | {_type(field)} | {default} | {_meaning(field, classes)} |")
    yield "\n".join(lines) + "\n"
    for other in _named(schema["properties"]):
        if other not in seen:
            yield from _sections(other, classes[other], classes, seen)


def _named(schema: object) -> Iterator[str]:
    """The classes that a schema refers to, in order."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _named(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _named(value)


def _type(field: Schema) -> str:
    """A key's type in words: `integer, 1 or more`, `list of names`."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    if "prefixItems" in field:
        return f"list of {len(field['prefixItems'])}: {_type(field['prefixItems'][0])}"
    if field.get("type") == "array":
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object":
        values = [*field.get("patternProperties", {}).values(), field.get("additionalProperties", True)][0]
        return f"for each name {_type(values)}" if isinstance(values, dict) else "a mapping"
    if field.get("type") == "string":
        return "name" if field.get("pattern") == NAME else "text"
    return _number(field)


def _number(field: Schema) -> str:
    kind = {"boolean": "true or false", "null": "null"}.get(field.get("type", "value"), field.get("type", "value"))
    words = {
        "minimum": "{} or more",
        "exclusiveMinimum": "above {}",
        "maximum": "{} or less",
        "exclusiveMaximum": "below {}",
    }
    bounds = [words[bound].format(f"{field[bound]:g}") for bound in words if bound in field]
    return ", ".join([kind, *bounds])


def _default(value: object) -> str:
    """A default as YAML writes it; of a class whose keys have their own, nothing."""
    if isinstance(value, dict) and value:
        return "its keys' own"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _meaning(field: Schema, classes: Schema) -> str:
    """A key's description, or the first line of its class's."""
    described = [field, *(classes[name] for name in _named(field))]
    text = next((each["description"] for each in described if "description" in each), "")
    return " ".join(text.partition("\n\n")[0].split()).replace("|", "\\|")


if __name__ == "__main__":
    OUT.write_text(page(), encoding="utf-8")
