# What every rule shares: the settings, checked before anything starts, and where things lie.
import shlex
import signal
import sys
from pathlib import Path

from multitrain.config import kernels as kernel_choice
from multitrain.planning import launch
from multitrain.planning.outputs import NOTEBOOKS
from multitrain.config.config_files import read_yaml
from multitrain.common.errors import UserError
from multitrain.planning.plan import Plan
from multitrain.planning.jobs import LOGS as LOG_OF
from multitrain.planning.jobs import PUBLISHED, Jobs

try:  # Snakemake itself takes the last of two equal keys, and names no line
    read_yaml(Path("config/config.yaml"))
except UserError as error:
    sys.exit(str(error))  # the message alone; Snakemake's own errors add a traceback


configfile: "config/config.yaml"


try:
    PLAN = Plan.load(config)
except UserError as error:
    sys.exit(str(error))

JOBS = Jobs(PLAN)
SCALE = PLAN.scale.name
RESULTS = PLAN.project.results
LOGS = f"{RESULTS}/logs/{SCALE}"
BENCHMARKS = f"{RESULTS}/benchmarks/{SCALE}"
MACHINE = PLAN.scale.machine
world = PLAN.world  # of a job's clips, by its wildcards
config["captions"] = {name: each.description for name, each in JOBS.outputs().items()}

# A scheduler that warns of the end of a job warns all its processes, and Snakemake, which
# runs inside it, would end at once; a training answers by itself (workflow/scripts/train.sh).
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# Jobs use the Python that runs Snakemake, activated or not, and write their lines as they come.
here = shlex.quote(str(Path(sys.executable).parent))
for line in kernel_choice.changed(MACHINE):
    print(line, file=sys.stderr)
kernels = "".join(
    f" {name}={shlex.quote(value)}"
    for name, value in kernel_choice.wanted(MACHINE).items()
)
shell.prefix(
    f"set -euo pipefail; export PYTHONUNBUFFERED=1 PATH={here}:$PATH{kernels}; "
)


wildcard_constraints:
    dataset="|".join(PLAN.scale.datasets),
    run="|".join(PLAN.experiments.runs),
    table="|".join(PLAN.experiments.tables),
    seed=r"\d+",
    world=r"\d+",
    notebook="|".join(NOTEBOOKS),
