"""The verdicts on the paper's claims as Markdown: a line a claim and dataset, then what the numbers mean."""

from collections import Counter
from collections.abc import Sequence

from multitrain.analysis.accuracy.metrics import LEVEL
from multitrain.analysis.claims.evidence.evidence_section import section
from multitrain.analysis.claims.verdict_rule import (
    ERROR,
    FEWEST_TELLING,
    FEWEST_VIDEOS,
    HOPELESS,
    ONE_SEED,
    OPEN,
    VERDICTS,
)
from multitrain.analysis.render.cells import chance, difference, p_value, signed
from multitrain.analysis.render.markdown import Block, bullets, document
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Row, Rows
from multitrain.analysis.tables.table_layout import setting
from multitrain.config.claims import Claims
from multitrain.config.scale import Scale

__all__ = ["render"]

HEAD = (
    *("Section", "Claim", "Paper", "Ours, Yₖ", "p", "adjusted", "Verdict, Yₖ", "P(holds) if the paper is right"),
    *("Ours, Y′ₖ", "Verdict, Y′ₖ"),
)
CANNOT = "cannot be shown here even if the paper is right"


def render(claims: Claims, scale: Scale, seeds: Sequence[int], rows: Rows, evidence: Rows) -> str:
    """The rows of claims.csv, and those of evidence.csv, as text."""
    grouped = [[row for row in rows if row["claim"] == name] for name in claims.claims]
    facts = [each for its in grouped if not its[0]["same_fact_as"] for each in _with_same(its, grouped)]
    papers = [its for its in grouped if its[0]["stated_by"] == "paper"]
    titles = {
        "Primary claims": [its for its in facts if _heading(its, facts) == ("paper", "yes")],
        "Other claims of the paper": [its for its in facts if _heading(its, facts) == ("paper", "no")],
        "Not in the paper": [its for its in facts if its[0]["stated_by"] == "us"],
    }
    counted = [*_counts(papers), *(f"{text}." for text in _missing(rows))]
    blocks: list[Block] = ["# The paper's claims, decided by our runs", _world(scale, seeds, rows), bullets(counted)]
    numbers = {its[0]["claim"]: n for n, its in enumerate((its for its in facts if its[0]["quote"]), start=1)}
    for title, parts in titles.items():
        if parts:
            lines = [line for its in parts for line in _lines(its, numbers.get(its[0]["claim"]))]
            quoted = [its[0] for its in parts if its[0]["quote"]]
            quotes = (f"{numbers[row['claim']]}. {row['section']}: “{row['quote']}”" for row in quoted)
            blocks += [f"## {title}", Grid(HEAD, lines), "\n".join(quotes)]
    blocks += ["## What the numbers mean", bullets(_notes(claims, scale, seeds, rows)), *section(evidence)]
    if claims.not_tested:
        said = (f"{each.section}: “{each.quote}” {each.text} {each.reason}" for each in claims.not_tested)
        blocks += ["## Claims of the paper that these runs cannot decide", bullets(said)]
    return document(blocks)


def _with_same(its: Rows, grouped: list[Rows]) -> list[Rows]:
    """A claim, then those that are the same fact."""
    return [its, *(each for each in grouped if each[0]["same_fact_as"] == its[0]["claim"])]


def _heading(its: Rows, facts: list[Rows]) -> tuple[str, str]:
    """Who states a claim and whether it is primary; of the same fact as another, as that one."""
    head = its[0]["same_fact_as"] or its[0]["claim"]
    first = next(each[0] for each in facts if each[0]["claim"] == head)
    return first["stated_by"], first["primary"]


def _world(scale: Scale, seeds: Sequence[int], rows: Rows) -> str:
    synthetic = any(row.get("synthetic") == "yes" for row in rows)
    ours = f"Ours: {setting(scale, synthetic, seeds)}."
    if synthetic:
        return (
            f"{ours} The paper's figures are of the real datasets: what can be"
            " compared is whether a difference has the same sign, not its size."
        )
    return ours


def _counts(grouped: list[Rows]) -> list[str]:
    """How many claims have which verdict, by either score; of those that are one fact its first."""
    lines = []
    grouped = [its for its in grouped if not its[0]["same_fact_as"]]
    for name, key in (("Yₖ", "claim_verdict"), ("Y′ₖ", "claim_verdict_projected")):
        found = Counter(its[0][key] for its in grouped if key in its[0])
        counts = ", ".join(f"{verdict}: {found[verdict]}" for verdict in VERDICTS if found[verdict])
        lines.append(f"{found.total()} claims by {name}{counts and ': '}{counts}.")
    return lines


def _missing(rows: Rows) -> list[str]:
    """One line on what is missing of the study; none where nothing is."""
    texts = dict.fromkeys(text for row in rows for text in row["missing"].split("; ") if text)
    return [f"Missing: {'; '.join(texts)}"] if texts else []


