# From what the publishers ship to the tables of the paper.
#     snakemake --cores all results/table1.csv
from snakemake.utils import min_version

min_version("9.17")  # the first in which a job's priority can be a function


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/analysis.smk"


localrules:
    all,
    datasets,


rule all:
    default_target: True
    input:
        expand(rules.table.output, table=PLAN.experiments.tables),
        expand(rules.prepare.output, dataset=PLAN.scale.datasets),


rule datasets:
    input:
        expand(rules.prepare.output, dataset=PLAN.scale.datasets),
