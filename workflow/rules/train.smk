# Manifests -> one model a run and seed.


rule train:
    """Train a run; a killed training goes on from its folder resume/, not declared."""
    input:
        manifests=lambda wildcards: expand(
            rules.prepare.output.manifest,
            dataset=PLAN.train_datasets(wildcards.run),
            world=world(wildcards),
        ),
        compared=JOBS.compared(checkpoints.prepare),
        init=lambda wildcards: PLAN.pretrained(wildcards.run)
        or expand(
            rules.train.output.model,
            run=PLAN.experiments.runs[wildcards.run].init or [],
            seed=wildcards.seed,
        ),
    output:
        **JOBS.runs("model", "record", "history"),
    log:
        f"{LOGS}/train/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{run}}.seed{{seed}}.tsv"
    priority: lambda wildcards: PLAN.urgency(wildcards.run) + PLAN.turn(wildcards.seed)
    threads: launch.cores(MACHINE)
    resources:
        **launch.training(MACHINE),
        starter=launch.command(MACHINE),
        workers=MACHINE.workers,
        threads_each=lambda wildcards, threads: max(threads // launch.cores(MACHINE), 1),
    params:
        options=PLAN.options("data", "results"),
        leaks="" if PLAN.project.exclude_leaks else "--keep-leaks",
        pretrained=lambda wildcards: PLAN.pretrained_option(wildcards.run),
        settings=JOBS.settings("train"),
    message:
        "Training {wildcards.run}, seed {wildcards.seed}"
    # What the machine decides is a resource, no parameter: on another one nothing is trained again.
    shell:
        "exec bash workflow/scripts/train.sh {log:q} {resources.starter}"
        " {wildcards.run} {params.options} {params.leaks} {params.pretrained}"
        " --seed {wildcards.seed}"
        " --threads {resources.threads_each} --workers {resources.workers} --wait"
