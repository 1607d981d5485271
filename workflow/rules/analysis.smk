# Predictions, statistics and histories -> tables. Code that runs in seconds is an input; training is not repeated for it.

import json
from functools import partial

from multitrain import closure

CODE = partial(closure.code, command="multitrain.cli.result_commands")
SEEDS = [f"--seed {seed}" for seed in PLAN.project.seeds]
PUBLISHED = "resources/published"
JOINT = PLAN.cells(PLAN.experiments.joint_runs())
MAPPED = [
    cell for cell in PLAN.cells(["multitrain"]) if cell["seed"] == PLAN.project.seeds[0]
]
PROJECTING = PLAN.cells(PLAN.experiments.projecting_runs())


rule flops:
    """Cost and parameters of the scale's models, measured on the models themselves."""
    output:
        json=f"{RESULTS}/runs/{SCALE}/flops.json",
    log:
        f"{LOGS}/flops.log",
    benchmark:
        f"{BENCHMARKS}/flops.tsv"
    params:
        options=PLAN.options(),
        settings=PLAN.flops_settings(),
    message:
        "Measuring the cost of the models"
    shell:
        "python -m multitrain.cli flops {params.options} --json"
        " > {output.json:q} 2> >(tee {log:q} >&2)"


rule table:
    """A table of the paper with our rows beside it; its code, being cheap, is an input."""
    input:
        predictions=lambda wildcards: PLAN.files(
            rules.evaluate.output.predictions, PLAN.table_cells(wildcards.table)
        ),
        records=lambda wildcards: PLAN.files(
            rules.train.output.record, PLAN.table_cells(wildcards.table)
        ),
        flops=rules.flops.output.json,
        published=lambda wildcards: f"{PUBLISHED}/"
        + PLAN.experiments.tables[wildcards.table].published,
        measured=PLAN.measured_files(),
        code=CODE("multitrain.analysis.tables"),
    output:
        csv=report(
            f"{RESULTS}/{{table}}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{table}", "form": "CSV"},
        ),
        markdown=f"{RESULTS}/{{table}}.md",
        latex=f"{RESULTS}/{{table}}.tex",
    log:
        f"{LOGS}/{{table}}.log",
    benchmark:
        f"{BENCHMARKS}/{{table}}.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=lambda wildcards: PLAN.table_settings(wildcards.table),
    message:
        "Writing {output.csv}"
    shell:
        "python -m multitrain.cli table {wildcards.table} {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule class_means:
    """The mean features of every class of Table 1's joint run, of the first seed."""
    input:
        features=PLAN.files(rules.features.output[0], MAPPED),
        records=PLAN.files(rules.train.output.record, MAPPED),
        code=CODE("multitrain.analysis.class_map"),
    output:
        f"{RESULTS}/class_means.parquet",
    log:
        f"{LOGS}/class_means.log",
    benchmark:
        f"{BENCHMARKS}/class_means.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.analysis_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli analyse class_means {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule projections:
    """Every projection weight, with the names of its classes and whether they are related."""
    input:
        statistics=PLAN.files(rules.evaluate.output.statistics, PROJECTING),
        records=PLAN.files(rules.train.output.record, PROJECTING),
        relations=expand(
            rules.synth.output.relations,
            dataset=PLAN.scale.related_datasets(),
            world=PLAN.worlds,
        ),
        code=CODE("multitrain.analysis.projections"),
    output:
        f"{RESULTS}/projections.parquet",
    log:
        f"{LOGS}/projections.log",
    benchmark:
        f"{BENCHMARKS}/projections.tsv"
    params:
        options=PLAN.options("data", "results"),
        seeds=SEEDS,
        settings=PLAN.analysis_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli analyse projections {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule table4:
    """The class pairs of the largest projection weights, the paper's first."""
    input:
        projections=rules.projections.output,
        published=f"{PUBLISHED}/{PLAN.experiments.projections.published}",
        code=CODE("multitrain.analysis.table4"),
    output:
        csv=report(
            f"{RESULTS}/table4.csv",
            caption="../report/table4.rst",
            category="Tables",
            labels={"table": "table4", "form": "CSV"},
        ),
        markdown=f"{RESULTS}/table4.md",
        latex=f"{RESULTS}/table4.tex",
    log:
        f"{LOGS}/table4.log",
    benchmark:
        f"{BENCHMARKS}/table4.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.table4_settings(),
    message:
        "Writing {output.csv}"
    shell:
        "python -m multitrain.cli table table4 {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule recovery:
    """How well the projections find related classes."""
    input:
        projections=rules.projections.output,
        code=CODE("multitrain.analysis.recovery"),
    output:
        csv=report(
            f"{RESULTS}/projection_recovery.csv",
            caption="../report/projection_recovery.rst",
            category="Tables",
            labels={"table": "projection recovery", "form": "CSV"},
        ),
        summary=f"{RESULTS}/projection_recovery_summary.csv",
        markdown=f"{RESULTS}/projection_recovery.md",
    log:
        f"{LOGS}/recovery.log",
    benchmark:
        f"{BENCHMARKS}/recovery.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.analysis_settings(),
    message:
        "Writing {output.csv}"
    shell:
        "python -m multitrain.cli analyse recovery {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule networks:
    """Operations and parameters of every run's own network."""
    input:
        records=PLAN.files(rules.train.output.record, PLAN.table_cells()),
    output:
        f"{RESULTS}/networks.csv",
    log:
        f"{LOGS}/networks.log",
    benchmark:
        f"{BENCHMARKS}/networks.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.networks_settings(),
    message:
        "Measuring the cost of every run's network"
    shell:
        "python -m multitrain.cli analyse networks {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule evidence:
    """Claims that costs, histories, spectra, projections or the paper's own tables answer."""
    input:
        records=PLAN.files(rules.train.output.record, PLAN.table_cells()),
        training=f"{RESULTS}/training.parquet",
        spectrum=f"{RESULTS}/spectrum.csv",
        projections=rules.projections.output,
        recovery=rules.recovery.output.csv,
        networks=rules.networks.output,
        predictions=PLAN.files(rules.evaluate.output.predictions, PLAN.table_cells()),
        flops=rules.flops.output.json,
        published=expand(f"{PUBLISHED}/{{name}}", name=PLAN.published_files()),
        code=CODE("multitrain.analysis.evidence.write"),
    output:
        f"{RESULTS}/evidence.csv",
    log:
        f"{LOGS}/evidence.log",
    benchmark:
        f"{BENCHMARKS}/evidence.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.evidence_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli analyse evidence {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule claims:
    """The claims of the paper's Section 4 and what our numbers say of them."""
    input:
        predictions=PLAN.files(rules.evaluate.output.predictions, PLAN.table_cells()),
        records=PLAN.files(rules.train.output.record, PLAN.table_cells()),
        evidence=rules.evidence.output,
        published=expand(f"{PUBLISHED}/{{name}}", name=PLAN.published_files()),
        code=CODE("multitrain.analysis.claims"),
    output:
        csv=report(
            f"{RESULTS}/claims.csv",
            caption="../report/claims.rst",
            category="Claims",
            labels={"table": "claims", "form": "CSV"},
        ),
        markdown=f"{RESULTS}/claims.md",
    log:
        f"{LOGS}/claims.log",
    benchmark:
        f"{BENCHMARKS}/claims.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.claims_settings(),
    message:
        "Testing the claims of the paper"
    shell:
        "python -m multitrain.cli analyse claims {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule classes:
    """Accuracy of each class, baseline and MultiTrain."""
    input:
        predictions=PLAN.files(
            rules.evaluate.output.predictions, PLAN.table_cells("table1", "table2")
        ),
        records=PLAN.files(
            rules.train.output.record, PLAN.table_cells("table1", "table2")
        ),
        code=CODE("multitrain.analysis.classes"),
    output:
        f"{RESULTS}/per_class.csv",
    log:
        f"{LOGS}/classes.log",
    benchmark:
        f"{BENCHMARKS}/classes.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.analysis_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli analyse classes {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule spectrum:
    """Eigenvalues of the covariance of features and embeddings."""
    input:
        statistics=PLAN.files(rules.evaluate.output.statistics, JOINT),
        records=PLAN.files(rules.train.output.record, JOINT),
        code=CODE("multitrain.analysis.spectrum"),
    output:
        f"{RESULTS}/spectrum.csv",
    log:
        f"{LOGS}/spectrum.log",
    benchmark:
        f"{BENCHMARKS}/spectrum.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.analysis_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli analyse spectrum {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule training:
    """The loss terms of all joint runs in one file."""
    input:
        histories=PLAN.files(rules.train.output.history, JOINT),
        records=PLAN.files(rules.train.output.record, JOINT),
        code=CODE("multitrain.analysis.training"),
    output:
        f"{RESULTS}/training.parquet",
    log:
        f"{LOGS}/training.log",
    benchmark:
        f"{BENCHMARKS}/training.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.analysis_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli analyse training {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"


rule study_records:
    """What the report shows beside tables and claims: every training, its answers, losses, and deviations."""
    input:
        predictions=PLAN.files(
            rules.evaluate.output.predictions,
            PLAN.cells(PLAN.experiments.shown_runs()),
        ),
        histories=PLAN.files(
            rules.train.output.history, PLAN.cells(PLAN.experiments.shown_runs())
        ),
        records=PLAN.files(
            rules.train.output.record, PLAN.cells(PLAN.experiments.shown_runs())
        ),
        measured=PLAN.measured_files(),
        code=CODE("multitrain.analysis.study"),
    output:
        runs=f"{RESULTS}/runs.csv",
        deviations=f"{RESULTS}/deviations.csv",
        seeds=f"{RESULTS}/seeds.csv",
        curves=f"{RESULTS}/curves.parquet",
        measured=f"{RESULTS}/measured.csv",
    log:
        f"{LOGS}/study_records.log",
    benchmark:
        f"{BENCHMARKS}/study_records.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.record_settings(),
    message:
        "Collecting what was run"
    shell:
        "python -m multitrain.cli analyse study {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"
