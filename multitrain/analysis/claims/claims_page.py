"""claims.md: the verdicts on the paper's claims, a row for each claim and dataset, and notes."""

from collections import Counter
from collections.abc import Sequence

from multitrain.analysis.accuracy.metrics import LEVEL
from multitrain.analysis.claims.evidence.evidence_section import section
from multitrain.analysis.claims.verdict_rule import (
    ERROR,
    FEWEST_DIFFERING,
    FEWEST_VIDEOS,
    ONE_SEED,
    OPEN,
    POWER,
    TOO_WEAK,
    VERDICTS,
    enough,
)
from multitrain.analysis.render.cells import chance, difference, is_there, p_value, signed
from multitrain.analysis.render.markdown import Block, bullets, document
from multitrain.analysis.render.sheet import Grid
from multitrain.analysis.render.table_files import Row, Rows
from multitrain.analysis.tables.table_layout import OWN_HEAD, setting
from multitrain.config.claims import Claims
from multitrain.config.scale import Scale

__all__ = ["render"]

OF_PAPER = ("Paper", "P(holds) if the paper is right")  # columns that a study without claims of the paper lacks
HEAD = (
    *("Section", "Claim", "Paper", "Ours, Yₖ", "p", "adjusted", "Verdict, Yₖ", "P(holds) if the paper is right"),
    *("Ours, Y′ₖ", "Verdict, Y′ₖ"),
)
CANNOT = "cannot be shown here even if the paper is right"


def render(claims: Claims, scale: Scale, seeds: Sequence[int], rows: Rows, evidence: Rows) -> str:
    """The page from the rows of claims.csv and of evidence.csv."""
    grouped = [[row for row in rows if row["claim"] == name] for name in claims.claims]
    ordered = [each for claim in grouped if not claim[0]["same_fact_as"] for each in _with_same(claim, grouped)]
    of_paper = [claim for claim in grouped if claim[0]["stated_by"] == "paper"]
    ours = "Not in the paper" if of_paper else "Claims"
    sections = {
        "Primary claims": [claim for claim in ordered if _section(claim, ordered) == ("paper", "yes")],
        "Other claims of the paper": [claim for claim in ordered if _section(claim, ordered) == ("paper", "no")],
        ours: [claim for claim in ordered if claim[0]["stated_by"] == "us"],
    }
    beside = bool(of_paper) or any(is_there(row.get("paper_difference")) for row in rows)
    counted = [*_counts(of_paper or grouped), *(f"{text}." for text in _missing(rows))]
    title = "The paper's claims, decided by our runs" if of_paper else "The claims, decided by the runs"
    blocks: list[Block] = [f"# {title}", _world(scale, seeds, rows), bullets(counted)]
    numbers = {row["claim"]: n for n, row in enumerate((rows[0] for rows in ordered if rows[0]["quote"]), start=1)}
    for heading, chosen in sections.items():
        if chosen:
            lines = [line for claim in chosen for line in _lines(claim, numbers.get(claim[0]["claim"]))]
            quoted = [claim[0] for claim in chosen if claim[0]["quote"]]
            quotes = (f"{numbers[row['claim']]}. {row['section']}: “{row['quote']}”" for row in quoted)
            blocks += [f"## {heading}", _grid(lines, beside), "\n".join(quotes)]
    blocks += ["## What the numbers mean", bullets(_notes(claims, scale, seeds, rows)), *section(evidence)]
    if claims.not_tested:
        untested = (f"{each.section}: “{each.quote}” {each.text} {each.reason}" for each in claims.not_tested)
        blocks += ["## Claims of the paper that these runs cannot decide", bullets(untested)]
    return document(blocks)


def _grid(lines: list[list[str]], beside: bool) -> Grid:
    """The table of claims; where nothing of the paper stands `beside`, without its columns and those that are empty."""
    if beside:
        return Grid(HEAD, lines)
    kept = [place for place, name in enumerate(HEAD) if name not in OF_PAPER and any(line[place] for line in lines)]
    return Grid([HEAD[place] for place in kept], [[line[place] for place in kept] for line in lines])


def _with_same(claim: Rows, grouped: list[Rows]) -> list[Rows]:
    """A claim, then the claims of the same fact."""
    return [claim, *(each for each in grouped if each[0]["same_fact_as"] == claim[0]["claim"])]


def _section(claim: Rows, ordered: list[Rows]) -> tuple[str, str]:
    """`stated_by` and `primary` of a claim, or of the claim whose fact it shares."""
    head = claim[0]["same_fact_as"] or claim[0]["claim"]
    first = next(each[0] for each in ordered if each[0]["claim"] == head)
    return first["stated_by"], first["primary"]


def _world(scale: Scale, seeds: Sequence[int], rows: Rows) -> str:
    synthetic = any(row.get("synthetic") == "yes" for row in rows)
    ours = f"Ours: {setting(scale, synthetic, seeds)}."
    if synthetic and any(row["stated_by"] == "paper" for row in rows):
        return (
            f"{ours} The paper's figures are of the real datasets: what can be"
            " compared is whether a difference has the same sign, not its size."
        )
    return ours


