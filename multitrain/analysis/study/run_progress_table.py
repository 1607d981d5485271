"""The statuses of runs as a table for a terminal, and as plain values for other programs."""

from dataclasses import asdict

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from multitrain.analysis.study.run_progress import RunStatus
from multitrain.config.scale import Scale

__all__ = ["plain", "render"]

WIDE = 130  # columns from which each number has one of its own
NUMBERS = ("starts", "clips/s", "wait", "memory")  # columns of a wide table
STATE = 2  # place of the state among the columns
LEFT = (0, STATE)
OTHER_CODE = (
    "other code: a file of the numerical modules has changed since, and Snakemake does not train again for that; "
    "`snakemake --forcerun train` trains all anew, `--forcerun .../RUN/seedK/model.pt` one and what starts from it"
)
GAP, INDENT = "  ", 4
COLOURS = {
    "waiting": "dim",
    "running": "cyan",
    "stopped": "magenta",
    "preempted": "yellow",
    "failed": "bold red",
    "finished": "green",
}


def plain(statuses: list[RunStatus]) -> list[dict]:
    """Values for JSON."""
    return [asdict(status) for status in statuses]


def render(statuses: list[RunStatus], scale: Scale, console: Console) -> None:
    """The status table: a line a run, notes below it, and the count of runs by state."""
    wide = console.width >= WIDE
    datasets = [name for name in scale.datasets if any(name in status.top1 for status in statuses)] if wide else []
    titles = [scale.dataset(name).title for name in datasets]
    heads = ["run", "seed", "state", "steps", "time", *((*NUMBERS, *titles) if wide else ())]
    rows = [_cells(status, datasets, wide) for status in statuses]
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    console.print(_aligned(heads, widths), style="bold", soft_wrap=True)
    for status, cells in zip(statuses, rows, strict=True):
        line, note = _aligned(cells, widths, COLOURS[status.state]), _note(status, wide)
        if note and line.cell_len + len(GAP) + note.cell_len <= console.width:
            line, note = Text(GAP).join((line, note)), Text()
        line.rstrip()
        console.print(line, soft_wrap=True)
        if note and console.is_terminal:
            console.print(Padding.indent(note, INDENT))
        elif note:  # one line, however long: a program may read it
            console.print(Text(" " * INDENT) + note, soft_wrap=True)
    counts = {state: sum(status.state == state for status in statuses) for state in COLOURS}
    console.print()
    console.print(Text(", ".join(f"{count} {state}" for state, count in counts.items() if count) or "no runs"))
    if any(status.other_code for status in statuses):
        console.print(Text(OTHER_CODE, "dim"))
    if any(status.top1 for status in statuses):
        console.print(Text(f"top-1 in % on the {_clips(statuses, scale)} by Y_k; *: the best of these runs", "dim"))


def _clips(statuses: list[RunStatus], scale: Scale) -> str:
    """The source of the scored clips: a scale with a synthetic world may have real videos too."""
    scored = [name for name in scale.datasets if any(name in status.top1 for status in statuses)]
    real = [scale.dataset(name).title for name in scored if not scale.synthetic(name)]
    if not real:
        return "synthetic test clips"
    return "test clips" if len(real) == len(scored) else f"test clips (synthetic, but for {', '.join(real)})"


def _cells(status: RunStatus, datasets: list[str], wide: bool) -> list[str]:
    cells = [status.run, str(status.seed), status.state, _steps(status), _time(status)]
    if wide:
        cells += [_starts(status), _rate(status), _wait(status), _memory(status)]
        cells += [_accuracy(status, name) for name in datasets]
    return cells


def _aligned(cells: list[str], widths: list[int], colour: str = "") -> Text:
    """The cells of a line: names to the left, numbers to the right, the state in its colour."""
    padded = [
        Text(cell.ljust(width) if place in LEFT else cell.rjust(width), colour if place == STATE else "")
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return Text(GAP).join(padded)


def duration(seconds: float) -> str:
    """Seconds as readable text: 42 s, 12 min, 3 h 05, 2 d 07 h."""
    minutes = round(seconds / 60)
    if seconds < 60:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02}"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"


def _steps(status: RunStatus) -> str:
    if status.steps is None:
        return ""
    return f"{status.step}" if status.step == status.steps else f"{status.step}/{status.steps}"


def _time(status: RunStatus) -> str:
    if status.state == "finished":
        return "" if status.seconds is None else duration(status.seconds)
    return "" if status.seconds_left is None else f"{duration(status.seconds_left)} left"


def _starts(status: RunStatus) -> str:
    return "" if status.starts is None else str(status.starts)


def _rate(status: RunStatus) -> str:
    return "" if status.clips_per_second is None else f"{status.clips_per_second:.1f}"


def _wait(status: RunStatus) -> str:
    return "" if status.data_wait is None else f"{status.data_wait:.0%}"


def _memory(status: RunStatus) -> str:
    return "" if status.memory_mb is None else f"{status.memory_mb / 1000:.1f} GB"


def _accuracy(status: RunStatus, dataset: str) -> str:
    if f"predictions/{dataset}.parquet" in status.damaged:
        return "damaged"
    if dataset not in status.top1:
        return ""
    return f"{status.top1[dataset]:.1f}{'*' if dataset in status.best else ' '}"


def _note(status: RunStatus, wide: bool) -> Text:
    """The note below a line: what has no column, in a narrow terminal also speed and accuracies."""
    parts = []
    if not wide:
        if status.top1:
            parts.append(", ".join(f"{name} {_accuracy(status, name).strip()}" for name in status.top1))
        if status.state == "running" and status.clips_per_second is not None:
            parts.append(f"{_rate(status)} clips/s, wait {_wait(status)}, {_memory(status)}")
    if (status.starts or 0) > 1 and not wide:
        parts.append(f"{status.starts} starts")
    if status.resumed_at is not None and status.state == "running":
        parts.append(f"resumed at step {status.resumed_at}")
    parts += [status.note] if status.note else []
    text = Text("; ".join(parts))
    if status.damaged:
        text.append(("; " if parts else "") + "damaged: " + ", ".join(status.damaged), "bold red")
    return text
