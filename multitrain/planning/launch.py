"""How a training is started on its machine, and what it asks a scheduler for.

Pure functions of a scale's `machine`. The keys of a request are Snakemake resources as its SLURM executor reads them;
beside the number of cores, nothing is asked for that one process on processors does not need.
"""

from multitrain.config.recipes import Machine

__all__ = ["command", "cores", "testing", "training"]

MEGABYTES = 8000  # of one process: weights, optimiser, what a CUDA context keeps in main memory
MEGABYTES_WORKER = 3000  # of a process that decodes: PyTorch itself and a few batches
MINUTES = 720  # of a job on processors
MINUTES_GPU = 2880  # the longest that most partitions allow; a training goes on in the next job
WARNING_SECONDS = 300  # before its time limit a training is told to save
WAIT_SECONDS = 120  # for the other nodes when one has ended

_MODULE = "-m multitrain.cli train"


def command(machine: Machine) -> str:
    """The command that starts `multitrain train` with all its processes, to be followed by its arguments.

    For several nodes it is a line of the shell on the first of them, where the processes meet.
    """
    if machine.processes == 1:
        return f"python {_MODULE}"
    torchrun = f"python -m multitrain.engine.processes.torchrun --nproc-per-node={machine.node_processes}"
    if machine.nodes == 1:
        return f"{torchrun} --standalone {_MODULE}"
    gres = f" --gres=gpu:{machine.gpus}" if machine.gpus else ""
    return (
        f"srun --nodes={machine.nodes} --ntasks={machine.nodes} --ntasks-per-node=1 --cpus-per-task={cores(machine)}"
        f"{gres} --wait={WAIT_SECONDS} {torchrun} --nnodes={machine.nodes} --rdzv-backend=c10d"
        " --rdzv-id=${SLURM_JOB_ID:-0} --rdzv-endpoint=$(hostname):$((20000 + ${SLURM_JOB_ID:-0} % 10000))"
        f" {_MODULE}"
    )


def cores(machine: Machine) -> int:
    """Processor cores of a node that a training uses: one for each process and each of its workers."""
    return machine.node_processes * (1 + machine.workers)


def training(machine: Machine) -> dict[str, int | str]:
    """What a training asks for."""
    asked: dict[str, int | str] = {
        **_common(machine, machine.node_processes),
        "nodes": machine.nodes,
        "slurm_extra": f"--signal=USR1@{WARNING_SECONDS}",
    }
    if machine.nodes == 1:
        return asked | {"gpu": machine.gpus}
    # The executor reads `gpu` as a sum over the nodes, and more tasks than one as tasks of each accelerator.
    gres = {"gres": f"gpu:{machine.gpus}"} if machine.gpus else {}
    return asked | gres | {"mpi": "srun", "tasks": machine.nodes, "tasks_per_gpu": 0}


def testing(machine: Machine) -> dict[str, int | str]:
    """What the evaluation of one model on one dataset asks for: one process with one accelerator, where there are."""
    return {**_common(machine, 1), "gpu": min(machine.gpus, 1)}


def _common(machine: Machine, processes: int) -> dict[str, int | str]:
    """Memory of a node and time."""
    return {
        "mem_mb": processes * (MEGABYTES + MEGABYTES_WORKER * machine.workers),
        "runtime": MINUTES_GPU if machine.gpus else MINUTES,
    }
