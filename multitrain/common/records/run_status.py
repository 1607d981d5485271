"""The status of a training (status.json): its state, step, pace and machine, for `multitrain status`."""

import json
import sys
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from multitrain.common.files.json_files import write_json

__all__ = ["NAME", "Status", "parse_status", "read_status", "write_status"]

NAME = "status.json"


class Status(BaseModel):
    """The fields of status.json that are read."""

    state: Literal["running", "preempted", "failed", "finished"]
    step: int = Field(ge=0)
    steps: int | None = Field(ge=1)  # None where it could not begin
    updated: AwareDatetime
    starts: int = Field(ge=1)
    host: str
    pid: int = Field(ge=1, lt=2**31)
    process_count: int = Field(1, ge=1)
    resumed_at: int | None = None
    seconds_left: float | None = None
    clips_per_second: float | None = None
    data_wait: float | None = None
    memory_mb: float | None = None
    message: str = ""


def write_status(folder: Path, content: dict) -> None:
    """Write status.json; a full or lost disk is only a warning, and the training goes on."""
    try:
        write_json(folder / NAME, content, allow_nan=False)
    except OSError as reason:
        sys.stderr.write(f"{folder / NAME}: cannot be written: {reason}\n")


def read_status(folder: Path) -> dict:
    """The status of an earlier start, unchecked; empty if it cannot be read."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def parse_status(folder: Path) -> Status:
    """The status, checked.

    Raises:
        OSError, ValidationError: it is not there, or is none.
    """
    return Status.model_validate_json((folder / NAME).read_bytes())
