# Datasets, tables and figures -> notebooks, executed and as pages, and the page that links everything.

EVERY = PLAN.cells(PLAN.experiments.shown_runs())
SURVEY = f"{RESULTS}/datasets/{SCALE}/{{dataset}}"


rule survey:
    """Counts, durations, missing clips and frames of one prepared dataset."""
    input:
        manifest=expand(
            rules.prepare.output.manifest, world=PLAN.worlds[0], allow_missing=True
        ),
        missing=expand(
            rules.prepare.output.missing, world=PLAN.worlds[0], allow_missing=True
        ),
        code=CODE("multitrain.analysis.survey"),
    output:
        classes=f"{SURVEY}/classes.csv",
        durations=f"{SURVEY}/durations.csv",
        missing=f"{SURVEY}/missing.csv",
        strips=report(
            f"{SURVEY}/strips.jpg",
            caption="../report/datasets.rst",
            category="Datasets",
            labels={"dataset": "{dataset}"},
        ),
    log:
        f"{LOGS}/survey/{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/survey/{{dataset}}.tsv"
    params:
        options=PLAN.options("data", "results", world=PLAN.worlds[0]),
        settings=lambda wildcards: PLAN.survey_settings(wildcards.dataset),
    message:
        "Looking at {wildcards.dataset}"
    shell:
        "python -m multitrain.cli survey {wildcards.dataset} {params.options}"
        " 2>&1 | tee {log:q}"


rule accounting:
    """Every annotated clip, prepared or missing, and videos both trained on and tested on."""
    input:
        manifests=expand(
            rules.prepare.output, dataset=PLAN.scale.datasets, world=PLAN.worlds
        ),
        published=f"{PUBLISHED}/datasets.csv",
        code=closure.code(
            "multitrain.analysis.accounting", command="multitrain.cli.data_commands"
        ),
    output:
        csv=report(
            f"{RESULTS}/datasets.csv",
            caption="../report/accounting.rst",
            category="Datasets",
            labels={"dataset": "counts"},
        ),
        markdown=f"{RESULTS}/datasets.md",
        leakage=f"{RESULTS}/leakage.csv",
    log:
        f"{LOGS}/accounting.log",
    benchmark:
        f"{BENCHMARKS}/accounting.tsv"
    params:
        options=PLAN.options("data", "results", world=PLAN.worlds),
        settings=PLAN.accounting_settings(),
    message:
        "Accounting for every clip"
    shell:
        "python -m multitrain.cli data account {params.options} 2>&1 | tee {log:q}"


rule overview:
    """Frames of some classes of every dataset side by side."""
    input:
        manifests=expand(
            rules.prepare.output.manifest,
            dataset=PLAN.scale.datasets,
            world=PLAN.worlds[0],
        ),
        code=CODE("multitrain.analysis.strips"),
    output:
        report(
            f"{RESULTS}/datasets/{SCALE}/overview.jpg",
            caption="../report/datasets.rst",
            category="Datasets",
            labels={"dataset": "all"},
        ),
    log:
        f"{LOGS}/overview.log",
    benchmark:
        f"{BENCHMARKS}/overview.tsv"
    params:
        options=PLAN.options("data", "results", world=PLAN.worlds[0]),
        settings=PLAN.overview_settings(),
    message:
        "Drawing {output}"
    shell:
        "python -m multitrain.cli overview {params.options} 2>&1 | tee {log:q}"


rule notebook:
    """Execute a notebook on the results and render it; papermill's copy is the output."""
    input:
        notebook="notebooks/{notebook}.ipynb",
        tables=lambda wildcards: [
            f"{RESULTS}/{table}" for table in NOTEBOOKS[wildcards.notebook]
        ],
        surveys=lambda wildcards: expand(
            rules.survey.output,
            dataset=PLAN.scale.datasets if wildcards.notebook == "datasets" else [],
        ),
        code=lambda wildcards: closure.notebook_code(
            f"notebooks/{wildcards.notebook}.ipynb",
            "multitrain.analysis.notebooks",
            command="multitrain.cli.result_commands",
        ),
    output:
        notebook=f"{RESULTS}/notebooks/{{notebook}}.ipynb",
        page=report(
            f"{RESULTS}/notebooks/{{notebook}}.html",
            caption="../report/notebook.rst",
            category="Notebooks",
            labels={"notebook": "{notebook}"},
        ),
    log:
        f"{LOGS}/notebooks/{{notebook}}.log",
    benchmark:
        f"{BENCHMARKS}/notebooks/{{notebook}}.tsv"
    params:
        scale=SCALE,
        results=f"--results {shlex.quote(RESULTS)}",
        smoke_test="--smoke-test" if PLAN.scale.smoke_test else "",
    message:
        "Executing {input.notebook}"
    shell:
        "python -m multitrain.cli notebook {input.notebook} --scale {params.scale}"
        " {params.results} {params.smoke_test} 2>&1 | tee {log:q}"


