"""The account of the datasets as a page to read: datasets.md."""

import pandas as pd
import pyarrow as pa

from multitrain.analysis.markdown import grid
from multitrain.config import Scale
from multitrain.data.manifest import REASONS
from multitrain.markup import markdown

NAMED = 5  # classes without a clip that the page names
COUNTED = """\
Annotated = prepared + missing; no clip is unaccounted for. A clip is what training and tests take: a piece of an
annotated segment where a dataset is untrimmed, else a whole video. A segment that names no stretch of time, and a video
without a segment, count as one clip. The paper's counts are its own, to the thousand. How many clips of the publishers'
training split are set aside for choices is in the column `used_as_val` of datasets.csv."""
FRACTION = """\
Of some datasets this scale uses a fraction of each class's videos. Annotated, prepared and missing are of that
fraction; the paper's count is of the whole. What is not in it was not looked at: it is neither prepared nor missing."""
LEAKED = """\
A run is named where it, or a run that its initial weights come from, is trained on the one dataset and it is tested on
the other; leakage.csv lists their videos. With `exclude_leaks` (config/config.yaml) training leaves these training
clips out; the tested clips stay the publisher's."""


def page(scale: Scale, table: pd.DataFrame, pairs: pa.Table, of_runs: pa.Table) -> str:
    """Markdown of datasets.csv's rows, of the leaks between any two datasets, and of those that concern runs."""
    sections = [
        ["# Datasets: every clip accounted for"],
        [f"Scale `{scale.name}`.{_world(scale, table)}"],
        _counts(scale, table),
        [COUNTED],
        *_fractions(scale, table),
        ["## Missing, by reason"],
        _reasons(scale, table),
        ["## Classes without a clip"],
        _absent(scale, table),
        ["## Videos in the training split of one dataset and in a tested split of another"],
        *_leaks(scale, pairs, of_runs),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def _world(scale: Scale, table: pd.DataFrame) -> str:
    made = [scale.datasets[name].title for name in dict.fromkeys(table.loc[table["synthetic"] == "yes", "dataset"])]
    if not made:
        return ""
    which = "all" if len(made) == len(scale.datasets) else ", ".join(made)
    return f" Synthetic: {which}; not comparable with the paper's counts."


def _counts(scale: Scale, table: pd.DataFrame) -> list[str]:
    head = ["Dataset", "Split", "Paper", "Annotated", "Prepared", "Missing"]
    return grid(
        head,
        [
            [
                _title(scale, row._asdict()),
                row.publisher_split,
                "-" if pd.isna(row.published) else f"{int(row.published):,}",
                f"{row.annotated:,}",
                f"{row.prepared:,}",
                f"{row.annotated - row.prepared:,}",
            ]
            for row in table.itertuples()
        ],
    )


def _title(scale: Scale, row: dict) -> str:
    """A dataset's name, and of several worlds which one its row is about."""
    title = scale.datasets[row["dataset"]].title
    return f"{title}, world {row['world']}" if "world" in row else title


def _fractions(scale: Scale, table: pd.DataFrame) -> list[list[str]]:
    """What is said of datasets of which a part is used."""
    if "not_in_fraction" not in table:
        return []
    lines = [
        f"- {_title(scale, row._asdict())}, {row.publisher_split}: {row.not_in_fraction:,} clips are not in the "
        f"fraction {scale.datasets[row.dataset].fraction:g}"
        for row in table.loc[table["not_in_fraction"] > 0].itertuples()
    ]
    return [[FRACTION], lines]


def _reasons(scale: Scale, table: pd.DataFrame) -> list[str]:
    keys = [reason.replace(" ", "_") for reason in REASONS]
    rows = [
        [_title(scale, row), row["publisher_split"], *(f"{row[key]:,}" for key in keys)]
        for row in table.to_dict("records")
    ]
    return grid(["Dataset", "Split", *REASONS], rows)


def _absent(scale: Scale, table: pd.DataFrame) -> list[str]:
    lines = []
    for row in table.loc[table["classes_without_clips"] > 0].itertuples():
        names = row.without_clips.split("; ")
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        title = markdown(_title(scale, row._asdict()))
        lines.append(
            f"- {title}, {row.publisher_split}: {row.classes_without_clips} of {row.classes}: "
            f"{'; '.join(map(markdown, names[:NAMED]))}{more}"
        )
    return lines or ["None: every class has a clip in every split."]


def _leaks(scale: Scale, pairs: pa.Table, of_runs: pa.Table) -> list[list[str]]:
    if not pairs.num_rows:
        return [["None."]]
    keys = ["train_dataset", "test_dataset", "test_split"]
    sums = [("video_id", "count"), ("train_clips", "sum"), ("test_clips", "sum")]
    counted = pairs.group_by(keys).aggregate(sums).sort_by([(key, "ascending") for key in keys])
    runs = of_runs.group_by([*keys, "run"]).aggregate([]).to_pylist()
    rows = []
    for row in counted.to_pylist():
        concerned = sorted(each["run"] for each in runs if all(each[key] == row[key] for key in keys))
        titles = [scale.datasets[row[key]].title for key in keys[:2]]
        numbers = [f"{row[key]:,}" for key in ("video_id_count", "train_clips_sum", "test_clips_sum")]
        rows.append([*titles, row["test_split"], *numbers, ", ".join(concerned) or "-"])
    head = ["Trained on", "Tested on", "Split", "Videos", "Training clips", "Tested clips", "Runs"]
    return [grid(head, rows), [LEAKED]]
