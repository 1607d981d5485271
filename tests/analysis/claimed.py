"""A claim about made-up predictions, and the rows that are written for it."""

from pathlib import Path

from multitrain.analysis.claims.claim_verdicts import write_claims
from multitrain.config.claims import Claim, Claims
from multitrain.config.config_files import load_claims
from tests.csv_rows import csv_rows

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "resources" / "published"
CLIPS = 200
SEEDS = (0, 1, 2)
ON_MIT = {"section": "4.2", "text": "A.", "table": "table1", "left": "MultiTrain", "right": "Baseline"}
ON_MIT |= {"datasets": ("mit",), "quote": "It is so."}


def first(right: int, clips: int = CLIPS) -> list[int]:
    """Ranks of which the first `right` clips are right."""
    return [0] * right + [2] * (clips - right)


def last(right: int, clips: int = CLIPS) -> list[int]:
    return first(right, clips)[::-1]


def write(results, *seeds: int, claims: Claims | None = None, **claim: object) -> tuple[list[dict], str]:
    """The rows and the text for one claim, MultiTrain against the baseline on MiT but for what is given."""
    paper = load_claims(ROOT / "config", results.experiments).paper
    claims = claims or Claims(paper=paper, claims={"one": Claim(**{**ON_MIT, **claim})})
    write_claims(results.scale, results.experiments, claims, seeds or SEEDS, results.root, PUBLISHED)
    rows = csv_rows(results.root / "claims.csv")
    return rows, (results.root / "claims.md").read_text(encoding="utf-8")


def numbers(row: dict[str, str], *columns: str) -> list[float]:
    return [float(row[column]) for column in columns]


def add(results, left: list[int], right: list[int], *seeds: int, projected: list[int] | None = None) -> None:
    """MultiTrain and the baseline on MiT, the same with each of the seeds."""
    for seed in seeds or SEEDS:
        results.add("multitrain", {"mit": left}, seed, projected={"mit": left if projected is None else projected})
        results.add("mit_baseline", {"mit": right}, seed)


def add_run(results, name: str, ranks: dict[str, list[int]], **options: object) -> None:
    """One run, the same with each of SEEDS."""
    for seed in SEEDS:
        results.add(name, ranks, seed, **options)
