"""A process that has imported what is needed and computed nothing; it forks for each call, which costs no import."""

import importlib
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import NoReturn

SECONDS = 900  # after which calls that hang are ended

Call = tuple[Callable, tuple]  # a function of a module, and its arguments


class Forks:
    """Runs functions in processes of their own, forked from one that has one thread and the imports done."""

    def __init__(self, *modules: str):
        context = get_context("spawn")
        self._pipe, end = context.Pipe()
        self._process = context.Process(target=_serve, args=(end, modules), daemon=True)
        self._process.start()
        end.close()

    def exit_codes(self, calls: Sequence[Call], at_once: bool = True) -> list[int]:
        """How the processes of calls end, side by side or one after the other; an error where one hangs."""
        self._pipe.send((calls, at_once))
        try:
            assert self._pipe.poll(SECONDS), "processes hang"
            return self._pipe.recv()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._process.terminate()
        self._process.join()


def _serve(pipe: Connection, modules: Sequence[str]) -> None:
    pids: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: ([os.kill(pid, signal.SIGKILL) for pid in pids], os._exit(1)))
    for module in modules:
        importlib.import_module(module)
    while True:
        try:
            calls, at_once = pipe.recv()
        except EOFError:
            return
        codes = []
        for function, arguments in calls:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                _end_with(function, arguments)
            pids.append(pid)
            if not at_once:
                codes.append(_ended(pids))
        while pids:
            codes.append(_ended(pids))
        pipe.send(codes)


def _ended(pids: list[int]) -> int:
    """The exit code of the first of the processes; it is taken off their list."""
    code = os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1])
    del pids[0]
    return code


def _end_with(function: Callable, arguments: tuple) -> NoReturn:
    code = 1
    try:
        function(*arguments)
        code = 0
    except SystemExit as end:
        code = end.code or 0
        if isinstance(code, str):  # as the interpreter has it
            sys.stderr.write(f"{code}\n")
            code = 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
