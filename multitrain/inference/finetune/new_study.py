"""`multitrain new`: a look at folders or lists of videos, and a commented study file of them."""

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic, read_bytes
from multitrain.config.config_files import load_claims, load_experiments, load_scale
from multitrain.config.scale import Dataset
from multitrain.datasets.formats.readers import readers
from multitrain.datasets.publication import AnnotatedClip
from multitrain.datasets.splits import held_out
from multitrain.datasets.transcode.refused import Refused
from multitrain.datasets.transcode.source_video import Video
from multitrain.inference.finetune.same_pixels import Films, one_name_each, same_videos, video_films

__all__ = ["new_study"]

SCORED = 0.25  # of each class, where the videos are not divided
CLIPS_SEEN = 4800  # in a training, counted over its epochs; as in fine-tuning
EPOCHS = (6, 60)
BATCH = 16
REPEATS = 2  # clips of a video in a batch, as at scale mini
LISTS = ("train.csv", "val.csv")
CLASS_FILES = ("classes.csv", "classes.txt", "classes.json")
MAIN = "main"  # the first table
NAME = re.compile(r"[a-z][a-z0-9_]*")
RUNS = {  # and their switches; left out they mean heads and cross-entropy alone
    "multitrain": ", informative: true, projection: add, weighting: uncertainty",
    "vanilla": "",
    "wo_informative": ", projection: add, weighting: uncertainty",
    "wo_projection": ", informative: true, weighting: uncertainty",
}
METHODS = {
    "multitrain": "MultiTrain",
    "vanilla": "Vanilla",
    "wo_informative": "w/o Informative Loss",
    "wo_projection": "w/o Projection Loss",
}
CLAIMS = {  # name: text, table, the right method
    "joint_training": ("One model for all beats a model a dataset", MAIN, "Baseline"),
    "losses": ("The two losses beat joint training without them", MAIN, "Vanilla"),
}


@dataclass(frozen=True)
class Seen:
    """What a look at a dataset's videos found."""

    name: str
    settings: dict[str, str]  # reader, raw and classes_file, as the file gets them
    clips: tuple[AnnotatedClip, ...]
    unread: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)  # content: key
    films: Films = field(default_factory=dict)  # key: film

    def count(self, split: str) -> int:
        return sum(clip.split == split for clip in self.clips)


def new_study(folder: Path, data: Mapping[str, Path], cost: Callable[[Path, str], str] | None = None) -> Path:
    """Write FOLDER/NAME.yaml, where NAME is the folder's, for these datasets; returns its path.

    Lists of videos are written again into FOLDER/lists, divided where they are not. `cost(file, TABLE)` is a line on
    what the runs of a table will take, which the file then says.

    Raises:
        UserError: a dataset cannot be used, two have the same videos, or there is such a file.
    """
    name = re.sub(r"\W", "_", folder.resolve().name.lower())
    path = folder / f"{name}.yaml"
    for each in (name, *data):
        if not NAME.fullmatch(each):
            raise UserError(
                f"{each!r}: a name has lower-case letters, digits and _, and starts with a letter: rename it"
            )
    if path.exists():
        raise UserError(f"{path}: there is such a file: take it away, or name another folder")
    if len(data) < 1:
        raise UserError("--data: name at least one dataset, as --data NAME=FOLDER")
    seen = [_look(folder, key, where) for key, where in data.items()]
    shared = _shared(seen)
    with tempfile.TemporaryDirectory(prefix="multitrain-") as first:  # tried before it is written
        tried = Path(first) / path.name
        tried.write_text(_text(path, seen, shared, ""), encoding="utf-8")
        load_claims(tried, load_experiments(tried, load_scale(name, tried)))
        takes = cost(tried, MAIN) if cost else ""
    with atomic(path) as temporary:
        temporary.write_text(_text(path, seen, shared, takes), encoding="utf-8")
    return path


