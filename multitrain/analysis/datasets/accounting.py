"""Accounting of every clip of every dataset: datasets.csv and .md, and the videos that leak in leakage.csv."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from multitrain.analysis.datasets.accounting_page import page
from multitrain.analysis.datasets.survey import read_missing
from multitrain.analysis.study.run_names import yes_no
from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.csv_files import write_frame
from multitrain.config.experiments import Experiments
from multitrain.config.scale import Scale
from multitrain.data.duplicates.fingerprints import NAME as FINGERPRINTS
from multitrain.data.leakage import EVIDENCE, leaks, leaks_of_runs
from multitrain.data.manifest import REASONS, SPLITS, Manifest, read_manifest

__all__ = ["read_published", "write_accounting"]

ROLES = ("train", "validation", "test")  # of the publisher; each has a word of its own for them
SHARED = ("duplicate", "no label")  # a row of this kind may have the id of a clip that is there


def write_accounting(
    scale: Scale, experiments: Experiments, data: Path, results: Path, published: Path, worlds: Sequence[int] = (0,)
) -> None:
    """Write datasets.csv, datasets.md and leakage.csv.

    Reads manifest.parquet, missing.csv and, where it is, annotated.csv of every dataset of every world.
    Raises a UserError where a clip is in neither of the first two, or in both.
    """
    paper = read_published(published / "datasets.csv")
    parts, found, unseen = [], [], []
    for world in worlds:
        folders = {name: scale.clips_folder(name, data, world) for name in scale.datasets}
        manifests = {name: read_manifest(folder / "manifest.parquet") for name, folder in folders.items()}
        its = [account(scale, name, manifests[name], folders[name], paper) for name in scale.datasets]
        parts += [part.assign(world=world) for part in its] if scale.several_worlds else its
        found.append(leaks(scale, manifests))
        unseen += [scale.in_world(name, world) for name in folders if not (folders[name] / FINGERPRINTS).is_file()]
    table = pd.concat(parts, ignore_index=True)
    if not table["not_in_fraction"].any():
        table = table.drop(columns="not_in_fraction")
    pairs = pa.concat_tables(found)
    of_runs = leaks_of_runs(experiments, pairs)
    write_frame(results / "datasets.csv", table.astype({"published": "Int64"}))
    by_id_alone = of_runs["distance"].null_count == len(of_runs)
    write_frame(results / "leakage.csv", of_runs.drop(EVIDENCE if by_id_alone else []).to_pandas())
    with atomic(results / "datasets.md") as temporary:
        temporary.write_text(page(scale, table, pairs, of_runs, unseen), encoding="utf-8")


def role(word: str) -> str:
    """Which of ROLES a publisher's word for a split means; a word of its own stays as it is."""
    return next((name for name in ROLES if word[:3] == name[:3]), word)


def account(scale: Scale, name: str, manifest: Manifest, folder: Path, paper: pd.Series) -> pd.DataFrame:
    """A row a split of the publisher; the columns are explained in results/README.md."""
    missing = read_missing(folder / "missing.csv")
    _require_disjoint(manifest, missing, folder)
    clips = manifest.table.select(["publisher_split", "split", "label"])
    annotated = read_annotated(folder / "annotated.csv")
    left_out = read_left_out(folder / "annotated.csv")
    words = sorted({*pc.unique(clips["publisher_split"]).to_pylist(), *missing["publisher_split"], *(annotated or {})})
    by_role = {its: [word for word in words if role(word) == its] for its in map(role, words)}
    rows = []
    for its in sorted(by_role, key=lambda its: (ROLES.index(its) if its in ROLES else len(ROLES), its)):
        mine = clips.filter(pc.is_in(clips["publisher_split"], pa.array(by_role[its], pa.string())))
        lost = missing.loc[missing["publisher_split"].isin(by_role[its]), "reason"].value_counts()
        listed = mine.num_rows + int(lost.sum())
        expected = listed if annotated is None else sum(annotated.get(word, 0) for word in by_role[its])
        if expected != listed:
            raise UserError(_complaint(folder, its, expected - listed))
        head: dict[str, object] = {"dataset": name, "split": its, "publisher_split": " ".join(by_role[its])}
        head |= {"published": _of_paper(paper, name, its), "annotated": expected, "unaccounted": expected - listed}
        head["not_in_fraction"] = sum(left_out.get(word, 0) for word in by_role[its])
        rows.append(head | _counts(mine, lost, manifest.classes))
    return pd.DataFrame(rows).assign(scale=scale.name, synthetic=yes_no(scale.synthetic(name)))


