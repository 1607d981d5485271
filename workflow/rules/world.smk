# What a synthetic world is, and what its clips teach a model of one dataset: the world's card.


rule temporal:
    """Score a dataset's val clips whole, static, shuffled and reversed."""
    input:
        model=rules.train.output.model,
        manifest=lambda wildcards: expand(
            rules.prepare.output.manifest,
            dataset=wildcards.dataset,
            world=world(wildcards),
        ),
        compared=lambda wildcards: PLAN.wait_for_compared(
            wildcards.run, wildcards.seed, checkpoints.prepare
        ),
    output:
        f"{RUN}/temporal_val/{{dataset}}.parquet",
    log:
        f"{LOGS}/temporal/{{run}}.seed{{seed}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/temporal/{{run}}.seed{{seed}}.{{dataset}}.tsv"
    threads: 1 + MACHINE.workers
    resources:
        **launch.testing(MACHINE),
        workers=MACHINE.workers,
    params:
        options=PLAN.options("data", "results"),
        settings=lambda wildcards: PLAN.evaluate_settings(wildcards.dataset),
    message:
        "Scoring {wildcards.dataset} by {wildcards.run}, seed {wildcards.seed}, whole and perturbed"
    shell:
        "python -m multitrain.cli temporal {wildcards.run} {wildcards.dataset}"
        " {params.options} --seed {wildcards.seed} --threads {threads}"
        " --workers {resources.workers}"
        " 2>&1 | tee {log:q}"


rule related:
    """Score the val clips of every other dataset by the model of one."""
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
        compared=lambda wildcards: PLAN.wait_for_compared(
            wildcards.run, wildcards.seed, checkpoints.prepare
        ),
    output:
        directory(f"{RUN}/temporal_val/{{dataset}}_on"),
    log:
        f"{LOGS}/related/{{run}}.seed{{seed}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/related/{{run}}.seed{{seed}}.{{dataset}}.tsv"
    threads: 1 + MACHINE.workers
    resources:
        **launch.testing(MACHINE),
        workers=MACHINE.workers,
    params:
        options=PLAN.options("data", "results"),
        clips=lambda wildcards: PLAN.other_clips(wildcards.dataset),
        settings=PLAN.overview_settings(),
    message:
        "Scoring other datasets by {wildcards.run}, seed {wildcards.seed}"
    shell:
        "python -m multitrain.cli temporal {wildcards.run} {wildcards.dataset}"
        " {params.clips} {params.options} --seed {wildcards.seed}"
        " --threads {threads} --workers {resources.workers}"
        " 2>&1 | tee {log:q}"


if PLAN.scale.related_datasets():

    rule card:
        """Pictures of the world's clips, and what tells its classes apart."""
        input:
            manifests=expand(
                rules.prepare.output.manifest,
                dataset=PLAN.scale.datasets,
                world=PLAN.worlds[0],
            ),
            summaries=expand(
                rules.synth.output, dataset=PLAN.scale.datasets, world=PLAN.worlds[0]
            ),
            temporal=PLAN.files(rules.temporal.output[0], PLAN.card_cells()),
            related=PLAN.files(rules.related.output[0], PLAN.related_cells()),
            code=closure.code(
                "multitrain.analysis.world_card",
                command="multitrain.cli.result_commands",
            ),
        output:
            page=report(
                f"{RESULTS}/world_card.html",
                caption="../report/card.rst",
                category="Datasets",
                labels={"dataset": "the world's card"},
            ),
            csv=f"{RESULTS}/world_card.csv",
        log:
            f"{LOGS}/card.log",
        benchmark:
            f"{BENCHMARKS}/card.tsv"
        params:
            options=PLAN.options("data", "results"),
            seeds=SEEDS,
            settings=PLAN.card_settings(),
        message:
            "Writing {output.page}"
        shell:
            "python -m multitrain.cli card {params.options} {params.seeds}"
            " 2>&1 | tee {log:q}"