def _look(folder: Path, name: str, where: Path) -> Seen:
    """The clips of a dataset, and what its files say; a UserError where it cannot be used."""
    if not where.exists():
        raise UserError(f"--data {name}={where}: no such folder or list")
    settings = {"reader": "folder", "raw": str(where)}
    if where.is_file():
        settings = {"reader": "list", "raw": str(_written(folder, name, where)), "classes_file": "classes.csv"}
    elif (where / "train.csv").is_file():
        file = next((each for each in CLASS_FILES if (where / each).is_file()), None)
        if file is None:
            raise UserError(f"{where}: lists without the names of classes: add {CLASS_FILES[0]}, a name a line")
        settings = {"reader": "list", "raw": str(where), "classes_file": file}
    dataset = Dataset.model_validate({"title": name, **settings})
    raw = Path(settings["raw"])
    publication = readers()[dataset.reader].read(raw, dataset)
    few = [label for label, count in Counter(clip.label for clip in publication.clips).items() if count < 2]
    if few:
        raise UserError(f"{where}: class {few[0]!r} has one video: two are needed, one to train on and one to score")
    places = {clip.key: _file(raw, clip.key) for clip in publication.clips}
    unread = [f"{each.reason}: {each.detail}" for each in publication.missing]
    films = video_films({key: file for key, file in places.items() if file})
    seen = Seen(name, settings, publication.clips, unread, films=films)
    for clip in publication.clips:
        file_of = places[clip.key]
        if file_of is None:
            seen.unread.append(f"not found: {clip.key}")
            continue
        with file_of.open("rb") as stream:
            seen.digests.setdefault(hashlib.file_digest(stream, "blake2b").hexdigest(), clip.key)
        try:
            with Video(file_of) as video:
                seen.seconds.append(float(video.ends()[-1]))
                seen.rates.append(float(video.average_rate()))
        except (Refused, IndexError) as error:
            seen.unread.append(f"{clip.key}: {error}")
    if not seen.seconds:
        raise UserError(f"{where}: not one video can be read; {seen.unread[0] if seen.unread else 'there is none'}")
    return seen


def _file(raw: Path, key: str) -> Path | None:
    """The file of a video, in the raw folder or its folder videos."""
    return next((path for path in (raw / key, raw / "videos" / key) if path.is_file()), None)


def _written(folder: Path, name: str, listed: Path) -> Path:
    """A list of `path label` as the lists of `reader: list`, in FOLDER/lists/NAME; a quarter is scored.

    Videos that show the same are scored or trained on together.
    """
    rows = []
    for number, line in enumerate(read_bytes(listed).decode("utf-8").splitlines(), 1):
        if line.strip():
            match = re.fullmatch(r"(.+?)(?:\s*,\s*|\s+)([^\s,]+)", line.strip())
            if match is None:
                raise UserError(f"{listed}:{number}: {line[:60]!r} is not `path label`")
            rows.append((match[1], match[2]))
    labels = sorted({label for _, label in rows}, key=lambda label: (len(label) if label.isdecimal() else 0, label))
    files = {path: file for path, _ in rows if (file := _file(listed.parent, path))}
    video = one_name_each([path for path, _ in rows], video_films(files))
    clips = [AnnotatedClip(path, video[path], "train", "whole", label, None, None, path) for path, label in rows]
    scored = held_out(clips, SCORED, 0)
    home = folder / "lists" / name
    home.mkdir(parents=True, exist_ok=True)
    parts = {name: [row for row in rows if (video[row[0]] in scored) == (name == "val.csv")] for name in LISTS}
    for part, lines_of in parts.items():
        lines = (f"{path} {labels.index(label)}\n" for path, label in lines_of)
        (home / part).write_text("".join(lines), encoding="utf-8")
    (home / "classes.csv").write_text(
        "".join(f"{index},{each}\n" for index, each in enumerate(labels)), encoding="utf-8"
    )
    link = home / "videos"
    if not link.is_symlink():
        link.symlink_to(listed.parent.resolve())
    return home


def _shared(seen: list[Seen]) -> list[str]:
    """A line for each video that two datasets have; a UserError where one has half of the other's."""
    shared = []
    for place, one in enumerate(seen):
        for other in seen[place + 1 :]:
            equal = {(one.digests[key], other.digests[key]) for key in one.digests.keys() & other.digests.keys()}
            both = sorted(equal | {*same_videos(one.films, other.films)})
            videos = min(len({pair[side] for pair in both}) for side in (0, 1))
            if both and 2 * videos >= min(len(one.digests), len(other.digests)):
                raise UserError(
                    f"--data {one.name}={one.settings['raw']} and {other.name}={other.settings['raw']}: {videos} videos"
                    f" are in both, such as {both[0][0]} and {both[0][1]}: datasets of other videos are needed"
                )
            shared += [f"{one.name}: {ours} is {other.name}: {theirs}" for ours, theirs in both]
    return shared


def _epochs(clips: int) -> int:
    return round(min(max(CLIPS_SEEN / max(clips * REPEATS, 1), EPOCHS[0]), EPOCHS[1]))


