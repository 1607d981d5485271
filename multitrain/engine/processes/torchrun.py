"""torchrun for preemptible jobs: `python -m multitrain.engine.processes.torchrun ARGUMENTS OF TORCHRUN`.

Its exit status is that of its processes: a scheduler has to tell a preempted training (status 75) from one that failed,
and torchrun exits with 1 and a traceback for both. It ignores SIGUSR1, with which a scheduler warns all processes of a
job and which would end torchrun; the training handles it.
"""

import signal
import sys

__all__ = ["run"]


def run(arguments: list[str]) -> int:
    """Run the processes to their end; the exit status of the one that ended first without success, else 0."""
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # before imports that take seconds
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as run_processes

    try:
        run_processes(parse_args(arguments))
    except ChildFailedError as error:
        return _status(error.get_first_failure()[1].exitcode)
    except SignalException as error:  # the processes got the same signal and have ended
        return _status(-error.sigval)
    return 0


def _status(code: int) -> int:
    """A shell's exit status from Python's, whose negative numbers are signals."""
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
