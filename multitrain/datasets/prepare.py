"""Dataset preparation: a publisher's files -> prepared clips, manifest.parquet and missing.csv."""

from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import shown
from multitrain.common.files.locks import locked_folder
from multitrain.config.scale import Dataset
from multitrain.data.manifest import Manifest, Missing, read_manifest, write_manifest, write_missing
from multitrain.datasets import expected_clips
from multitrain.datasets.formats.readers import readers
from multitrain.datasets.publication import AnnotatedClip, Publication
from multitrain.datasets.required_splits import require_annotated
from multitrain.datasets.splits import held_out
from multitrain.datasets.subset import draw_subset
from multitrain.datasets.transcode.batches import Transcoding
from multitrain.datasets.transcode.fingerprint_clips import fingerprint_clips
from multitrain.datasets.transcode.journal import ClipStore, Record
from multitrain.datasets.transcode.untranscoded import UntranscodedFiles

__all__ = ["labelled_counts", "prepare"]


def prepare(
    name: str,
    dataset: Dataset,
    raw: Path,
    folder: Path,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    wait: bool = False,
) -> Manifest:
    """Prepare one dataset from the publisher's files in `raw` into `folder`; continue where an earlier run stopped.

    Every annotated clip of the labelled splits, and of the setting `fraction`, ends in manifest.parquet or in
    missing.csv. `progress` gets (clips done, clips in all). This process locks `folder`, and `raw` where it downloads
    into it; with `wait`, it waits for other processes' locks.

    Raises:
        UserError: another process holds a lock, a folder was removed, or a file of the publisher is wrong.
    """
    raw, folder = Path(raw), Path(folder)
    with ExitStack() as stack:
        owners = [stack.enter_context(locked_folder(folder, f"dataset {name} is being prepared", wait))]
        if dataset.download is not None:
            owners.append(stack.enter_context(locked_folder(raw, f"files of {name} are being downloaded", wait)))

        def report(done: int, total: int) -> None:
            for owner in owners:
                owner.require()
            if progress:
                progress(done, total)

        return _prepare(name, dataset, raw, folder, seed, jobs, report)


def _prepare(
    name: str, dataset: Dataset, raw: Path, folder: Path, seed: int, jobs: int, progress: Callable[[int, int], None]
) -> Manifest:
    drawn = draw_subset(_publication(name, dataset, raw), dataset.fraction, seed)
    publication = drawn.publication
    expected_clips.write_annotated(folder / expected_clips.NAME, publication, drawn.left_out)
    if dataset.prepared:
        source: UntranscodedFiles | Transcoding = UntranscodedFiles(publication, folder, dataset.limits)
        source.run(jobs, progress)
    else:
        store = ClipStore(folder, dataset.transcode, dataset.limits)
        source = Transcoding(publication, store, dataset.transcode, dataset.limits)
        source.run(jobs, progress)
        store.close(source.records, [batch.name for batch in publication.batches])

    validation = held_out(publication.clips, dataset.holdout, seed)
    rows, missing = _account(publication, source, validation)
    write_missing(folder / "missing.csv", missing)
    if not rows:
        raise UserError(f"{raw}: not one clip of {name} could be prepared; {folder / 'missing.csv'} says why")
    fingerprint_clips(folder, rows, dataset.grid, jobs, dataset.limits.seconds)
    write_manifest(folder / "manifest.parquet", publication.classes, rows)
    return read_manifest(folder / "manifest.parquet")


def labelled_counts(name: str, dataset: Dataset, raw: Path, seed: int = 0) -> tuple[Counter[str], int]:
    """Clips of each split as `prepare` divides them, if every file can be decoded, and classes. No video is decoded.

    Raises:
        UserError: a file of the publisher is wrong.
    """
    publication = draw_subset(_publication(name, dataset, raw), dataset.fraction, seed).publication
    validation = held_out(publication.clips, dataset.holdout, seed)
    return Counter(_split(clip, validation) for clip in publication.clips), len(publication.classes)


def _split(clip: AnnotatedClip, validation: set[str]) -> str:
    return "val" if clip.split == "train" and clip.video_id in validation else clip.split


def _publication(name: str, dataset: Dataset, raw: Path) -> Publication:
    """What the reader finds in the raw folder; the setting `download` is an error for a reader that ignores it."""
    reader = readers()[dataset.reader]
    if dataset.download is not None and not reader.downloads:
        raise UserError(f"dataset {name}: download: files for reader {dataset.reader} are brought, not fetched")
    if not raw.is_dir() and dataset.download is None:
        raise UserError(f"{raw}: no such folder: it should hold the publisher's files of {name}")
    publication = reader.read(raw, dataset)
    if not publication.clips:
        raise UserError(f"{raw}: the annotations of {name} list no clip with a label")
    require_annotated(f"{raw}: {name}", publication)
    return publication


def _account(
    publication: Publication, source: Transcoding | UntranscodedFiles, validation: set[str]
) -> tuple[list[dict], list[Missing]]:
    """A row of the manifest or of missing.csv for every annotated clip."""
    labels = {name: label for label, name in enumerate(publication.classes)}
    rows, missing = [], list(publication.missing)
    for clip in publication.clips:
        record = source.records.get(clip.clip_id)
        if record is None:
            missing.append(clip.missing("not found", source.refused.get(clip.key, shown(clip.key))))
        elif record.reason:
            missing.append(clip.missing(record.reason, record.detail))
        else:
            rows.append(_row(clip, source.path(clip.clip_id), record, labels[clip.label], validation))
    return rows, missing


def _row(clip: AnnotatedClip, path: str, record: Record, label: int, validation: set[str]) -> dict:
    return {
        "clip_id": clip.clip_id,
        "video_id": clip.video_id,
        "path": path,
        "label": label,
        "split": _split(clip, validation),
        "publisher_split": clip.publisher_split,
        "frames": record.frames,
        "fps": record.fps,
        "width": record.width,
        "height": record.height,
        "start": clip.start,
        "end": clip.end,
    }
