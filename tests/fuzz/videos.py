"""Damaged videos through all that reads videos: `python -m tests.fuzz.videos --count 2000 --seed 0 --out FOLDER`.

Prints how many files ended how, by reader, container and kind of damage; the exit status is 1 where one ended with a
traceback, a hang, a death, or not at all. `outcomes.csv` in FOLDER has a row a file and reader.
"""

import argparse
import csv
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import torch

from multitrain.common.errors import UserError
from multitrain.common.process_pool import process_map
from multitrain.config.config_files import load_scale
from multitrain.config.scale import Transcode
from multitrain.data.decode import read_frames
from multitrain.datasets.integrity import Expected, find_problem
from multitrain.datasets.prepare import prepare
from multitrain.datasets.publication import safe_id
from multitrain.inference.answers import Failure
from multitrain.inference.features import folder_collection, write_features
from multitrain.inference.finetune.finetune import own_dataset
from multitrain.inference.finetune.finetune_options import FinetuneOptions
from multitrain.inference.predict import Recogniser, decode_all
from multitrain.inference.timelines.timeline import make_timeline, video_seconds
from multitrain.model.files.metadata import Frames, make_card
from multitrain.model.network import Network, Spec
from tests.datasets.fuzzed import Fuzzed, fuzzed

SECONDS = 60.0  # for one file; the slowest takes less than one
BAD = {"traceback", "hang", "died", "lost"}
ROOT = Path(__file__).parents[2]
Outcome = tuple[str, str]  # answered, refused or one of BAD; the words


def recogniser() -> Recogniser:
    """A random network of scale ci with a head of each way to sample."""
    scale = load_scale("ci", ROOT / "config")
    torch.manual_seed(0)
    names = {"k400": ("a", "b", "c"), "ssv2": ("d", "e")}
    network = Network(Spec(model=scale.model, size=scale.sizes["base"], classes=names)).eval()
    network.card = make_card({name: scale.datasets[name] for name in names})
    return Recogniser(network)


def outcome(said: str) -> Outcome:
    """How a reader's line about a file ended."""
    if said.startswith("Traceback"):
        return "traceback", said
    ends = {"its decoder was ended": "hang", "that decoded it died": "died"}
    return next((how for words, how in ends.items() if words in said), "refused"), said


def caught(work: Callable[[str], object], path: str) -> str:
    """Empty for an answer, the words of a refusal, or a traceback; for a process of its own."""
    try:
        found = work(path)
    except UserError as error:
        return str(error)
    except Exception:
        return traceback.format_exc()
    return found if isinstance(found, str) else ""


def timeline(path: str) -> None:
    """As `predict --timeline` and the demo look at a video."""
    torch.set_num_threads(1)
    ours = recogniser()
    seconds = video_seconds(ours, path)
    make_timeline(ours, path, seconds, hop=max(seconds / 5, 0.1))


def loader(path: str) -> None:
    """As a training reads a clip."""
    read_frames(Path(path), [0, 3, 6], 12.0, 3)


def checked(path: str) -> str:
    """As `data check` looks at a clip."""
    return find_problem(Expected(Path(path), 12, 12.0, 32, 32))


def trained_and_checked(path: str) -> list[str]:
    """What both say of a file."""
    return [caught(work, path) for work in (loader, checked)]


def decoded(path: str, plan: tuple[Frames, ...]) -> object:
    """As `predict` decodes."""
    return decode_all(path, plan, 4, 32, "/nowhere")


def readers(paths: list[Path], folder: Path, jobs: int) -> Iterator[tuple[str, dict[str, Outcome]]]:
    """By reader, how each file ended, by its name."""
    ours = recogniser()
    works = {"predict": partial(decoded, plan=tuple(ours.plan())), "timeline": timeline, "training": loader}
    works["check"] = checked
    for name, work in works.items():
        found = process_map(partial(caught, work), [str(path) for path in paths], jobs, SECONDS)
        yield name, {Path(path).name: outcome(said) if said else ("answered", "") for path, said in found}
    answers = ours.answers(paths, ours.plan(), jobs, SECONDS)
    yield (
        "answers",
        {Path(one.path).name: outcome(one.reason) if isinstance(one, Failure) else ("answered", "") for one in answers},
    )
    yield "features", features(ours, paths, folder, jobs)
    yield "prepare", prepared(ours, paths, folder, jobs)


def features(ours: Recogniser, paths: list[Path], folder: Path, jobs: int) -> dict[str, Outcome]:
    """`multitrain features` of the folder; the table and the complaints are all of it."""
    collection = folder_collection(paths[0].parents[1])
    frames = ours.card.datasets["k400"].frames
    failures = write_features(ours, collection, frames, folder / "z.parquet", jobs, seconds=SECONDS)
    rows = pq.read_table(folder / "z.parquet")["path"].to_pylist()
    found = {Path(row).name: ("answered", "") for row in rows}
    return found | {Path(one.path).name: outcome(one.reason) for one in failures}


def prepared(ours: Recogniser, paths: list[Path], folder: Path, jobs: int) -> dict[str, Outcome]:
    """`finetune`'s preparation of the folder, in its processes: the manifest and missing.csv are all of it."""
    dataset = own_dataset(
        paths[0].parents[1], ours.card, FinetuneOptions("own", "k400", False, False, True, None, None, 0), 32
    )
    limits = dataset.limits.model_copy(update={"seconds": SECONDS})
    dataset = dataset.model_copy(
        update={
            "limits": limits,
            "transcode": Transcode(short_side=24, fps=12, stride=3, keyint=12, preset="ultrafast"),
        }
    )
    manifest = prepare("own", dataset, paths[0].parents[1], folder / "prepared", jobs=jobs)
    ids = {path.relative_to(path.parents[1]).as_posix(): path.name for path in paths}
    names = {safe_id(key): name for key, name in ids.items()}
    found = {names[clip]: ("answered", "") for clip in manifest.table["clip_id"].to_pylist()}
    with (folder / "prepared/missing.csv").open(newline="") as stream:
        found |= {names[row["clip_id"]]: outcome(f"{row['reason']}: {row['detail']}") for row in csv.DictReader(stream)}
    return found


def put(files: list[Fuzzed], folder: Path) -> list[Path]:
    """The files as two classes of a folder."""
    paths = [folder / "ab"[file.index % 7 % 2] / file.name for file in files]
    for path, file in zip(paths, files, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    files = list(fuzzed(given.count, given.seed))
    paths = put(files, given.out / "files")
    bad = 0
    with (given.out / "outcomes.csv").open("w", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(["reader", "file", "container", "damage", "outcome", "words"])
        for reader, found in readers(paths, given.out, given.jobs):
            ended = [(file, *found.get(file.name, ("lost", ""))) for file in files]
            rows.writerows([reader, file.name, file.suffix, file.kind, how, words] for file, how, words in ended)
            stream.flush()
            bad += sum(how in BAD for _, how, _ in ended)
            sys.stdout.write(f"{reader}: {dict(Counter(how for _, how, _ in ended))} of {len(files)}\n")
            for title, key in (("container", "suffix"), ("damage", "kind")):
                counts = Counter((getattr(file, key), how) for file, how, _ in ended)
                told = {f"{name} {how}": count for (name, how), count in sorted(counts.items())}
                sys.stdout.write(f"  by {title}: {told}\n")
            sys.stdout.flush()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
