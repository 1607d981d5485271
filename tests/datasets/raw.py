"""Tiny publications in each publisher's format, written by hand so that the readers are held to the formats."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

from multitrain.config.scale import Dataset, Transcode
from tests.csv_rows import csv_rows

TRANSCODE = Transcode(short_side=24, fps=12, stride=3, keyint=12, crf=20, preset="ultrafast")


def dataset(reader: str, **values: object) -> Dataset:
    return Dataset(**{"title": "T", "paper_letter": "t", "reader": reader, "transcode": TRANSCODE, **values})


def tar_bytes(files: dict[str, bytes | tarfile.TarInfo], mode: str = "w:gz") -> bytes:
    """A tar of files; a TarInfo stands for a member without content, such as a link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def put(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def put_zip(path: Path, files: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


HEADER = "label,youtube_id,time_start,time_end,split,is_cc\n"
TRAIN = [("abseiling", "train000000"), ("abseiling", "train000001"), ("air drumming", "train-0_002")]
VAL = [("air drumming", "-val_000000"), ("abseiling", "val00000001")]


def kinetics_name(youtube_id: str) -> str:
    return f"{youtube_id}_000417_000427"


def kinetics(raw: Path, video: bytes) -> Path:
    """Three clips to train on in two archives and two to validate on."""
    for split, rows in (("train", TRAIN), ("val", VAL)):
        lines = [f'"{label}",{name},417,427,{split},0' for label, name in rows]
        put(raw / "annotations" / f"{split}.csv", HEADER + "\n".join(lines) + "\n")
    files = {f"{kinetics_name(name)}.mp4": video for _, name in TRAIN}
    first = dict(list(files.items())[:2])
    put(raw / "train/part_0.tar.gz", tar_bytes(first))
    put(raw / "train/part_1.tar.gz", tar_bytes({f"./{k}": v for k, v in files.items() if k not in first}))
    put(raw / "val/part_0.tar.gz", tar_bytes({f"val/{kinetics_name(name)}.mp4": video for _, name in VAL}))
    return raw


SSV2_CLASSES = {"Pushing something": "1", "Holding something next to something": "0"}
SSV2 = {
    "train": [
        {"id": "78687", "label": "x", "template": "Holding [something] next to [something]", "placeholders": ["a"]},
        {"id": "2", "template": "Pushing [something]"},
    ],
    "validation": [{"id": "3", "template": "Pushing [something]"}],
    "test": [{"id": "1420"}],
}


def ssv2_archive(video: bytes, ids: tuple[str, ...] = ("78687", "2", "3", "1420")) -> bytes:
    return tar_bytes({f"20bn-something-something-v2/{name}.webm": video for name in ids})


def ssv2_pieces(raw: Path, archive: bytes, count: int = 3, zipped: bool = False) -> None:
    size = -(-len(archive) // count)
    for number in range(count):
        name, content = f"20bn-something-something-v2-{number:02d}", archive[number * size : (number + 1) * size]
        if zipped:
            put_zip(raw / f"{name}.zip", {name: content})
        else:
            put(raw / name, content)


def ssv2_texts(prefix: str = "") -> dict[str, str]:
    texts = {"labels": SSV2_CLASSES, **SSV2}
    return {f"{prefix}{name}.json": json.dumps(content) for name, content in texts.items()}


def ssv2(raw: Path, video: bytes, archive: bytes | None = None, count: int = 3, zipped: bool = False) -> Path:
    """`archive` in pieces, without one all videos."""
    ssv2_pieces(raw, ssv2_archive(video) if archive is None else archive, count, zipped)
    put_zip(raw / "labels.zip", {f"labels/{name}": text for name, text in ssv2_texts().items()})
    return raw


MIT_FILES = {
    "moments_categories.txt": "clapping,1\nadult+female+singing,0\n",
    "trainingSet.csv": "clapping/yt-a_1.mp4,clapping,3,0\nadult+female+singing/yt b_2.mp4,adult+female+singing,3,1\n",
    "validationSet.csv": "clapping/yt-c_3.mp4,clapping,3,0\n",
    "README.txt": "read me",
}
MIT_VIDEOS = (
    "training/clapping/yt-a_1.mp4",
    "training/adult+female+singing/yt b_2.mp4",
    "validation/clapping/yt-c_3.mp4",
)


def mit(raw: Path, video: bytes, prefix: str = "", **texts: str) -> Path:
    files = {
        **MIT_FILES,
        **{f"{name}.{'txt' if 'categories' in name else 'csv'}": text for name, text in texts.items()},
    }
    files = {prefix + name: text for name, text in files.items()} | {prefix + name: video for name in MIT_VIDEOS}
    put_zip(raw / "Moments_in_Time_Raw.zip", files)
    return raw


def entry(subset: str, *annotations: tuple) -> dict:
    return {"subset": subset, "annotations": [{"label": label, "segment": segment} for label, segment in annotations]}


ACTIVITYNET = {
    "5n7NCViB5TU": entry("training", ("Discus throw", [0.25, 2.25]), ("Discus throw", [0.5, 1.5])),
    "-_train0002": entry("training", ("Zumba", [0.0, 1.0])),
    "validation1": entry("validation", ("Discus throw", [0.0, 2.5])),
    "testing0001": {"subset": "testing", "annotations": []},
}


def activitynet(raw: Path, video: bytes, database: dict | None = None, suffix: str = ".mp4") -> Path:
    database = ACTIVITYNET if database is None else database
    content = {"database": database, "taxonomy": [], "version": "VERSION 1.3"}
    put(raw / "activity_net.v1-3.min.json", json.dumps(content))
    for name in database:
        put(raw / "videos" / f"v_{name}{suffix}", video)
    return raw


def missing_rows(folder: Path) -> list[dict[str, str]]:
    """The rows of a preparation's missing.csv."""
    return csv_rows(folder / "missing.csv")


def path_lists(raw: Path, train: str | None, val: str | None, test: str | None = None, classes: str = "a\nb\n") -> Path:
    """Lists of `path label` and the file of class names; a list that is None is not written."""
    put(raw / "classes.txt", classes)
    for name, text in (("train", train), ("val", val), ("test", test)):
        if text is not None:
            put(raw / f"{name}.csv", text)
    return raw


PUBLISH = {"kinetics": kinetics, "ssv2": ssv2, "mit": mit, "activitynet": activitynet}
