"""Survey of a prepared dataset: classes, durations, missing clips with reasons, and a contact sheet."""

from pathlib import Path

import numpy as np
import pandas as pd

from multitrain.analysis.datasets.contact_sheet import evenly_spaced, source_text, write_contact_sheet
from multitrain.common.errors import UserError
from multitrain.common.files.csv_files import write_frame
from multitrain.config.scale import Scale
from multitrain.data.manifest import REASONS, SPLITS, Manifest, Missing, read_manifest

__all__ = ["read_missing", "write_survey"]

BINS = 20  # at most, of the histogram of lengths
WIDTHS = (0.25, 0.5, *(base * 10.0**power for power in range(5) for base in (1, 2, 5)))  # seconds; finer shows frames
SHOWN = 40  # classes on the contact sheet
EXAMPLES = 3


def write_survey(dataset: str, scale: Scale, data: Path, results: Path, world: int = 0) -> None:
    """Write classes.csv, durations.csv, missing.csv and contact_sheet.jpg into <results>/datasets/<scale>/<dataset>/.

    Reads manifest.parquet, missing.csv and one test clip of each class shown; of several worlds those of one.
    """
    settings = scale.dataset(dataset)
    source, target = scale.clips_folder(dataset, data, world), results / "datasets" / scale.name / dataset
    manifest = read_manifest(source / "manifest.parquet")
    if not len(manifest):
        raise UserError(f"{source / 'manifest.parquet'}: no clips: prepare the dataset again")
    clips = _clips(manifest)
    write_frame(target / "classes.csv", classes(clips, manifest.classes))
    write_frame(target / "durations.csv", durations(clips))
    write_frame(target / "missing.csv", missing(read_missing(source / "missing.csv")))
    labels = evenly_spaced(len(manifest.classes), SHOWN)
    some = f"{len(labels)} of {len(manifest.classes)} classes, evenly chosen"
    which = "every class" if len(labels) == len(manifest.classes) else some
    about = f"{settings.title} ({source_text(scale, world)}, scale {scale.name})"
    title = f"{about}, {which}: frames of one test clip, the first view"
    sheet, clips_shown = target / "contact_sheet.jpg", manifest.split("test")
    write_contact_sheet(sheet, title, clips_shown, settings, scale.model.frames, labels)


def classes(clips: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """The table of classes, also of those without clips: clips by split, and seconds over all splits."""
    labels = pd.RangeIndex(len(names), name="label")
    counts = pd.crosstab(clips["label"], clips["split"]).reindex(index=labels, columns=list(SPLITS), fill_value=0)
    seconds = clips.groupby("label")["seconds"].agg(["mean", "min", "max"]).reindex(labels).round(2)
    table = pd.concat([counts, seconds.add_prefix("seconds_")], axis=1).reset_index()
    table.insert(0, "class", list(names))
    return table


def durations(clips: pd.DataFrame) -> pd.DataFrame:
    """A histogram of seconds: lower <= seconds < upper, clips; the same bins for every split, every clip in one."""
    low, high = clips["seconds"].min(), clips["seconds"].max()
    width = next((width for width in WIDTHS if (high - low) / width < BINS - 1), WIDTHS[-1])
    places = np.floor(clips["seconds"] / width + 1e-6).astype(int)  # a length on an edge, but for float32, is on it
    bins = range(places.min(), places.max() + 1)
    counts = pd.crosstab(clips["split"], places).reindex(index=list(SPLITS), columns=bins, fill_value=0)
    rows = [
        {"split": split, "lower": round(place * width, 2), "upper": round((place + 1) * width, 2), "clips": count}
        for split, its in counts.iterrows()
        for place, count in its.items()
    ]
    return pd.DataFrame(rows)


def missing(clips: pd.DataFrame) -> pd.DataFrame:
    """Clips by reason and publisher's split, with up to EXAMPLES ids and the first one's detail."""
    rows = [
        {
            "reason": reason,
            "publisher_split": split,
            "clips": len(its),
            "examples": "; ".join(its["clip_id"].iloc[:EXAMPLES]),
            "detail": its["detail"].iloc[0],
        }
        for (reason, split), its in clips.groupby(["reason", "publisher_split"])
    ]
    rows.sort(key=lambda row: (REASONS.index(row["reason"]), row["publisher_split"]))
    return pd.DataFrame(rows, columns=["reason", "publisher_split", "clips", "examples", "detail"])


def read_missing(path: Path) -> pd.DataFrame:
    """The content of missing.csv, every cell as text, or a UserError."""
    if not path.is_file():
        raise UserError(f"{path}: no such list of missing clips: run `multitrain prepare` for this dataset first")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a readable CSV file ({error}): prepare the dataset again") from None
    if list(table.columns) != list(Missing.__dataclass_fields__):
        raise UserError(f"{path}: columns differ from this version's list of missing clips: prepare the dataset again")
    if unknown := sorted(set(table["reason"]) - set(REASONS)):
        raise UserError(f"{path}: {unknown[0]!r} is no reason of this version: prepare the dataset again")
    return table


def _clips(manifest: Manifest) -> pd.DataFrame:
    """Label, split and seconds of every clip."""
    clips = manifest.table.select(["label", "split", "frames", "fps"]).to_pandas()
    return clips[["label", "split"]].assign(seconds=clips["frames"] / clips["fps"].astype(float))
