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
EXIT_INTERRUPTED = 130  # a shell's for SIGINT: stopped by hand, not to be started again
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
GRACE = 1.0  # seconds in which a signal to a group of processes reaches all of them

T = TypeVar("T")


class Preempted(Exception):
    """The work was asked to stop, and resumes when started again; `status` is the exit status."""

    def __init__(self, message: str, status: int = EXIT_PREEMPTED):
        super().__init__(message)
        self.status = status


class _Interrupted(BaseException):
    """Raised in a signal handler to end a wait; no `except Exception` catches it."""


class _SignalContext(ABC):
    """A context with `_note` as signal handler, in the process and thread that entered it."""

    def __init__(self) -> None:
        self.number: int | None = None  # of the first signal
        self.received = 0.0  # when it was received
        self.process = os.getpid()

    def __enter__(self) -> Self:
        main = threading.current_thread() is threading.main_thread()  # Python allows handlers there alone
        # a shell's background jobs ignore Ctrl-C
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        handled = [number for number in SIGNALS if main and not (ignored and number == signal.SIGINT)]
        self.before: dict[int, Any] = {number: signal.signal(number, self._note) for number in handled}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    @property
    def signal(self) -> str | None:
        """Name of the first signal."""
        return None if self.number is None else signal.Signals(self.number).name

    @property
    def status(self) -> int:
        """The exit status of work that this signal stopped."""
        return EXIT_INTERRUPTED if self.number == signal.SIGINT else EXIT_PREEMPTED

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self.process:  # a forked worker inherits the handler
            return
        now = time.monotonic()
        if self.number is None:
            self.number, self.received = number, now
            self._first()
        elif now - self.received > GRACE:  # before, it is the first one again: torchrun passes signals on
            self._again(number)

    @abstractmethod
    def _first(self) -> None:
        """Handle the first signal."""

    @abstractmethod
    def _again(self, number: int) -> None:
        """Handle a later signal."""


class StopRequest(_SignalContext):
    """A context that records stop signals and interrupts only waiting for data.

    A second Ctrl-C raises KeyboardInterrupt at once.
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
        if kind is None and isinstance(outer, InterruptibleWork):  # too late for this work, not for what follows
            outer._note(self.number, None)

    def _first(self) -> None:
        if self.waiting:
            self.waiting = False
            raise _Interrupted

    def _again(self, number: int) -> None:
        if number == signal.SIGINT:
            raise KeyboardInterrupt

    def take(self, source: Iterator[T], count: int) -> list[T] | None:
        """The next `count` items of a source; None if a signal was received, or is received before they arrive."""
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
            # the signal may have ended the workers before it was received here
            time.sleep(GRACE)
            if self.signal:
                return None
            raise


class InterruptibleWork(_SignalContext):
    """A context for work that saves its progress as it goes: a signal ends it at once.

    Raises:
        Preempted: at its end, if a signal ended it.
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
