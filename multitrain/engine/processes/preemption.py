"""Stop signals: SIGTERM, SIGUSR1 or Ctrl-C end a training at its next step; started again, it resumes."""

import os
import signal
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

__all__ = ["InterruptibleWork", "Preempted", "StopRequest"]

EXIT_PREEMPTED = 75  # EX_TEMPFAIL of sysexits.h: a scheduler may start it again
EXIT_INTERRUPTED = 130  # a shell's own for SIGINT: a person has stopped it, nobody is to start it again
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
GRACE = 1.0  # seconds in which a signal to a whole group of processes reaches all of them, by whatever ways

T = TypeVar("T")


class Preempted(Exception):
    """The work was asked to stop and goes on when it is started again; `status` is the exit status that says so."""

    def __init__(self, message: str, status: int = EXIT_PREEMPTED):
        super().__init__(message)
        self.status = status


class _Interrupted(BaseException):
    """Ends a wait from within a signal handler; no handler of errors on the way is to take it for one."""


class _Listener(ABC):
    """A context in which `_note` answers the signals, in the process and thread that entered it."""

    def __init__(self) -> None:
        self.number: int | None = None  # of the signal that came first
        self.came = 0.0  # when it did
        self.process = os.getpid()

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()  # Python allows handlers there alone
        # a shell has its background jobs ignore Ctrl-C, which is then meant for another one
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        heard = [number for number in SIGNALS if main and not (ignored and number == signal.SIGINT)]
        self.before: dict[int, Any] = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    @property
    def signal(self) -> str | None:
        """Name of the signal that came first."""
        return None if self.number is None else signal.Signals(self.number).name

    @property
    def status(self) -> int:
        """The exit status of who stops for it."""
        return EXIT_INTERRUPTED if self.number == signal.SIGINT else EXIT_PREEMPTED

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a process that decodes has inherited the handler
            return
        now = time.monotonic()
        if self.number is None:
            self.number, self.came = number, now
            self._first()
        elif now - self.came > GRACE:  # before, it is the first one once more: torchrun passes on what all have got
            self._again(number)

    @abstractmethod
    def _first(self) -> None:
        """Answer the signal that comes first."""

    @abstractmethod
    def _again(self, number: int) -> None:
        """Answer one that comes after it."""


class StopRequest(_Listener):
    """A context that takes note of the signals; only waiting for data is interrupted by them.

    Of Ctrl-C a second one ends it at once, by a KeyboardInterrupt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waiting = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self.number is None:
            return
        outer = getattr(self.before.get(self.number), "__self__", None)
        if kind is None and isinstance(
            outer, InterruptibleWork
        ):  # it came too late for this work, but not for what follows
            outer._note(self.number, None)

    def _first(self) -> None:
        if self.waiting:
            self.waiting = False
            raise _Interrupted

    def _again(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt

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


class InterruptibleWork(_Listener):
    """A context around work that keeps what it has done as it goes: a signal ends it at once.

    Raises:
        Preempted: at its end, where a signal has ended it.
    """

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, _Interrupted):
            raise Preempted(f"asked to stop by {self.signal}: start it again to go on", self.status) from None

    def _first(self) -> None:
        raise _Interrupted

    def _again(self, number: int) -> None:
        raise _Interrupted
