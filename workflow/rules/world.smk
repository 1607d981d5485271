# Inputs of the world card: accuracy of single-dataset models on perturbed clips and on other datasets.


rule temporal:
    """Score a dataset's val clips as they are, as one still frame, shuffled and reversed."""
    input:
        **JOBS.scoring_inputs(checkpoints.prepare),
    output:
        **JOBS.runs("temporal"),
    log:
        f"{LOGS}/temporal/{{run}}.seed{{seed}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/temporal/{{run}}.seed{{seed}}.{{dataset}}.tsv"
    threads: 1 + MACHINE.workers
    resources:
        **launch.evaluation_resources(MACHINE),
        workers=MACHINE.workers,
    params:
        options=PLAN.options("data", "results"),
        settings=JOBS.settings("temporal"),
    message:
        "Scoring {wildcards.dataset} by {wildcards.run}, seed {wildcards.seed}, whole and perturbed"
    shell:
        "python -m multitrain.cli temporal {wildcards.run} {wildcards.dataset}"
        " {params.options} --seed {wildcards.seed} --threads {threads}"
        " --workers {resources.workers}"
        " 2>&1 | tee {log:q}"


rule related:
    """Score the val clips of all other datasets with the model of one dataset."""
    input:
        model=rules.train.output.model,
        manifests=lambda wildcards: expand(
            rules.prepare.output.manifest,
            dataset=PLAN.scale.datasets,
            world=world(wildcards),
        ),
        relations=lambda wildcards: expand(
            rules.synth.output.relations,
            dataset=PLAN.scale.datasets,
            world=world(wildcards),
        ),
        compared=JOBS.wait_for_compared(checkpoints.prepare),
    output:
        directory(JOBS.runs("related")["related"]),
    log:
        f"{LOGS}/related/{{run}}.seed{{seed}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/related/{{run}}.seed{{seed}}.{{dataset}}.tsv"
    threads: 1 + MACHINE.workers
    resources:
        **launch.evaluation_resources(MACHINE),
        workers=MACHINE.workers,
    params:
        options=PLAN.options("data", "results"),
        clips=lambda wildcards: PLAN.other_clips(wildcards.dataset),
        settings=JOBS.settings("related"),
    message:
        "Scoring other datasets by {wildcards.run}, seed {wildcards.seed}"
    shell:
        "python -m multitrain.cli temporal {wildcards.run} {wildcards.dataset}"
        " {params.clips} {params.options} --seed {wildcards.seed}"
        " --threads {threads} --workers {resources.workers}"
        " 2>&1 | tee {log:q}"
