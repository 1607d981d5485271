"""Check that this Python can make the environment: its version and the module venv. Runs on Python 3.6 and later."""

import importlib.util
import re
import sys
from pathlib import Path


def numbers(version):
    """'3.11.2' -> (3, 11, 2)."""
    return tuple(int(part) for part in version.split("."))


def complaint(version, find=importlib.util.find_spec):
    """One line with the problem and its cure, or None."""
    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    least, below = re.search(r'^requires-python = ">=([\d.]+),<([\d.]+)"$', text, re.MULTILINE).groups()
    if not numbers(least) <= numbers(version) < numbers(below):
        cure = "name another one, for instance make SYSTEM_PYTHON=python3.12"
        return f"{sys.executable} is Python {version}, multitrain needs {least} or later and below {below}: {cure}"
    missing = [name for name in ("venv", "ensurepip") if find(name) is None]
    if missing:
        package = "python{}.{}-venv".format(*numbers(version))
        cure = f"install it (Debian, Ubuntu: apt-get install {package}) or name another SYSTEM_PYTHON"
        return f"{sys.executable} lacks the module {missing[0]} and cannot make an environment: {cure}"
    return None


if __name__ == "__main__":
    sys.exit(complaint(".".join(str(part) for part in sys.version_info[:3])))
