"""Hash of the numerical code: the modules that can change a run's numbers."""

import hashlib
from pathlib import Path

__all__ = ["code_hash"]

ROOT = Path(__file__).parents[1]
NUMERICAL = ("common/seeding.py", "data/**/*.py", "model/**/*.py", "losses/**/*.py", "engine/**/*.py")
COMPUTES_NOTHING = {  # of these: messages, files about a model, signals, and checks of finished and resumed work
    *("data/damage.py", "engine/processes/preemption.py"),
    *("engine/checkpointing/finished.py", "engine/checkpointing/resume.py"),
    *("engine/reporting/log.py", "engine/reporting/tensorboard.py"),
    *("model/files/metadata.py", "model/files/model_folder.py", "model/files/hub.py", "model/files/model_card.py"),
}


def numerical() -> list[Path]:
    """Paths of the numerical modules, sorted."""
    paths = {path for pattern in NUMERICAL for path in ROOT.glob(pattern)}
    return sorted(path for path in paths if path.relative_to(ROOT).as_posix() not in COMPUTES_NOTHING)


def code_hash() -> str:
    """Hash of the numerical modules in twelve digits."""
    digest = hashlib.sha256()
    for path in numerical():
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
