"""datasets.md: the accounting of all clips as a page."""

import pandas as pd
import pyarrow as pa

from multitrain.analysis.render.cells import NONE, count
from multitrain.analysis.render.markdown import Block, bullets, document
from multitrain.analysis.render.sheet import Grid
from multitrain.common.markup import markdown
from multitrain.config.scale import Scale
from multitrain.data.manifest import REASONS

__all__ = ["page"]

NAMED = 5  # classes without a clip that the page names
COUNTED = """\
Annotated = prepared + missing; no clip is unaccounted for. A clip is what training and tests take: a piece of an
annotated segment where a dataset is untrimmed, else a whole video. A segment that names no stretch of time, and a video
without a segment, count as one clip.{paper} How many clips of the publishers'
training split are set aside for choices is in the column `used_as_val` of datasets.csv."""
PAPER = " The paper's counts are its own, to the thousand."
FRACTION = """\
Of some datasets this scale uses a fraction of each class's videos. Annotated, prepared and missing are of that
fraction{paper}. What is not in it was not looked at: it is neither prepared nor missing."""
PAPER_WHOLE = "; the paper's count is of the whole"
LEAKED = """\
A run is named where it, or a run that its initial weights come from, is trained on the first dataset and it is tested
on the second; leakage.csv lists their videos. The same dataset twice: its publisher's own lists overlap. With
`exclude_leaks` (config/config.yaml) training leaves these training clips out; the tested clips stay the publisher's.
A row with a `distance` was found by the clips' pixels."""
UNSEEN = "compared by id alone; `multitrain prepare` again writes the fingerprints of their clips."
NO_ABSENT = "None: every class has a clip in every split."


def page(scale: Scale, table: pd.DataFrame, pairs: pa.Table, of_runs: pa.Table, unseen: list[str]) -> str:
    """Markdown of datasets.csv's rows, of the leaks between any two datasets, and of those that concern runs.

    `unseen`: the datasets without fingerprints.
    """
    rows = [{**row, "title": _title(scale, row)} for row in table.to_dict("records")]
    return document(
        [
            "# Datasets: every clip accounted for",
            f"Scale `{scale.name}`.{_world(scale, table)}",
            _counts(rows),
            COUNTED.format(paper=PAPER if _of_paper(rows) else ""),
            *_fractions(scale, rows),
            "## Missing, by reason",
            _reasons(rows),
            "## Classes without a clip",
            bullets(map(_absent, (row for row in rows if row["classes_without_clips"]))) or NO_ABSENT,
            "## Videos that are trained on and tested",
            *([f"{', '.join(unseen)}: {UNSEEN}"] if unseen else []),
            *_leaks(scale, pairs, of_runs),
        ]
    )


def _of_paper(rows: list[dict]) -> bool:
    """Whether the paper has a count of any of these splits."""
    return any(pd.notna(row["published"]) for row in rows)


def _world(scale: Scale, table: pd.DataFrame) -> str:
    made = [scale.datasets[name].title for name in dict.fromkeys(table.loc[table["synthetic"] == "yes", "dataset"])]
    if not made:
        return ""
    which = "all" if len(made) == len(scale.datasets) else ", ".join(made)
    beside = "; not comparable with the paper's counts" if _of_paper(table.to_dict("records")) else ""
    return f" Synthetic: {which}{beside}."


def _title(scale: Scale, row: dict) -> str:
    """A dataset's name, and of several worlds which one its row is about."""
    title = scale.datasets[row["dataset"]].title
    return f"{title}, world {row['world']}" if "world" in row else title


def _counts(rows: list[dict]) -> Grid:
    paper = ["Paper"] if _of_paper(rows) else []
    return Grid(
        ["Dataset", "Split", *paper, "Annotated", "Prepared", "Missing"],
        [
            [
                *(row["title"], row["publisher_split"], *(count(row["published"]) for _ in paper)),
                *map(count, (row["annotated"], row["prepared"], row["annotated"] - row["prepared"])),
            ]
            for row in rows
        ],
    )


def _fractions(scale: Scale, rows: list[dict]) -> list[Block]:
    """Notes on the datasets of which a fraction is used."""
    found = [
        f"{row['title']}, {row['publisher_split']}: {count(row['not_in_fraction'])} clips are not in the fraction"
        f" {scale.datasets[row['dataset']].fraction:g}"
        for row in rows
        if row.get("not_in_fraction")
    ]
    note = FRACTION.format(paper=PAPER_WHOLE if _of_paper(rows) else "")
    return [note, bullets(found)] if found else []


def _reasons(rows: list[dict]) -> Grid:
    keys = [reason.replace(" ", "_") for reason in REASONS]
    lines = [[row["title"], row["publisher_split"], *(count(row[key]) for key in keys)] for row in rows]
    return Grid(["Dataset", "Split", *REASONS], lines)


def _absent(row: dict) -> str:
    names = row["without_clips"].split("; ")
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"{markdown(row['title'])}, {row['publisher_split']}: {row['classes_without_clips']} of {row['classes']}: "
        f"{'; '.join(map(markdown, names[:NAMED]))}{more}"
    )


def _leaks(scale: Scale, pairs: pa.Table, of_runs: pa.Table) -> list[Block]:
    if not pairs.num_rows:
        return ["None."]
    keys = ["train_dataset", "test_dataset", "test_split"]
    sums = [("video_id", "count"), ("train_clips", "sum"), ("test_clips", "sum")]
    counted = pairs.group_by(keys).aggregate(sums).sort_by([(key, "ascending") for key in keys])
    runs = of_runs.group_by([*keys, "run"]).aggregate([]).to_pylist()
    rows = []
    for row in counted.to_pylist():
        concerned = sorted(each["run"] for each in runs if all(each[key] == row[key] for key in keys))
        titles = [scale.datasets[row[key]].title for key in keys[:2]]
        numbers = [count(row[key]) for key in ("video_id_count", "train_clips_sum", "test_clips_sum")]
        rows.append([*titles, row["test_split"], *numbers, ", ".join(concerned) or NONE])
    head = ["Trained on", "Tested on", "Split", "Videos", "Training clips", "Tested clips", "Runs"]
    return [Grid(head, rows), LEAKED]
