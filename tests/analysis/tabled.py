"""A results folder with every table that figures are drawn from, made up."""

import itertools
import math
from pathlib import Path

import pandas as pd

from multitrain.analysis.render.columns import MEASURED

TITLES = {"k400": "K400", "k700": "K700", "mit": "MiT"}
SETS = {"table1.csv": ("k400", "mit"), "table2.csv": ("k700", "mit"), "table3.csv": ("k400", "mit")}
METHODS = {
    "table1.csv": ("Baseline", "MultiTrain", "MultiTrain (large)"),
    "table2.csv": ("Baseline", "MultiTrain"),
    "table3.csv": ("Baseline", "MultiTrain", "w/o Projection Loss"),
}
METHOD_OF = {"multitrain": "MultiTrain", "multitrain_large": "MultiTrain (large)"}
PROJECTED = ("MultiTrain", "MultiTrain (large)")


def table(name: str, about: dict, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Two published rows a dataset and one without a number, then ours: MultiTrain with Y'_k."""
    rows = [
        {"source": "published", "method": method, "gflops": gflops, "dataset": dataset, "top1": top1}
        for dataset in SETS[name]
        for method, gflops, top1 in (("ViViT", "3992", "81.3"), ("Ours-baseline", "224", "79.8"), ("X3D", "194", ""))
    ]
    for (place, method), dataset in itertools.product(enumerate(METHODS[name]), SETS[name]):
        top1 = 40 + 10 * place
        row = {"source": "ours", "method": method, "gflops": "0.03", "dataset": dataset, "clips": "12", **about}
        row |= {"top1": top1, "top1_low": top1 - 5, "top1_high": top1 + 5, "seeds": " ".join(map(str, seeds))}
        if method in PROJECTED:
            row |= {f"top1_projected{end}": row[f"top1{end}"] + 2 for end in ("", "_low", "_high")}
        rows.append(row)
    return pd.DataFrame(rows)


def classes_table(about: dict, seeds: tuple[int, ...], count: int) -> pd.DataFrame:
    """Gains that rise with the class's number; the last class has no clip."""
    rows = []
    for name, datasets in SETS.items():
        for dataset, index in itertools.product(datasets, range(count + 1)):
            row = {
                "table": name.removesuffix(".csv"),
                "dataset": dataset,
                "title": TITLES[dataset],
                "clips": 5,
                **about,
            }
            row |= {"class": f"class {index}", "baseline": "Baseline", "method": "MultiTrain"}
            row |= {"seeds": " ".join(map(str, seeds)), "gain": index, "gain_low": index - 1, "gain_high": index + 1}
            row |= {f"gain_projected{end}": index + 0.5 for end in ("", "_low", "_high")}
            if index == count:
                row |= {"clips": 0, **{key: math.nan for key in row if key.startswith("gain")}}
            rows.append(row)
    return pd.DataFrame(rows)


def spectrum_table(about: dict, seeds: tuple[int, ...]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{"run": method, "method": method, "seed": seed, "space": space, "index": index, "share": share},
            **{"effective_rank": rank, "dimensions": 4, "views": 24, **about},
        }
        for method, space, rank in (("MultiTrain", "z", 3.5), ("MultiTrain", "z'", 2.5), ("Vanilla", "z", 1.25))
        for seed in seeds
        for index, share in enumerate((0.9, 0.09, 0.01, 0.0), start=1)
    )


def training_table(about: dict, seeds: tuple[int, ...], steps: int = 5) -> pd.DataFrame:
    return pd.DataFrame(
        {
            **{"run": method, "method": method, "seed": seed, "step": step, "clips": 40, **about},
            **{"total": 2.0 - step, "variance": 0.5, "covariance": 2.0, "gradient_norm": 1.0 + step, "rate": 0.1},
            **{"classification.k400": 1.0, "classification.k700": None, "classification.mit": 2.0},
            **{"sigma.k400": 0.5, "sigma.k700": None, "sigma.mit": 0.7},
        }
        for method in ("MultiTrain", "Vanilla", "w/o ActNet")
        for seed in seeds
        for step in range(steps)
    ).astype({"classification.k700": float, "sigma.k700": float})


def projections_table(about: dict, seeds: tuple[int, ...], count: int) -> pd.DataFrame:
    """Weights 0.01 (10 target + source), equal classes related."""
    return pd.DataFrame(
        {
            **{"run": run, "method": METHOD_OF[run], "seed": seed, "source": source, "target": target, **about},
            **{"source_class": f"{source} {j}", "target_class": f"{target} {i}"},
            **{"weight": 0.01 * (10 * i + j), "scaled": 0.0, "related": i == j},
        }
        for run in METHOD_OF
        for seed in seeds
        for source, target in itertools.permutations(("k400", "mit"), 2)
        for i, j in itertools.product(range(count), range(count))
    )


