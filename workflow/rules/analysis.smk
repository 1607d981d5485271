# Runs -> tables, claims, figures, notebooks and the index: a rule for each entry of the table in
# multitrain/planning/outputs. The code of these rules is an input, because they run in seconds.


rule flops:
    """Cost and parameters of the scale's models, measured on the models themselves."""
    output:
        json=f"{RESULTS}/runs/{SCALE}/flops.json",
    log:
        f"{LOGS}/flops.log",
    benchmark:
        f"{BENCHMARKS}/flops.tsv"
    params:
        options=PLAN.options(),
        settings=JOBS.settings("flops"),
    message:
        "Measuring the cost of the models"
    shell:
        "python -m multitrain.cli flops {params.options} --json"
        " > {output.json:q} 2> >(tee {log:q} >&2)"


for name, made in JOBS.outputs().items():

    rule:
        name:
            name
        input:
            JOBS.inputs(name),
        output:
            *[
                (
                    report(
                        file,
                        caption=f"../report/{'output' if made.caption else 'table'}.rst",
                        category=made.category,
                        labels=made.labels,
                    )
                    if made.category and not place
                    else file
                )
                for place, file in enumerate(JOBS.files(name))
            ],
        log:
            f"{LOGS}/{LOG_OF.get(name, name)}.log",
        benchmark:
            f"{BENCHMARKS}/{LOG_OF.get(name, name)}.tsv"
        params:
            command=JOBS.command(name),
            settings=JOBS.settings(name),
        message:
            "Writing {output[0]}"
        shell:
            "python -m multitrain.cli {params.command} 2>&1 | tee {log:q}"