def _about(each: Seen) -> list[str]:
    """What a look at a dataset found, as comments."""
    counts = Counter(clip.label for clip in each.clips)
    lines = [
        f"{len(counts)} classes, {_span(counts.values(), 'd')} videos each;"
        f" {each.count('train')} to train on, {each.count('val')} val, {each.count('test')} to score.",
        f"{_span(each.seconds, '.1f')} s long, {_span(each.rates, '.3g')} frames a second.",
    ]
    divided = {clip.publisher_split for clip in each.clips} != {"whole"}
    lines.append("Divided as you divided it." if divided else "A quarter of each class is scored, by hash of the name.")
    split = {clip.key: clip.split for clip in each.clips}
    apart = [pair for pair in same_videos(each.films, each.films) if split[pair[0]] != split[pair[1]]]
    lines += [f"The same video on both sides, training leaves it out: {ours}, {theirs}" for ours, theirs in apart[:5]]
    lines += [f"and {len(apart) - 5} more" for _ in [0] if len(apart) > 5]
    lines += [f"Not used: {' '.join(why.split())}" for why in each.unread[:5]]
    return lines + [f"and {len(each.unread) - 5} more" for _ in [0] if len(each.unread) > 5]


def _span(values: Collection[float], form: str) -> str:
    """The least and the largest value as text, or the one that all have."""
    return " to ".join(dict.fromkeys(format(value, form) for value in (min(values), max(values))))


def _text(path: Path, seen: list[Seen], shared: list[str], takes: str) -> str:
    """The file; `takes` is what its first table will take."""
    names = [each.name for each in seen]
    train = {each.name: each.count("train") for each in seen}
    batch = min(BATCH, max(min(train.values()) // 4 * 2, 2))
    alone, together = _epochs(min(train.values())), _epochs(sum(train.values()))
    lines = [
        f"# {path.stem}: a study of one's own. Its first table:",
        f"#     snakemake --cores all {path.parent}/results/{MAIN}.csv --configfile {path}",
        "# All tables, claims, figures and the report:",
        f"#     snakemake --cores all --configfile {path}",
        *([f"# Cost of table {MAIN}, {takes}; preparation comes on top."] if takes else []),
        *(f"# The same video in two datasets: {line}" for line in shared[:5]),
        "extends: mini  # model, sizes and whatever is not below; desk is larger",
        f"data: {path.parent}/data",
        f"results: {path.parent}/results",
        "seeds: [0]  # [0, 1, 2]: claims get verdicts from several seeds on",
        "",
        "datasets:",
    ]
    for each in seen:
        lines += [
            f"  {each.name}:",
            *(f"    # {line}" for line in _about(each)),
            f"    title: {each.name.capitalize()}",
        ]
        lines += [f"    {key}: {_quoted(value)}" for key, value in each.settings.items()]
    lines += [
        "",
        "recipes:",
        f"  alone: {{ extends: baseline, epochs: {alone}, warmup_epochs: {alone / 10:g}, batch: {batch} }}",
        f"  together: {{ extends: joint, epochs: {together}, warmup_epochs: {together / 10:g}, batch: {batch} }}",
        "",
        "runs:",
        *(f"  {name}_alone: {{ datasets: [{name}], recipe: alone }}" for name in names),
    ]
    return "\n".join([*lines, *_experiments(names), ""])


def _experiments(names: list[str]) -> list[str]:
    """Runs on several datasets, tables and claims."""
    listed, first, joint = ", ".join(names), f"{names[0]}_alone", len(names) > 1
    lines: list[str] = []
    if joint:
        for run, switches in RUNS.items():
            lines.append(f"  {run}: {{ datasets: [{listed}], recipe: together, init: {first}{switches} }}")
    lines += [
        "",
        "tables:",
        f"  {MAIN}:",
        "    title: A model a dataset, and one model for all",
        f"    datasets: [{listed}]",
    ]
    lines += ["    rows:", f"      - {{ method: Baseline, runs: [{', '.join(f'{name}_alone' for name in names)}] }}"]
    if not joint:
        return [*lines, "claims: {}"]
    rows = {method: f'      - {{ method: "{method}", runs: [{run}] }}' for run, method in METHODS.items()}
    lines += [rows["Vanilla"], rows["MultiTrain"], "  ablations:", "    title: What the parts of the method do"]
    lines += [f"    datasets: [{listed}]", "    rows:", *rows.values(), "", "projections: { runs: [multitrain] }", ""]
    lines += ["claims:"]
    for name, (text, table, right) in CLAIMS.items():
        lines += [f"  {name}: {{ text: {text}, table: {table}, left: MultiTrain, right: {right} }}"]
    return lines


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
