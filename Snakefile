# From what the publishers ship to the tables of the paper.
#     snakemake --cores all results/table1.csv
from snakemake.utils import min_version

min_version("9.17")  # the first in which a job's priority can be a function


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/analysis.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/notebooks.smk"


localrules:
    all,
    datasets,


rule all:
    default_target: True
    input:
        rules.index.output,


rule datasets:
    input:
        expand(rules.prepare.output, dataset=PLAN.scale.datasets),
