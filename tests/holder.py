"""A process that owns a folder: `python -m tests.holder FOLDER WHAT [wait|fork]`, until its input ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multitrain.common.files.locks import locked_folder
from multitrain.engine.processes.preemption import InterruptibleWork, Preempted


def start(folder: Path, what: str, *how: str) -> subprocess.Popen:
    """Such a process; with `wait` it waits for another's end, with `fork` it has a child that stays."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-m", "tests.holder", str(folder), what, *how], text=True, **pipes)


@contextmanager
def holding(folder: Path, what: str = "something is done", *how: str) -> Iterator[subprocess.Popen]:
    """Within, such a process owns the folder."""
    with start(folder, what, *how) as process:
        assert process.stdout.readline() == "owned\n"
        yield process
        process.kill()


def main(folder: str, what: str, *how: str) -> int:
    try:
        with InterruptibleWork(), locked_folder(Path(folder), what, "wait" in how):
            if "fork" in how and os.fork() == 0:
                sys.stdin.read()
                os._exit(0)
            sys.stdout.write("owned\n")
            sys.stdout.flush()
            sys.stdin.read()
    except Preempted as stopped:
        return stopped.status
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
