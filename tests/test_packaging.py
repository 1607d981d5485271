"""The lists of packages agree: pyproject.toml, environment.yml, requirements.lock and the Snakefile."""

import os
import re
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from workflow.scripts.check_python import complaint

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
def locked() -> list[tuple[Requirement, list[str]]]:
    """Every requirement of the lock with its hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    lines = [line.split() for line in text.replace("\\\n", " ").splitlines()]
    return [
        (
            Requirement(" ".join(word for word in words if not word.startswith("--"))),
            [word for word in words if word.startswith("--")],
        )
        for words in lines
    ]


def pins(locked: list[tuple[Requirement, list[str]]], environment: dict[str, str]) -> dict[str, Requirement]:
    """What the lock installs there, by name."""
    found = [its for its, _ in locked if its.marker is None or its.marker.evaluate(environment)]
    by_name = {canonicalize_name(pin.name): pin for pin in found}
    assert len(by_name) == len(found), "two versions of one package"
    return by_name


@pytest.fixture(scope="module")
def lock(locked) -> dict[str, Requirement]:
    """What is installed here."""
    return pins(locked, {"extra": ""})


SYSTEMS = {
    "Linux x86-64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "Linux arm64": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "aarch64"},
    "macOS": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}
PYTHONS = ("3.11.2", "3.11.13", "3.12.1", "3.13.0", "3.13.9")


def test_conda_environment_has_the_same_packages_and_bounds(project: dict, needed: dict[str, Requirement]):
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = {re.match(r"[\w-]+", line)[0]: line for line in environment["dependencies"]}
    names = {CONDA_NAMES.get(name, name): its.specifier for name, its in needed.items()}
    names["python"] = SpecifierSet(project["requires-python"])
    expected = {name: f"{name}{bounds}" for name, bounds in names.items()}
    assert conda == {"pip": "pip", **expected}
    assert environment["channels"][-1] == "nodefaults"


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_every_package_is_locked_within_its_bounds(project, needed, locked, system: str, python: str):
    assert SpecifierSet(project["requires-python"]).contains(python)
    version = {"python_full_version": python, "python_version": python.rpartition(".")[0], "extra": ""}
    there = pins(locked, {**SYSTEMS[system], **version, "implementation_name": "cpython", "os_name": "posix"})
    for name, requirement in needed.items():
        (pin,) = there[name].specifier
        assert requirement.specifier.contains(pin.version), f"{there[name]} is outside {requirement}"
    nvidia = {name for name in there if name.startswith("nvidia-")}
    assert bool(nvidia) == (system != "macOS")  # where the index has torch with CUDA alone


def test_what_is_no_module_is_in_the_wheel_too():
    """Templates and py.typed, which tells type checkers that the package has types of its own."""
    packed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    found = {path for package, patterns in packed.items() for each in patterns for path in folder(package).glob(each)}
    files = {path for path in (ROOT / "multitrain").rglob("*") if path.is_file()}
    assert (ROOT / "multitrain/py.typed") in files
    assert not {path for path in files - found if path.suffix not in (".py", ".pyc")}


def folder(package: str) -> Path:
    return ROOT.joinpath(*package.split("."))


def test_the_lock_holds_names_versions_and_hashes_and_no_address(locked):
    for pin, hashes in locked:
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin
        assert pin.url is None
        assert hashes and all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", its) for its in hashes), pin
    assert not re.search(r"://|index-url|find-links", (ROOT / "requirements.lock").read_text())


def test_the_lock_is_complete(lock: dict[str, Requirement]):
    """What each locked and installed package needs here is locked too."""
    missing = set()
    for name in lock:
        needs = [Requirement(line) for line in requires(name) or []]
        here = [its for its in needs if its.marker is None or its.marker.evaluate({"extra": ""})]
        missing |= {f"{name} needs {its}" for its in here if canonicalize_name(its.name) not in lock}
    assert not missing


@pytest.mark.parametrize(
    ("version", "lacks", "says"),
    [
        ("3.11.2", (), None),
        ("3.13.9", (), None),
        ("3.11.1", (), "is Python 3.11.1, multitrain needs 3.11.2 or later and below 3.14: name another one"),
        ("3.14.0", (), "is Python 3.14.0, multitrain needs 3.11.2 or later and below 3.14: name another one"),
        ("2.7.18", (), "is Python 2.7.18, multitrain needs 3.11.2"),
        ("3.11.2", ("ensurepip",), "lacks the module ensurepip and cannot make an environment: install it"),
    ],
)
def test_make_says_which_python_it_needs(version: str, lacks: tuple[str, ...], says: str | None):
    found = complaint(version, lambda name: None if name in lacks else name)
    assert found is None if says is None else says in found and "\n" not in found


@pytest.mark.xdist_group("here")
def test_groups_of_tests_stay_in_one_process(request):
    """The newest xdist does not know the newest pytest's names of tests, and spreads groups without a word."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@here")


def test_the_build_needs_nothing_that_is_not_locked(lock: dict[str, Requirement]):
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in map(Requirement, build):
        (pin,) = lock[canonicalize_name(requirement.name)].specifier
        assert requirement.specifier.contains(pin.version)


def test_the_workflow_asks_for_the_snakemake_that_is_installed(needed: dict[str, Requirement]):
    minimum = re.search(r'min_version\("([0-9.]+)"\)', (ROOT / "Snakefile").read_text())[1]
    (bound,) = needed["snakemake"].specifier
    assert Version(bound.version) == Version(minimum)
