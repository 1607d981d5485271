# Raw files of the publishers -> clips and their manifest.


rule synth:
    """Publish a synthetic dataset as its publisher would; its last files are declared."""
    output:
        **JOBS.clips("published", "relations"),
    log:
        f"{LOGS}/synth/{PLAN.scale.place}.log",
    benchmark:
        f"{BENCHMARKS}/synth/{PLAN.scale.place}.tsv"
    priority: lambda wildcards: PLAN.data_priority(wildcards.dataset, world(wildcards))
    threads: lambda wildcards: PLAN.data_threads(wildcards.dataset)
    params:
        options=lambda wildcards: PLAN.options("data", world=world(wildcards)),
        settings=JOBS.settings("synth"),
    message:
        "Publishing the synthetic {wildcards.dataset}"
    shell:
        "python -m multitrain.cli synth {wildcards.dataset} {params.options}"
        " --jobs {threads} --wait 2>&1 | tee {log:q}"


checkpoint prepare:
    """Cut and transcode; a killed preparation goes on where it stopped.

    A checkpoint, because which clips a training leaves out is known when all manifests are there.

    For that the clips are not declared. Nor are real raw files, hundreds of thousands
    of them and some missing for everybody: the command says what it did not find, and
    every scale can be planned on a machine without data.
    """
    input:
        lambda wildcards: expand(
            rules.synth.output.published,
            dataset=(
                [wildcards.dataset] if PLAN.scale.synthetic(wildcards.dataset) else []
            ),
            world=world(wildcards),
        ),
    output:
        **JOBS.clips("manifest", "missing", "annotated"),
    log:
        f"{LOGS}/prepare/{PLAN.scale.place}.log",
    benchmark:
        f"{BENCHMARKS}/prepare/{PLAN.scale.place}.tsv"
    priority: lambda wildcards: PLAN.data_priority(wildcards.dataset, world(wildcards))
    threads: lambda wildcards: PLAN.data_threads(wildcards.dataset)
    params:
        options=lambda wildcards: PLAN.options("data", world=world(wildcards)),
        settings=JOBS.settings("prepare"),
    message:
        "Preparing the clips of {wildcards.dataset}"
    shell:
        "python -m multitrain.cli prepare {wildcards.dataset} {params.options}"
        " --jobs {threads} --wait 2>&1 | tee {log:q}"