def _lines(its: Rows, quote: int | None) -> list[list[str]]:
    """A claim's line, with the number of its quote if it has one, then one for each of its datasets."""
    first = its[0]
    place = first["section"].partition(":")[0]
    if first["same_fact_as"]:
        place = f"↳ same fact{', primary' if first['primary'] == 'yes' else ''}: {place}"
    head = [place, first["text"] if quote is None else f"{first['text']} ({quote})"]
    heads = [head, *(["", f"↳ {row['label']}"] for row in its[1:])]
    return [[*each, *_numbers(row, row["scope"] == "claim")] for each, row in zip(heads, its, strict=True)]


def _numbers(row: Row, whole: bool) -> list[str]:
    """A row's cells; the verdict of a claim is that of all its rows."""
    key = "claim_verdict" if whole else "verdict"
    verdict = row[key]
    if verdict == OPEN and whole and row.get("holds_if_paper_right", 1) < HOPELESS:
        verdict += f"; {CANNOT}"
    return [
        signed(row.get("paper_difference")),
        _difference(row, ""),
        *(p_value(row.get(name)) for name in ("p_value", "p_adjusted")),
        verdict,
        chance(row.get("holds_if_paper_right")),
        _difference(row, "_projected"),
        row.get(f"{key}_projected", "-"),
    ]


def _difference(row: Row, form: str) -> str:
    value, low, high = (row.get(f"{name}{form}") for name in ("difference", "low", "high"))
    return difference(value, low, high)


def _notes(claims: Claims, scale: Scale, seeds: Sequence[int], rows: Rows) -> list[str]:
    """What a reader must know, a sentence or two each."""
    counts = {
        name: f"{clips} of {videos} videos"
        for row in rows
        if row.get("clips")
        for name, clips, videos in zip(row["datasets"].split(), row["clips"], row["videos"], strict=True)
    }
    codes = sorted({code for row in rows for code in row.get("code", "").split()})
    said = [
        f"Differences of top-1 in points, positive where the claim says so, with the {LEVEL:.0%} t interval of crossed"
        " random seeds and videos: both methods score the same clips. The interval is that of one difference alone;"
        " the verdict goes by the adjusted p. docs/reference/experiment.md has formulas, and how often the rule errs.",
        "A claim goes by the mean over its datasets, whose lines say where it comes from. It holds if the difference is"
        f" above 0 with an adjusted p of at most {ERROR}, does not hold if it is below 0 likewise, and is equivalent if"
        f" two one-sided tests place it within {claims.margin:g} points; else it is undetermined. It is mixed if two"
        " of its lines are opposite.",
        "Claims marked `same fact` stand or fall with the runs of the claim above them: they are not counted.",
        "Adjusted: by Holm's procedure, for the primary claims together, for all others together, and for the datasets"
        " within a claim.",
        f"No verdict where a dataset has fewer than {FEWEST_VIDEOS} videos or the methods differ on fewer than"
        f" {FEWEST_TELLING} of them.",
        "P(holds) if the paper is right: the probability that this very rule would say `holds` if the paper's own"
        f" difference were the truth here, with our runs' error. Below {HOPELESS:.0%} a claim {CANNOT}.",
        *([_one_seed()] if any(row.get("verdict") == ONE_SEED for row in rows) else []),
        "Yₖ: the dataset's own head alone, the release's way; the paper says only that no cost is added at test time."
        " Y′ₖ: with the other heads' projections added (Eq. 4) for methods that were trained on that sum, Yₖ for the"
        " others, with a correction of its own; `-` where neither method was.",
        f"Test clips: {', '.join(f'{scale.datasets[name].title} {count}' for name, count in counts.items())}.",
        *(f"{claim.text} {claim.note}" for claim in claims.claims.values() if claim.note),
    ]
    if len(scale.worlds(seeds)) > 1:
        said.append(
            "Seeds are spread over worlds with classes and videos of their own. Intervals are about other trainings and"
            " videos in these worlds; a line whose sign is not the same in all is mixed (`by_world` in claims.csv)."
        )
    if any(claim.than_on for claim in claims.claims.values()):
        said.append(
            "Comparisons of two datasets' differences are on the scale of percent: where a dataset's accuracy is near 0"
            " or 100, the same effect moves it less, so that they depend on how hard the datasets are."
        )
    if len(codes) > 1:
        said.append(f"The runs are of different versions of the numerical code: {', '.join(codes)}.")
    return said


def _one_seed() -> str:
    return (
        "One seed: the intervals are about other videos, not about other trainings, which can move a difference by"
        " several points. So there are no verdicts; train more seeds for them: `seeds=[0,1,2]`."
    )
