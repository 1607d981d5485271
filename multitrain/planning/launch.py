"""The command that starts a training, and the resources of trainings and evaluations on a cluster.

Pure functions of a scale's `machine`. The keys are Snakemake resources as its SLURM executor reads them. A single CPU
process requests cores, memory and time alone.
"""

from multitrain.config.recipes import Machine

__all__ = ["command", "cores", "evaluation_resources", "training_resources"]

MEGABYTES = 8000  # of one process: weights, optimiser, main memory of a CUDA context
MEGABYTES_WORKER = 3000  # of a decoding process: PyTorch itself and a few batches
MINUTES = 720  # of a CPU job
MINUTES_GPU = 2880  # the longest that most partitions allow; a training resumes in the next job
WARNING_SECONDS = 300  # before its time limit a training gets the signal to save
WAIT_SECONDS = 120  # for the other nodes after one has ended

_MODULE = "-m multitrain.cli train"


def command(machine: Machine) -> str:
    """The command that starts all processes of `multitrain train`; its arguments follow.

    For several nodes it is a shell line that runs on the first node, where the processes meet.
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
    """CPU cores of a training on each node: one for each process and each of its workers."""
    return machine.node_processes * (1 + machine.workers)


def training_resources(machine: Machine) -> dict[str, int | str]:
    """Snakemake resources of a training."""
    resources: dict[str, int | str] = {
        **_memory_and_time(machine, machine.node_processes),
        "nodes": machine.nodes,
        "slurm_extra": f"--signal=USR1@{WARNING_SECONDS}",
    }
    if machine.nodes == 1:
        return resources | {"gpu": machine.gpus}
    # The executor reads `gpu` as a sum over the nodes, and several tasks as tasks of each accelerator.
    gres = {"gres": f"gpu:{machine.gpus}"} if machine.gpus else {}
    return resources | gres | {"mpi": "srun", "tasks": machine.nodes, "tasks_per_gpu": 0}


def evaluation_resources(machine: Machine) -> dict[str, int | str]:
    """Snakemake resources of an evaluation: one process, with one accelerator if the machine has any."""
    return {**_memory_and_time(machine, 1), "gpu": min(machine.gpus, 1)}


def _memory_and_time(machine: Machine, processes: int) -> dict[str, int | str]:
    """Memory of a node, and the time limit."""
    return {
        "mem_mb": processes * (MEGABYTES + MEGABYTES_WORKER * machine.workers),
        "runtime": MINUTES_GPU if machine.gpus else MINUTES,
    }
