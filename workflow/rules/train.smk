# Manifests -> one model for each run and seed.


rule train:
    """Train a run. An interrupted training resumes from its folder resume/, which is not a declared output."""
    input:
        manifests=lambda wildcards: expand(
            rules.prepare.output.manifest,
            dataset=PLAN.train_datasets(wildcards.run),
            world=world(wildcards),
        ),
        compared=JOBS.wait_for_compared(checkpoints.prepare),
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
    priority: lambda wildcards: PLAN.run_priority(wildcards.run) + PLAN.seed_priority(wildcards.seed)
    threads: launch.cores(MACHINE)
    resources:
        **launch.training_resources(MACHINE),
        starter=launch.command(MACHINE),
        workers=MACHINE.workers,
        events="--tensorboard" if PLAN.project.tensorboard else "",
        threads_each=lambda wildcards, threads: max(threads // launch.cores(MACHINE), 1),
    params:
        options=PLAN.options("data", "results"),
        leaks="" if PLAN.project.exclude_leaks else "--keep-leaks",
        pretrained=lambda wildcards: PLAN.pretrained_option(wildcards.run),
        settings=JOBS.settings("train"),
    message:
        "Training {wildcards.run}, seed {wildcards.seed}"
    # Values of the machine, and event files, are resources and not params: where they change no run is trained again.
    shell:
        "exec bash workflow/scripts/train.sh {log:q} {resources.starter}"
        " {wildcards.run} {params.options} {params.leaks} {params.pretrained}"
        " --seed {wildcards.seed}"
        " --threads {resources.threads_each} --workers {resources.workers} {resources.events} --wait"
