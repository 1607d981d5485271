"""File layouts of the publishers: archives and annotations of each format."""

import io
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from multitrain.synth.publishing.contents import Release, RenderedVideo, Video, video_id
from multitrain.synth.publishing.reproducible_archives import csv_text, dump, tar_gz, tar_gz_at, write, zip_at

__all__ = ["FORMATS"]

PART = 256  # videos in a part of an archive
NOUNS = ("a cup", "a box", "a pen", "a bottle", "a ball", "a lid", "a book", "a spoon", "a remote", "a wallet")


def kinetics(folder: Path, release: Release) -> None:
    """Annotations as CSV, videos in tar parts with a list of the parts, and replacements for corrupted files."""
    prefix = {"k400": "k400", "k700": "k700_2020"}[release.dataset]
    licence = prefix == "k400"  # only these annotations say whether a video is in the creative commons
    replacements: list[tuple[str, bytes]] = []
    for split, short in (("train", "train"), ("validation", "val")):
        videos = release.split(split)
        starts = dict(
            zip(videos, release.generator("start", split).integers(0, 300, len(videos)).tolist(), strict=True)
        )
        rows: list[list[object]] = [["label", "youtube_id", "time_start", "time_end", "split", *["is_cc"] * licence]]
        rows += [[release.name(v), v.id, s, s + 10, short, *[0] * licence] for v, s in starts.items()]
        write(folder / f"annotations/{short}.csv", csv_text(rows))
        size = min(PART, -(-len(videos) // (2 if split == "train" else 1)))
        names: list[str] = []
        for first in range(0, len(videos), size):
            names.append(f"{short}/part_{len(names)}.tar.gz")
            with tar_gz_at(folder / names[-1]) as add:
                for rendered in islice(release.rendered, len(videos[first : first + size])):
                    start = starts[rendered.video]
                    member = f"{rendered.video.id}_{start:06d}_{start + 10:06d}.mp4"
                    if rendered.video.trouble == "replaced" and rendered.data is not None:
                        replacements.append((member, rendered.data))
                        rendered = replace(rendered, data=b"")
                    if rendered.data is not None:
                        add(member, rendered.data)
        write(folder / f"{short}/{prefix}_{short}_path.txt", "".join(f"{name}\n" for name in names))
    rng = release.generator("test")
    unlabelled = [[video_id(rng), 10 * i, 10 * i + 10, "test"] for i in range(4)]
    write(folder / "annotations/test.csv", csv_text([["youtube_id", "time_start", "time_end", "split"], *unlabelled]))
    if replacements:
        with tar_gz_at(folder / f"replacement_for_corrupted_{prefix}.tgz") as add:
            for member, data in replacements:
                add(f"replacement_for_corrupted_{prefix}/{member}", data)


def activitynet(folder: Path, release: Release) -> None:
    """One JSON of segments and a folder of untrimmed videos."""
    database = {}
    for rendered in release.rendered:
        if rendered.data is not None:
            write(folder / f"videos/v_{rendered.video.id}{rendered.video.suffix}", rendered.data)
        database[rendered.video.id] = _entry(release, rendered)
    rng = release.generator("test")
    for _ in range(3):
        database[video_id(rng)] = {"annotations": [], "duration": 10.0, "resolution": "320x240", "subset": "testing"}
    for name, entry in database.items():
        entry["url"] = f"https://www.youtube.com/watch?v={name}"
    taxonomy = [{"parentName": None, "nodeName": "Root", "nodeId": 0, "parentId": None}]
    taxonomy += [
        {"parentName": "Root", "nodeName": name, "nodeId": i, "parentId": 0}
        for i, name in enumerate(release.spec.classes, 1)
    ]
    whole = {"database": database, "taxonomy": taxonomy, "version": "VERSION 1.3"}
    write(folder / "activity_net.v1-3.min.json", dump(whole))


def _entry(release: Release, rendered: RenderedVideo) -> dict:
    """One video's annotation of ActivityNet."""
    label, seconds = release.name(rendered.video), rendered.seconds
    segments = [[round(second, 5) for second in segment] for segment in rendered.segments]
    if rendered.video.trouble == "overrun":  # the listed duration is wrong, too
        seconds += 2.0
        segments[-1][1] = round(seconds, 5)
    if rendered.video.trouble == "backwards":
        segments.append([segments[0][1], segments[0][0]])
    return {
        "annotations": [{"label": label, "segment": segment} for segment in segments],
        "duration": round(seconds, 2),
        "resolution": f"{release.world.width}x{release.world.height}",
        "subset": {"train": "training", "validation": "validation"}[rendered.video.split],
    }


def ssv2(folder: Path, release: Release) -> None:
    """Labels as JSON in a zip file, videos in one gzip'd tar that is cut into pieces."""
    stream = io.BytesIO()
    with tar_gz(stream) as add:
        for rendered in release.rendered:
            if rendered.data is not None:
                add(f"20bn-something-something-v2/{rendered.video.id}.webm", rendered.data)
    content = stream.getbuffer()
    piece = -(-len(content) // 2)
    for i in range(2):
        write(folder / f"20bn-something-something-v2-{i:02d}", bytes(content[i * piece : (i + 1) * piece]))
    indices = {name.replace("[", "").replace("]", ""): str(i) for i, name in enumerate(release.spec.classes)}
    with zip_at(folder / "labels.zip") as add:
        add("labels/labels.json", dump(indices, 0).encode())
        for split in ("train", "validation"):
            entries = [_caption(release, video) for video in release.split(split)]
            add(f"labels/{split}.json", dump(entries, 0).encode())
        numbers = release.generator("test").integers(220848, 300000, 4).tolist()
        add("labels/test.json", dump([{"id": str(number)} for number in numbers], 0).encode())


def _caption(release: Release, video: Video) -> dict:
    """One video's annotation of Something-Something: its template filled with nouns."""
    template = release.name(video)
    nouns = release.generator("nouns", video.split, video.index).choice(NOUNS, template.count("[something]")).tolist()
    label = template
    for noun in nouns:
        label = label.replace("[something]", noun, 1)
    label = label[0].lower() + label[1:]
    return {"id": video.id, "label": label, "template": template, "placeholders": nouns}


def mit(folder: Path, release: Release) -> None:
    """One zip file with a folder a class, lists of votes and the categories with their indices."""
    lists = {"train": ("training", "trainingSet.csv"), "validation": ("validation", "validationSet.csv")}
    with zip_at(folder / "Moments_in_Time_Raw.zip") as add:
        rows: dict[str, list[list[object]]] = {split: [] for split in lists}
        for rendered in release.rendered:
            video, name = rendered.video, release.name(rendered.video)
            rng = release.generator("votes", video.split, video.index)
            path = f"{name}/{rng.choice(('yt', 'getty', 'vine'))}-{video.id}_{rng.integers(1, 40)}.mp4"
            rows[video.split].append([path, name, rng.integers(3, 6), rng.integers(0, 2)])
            if rendered.data is not None:
                add(f"{lists[video.split][0]}/{path}", rendered.data)
        for split, (_, file) in lists.items():
            add(file, csv_text(rows[split]).encode())
        add("moments_categories.txt", csv_text((name, i) for i, name in enumerate(release.spec.classes)).encode())
        add("README.txt", b"Synthetic videos in the layout of Moments in Time; no real footage.\n")
        add("license.txt", b"Synthetic videos: the license of the software that made them applies.\n")


FORMATS: dict[str, Callable[[Path, Release], None]] = {
    "kinetics": kinetics,
    "activitynet": activitynet,
    "ssv2": ssv2,
    "mit": mit,
}
