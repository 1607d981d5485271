# The sweep "when does joint training help": the points of config/sweep.yaml around this scale. Not a part of `all`.

from multitrain.planning.closure import code_files

POINTS = PLAN.points()
SWEPT = {point.scale.name: name for name, point in reversed(POINTS.by_name.items())}
SWEEP = f"{RESULTS}/sweep"


rule sweep_data:
    """Publish and prepare a dataset of one world of the sweep; several points may share the world."""
    output:
        manifest=f"{PLAN.project.data}/{{swept}}/{{dataset}}/manifest.parquet",
    log:
        f"{LOGS}/sweep/{{swept}}.{{dataset}}.log",
    benchmark:
        f"{BENCHMARKS}/sweep/{{swept}}.{{dataset}}.tsv"
    wildcard_constraints:
        swept="|".join(SWEPT) or "none",
    params:
        options=PLAN.options("data"),
        point=lambda wildcards: SWEPT[wildcards.swept],
        settings=lambda wildcards: POINTS.data_settings(
            SWEPT[wildcards.swept], wildcards.dataset
        ),
    message:
        "Preparing {wildcards.dataset} of {wildcards.swept}"
    shell:
        "python -m multitrain.cli sweep data {params.point} {wildcards.dataset}"
        " {params.options} --jobs {threads} 2>&1 | tee {log:q}"


rule sweep_point:
    """Train and evaluate all runs of a point with one seed. After an interruption it resumes."""
    input:
        manifests=lambda wildcards: expand(
            rules.sweep_data.output.manifest,
            swept=POINTS.point(wildcards.point).scale.name,
            dataset=POINTS.point(wildcards.point).datasets,
        ),
    output:
        f"{SWEEP}/{{point}}/seed{{seed}}.parquet",
    log:
        f"{LOGS}/sweep/{{point}}.seed{{seed}}.log",
    benchmark:
        f"{BENCHMARKS}/sweep/{{point}}.seed{{seed}}.tsv"
    wildcard_constraints:
        point="|".join(POINTS.by_name) or "none",
    threads: launch.cores(MACHINE)
    resources:
        **launch.evaluation_resources(MACHINE),
        workers=MACHINE.workers,
    params:
        options=PLAN.options("data", "results"),
        settings=lambda wildcards: POINTS.point(wildcards.point).settings(),
    message:
        "Training all of point {wildcards.point}, seed {wildcards.seed}"
    shell:
        "python -m multitrain.cli sweep run {wildcards.point} {params.options}"
        " --seed {wildcards.seed} --workers {resources.workers} 2>&1 | tee {log:q}"


rule when_it_helps:
    """Table and figure of the gains over the baseline at equal steps, by factor. Exploratory."""
    input:
        answers=expand(
            rules.sweep_point.output,
            point=POINTS.by_name,
            seed=POINTS.sweep.seeds if POINTS.sweep else [],
        ),
        code=code_files(
            "multitrain.analysis.study.sweep_gains",
            "multitrain.analysis.figures.comparisons.when_it_helps",
            command="multitrain.cli.commands.sweep_commands",
        ),
    output:
        csv=f"{RESULTS}/when_it_helps.csv",
        markdown=f"{RESULTS}/when_it_helps.md",
        figure=report(
            f"{RESULTS}/when_it_helps.png",
            caption="../report/when_it_helps.rst",
            category="Figures",
            labels={"figure": "when it helps"},
        ),
    log:
        f"{LOGS}/when_it_helps.log",
    benchmark:
        f"{BENCHMARKS}/when_it_helps.tsv"
    params:
        options=PLAN.options("results"),
        settings=str([[*key, name] for key, name in POINTS.names.items()]),
    message:
        "Writing {output.csv}"
    shell:
        "python -m multitrain.cli sweep show {params.options} 2>&1 | tee {log:q}"