rule report_page:
    """The study on one page that needs no other file, to read, to print and to send."""
    input:
        notebook=f"notebooks/{REPORT}.ipynb",
        tables=[f"{RESULTS}/{table}" for table in NOTEBOOKS[REPORT]],
        code=closure.notebook_code(
            f"notebooks/{REPORT}.ipynb",
            "multitrain.analysis.notebooks",
            command="multitrain.cli.result_commands",
        ),
    output:
        page=report(
            f"{RESULTS}/{notebook_page(REPORT)}",
            caption="../report/report.rst",
            category="Report",
            labels={"notebook": REPORT},
        ),
        notebook=f"{RESULTS}/notebooks/{REPORT}.ipynb",
    log:
        f"{LOGS}/notebooks/{REPORT}.log",
    benchmark:
        f"{BENCHMARKS}/notebooks/{REPORT}.tsv"
    params:
        scale=SCALE,
        results=f"--results {shlex.quote(RESULTS)}",
        smoke_test="--smoke-test" if PLAN.scale.smoke_test else "",
    message:
        "Executing {input.notebook}"
    shell:
        "python -m multitrain.cli notebook {input.notebook} --scale {params.scale}"
        " {params.results} {params.smoke_test} 2>&1 | tee {log:q}"


rule index:
    """One page that links every table, figure, notebook and run record."""
    input:
        tables=expand(rules.table.output, table=PLAN.experiments.tables),
        table4=rules.table4.output,
        recovery=rules.recovery.output,
        claims=rules.claims.output,
        figures=expand(f"{RESULTS}/figures/{{figure}}.png", figure=FIGURES),
        report=rules.report_page.output,
        notebooks=expand(
            rules.notebook.output,
            notebook=[name for name in NOTEBOOKS if name != REPORT],
        ),
        surveys=expand(rules.survey.output, dataset=PLAN.scale.datasets),
        overview=rules.overview.output,
        accounting=rules.accounting.output,
        records=PLAN.files(rules.train.output.record, PLAN.table_cells()),
        flops=rules.flops.output.json,
        card=rules.card.output if PLAN.scale.related_datasets() else [],
        code=CODE("multitrain.analysis.index"),
    output:
        f"{RESULTS}/index.html",
    log:
        f"{LOGS}/index.log",
    benchmark:
        f"{BENCHMARKS}/index.tsv"
    params:
        options=PLAN.options("results"),
        seeds=SEEDS,
        settings=PLAN.index_settings(),
    message:
        "Writing {output}"
    shell:
        "python -m multitrain.cli index {params.options} {params.seeds} 2>&1 | tee {log:q}"


rule study:
    """What all runs of the tables answered and recorded, as one file that travels; not a part of `all`."""
    input:
        predictions=PLAN.files(rules.evaluate.output.predictions, EVERY),
        statistics=PLAN.files(rules.evaluate.output.statistics, JOINT),
        histories=PLAN.files(rules.train.output.history, EVERY),
        records=PLAN.files(rules.train.output.record, EVERY),
        features=rules.class_means.input.features,
        relations=rules.projections.input.relations,
        flops=rules.flops.output.json,
        surveys=expand(rules.survey.output, dataset=PLAN.scale.datasets),
        accounting=rules.accounting.output,
        code=closure.code(
            "multitrain.packed.collect",
            "multitrain.packed.check",
            command="multitrain.cli.packed_commands",
        ),
    output:
        f"{RESULTS}/study.parquet",
    log:
        f"{LOGS}/study.log",
    benchmark:
        f"{BENCHMARKS}/study.tsv"
    params:
        options=PLAN.options("data", "results"),
        seeds=SEEDS,
        settings=PLAN.study_settings(),
    message:
        "Packing {output}"
    shell:
        "python -m multitrain.cli results pack {output:q} {params.options}"
        " {params.seeds} 2>&1 | tee {log:q}"