def _counts(grouped: list[Rows]) -> list[str]:
    """Counts of verdicts by either score; claims of the same fact count once."""
    lines = []
    grouped = [claim for claim in grouped if not claim[0]["same_fact_as"]]
    for name, key in (("Yₖ", "claim_verdict"), ("Y′ₖ", "claim_verdict_projected")):
        counts = Counter(claim[0][key] for claim in grouped if key in claim[0])
        text = ", ".join(f"{verdict}: {counts[verdict]}" for verdict in VERDICTS if counts[verdict])
        claims = f"{counts.total()} claim{'s' * (counts.total() != 1)}"
        lines.append(f"{claims} by {name}{text and ': '}{text}.")
    return lines


def _missing(rows: Rows) -> list[str]:
    """One line that lists the missing runs; empty where none is missing."""
    texts = dict.fromkeys(text for row in rows for text in row["missing"].split("; ") if text)
    return [f"Missing: {'; '.join(texts)}"] if texts else []


def _lines(claim: Rows, quote: int | None) -> list[list[str]]:
    """A claim's line with the number of its quote, if it has one, then a line for each dataset."""
    first = claim[0]
    place = first["section"].partition(":")[0]
    if first["same_fact_as"]:
        place = f"↳ same fact{', primary' if first['primary'] == 'yes' else ''}: {place}"
    head = [place, first["text"] if quote is None else f"{first['text']} ({quote})"]
    heads = [head, *(["", f"↳ {row['label']}"] for row in claim[1:])]
    return [[*each, *_numbers(row, row["scope"] == "claim")] for each, row in zip(heads, claim, strict=True)]


def _numbers(row: Row, whole: bool) -> list[str]:
    """The cells of a row; a claim's verdict takes all its rows into account."""
    key = "claim_verdict" if whole else "verdict"
    verdict = row[key]
    if verdict == OPEN and whole and row.get("holds_if_paper_right", 1) < TOO_WEAK:
        verdict += f"; {CANNOT}"
    if verdict.startswith(OPEN) and (seeds := row.get("seeds_to_decide")):
        verdict += f"; {enough(seeds)}"
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
    """Notes on how to read the table."""
    counts = {
        name: f"{clips} of {videos} videos"
        for row in rows
        if row.get("clips")
        for name, clips, videos in zip(row["datasets"].split(), row["clips"], row["videos"], strict=True)
    }
    codes = sorted({code for row in rows for code in row.get("code", "").split()})
    notes = [
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
        f" {FEWEST_DIFFERING} of them.",
        *([_power()] if any(is_there(row.get("holds_if_paper_right")) for row in rows) else []),
        *([_more_seeds()] if any(is_there(row.get("seeds_to_decide")) for row in rows) else []),
        *([_one_seed()] if any(row.get("verdict") == ONE_SEED for row in rows) else []),
        f"Yₖ: the dataset's own head alone{OWN_HEAD if any(row['stated_by'] == 'paper' for row in rows) else ''}."
        " Y′ₖ: with the other heads' projections added (Eq. 4) for methods that were trained on that sum, Yₖ for the"
        " others, with a correction of its own; `-` where neither method was.",
        f"Test clips: {', '.join(f'{scale.datasets[name].title} {count}' for name, count in counts.items())}.",
        *(f"{claim.text} {claim.note}" for claim in claims.claims.values() if claim.note),
    ]
    if len(scale.worlds(seeds)) > 1:
        notes.append(
            "Seeds are spread over worlds with classes and videos of their own. Intervals are about other trainings and"
            " videos in these worlds; a line whose sign is not the same in all is mixed (`by_world` in claims.csv)."
        )
    if any(claim.reference_datasets for claim in claims.claims.values()):
        notes.append(
            "Comparisons of two datasets' differences are on the scale of percent: where a dataset's accuracy is near 0"
            " or 100, the same effect moves it less, so that they depend on how hard the datasets are."
        )
    if len(codes) > 1:
        notes.append(f"The runs are of different versions of the numerical code: {', '.join(codes)}.")
    return notes


def _power() -> str:
    return (
        "P(holds) if the paper is right: the probability that this very rule would say `holds` if the paper's own"
        f" difference were the truth here, with our runs' error. Below {TOO_WEAK:.0%} a claim {CANNOT}."
    )


def _more_seeds() -> str:
    return (
        f"Seeds that would decide: the fewest, trained anew on the same videos, that give a verdict with {POWER:.0%}"
        " probability if the difference found is the true one, at the level at which it was tested. That difference is"
        " uncertain, so this is an order of magnitude."
    )


def _one_seed() -> str:
    return (
        "One seed: the intervals are about other videos, not about other trainings, which can move a difference by"
        " several points. So there are no verdicts; train more seeds for them: `seeds=[0,1,2]`."
    )
