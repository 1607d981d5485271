"""Version of the package, and the commit of the checkout that it lies in."""

import importlib.metadata
import subprocess
from pathlib import Path

__all__ = ["commit", "version"]


def version() -> str:
    """The version, with the commit where there is one: "0.1.0 (a1b2c3d4e5f6)"."""
    number, at = importlib.metadata.version("multitrain"), commit()
    return f"{number} ({at})" if at else number


def commit() -> str | None:
    """The commit of the checkout the package lies in, with `+` where files differ from it."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
        )
        return done.stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None
