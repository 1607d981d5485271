"""The lists of packages agree: pyproject.toml, environment.yml, requirements.lock and the Snakefile."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"torch": "pytorch", "huggingface-hub": "huggingface_hub"}  # the others are called the same


@pytest.fixture(scope="module")
def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def needed(project: dict) -> dict[str, Requirement]:
    listed = [Requirement(line) for line in project["dependencies"] + project["optional-dependencies"]["dev"]]
    return {canonicalize_name(requirement.name): requirement for requirement in listed}


@pytest.fixture(scope="module")
def lock() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {canonicalize_name(pin.name): pin for pin in pins}


def test_conda_environment_has_the_same_packages_and_bounds(project: dict, needed: dict[str, Requirement]):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = {re.match(r"[\w-]+", line)[0]: line for line in environment["dependencies"]}
    expected = {
        CONDA_NAMES.get(name, name): f"{CONDA_NAMES.get(name, name)}{its.specifier}" for name, its in needed.items()
    }
    assert conda == {"python": f"python{project['requires-python']}", "pip": "pip", **expected}
    assert environment["channels"][-1] == "nodefaults"


def test_every_package_is_locked_within_its_bounds(needed: dict[str, Requirement], lock: dict[str, Requirement]):
    for name, requirement in needed.items():
        (pin,) = lock[name].specifier
        assert requirement.specifier.contains(pin.version), f"{lock[name]} is outside {requirement}"


def test_the_lock_holds_names_and_versions_and_nothing_else(lock: dict[str, Requirement]):
    for pin in lock.values():
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin
        assert pin.url is None
        assert str(pin.marker or 'sys_platform == "linux"') == 'sys_platform == "linux"'


def test_the_lock_is_complete(lock: dict[str, Requirement]):
    """What each locked and installed package needs here is locked too."""
    missing = set()
    for name in lock:
        try:
            wanted = requires(name) or []
        except PackageNotFoundError:  # another system's
            continue
        needs = [Requirement(line) for line in wanted]
        here = [its for its in needs if its.marker is None or its.marker.evaluate({"extra": ""})]
        missing |= {f"{name} needs {its}" for its in here if canonicalize_name(its.name) not in lock}
    assert not missing


def test_the_build_needs_nothing_that_is_not_locked(lock: dict[str, Requirement]):
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in map(Requirement, build):
        (pin,) = lock[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version)


def test_the_workflow_asks_for_the_snakemake_that_is_installed(needed: dict[str, Requirement]):
    minimum = re.search(r'min_version\("([0-9.]+)"\)', (ROOT / "Snakefile").read_text())[1]
    (bound,) = needed["snakemake"].specifier
    assert Version(bound.version) == Version(minimum)
