# Tables -> figures: a rule each, for each has its own inputs and caption.

from multitrain.analysis.outputs import FIGURES, figure_module

for figure, tables in FIGURES.items():

    rule:
        name:
            f"figure_{figure}"
        input:
            tables=[f"{RESULTS}/{table}" for table in tables],
            code=CODE(figure_module(figure), "multitrain.analysis.figures"),
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
            smoke_test="--smoke-test" if PLAN.scale.smoke_test else "",
        message:
            "Drawing {output}"
        shell:
            "python -m multitrain.cli figure {params.name} {params.results}"
            " {params.smoke_test}"
            " 2>&1 | tee {log:q}"