def recovery_table(about: dict, seeds: tuple[int, ...]) -> pd.DataFrame:
    """K400 to MiT is found, MiT to K400 not, by scaled weights half as well; one pair has no related classes."""
    found = {("k400", "mit"): (0.8, 0.01), ("mit", "k400"): (0.2, 0.5), ("k400", "ssv2"): (math.nan, math.nan)}
    return pd.DataFrame(
        {
            **{
                "run": "multitrain",
                "method": "MultiTrain",
                "seed": seed,
                "source": source,
                "target": target,
                "form": form,
                **about,
            },
            **{
                "average_precision": precision / (1 + (form == "scaled")),
                "p_value": p,
                "chance_average_precision": 0.1,
            },
            "relation_from": "world",
        }
        for seed in seeds
        for (source, target), (precision, p) in found.items()
        for form in ("weight", "scaled")
    )


def claims_table(about: dict, seeds: tuple[int, ...]) -> pd.DataFrame:
    """A primary claim that holds, one that is the same fact and fails, and one of ours whose answers never differ."""
    common = {"seeds": " ".join(map(str, seeds)), "margin": "2", "missing": "", **about}
    claims = [
        {"claim": "ours", "stated_by": "us", "text": "A third.", "claim_verdict": "undetermined", "difference": 0.0},
        {"claim": "first", "primary": "yes", "text": "A <b> claim.", "claim_verdict": "holds", "difference": 4.0},
        {"claim": "again", "same_fact_as": "first", "text": "A second.", "claim_verdict": "does not hold"},
    ]
    rows = []
    for claim in claims:
        row = {"primary": "no", "same_fact_as": "", "stated_by": "paper", "difference": -4.0, **common, **claim}
        width = 3.0 if row["difference"] else math.nan
        row |= {"low": row["difference"] - width, "high": row["difference"] + width, "paper_difference": 1.5}
        row |= {
            "p_adjusted": "0.01",
            "holds_if_paper_right": "0.125",
            "holds_if_aimed": "0.75",
            "verdict": row["claim_verdict"],
        }
        rows.append({**row, "scope": "claim", "label": "mean"})
        rows += [{**row, "scope": "dataset", "label": title} for title in ("K400", "MiT")]
    return pd.DataFrame(rows)


def seeds_table(about: dict, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Baseline 40 + seed, MultiTrain 50 + seed, on each dataset; seed 3 is of world 1."""
    return pd.DataFrame(
        {
            **{"run": method, "method": method, "dataset": dataset, "seed": seed, "world": int(seed == 3), "clips": 12},
            **{"videos": 12, "top1": top1 + seed, "top1_projected": None, **about},
            **{"top1_mean": top1 + 1.5, "top1_low": top1 - 1, "top1_high": top1 + 4},
        }
        for method, top1 in (("Baseline", 40), ("MultiTrain", 50))
        for dataset in TITLES
        for seed in seeds
    )


def curves_table(about: dict, seeds: tuple[int, ...]) -> pd.DataFrame:
    """Losses that fall from 3 to 1 over the schedule, with the seed added."""
    return pd.DataFrame(
        {
            **{"run": run, "method": method, "datasets": datasets, "seed": seed, **about},
            **{"share": share, "loss": 3 - 2 * share + seed},
        }
        for run, method, datasets in (
            ("k400_baseline", "Baseline", "K400"),
            ("mit_baseline", "Baseline", "MiT"),
            ("multitrain", "MultiTrain", "K400, MiT"),
        )
        for seed in seeds
        for share in (0.25, 0.5, 0.75, 1.0)
    )


NOTES = (("note.plateau", "no plateau was measured: a.csv: not there"), ("note.spread", "no spread: b.csv: not there"))


def measured_table(*rows: dict, notes: tuple[tuple[str, str], ...] = NOTES) -> pd.DataFrame:
    """What study.py writes of files of resources/measured; nothing but its notes without rows."""
    notes = [{"kind": kind, "text": text} for kind, text in notes]
    return pd.DataFrame([*notes, *rows], columns=list(MEASURED)).assign(scale="mini")


def fill(root: Path, seeds: tuple[int, ...] = (0,), classes: int = 3, synthetic: str = "yes") -> Path:
    """A results folder with every table that figures are drawn from."""
    root.mkdir(exist_ok=True)
    about = {"scale": "mini", "synthetic": synthetic}
    for name in SETS:
        table(name, about, seeds).to_csv(root / name, index=False)
    classes_table(about, seeds, classes).to_csv(root / "per_class.csv", index=False)
    spectrum_table(about, seeds).to_csv(root / "spectrum.csv", index=False)
    recovery_table(about, seeds).to_csv(root / "projection_recovery.csv", index=False)
    claims_table(about, seeds).to_csv(root / "claims.csv", index=False)
    seeds_table(about, seeds).to_csv(root / "seeds.csv", index=False)
    measured_table().to_csv(root / "measured.csv", index=False)
    curves_table(about, seeds).to_parquet(root / "curves.parquet")
    training_table(about, seeds).to_parquet(root / "training.parquet")
    projections_table(about, seeds, classes).to_parquet(root / "projections.parquet")
    return root
