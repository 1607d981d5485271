"""Run tests/gpu on this machine's accelerator, and write what it measured into docs/reference/estimate.md.

python dev/gpu.py        # or make gpu

The figures themselves are kept in gpu.json beside that page. Without an accelerator nothing is run or written.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from dev.pages.marked import replaced
from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import write_json
from multitrain.common.markup import line

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reference/estimate.md"
FIGURES = PAGE.with_name("gpu.json")
WRITER = "dev/gpu.py"
NEVER = "**Never run on a card so far**: no accelerator was at hand; figures of one on this page are assumptions.\n"
HEAD = ("scale", "size", "precision", "activations", "estimated MiB a clip", "measured", "TFLOP/s")


def section(figures: dict | None) -> str:
    """What the page says of the figures, in Markdown; None: there are none."""
    if figures is None:
        return NEVER
    rows = [
        (
            *(row[key] for key in ("scale", "size", "precision")),
            "computed again" if row["checkpointing"] else "kept",
            *(f"{row[key]:.3g}" for key in ("estimated", "measured", "tflops")),
        )
        for row in figures["rows"]
    ]
    about = f"On {figures['device']}, torch {figures['torch']}; tests/gpu {figures['outcome']}.\n\n"
    return about + "\n".join(map(line, (HEAD, ["---"] * len(HEAD), *rows))) + "\n"


def page(text: str, figures: dict | None) -> str:
    """The page with the section of these figures."""
    return replaced(text, WRITER, section(figures), str(PAGE))


def main() -> None:
    if not torch.cuda.is_available():
        raise SystemExit("no accelerator here: nothing was run; `multitrain doctor` says what was found")
    with tempfile.TemporaryDirectory(prefix="multitrain-") as folder:
        report = Path(folder, "rows.json")
        environment = {**os.environ, "MULTITRAIN_GPU_REPORT": str(report)}
        command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "tests/gpu"]
        ended = subprocess.run(command, cwd=ROOT, env=environment)
        rows = json.loads(report.read_text()) if report.is_file() else []
    outcome = "passed" if ended.returncode == 0 else "did not all pass"
    figures = {"device": torch.cuda.get_device_name(), "torch": torch.__version__, "outcome": outcome, "rows": rows}
    write_json(FIGURES, figures)
    with atomic(PAGE) as temporary:
        temporary.write_text(page(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    raise SystemExit(ended.returncode)


if __name__ == "__main__":
    main()
