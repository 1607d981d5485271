# Shared by all rules: the settings, which are checked before any job starts, folders, and wildcard constraints.
import shlex
import signal
import sys
from pathlib import Path

from multitrain.config import kernels as kernel_choice
from multitrain.planning import launch
from multitrain.planning.outputs import NOTEBOOKS
from multitrain.config.config_files import read_yaml
from multitrain.config.study_file import is_study
from multitrain.common.errors import UserError
from multitrain.planning.plan import Plan
from multitrain.planning.jobs import LOGS as LOG_OF
from multitrain.planning.jobs import PUBLISHED, Jobs

GIVEN = set(config)  # by --configfile and --config
STUDIES = [str(file) for file in workflow.overwrite_configfiles if is_study(file)]

try:  # Snakemake itself takes the last of two equal keys without a message
    read_yaml(Path("config/config.yaml"))
except UserError as error:
    sys.exit(str(error))  # one line; Snakemake's own errors add a traceback


configfile: "config/config.yaml"


try:
    if len(STUDIES) > 1:
        raise UserError(
            f"--configfile {' '.join(STUDIES)}: two studies: run one after the other"
        )
    PLAN = Plan.load(config, *STUDIES, given=GIVEN)
except UserError as error:
    sys.exit(str(error))

JOBS = Jobs(PLAN)
if refused := JOBS.refused(sys.argv[1:]):
    sys.exit(refused)
for name, why in PLAN.left_out.items() if PLAN.is_study else ():
    print(f"left out: {name.replace('figure_', 'figure ')}: {why}", file=sys.stderr)
SCALE = PLAN.scale.name
RESULTS = PLAN.project.results
LOGS = f"{RESULTS}/logs/{SCALE}"
BENCHMARKS = f"{RESULTS}/benchmarks/{SCALE}"
MACHINE = PLAN.scale.machine
world = PLAN.world  # the world of a job's clips from its wildcards
config["captions"] = {name: each.description for name, each in JOBS.outputs().items()}

# A scheduler sends its warning before the time limit to all processes of a job. Snakemake, which runs inside
# the job, ignores it; the training saves and ends by itself (workflow/scripts/train.sh).
signal.signal(signal.SIGUSR1, signal.SIG_IGN)

# Jobs use the Python that runs Snakemake, activated or not, and do not buffer their output.
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
