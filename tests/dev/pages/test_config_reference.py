"""config/README.md is what the settings' classes say."""

import re

import yaml

from dev.pages import config_reference as reference

PAGE = reference.OUT.read_text(encoding="utf-8")


def test_the_page_is_in_step_with_the_settings():
    assert reference.page() == PAGE, "run `make config-reference` and commit config/README.md"


def test_every_key_has_a_meaning():
    rows = re.findall(r"^\| (\w+) \| .* \| (.*) \|$", reference.page(), re.M)
    assert len(rows) > 150
    assert [key for key, meaning in rows if not meaning] == []


def test_every_key_of_the_shipped_files_is_on_the_page():
    """Keys of mappings by name are names of the user's, whose values have keys of a class again."""
    listed = set(re.findall(r"^\| (\w+) \|", PAGE, re.M))
    files = list(reference.OUT.parent.rglob("*.yaml"))
    assert len(files) >= 9
    for path in files:
        top = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(top) <= listed, path
        for recipe in top.get("recipes", {}).values():
            assert set(recipe) <= listed, path
