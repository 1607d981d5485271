"""A real SLURM of two nodes, both of them this machine: munged, slurmctld and two slurmd, without systemd.

Outside its folder it writes /etc/slurm/slurm.conf, which the commands inside a job look for, and /run/munge; both are
taken away again. It refuses to start where SLURM is configured or munge runs already.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from multitrain.common.errors import UserError

CONF = Path("/etc/slurm/slurm.conf")
MUNGE = Path("/run/munge")
PACKAGES = {"slurmctld": "slurm-wlm", "slurmd": "slurm-wlm", "sbatch": "slurm-wlm", "munged": "munge"}
SECONDS = 30  # for a daemon to answer, or to end
NODES = ("toy1", "toy2")

_CONF = """ClusterName=toy
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
AuthType=auth/munge
AuthInfo=cred_expire=10
SlurmUser=slurm
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SlurmdParameters=config_overrides
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SchedulerParameters=bf_interval=2,sched_interval=5
MinJobAge=3600
KillWait={kill_wait}
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=8 RealMemory=64000 State=UNKNOWN
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=8 RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes={nodes[0]},{nodes[1]} Default=YES MaxTime=INFINITE State=UP
"""


def require() -> None:
    """Raise a UserError that says what is missing here, if anything."""
    if os.geteuid() != 0:
        raise UserError("a SLURM of its own is started by root: run this as root, for example in a container")
    missing = sorted({package for program, package in PACKAGES.items() if not shutil.which(program)})
    if missing:
        raise UserError(f"not installed: {', '.join(missing)}: on Debian, apt-get install slurm-wlm munge")
    for path in (CONF, MUNGE / "munge.socket.2"):
        if path.exists():
            raise UserError(f"{path} is there: a SLURM or munge of this machine's own would be disturbed")


@contextmanager
def cluster(folder: Path, kill_wait: int = 30) -> Iterator[None]:
    """SLURM within the block, its state and logs in an empty folder; afterwards all that it started has ended."""
    require()
    with ExitStack() as stack:
        folder.mkdir(parents=True)
        for name in ("state", *(f"spool-{node}" for node in NODES)):
            (folder / name).mkdir()
        shutil.chown(folder / "state", "slurm")
        stack.callback(shutil.rmtree, MUNGE, ignore_errors=True)
        MUNGE.mkdir(mode=0o755, exist_ok=True)
        shutil.chown(MUNGE, "munge", "munge")
        munge = pwd.getpwnam("munge")
        _daemon(stack, folder, "munged", "--foreground", f"--log-file={MUNGE}/munged.log", user=munge.pw_uid)
        _until(lambda: _answers("munge", "-n"), "munge")
        CONF.parent.mkdir(exist_ok=True)
        stack.callback(CONF.unlink, missing_ok=True)
        ports = _free_ports(1 + len(NODES))
        CONF.write_text(
            _CONF.format(host=socket.gethostname(), folder=folder, ports=ports, nodes=NODES, kill_wait=kill_wait)
        )
        _daemon(stack, folder, "slurmctld", "-D")
        for node in NODES:
            _daemon(stack, folder, "slurmd", "-D", "-N", node)
        _until(lambda: _answers("srun", "--nodes=2", "--ntasks=2", "true"), "SLURM")
        yield
        _answers("scancel", "--full", "--user=root")
        _until(lambda: not squeue(), "the last job's end")


def squeue(*options: str) -> list[str]:
    """Lines of squeue, without a header: id, name, state."""
    command = ["squeue", "--noheader", "--format=%i %T %j", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.splitlines()


def _daemon(stack: ExitStack, folder: Path, *command: str, user: int | None = None) -> None:
    """Start a daemon in the foreground of its own session; it is ended with the stack."""
    with open(folder / f"{command[0]}.out", "ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, user=user)
    stack.callback(_end, started)


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _until(condition, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not condition():
        if time.monotonic() > end:
            raise UserError(f"waited {SECONDS} s for {what}: see the logs in the cluster's folder")
        time.sleep(0.2)


def _answers(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
