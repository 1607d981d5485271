# Manifests -> one model a run and seed.


rule train:
    """Train a run; a killed training goes on from its folder resume/, not declared."""
    input:
        manifests=lambda wildcards: expand(
            rules.prepare.output.manifest,
            dataset=PLAN.train_datasets(wildcards.run),
        ),
        init=lambda wildcards: expand(
            rules.train.output.model,
            run=PLAN.experiments.runs[wildcards.run].init or [],
            seed=wildcards.seed,
        ),
    output:
        model=f"{RUN}/model.pt",
        record=f"{RUN}/run.json",
        history=f"{RUN}/history.jsonl",
    log:
        f"{LOGS}/train/{{run}}.seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/train/{{run}}.seed{{seed}}.tsv"
    priority: lambda wildcards: PLAN.urgency(wildcards.run)
    # A cluster may take its machine away; on a laptop a failure is a failure.
    retries: 3 if GPUS else 0
    conda:
        "../../environment.yml"
    threads: 8 * GPUS or 1
    resources:
        gpu=GPUS,
    params:
        options=PLAN.options("data", "results"),
        leaks="" if PLAN.project.exclude_leaks else "--keep-leaks",
        settings=lambda wildcards: PLAN.train_settings(wildcards.run),
    message:
        "Training {wildcards.run}, seed {wildcards.seed}"
    shell:
        "python -m multitrain.cli train {wildcards.run} {params.options} {params.leaks}"
        " --seed {wildcards.seed} --threads {threads} 2>&1 | tee {log:q}"
