"""Draw docs/notes/collapse.png from docs/notes/collapse.csv: top-1 by the size of the initial projections.

python dev/collapse.py
"""

import argparse
from pathlib import Path

import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure

from multitrain.analysis.figures import figure_style

RUNS = {"multitrain": "with informative loss", "wo_informative": "without informative loss"}
FORMS = {
    "mean": ("Yₖ: the dataset's own head", figure_style.BLUE, "o", "-"),
    "mean_projected": ("Y′ₖ: Eq. 4's sum", figure_style.VERMILION, "s", "--"),
}


def draw(trials: pd.DataFrame) -> Figure:
    """A panel a run: every training as a point, a line through the means over seeds."""
    figure = Figure(figsize=(7.5, 3.2), layout="constrained")
    starts = sorted(trials["projection_std"].unique())
    for axis, (run, title) in zip(figure.subplots(1, 2, sharey=True), RUNS.items(), strict=True):
        its = trials[trials["run"] == run]
        for column, (label, colour, marker, line) in FORMS.items():
            places = [starts.index(start) for start in its["projection_std"]]
            axis.plot(places, its[column], marker, color=colour, markersize=5, fillstyle="none")
            means = its.groupby("projection_std")[column].mean()
            axis.plot(range(len(starts)), means, line, color=colour, label=label)
        axis.set_xticks(range(len(starts)), [f"{start:g}" for start in starts])
        axis.set_ylim(0, 80)
        axis.set_xlabel("standard deviation of the initial projections")
        axis.set_title(title, loc="left")
    figure.axes[0].set_ylabel("top-1 on val, mean of four datasets (%)")
    figure.axes[0].legend(loc="lower left", frameon=False)
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=Path, default=Path("docs/notes/collapse.csv"))
    parser.add_argument("--out", type=Path, default=Path("docs/notes/collapse.png"))
    options = parser.parse_args()
    with rc_context(figure_style.RC):
        draw(pd.read_csv(options.trials)).savefig(options.out, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    main()
