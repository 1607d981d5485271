"""Being asked to stop: a scheduler's SIGTERM or SIGUSR1 ends a training at its next step, to be started again."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import islice
from types import FrameType
from typing import TypeVar

EXIT_PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: a scheduler may start it again
SIGNALS = (signal.SIGTERM, signal.SIGUSR1)
GRACE = 1.0  # seconds in which a signal to a whole group of processes reaches all of them

T = TypeVar("T")


class Preempted(Exception):
    """The training was asked to stop and has written a resume point."""


class _Interrupted(BaseException):
    """Ends a wait from within a signal handler; no handler of errors on the way is to take it for one."""


class StopRequest:
    """A context that takes note of the signals; only waiting for data is interrupted by them."""

    def __init__(self):
        self.signal: str | None = None  # name of the one that came
        self.waiting = False
        self.process = os.getpid()

    def __enter__(self) -> "StopRequest":
        main = threading.current_thread() is threading.main_thread()  # Python allows handlers there alone
        self.before = {number: signal.signal(number, self._note) for number in SIGNALS} if main else {}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a process that decodes has inherited the handler
            return
        self.signal = signal.Signals(number).name
        if self.waiting:
            self.waiting = False
            raise _Interrupted

    def take(self, source: Iterator[T], count: int) -> list[T] | None:
        """The next `count` of a source; None where the signal has come, or comes before they are there."""
        if self.signal:
            return None
        try:
            try:
                self.waiting = True
                return list(islice(source, count))
            finally:
                self.waiting = False
        except _Interrupted:
            return None
        except Exception:
            # the signal may have ended the processes that decode before it came here
            time.sleep(GRACE)
            if self.signal:
                return None
            raise