def _counts(clips: pa.Table, lost: pd.Series, classes: tuple[str, ...]) -> dict[str, int | str]:
    """What became of the clips of one split."""
    present = set(pc.unique(clips["label"]).to_pylist())
    absent = [name for label, name in enumerate(classes) if label not in present]
    counts: dict[str, int | str] = {"prepared": clips.num_rows}
    counts |= {f"used_as_{split}": pc.sum(pc.equal(clips["split"], split)).as_py() or 0 for split in SPLITS}
    counts |= {reason.replace(" ", "_"): int(lost.get(reason, 0)) for reason in REASONS}
    return counts | {
        "classes": len(classes),
        "classes_without_clips": len(absent),
        "without_clips": "; ".join(absent),
    }


def _complaint(folder: Path, split: str, count: int) -> str:
    what = (
        f"{count} annotated clips are neither in manifest.parquet nor in missing.csv"
        if count > 0
        else f"manifest.parquet and missing.csv have {-count} clips more than are annotated"
    )
    return f"{folder}: {split}: {what}: prepare the dataset again"


def _require_disjoint(manifest: Manifest, missing: pd.DataFrame, folder: Path) -> None:
    """Raise a UserError for a clip that is there and missing, or is there twice."""
    ids = manifest.table["clip_id"]
    gone = missing.loc[~missing["reason"].isin(SHARED), "clip_id"]
    both = ids.filter(pc.is_in(ids, value_set=pa.array(gone, pa.string())))
    if len(both):
        raise UserError(
            f"{folder}: {len(both)} clips, among them {both[0].as_py()!r}, are both in manifest.parquet and in "
            "missing.csv: prepare the dataset again"
        )
    distinct = pc.count_distinct(ids).as_py()
    if distinct != len(ids):
        raise UserError(
            f"{folder / 'manifest.parquet'}: {len(ids) - distinct} clips are there more than once: "
            "prepare the dataset again"
        )


def read_annotated(path: Path) -> dict[str, int] | None:
    """Annotated clips by the publisher's split; None where an older preparation did not write them down."""
    return _counts_of(path, "clips") if path.is_file() else None


def read_left_out(path: Path) -> dict[str, int]:
    """Clips of the videos that are not in the fraction of the dataset that is used, by the publisher's split."""
    return _counts_of(path, "not_in_fraction") if path.is_file() else {}


def _counts_of(path: Path, column: str) -> dict[str, int]:
    """A column of annotated.csv by split; empty where an optional one is not there."""
    try:
        table = pd.read_csv(path, dtype={"publisher_split": str, column: int}, keep_default_na=False)
        if column not in table and column != "clips":
            return {}
        return {word: int(count) for word, count in zip(table["publisher_split"], table[column], strict=True)}
    except (ValueError, KeyError) as error:
        words = " ".join(str(error).split())
        raise UserError(f"{path}: not a readable list of counts ({words}): prepare the dataset again") from None


def read_published(path: Path) -> pd.Series:
    """The paper's counts by dataset and split, or a UserError."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        counts = table.astype({"clips": int}).set_index(["dataset", "split"])["clips"]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: --published names the folder of the paper's tables") from None
    except (ValueError, KeyError) as error:
        words = " ".join(str(error).split())
        raise UserError(f"{path}: expected dataset,split,printed,clips,classes ({words})") from None
    if not counts.index.is_unique:
        raise UserError(f"{path}: a dataset's split is there twice: leave the right line")
    return counts


def _of_paper(paper: pd.Series, name: str, split: str) -> int | None:
    return int(paper[name, split]) if (name, split) in paper.index else None
