"""The verdicts on the paper's claims as Markdown: a line a claim, then what the numbers mean."""

from collections import Counter

from multitrain.analysis.evidence.text import section
from multitrain.analysis.layout import setting
from multitrain.analysis.markdown import grid
from multitrain.analysis.metrics import LEVEL, RESAMPLES
from multitrain.claims import Claims
from multitrain.config import Scale

Rows = list[dict[str, str]]
HEAD = ("Section", "Claim", "Paper", "Ours, Yₖ", "Verdict, Yₖ", "Ours, Y′ₖ", "Verdict, Y′ₖ")


def render(claims: Claims, scale: Scale, rows: Rows, evidence: Rows) -> str:
    """The rows of claims.csv, and those of evidence.csv, as text."""
    grouped = [[row for row in rows if row["claim"] == name] for name in claims.claims]
    papers = [its for its in grouped if its[0]["stated_by"] == "paper"]
    ours = [its for its in grouped if its[0]["stated_by"] == "us"]
    lines = ["# The paper's claims, decided by our runs", "", _world(scale, rows), "", *_counts(papers), ""]
    lines += grid(list(HEAD), [_line(its) for its in papers])
    if ours:
        lines += ["", "Not in the paper:", "", *grid(list(HEAD), [_line(its) for its in ours])]
    lines += ["", *(f"- {note}" for note in _notes(claims, scale, rows))]
    if answered := section(evidence):
        lines += ["", *answered]
    if claims.not_tested:
        lines += ["", "## Claims of the paper that these runs cannot decide", ""]
        lines += [f"- {each.section}: {each.text} {each.reason}" for each in claims.not_tested]
    return "\n".join(lines) + "\n"


def _world(scale: Scale, rows: Rows) -> str:
    synthetic = any(row["synthetic"] == "yes" for row in rows)
    ours = f"Ours: {setting(scale, synthetic, rows[0]['seeds'].split())}."
    if synthetic:
        return (
            f"{ours} The paper's figures are of the real datasets: what can be"
            " compared is whether a difference has the same sign, not its size."
        )
    return ours


def _counts(grouped: list[Rows]) -> list[str]:
    """How many claims have which verdict, by either score."""
    lines = []
    for name, key in (("Yₖ", "claim_verdict"), ("Y′ₖ", "claim_verdict_projected")):
        found = Counter(its[0][key] for its in grouped if key in its[0])
        counts = ", ".join(f"{verdict}: {found[verdict]}" for verdict in ("holds", "does not hold", "undetermined"))
        lines.append(f"- {found.total()} claims by {name}: {counts}.")
    return lines


def _line(its: Rows) -> list[str]:
    """A claim's parts as one line."""
    first = its[0]
    return [
        first["section"].partition(":")[0],
        first["text"],
        _cell(its, "paper_left", "paper_right", "paper_difference"),
        _cell(its, "ours_left", "ours_right", "difference", "low", "high"),
        first["claim_verdict"],
        _cell(its, "left_projected", "right_projected", "difference_projected", "low_projected", "high_projected"),
        first.get("claim_verdict_projected", "-"),
    ]


def _cell(its: Rows, left: str, right: str, difference: str, *interval: str) -> str:
    """The differences of all parts; of costs both sides, once where all parts have the same."""
    if not any(difference in row for row in its):
        return "-"
    if its[0]["unit"] == "gflops":
        return ", ".join(dict.fromkeys(f"{row[left]} and {row[right]} gFLOPs" for row in its))
    return ", ".join(f"{row['label']} {_difference(row, difference, interval)}" for row in its)


def _difference(row: dict[str, str], difference: str, interval: tuple[str, ...]) -> str:
    if difference not in row:
        return "-"
    bounds = ", ".join(_signed(row[key]) for key in interval)
    return _signed(row[difference]) + (f" [{bounds}]" if bounds else "")


def _signed(text: str) -> str:
    return f"{round(float(text), 1) + 0.0:+.1f}"  # never -0.0


def _notes(claims: Claims, scale: Scale, rows: Rows) -> list[str]:
    """What a reader must know, a sentence or two each."""
    clips = {
        name: count for row in rows for name, count in zip(row["datasets"].split(), row["clips"].split(), strict=True)
    }
    codes = sorted({code for row in rows for code in row["code"].split()})
    parts = sum(row["unit"] == "percent" for row in rows)
    said = [
        "Differences of top-1 in points, positive where the claim says so, with the"
        f" {LEVEL:.0%} interval of the paired bootstrap ({RESAMPLES} resamples): both methods score the same drawn"
        " clips.",
        "A part holds if its interval lies above 0, does not hold if it lies below, and is undetermined else, as"
        " with fewer than 100 clips of a dataset or an interval of no width. A claim"
        " holds if all its parts do, does not hold if any part does not, and is undetermined else.",
        f"{parts} intervals at {LEVEL:.0%}, not corrected for their number: one in twenty is expected to miss.",
        _about_seeds(rows[0]["seeds"].split()),
        "Yₖ: the dataset's own head alone, as the paper does at test time. Y′ₖ: with the other heads' projections added"
        " (Eq. 4) for methods that have them, Yₖ for the others; `-` where neither method has any.",
        f"Test clips: {', '.join(f'{scale.datasets[name].title} {count}' for name, count in clips.items())}.",
        *(f"{claim.text} {claim.note}" for claim in claims.claims.values() if claim.note),
    ]
    if len(codes) > 1:
        said.append(f"The runs are of different versions of the numerical code: {', '.join(codes)}.")
    return said


def _about_seeds(seeds: list[str]) -> str:
    if len(seeds) == 1:
        return (
            "One seed: the intervals are about other test clips, not about other trainings, which can move a difference"
            " by several points."
        )
    return (
        f"{len(seeds)} seeds: they are drawn as well, jointly for both methods, so that the intervals are about other"
        " clips and other trainings. Where seeds differ by more than clips do, so few make the intervals too narrow."
    )
