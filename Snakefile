# The replication of the paper: from the publishers' files to its tables and figures.
#     snakemake --cores all results/table1.csv
from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from multitrain.planning import copied_runs, overwrite

min_version("9.17")  # the first version in which a job's priority can be a function


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/world.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/sweep.smk"


onstart:
    # Runs before Snakemake deletes the outputs of the jobs that it will start.
    made = {str(file) for job in workflow.dag.needrun_jobs() for file in job.output}
    if message := overwrite.conflict(made, SCALE, RESULTS):
        raise WorkflowError(message)
    trained = {
        job.wildcards.run
        for job in workflow.dag.needrun_jobs()
        if job.rule.name == "train"
    }
    try:
        PLAN.try_losses(sorted(trained))
    except UserError as error:
        raise WorkflowError(str(error))
    kept = {str(file) for job in workflow.dag.jobs for file in job.output} - made
    if message := copied_runs.conflict(PLAN, kept):
        raise WorkflowError(message)
    if any(job.rule.name == "sweep_point" for job in workflow.dag.needrun_jobs()):
        from multitrain.analysis.cost import sweep_cost
        from multitrain.common.terminal_columns import plain

        cost = sweep_cost.costs(
            POINTS, Path(PLAN.project.data), Path(PUBLISHED), PLAN.scale
        )
        lines = plain(sweep_cost.cost_table(POINTS, cost))
        print(*lines, sweep_cost.cost_sum(cost), sep="\n", file=sys.stderr)


localrules:
    all,
    datasets,


rule all:
    default_target: True
    input:
        rules.index.output,


rule datasets:
    input:
        expand(rules.prepare.output, dataset=PLAN.scale.datasets, world=PLAN.worlds),
