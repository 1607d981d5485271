"""Predictions as a table, JSON lines or CSV; each is written as soon as it is computed."""

import csv
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text
from tqdm import tqdm

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.filenames import as_text, one_line, shown
from multitrain.inference.answers import Answer, Failure, related
from multitrain.model.files.metadata import Card
from multitrain.model.network import Network

__all__ = ["Detail", "Form", "open_report"]

Form = Literal["table", "json", "csv"]
COLUMNS = ("video", "dataset", "rank", "class", "probability", "views")
WIDTH = 120  # of a table in a file


@dataclass(frozen=True)
class Detail:
    """The level of detail of an answer."""

    network: Network
    card: Card
    top: int = 5
    related: bool = False

    def record(self, answer: Answer) -> dict:
        """An answer as plain values."""
        datasets: dict[str, dict] = {}
        for name, classes in answer.top(self.top).items():
            best = [{"class": label, "probability": round(share, 6)} for label, share in classes]
            datasets[name] = {"title": self.card.datasets[name].title, "views": answer.views[name], "top": best}
            if self.related:
                others = related(self.network, name, classes[0][0])
                datasets[name]["related"] = {
                    other: [{"class": label, "weight": round(weight, 6)} for label, weight in found]
                    for other, found in others.items()
                }
        cut = {} if answer.reached is None else {"read_up_to": round(answer.reached, 3)}
        return {"video": as_text(answer.path), **cut, "datasets": datasets}


class Report:
    """Writer of answers and failures; counts the failures."""

    def __init__(self, stream: TextIO, form: Form, detail: Detail):
        self.failures = 0
        self._detail, self._stream, self._form = detail, stream, form
        if form == "csv":
            self._csv = csv.writer(stream, lineterminator="\n")
            self._csv.writerow(COLUMNS if not detail.related else (*COLUMNS, "related"))

    def answer(self, answer: Answer) -> None:
        """Write an answer, with a note on standard error for a damaged file."""
        record = self._detail.record(answer)
        if answer.reached is not None:
            broken = f"read up to {answer.reached:.1f} s only, damaged or cut off there"
            tqdm.write(f"note: {shown(answer.path)}: {broken}", file=sys.stderr)
        with tqdm.external_write_mode(self._stream):
            {"table": self._table, "json": self._json, "csv": self._rows}[self._form](record)

    def failure(self, failure: Failure) -> None:
        """Write the reason of a failure to standard error; in JSON also among the answers."""
        self.failures += 1
        tqdm.write(f"error: {shown(failure.path)}: {one_line(failure.reason)}", file=sys.stderr)
        if self._form == "json":
            with tqdm.external_write_mode(self._stream):
                self._json({"video": as_text(failure.path), "error": one_line(failure.reason)})

    def _json(self, record: dict) -> None:
        self._stream.write(json.dumps(record, ensure_ascii=False) + "\n")

    def _rows(self, record: dict) -> None:
        for name, result in record["datasets"].items():
            for rank, best in enumerate(result["top"], 1):
                row = [shown(record["video"]), name, rank, best["class"], f"{best['probability']:.6f}", result["views"]]
                if self._detail.related:
                    row.append(_related(result) if rank == 1 else "")
                self._csv.writerow(row)

    def _table(self, record: dict) -> None:
        table = Table(show_edge=False)
        for name in ("dataset", "views", "class", "probability"):
            justify: JustifyMethod = "right" if name in ("views", "probability") else "left"
            table.add_column(name, justify=justify, overflow="fold")
        if self._detail.related:
            table.add_column("related classes", overflow="fold")
        for result in record["datasets"].values():
            for rank, best in enumerate(result["top"]):
                row = [result["title"], str(result["views"])] if not rank else ["", ""]
                row += [best["class"], f"{100 * best['probability']:.1f} %"]
                row += [_related(result) if not rank else ""] if self._detail.related else []
                table.add_row(*map(Text, row))
            table.add_section()
        width = None if self._stream is sys.stdout and self._stream.isatty() else WIDTH
        console = Console(file=self._stream, width=width, highlight=False)
        console.print(Text(shown(record["video"]), style="bold"), soft_wrap=True)
        console.print(table)
        console.print()


def _related(result: dict) -> str:
    found = [f"{other}: {', '.join(best['class'] for best in classes)}" for other, classes in result["related"].items()]
    return "; ".join(found)


@contextmanager
def open_report(out: Path | None, form: Form, detail: Detail) -> Iterator[Report]:
    """A report on standard output, in a file (atomic write), or in a device or pipe.

    Raises:
        UserError: the file cannot be written, or `related` is set for a network without projections.
    """
    if detail.related and not detail.network.spec.projections:
        raise UserError("--related: this model has no projections, which relate classes: leave it out")
    if out is None:
        if form != "table" and isinstance(sys.stdout, io.TextIOWrapper):
            # For programs: the same in every locale, and half of a surrogate pair as JSON has it.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        yield Report(sys.stdout, form, detail)
        return
    if out.is_dir():
        raise UserError(f"{out}: is a folder: name a file")
    try:
        place = nullcontext(out) if out.exists() and not out.is_file() else atomic(out)
        # bytes of a name that are no text are escaped as JSON does: \udc80
        with place as path, path.open("w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
            yield Report(stream, form, detail)
    except OSError as error:
        raise UserError(f"{out}: cannot be written: {error.strerror or error}") from None
