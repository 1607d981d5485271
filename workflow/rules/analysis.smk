# Predictions and costs -> tables.


rule flops:
    """Cost and parameters of the scale's models, measured on the models themselves."""
    output:
        json=f"{RESULTS}/runs/{SCALE}/flops.json",
    log:
        f"{LOGS}/flops.log",
    benchmark:
        f"{BENCHMARKS}/flops.tsv"
    conda:
        "../../environment.yml"
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
        predictions=lambda wildcards: [
            rules.evaluate.output.predictions.format(**cell)
            for cell in PLAN.table_cells(wildcards.table)
        ],
        records=lambda wildcards: expand(
            rules.train.output.record,
            run=PLAN.table_runs(wildcards.table),
            seed=PLAN.project.seeds,
        ),
        flops=rules.flops.output.json,
        published=lambda wildcards: "resources/published/"
        + PLAN.experiments.tables[wildcards.table].published,
        code=expand(
            "multitrain/analysis/{module}.py",
            module=["tables", "layout", "markdown", "latex", "metrics", "predictions"],
        ),
    output:
        csv=f"{RESULTS}/{{table}}.csv",
        markdown=f"{RESULTS}/{{table}}.md",
        latex=f"{RESULTS}/{{table}}.tex",
    log:
        f"{LOGS}/{{table}}.log",
    benchmark:
        f"{BENCHMARKS}/{{table}}.tsv"
    conda:
        "../../environment.yml"
    params:
        options=PLAN.options("results"),
        seeds=[f"--seed {seed}" for seed in PLAN.project.seeds],
        settings=lambda wildcards: PLAN.table_settings(wildcards.table),
    message:
        "Writing {output.csv}"
    shell:
        "python -m multitrain.cli table {wildcards.table} {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"
