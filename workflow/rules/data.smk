# The publishers' raw files -> clips and a manifest.


rule synth:
    """Write the raw files of a synthetic dataset in its publisher's format. The declared outputs are written last."""
    output:
        **JOBS.clips("published", "relations"),
    log:
        f"{LOGS}/synth/{PLAN.scale.place}.log",
    benchmark:
        f"{BENCHMARKS}/synth/{PLAN.scale.place}.tsv"
    priority: lambda wildcards: PLAN.data_priority(wildcards.dataset, world(wildcards))
    threads: lambda wildcards: PLAN.data_threads(wildcards.dataset)
    params:
        options=lambda wildcards: JOBS.clip_options(world(wildcards)),
        settings=JOBS.settings("synth"),
    message:
        "Publishing the synthetic {wildcards.dataset}"
    shell:
        "python -m multitrain.cli synth {wildcards.dataset} {params.options}"
        " --jobs {threads} --wait 2>&1 | tee {log:q}"


checkpoint prepare:
    """Cut and transcode clips, and write the manifest. An interrupted preparation resumes.

    It is a checkpoint, because only the manifests of all datasets decide which clips a training leaves out.

    The clips are not declared as outputs, because Snakemake deletes the outputs of a failed job. Real raw
    files are no inputs: there are hundreds of thousands, and some are missing for everybody. The command
    reports missing files, and every scale can be planned on a machine without data.
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
        options=lambda wildcards: JOBS.clip_options(world(wildcards)),
        settings=JOBS.settings("prepare"),
    message:
        "Preparing the clips of {wildcards.dataset}"
    shell:
        "python -m multitrain.cli prepare {wildcards.dataset} {params.options}"
        " --jobs {threads} --wait 2>&1 | tee {log:q}"
