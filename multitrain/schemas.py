"""JSON schemas of the configuration files, written from the settings themselves.

    python -m multitrain.schemas workflow/schemas

They are for editors and readers: every key with its type, default and meaning. What checks a configuration are
the settings' classes; a test keeps the files equal to it.
"""

import json
import sys
from pathlib import Path

from multitrain.claims import Claims
from multitrain.config import Project, Scale
from multitrain.experiments import Experiments
from multitrain.files import atomic
from multitrain.settings import Settings

FILES: dict[str, type[Settings]] = {
    "config.schema.json": Project,
    "experiments.schema.json": Experiments,
    "claims.schema.json": Claims,
    "scale.schema.json": Scale,
}


def schema(settings: type[Settings]) -> str:
    """The JSON schema of one kind of settings, as the text of its file."""
    content = {"$schema": "https://json-schema.org/draft/2020-12/schema", **settings.model_json_schema()}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def write_schemas(folder: Path) -> None:
    """Write every schema into `folder`."""
    for name, settings in FILES.items():
        with atomic(folder / name) as temporary:
            temporary.write_text(schema(settings), encoding="utf-8")


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
