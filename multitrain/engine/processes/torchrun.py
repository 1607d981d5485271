"""`torchrun` for jobs that are told to stop: `python -m multitrain.engine.processes.torchrun ARGUMENTS OF TORCHRUN`.

Its exit status is its processes' own, where torchrun's is 1 with a traceback whatever became of them: a scheduler has
to tell a training that stopped in order to be started again (status 75) from one that failed. And SIGUSR1, with which
a scheduler warns all processes of a job, is left to the training, where torchrun would be ended by it.
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
    except SignalException as error:  # the processes have been sent the same signal and have ended
        return _status(-error.sigval)
    return 0


def _status(code: int) -> int:
    """A shell's exit status for one of Python's, where a negative one is the signal that ended the process."""
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
