# Tables -> figures: a rule each, for each has its own inputs and caption.

from multitrain.analysis.outputs import FIGURES

DRAWN_WITH = {
    "projection_graph": ["figures/projections"],
    "recovery": ["figures/projections"],
}

for figure, tables in FIGURES.items():

    rule:
        name:
            f"figure_{figure}"
        input:
            tables=[f"{RESULTS}/{table}" for table in tables],
            code=expand(
                CODE,
                module=[
                    f"figures/{figure.removesuffix('_k700')}",
                    *(
                        f"figures/{shared}"
                        for shared in ("__init__", "inputs", "style")
                    ),
                    *DRAWN_WITH.get(figure, []),
                ],
            ),
        output:
            report(
                f"{RESULTS}/figures/{figure}.png",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure.replace("_", " ")},
            ),
        log:
            f"{LOGS}/figures/{figure}.log",
        benchmark:
            f"{BENCHMARKS}/figures/{figure}.tsv"
        params:
            name=figure,
            results=f"--results {shlex.quote(RESULTS)}",
        message:
            "Drawing {output}"
        shell:
            "python -m multitrain.cli figure {params.name} {params.results}"
            " 2>&1 | tee {log:q}"
