# Models -> predictions and features of every test clip.


rule evaluate:
    """Score the test clips of one dataset, averaged over views."""
    input:
        **JOBS.scoring_inputs(checkpoints.prepare),
    output:
        **JOBS.runs("predictions", "statistics"),
    log:
        f"{LOGS}/evaluate/{{run}}.seed{{seed}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/evaluate/{{run}}.seed{{seed}}.{{dataset}}.tsv"
    priority: lambda wildcards: PLAN.seed_priority(wildcards.seed)
    threads: 1 + MACHINE.workers
    resources:
        **launch.evaluation_resources(MACHINE),
        workers=MACHINE.workers,
    params:
        options=PLAN.options("data", "results"),
        settings=JOBS.settings("evaluate"),
    message:
        "Testing {wildcards.run}, seed {wildcards.seed}, on {wildcards.dataset}"
    shell:
        "python -m multitrain.cli evaluate {wildcards.run} {wildcards.dataset}"
        " {params.options} --seed {wildcards.seed} --threads {threads}"
        " --workers {resources.workers}"
        " 2>&1 | tee {log:q}"


rule features:
    """The features z of the test clips of one dataset."""
    input:
        **JOBS.scoring_inputs(checkpoints.prepare),
    output:
        **JOBS.runs("features"),
    log:
        f"{LOGS}/features/{{run}}.seed{{seed}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/features/{{run}}.seed{{seed}}.{{dataset}}.tsv"
    priority: lambda wildcards: PLAN.seed_priority(wildcards.seed)
    threads: 1 + MACHINE.workers
    resources:
        **launch.evaluation_resources(MACHINE),
    message:
        "Features of {wildcards.run}, seed {wildcards.seed}, on {wildcards.dataset}"
    shell:
        "python -m multitrain.cli features {input.model:q} {input.manifest:q} {output:q}"
        " --threads {threads} --jobs {threads}"
        " 2>&1 | tee {log:q}"
