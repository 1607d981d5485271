import tarfile

import pytest

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import shown
from multitrain.datasets.formats import kinetics
from multitrain.datasets.prepare import prepare
from tests.datasets.coded import codes, write_video
from tests.datasets.raw import HEADER, TRAIN, VAL, dataset, kinetics_name, link, put, tar_bytes
from tests.datasets.raw import kinetics as publish

DATASET = dataset("kinetics")


def read(raw):
    return kinetics.read(raw, DATASET)


def missing_lines(folder) -> dict[str, str]:
    """clip id -> the rest of its line in missing.csv."""
    lines = (folder / "missing.csv").read_text().splitlines()[1:]
    return dict(line.split(",", 1) for line in lines)


def test_an_excerpt_as_published(raw, video):
    publication = read(publish(raw, video))
    assert publication.classes == ("abseiling", "air drumming")
    assert not publication.cut
    clips = {clip.clip_id: clip for clip in publication.clips}
    assert set(clips) == {kinetics_name(name) for _, name in TRAIN + VAL}
    clip = clips["train-0_002_000417_000427"]
    assert (clip.video_id, clip.split, clip.publisher_split) == ("train-0_002", "train", "train")
    assert (clip.label, clip.start, clip.end) == ("air drumming", 417.0, 427.0)
    assert {clips[kinetics_name(name)].split for _, name in VAL} == {"test"}
    assert [batch.name for batch in publication.batches] == [
        "val/part_0.tar.gz",
        "train/part_0.tar.gz",
        "train/part_1.tar.gz",
    ]


@pytest.mark.parametrize(
    "text",
    [
        HEADER + '"air drumming",_dbcJuKJQNs,40,50,val,0\n',
        "label,youtube_id,time_start,time_end,split\nair drumming,_dbcJuKJQNs,40,50,validate\n",
        "label,youtube_id,time_start,time_end\nair drumming,_dbcJuKJQNs,40.0,50.0\n",
        "youtube_id,time_start,time_end,label\n_dbcJuKJQNs,40,50,air drumming\n",
        "\ufeffLabel, youtube_id, time_start, time_end\r\nair drumming, _dbcJuKJQNs, 40, 50\r\n\r\n",
    ],
    ids=["k400", "k700 without is_cc", "no split", "other order", "mark, blanks, CRLF"],
)
def test_headers_and_spellings(raw, video, text):
    publish(raw, video)
    put(raw / "annotations/val.csv", text)
    (clip,) = [clip for clip in read(raw).clips if clip.split == "test"]
    assert (clip.clip_id, clip.label, clip.start) == ("_dbcJuKJQNs_000040_000050", "air drumming", 40.0)


def test_other_words_for_validation(raw, video):
    publish(raw, video)
    (raw / "annotations/val.csv").rename(raw / "annotations/validate.csv")
    (raw / "val").rename(raw / "validate")
    assert sum(clip.split == "test" for clip in read(raw).clips) == 2


def test_classes_are_alphabetical_over_both_files(raw, video):
    publish(raw, video)
    put(raw / "annotations/val.csv", HEADER + "zumba,b,1,2,val,0\naaa,a,1,2,val,0\n")
    assert read(raw).classes == ("aaa", "abseiling", "air drumming", "zumba")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + "abseiling,abc,417,427,train,0\nabseiling,abc\n", "train.csv:3: 2 values where the header names 6"),
        (HEADER + "abseiling,abc,soon,427,train,0\n", "train.csv:2: time_start is 'soon'"),
        (HEADER + "abseiling,abc,1,nan,train,0\n", "train.csv:2: time_end is 'nan'"),
        (HEADER + "abseiling,abc,-1,2,train,0\n", "train.csv:2: time_start is '-1'"),
        (HEADER + "abseiling,abc,1,2,practice,0\n", "train.csv:2: split 'practice'"),
        ("youtube_id,time_start,time_end\n", "train.csv:1: no column label"),
        ("", "train.csv:1: no column label, youtube_id"),
        (b"label\xff", "train.csv: byte 5 is no UTF-8"),
    ],
)
def test_malformed_annotations_name_file_and_line(raw, video, text, told):
    publish(raw, video)
    put(raw / "annotations/train.csv", text)
    with pytest.raises(UserError, match="annotations") as caught:
        read(raw)
    assert told in str(caught.value)


def test_a_clip_in_both_splits_stays_in_test(raw, video):
    publish(raw, video)
    put(raw / "annotations/train.csv", HEADER + "abseiling,val00000001,417,427,train,0\n")
    publication = read(raw)
    assert [line.publisher_split for line in publication.missing] == ["train"]
    assert {clip.split for clip in publication.clips} == {"test"}


@pytest.mark.parametrize("name", ["annotations/train.csv", "annotations/val.csv", "train", "val"])
def test_what_is_absent_is_named(raw, video, name):
    publish(raw, video)
    (raw / name).rename(raw / "elsewhere")
    with pytest.raises(UserError) as caught:
        read(raw)
    assert str(raw / name) in str(caught.value)


def test_listed_archives_must_be_there(raw, video):
    publish(raw, video)
    base = "https://example.org/kinetics/train/"
    put(raw / "train/k400_train_path.txt", "".join(f"{base}part_{i}.tar.gz\n" for i in (1, 0)))
    names = [batch.name for batch in read(raw).batches]
    assert names[1:] == ["train/part_1.tar.gz", "train/part_0.tar.gz"]
    put(raw / "train/k400_train_path.txt", f"{base}part_7.tar.gz\n")
    with pytest.raises(UserError, match=r"part_7.tar.gz: the archive is in k400_train_path.txt"):
        read(raw)
    put(raw / "train/k400_train_path.txt", b"\xff\xfe")
    with pytest.raises(UserError, match=r"k400_train_path.txt: byte 0 is no UTF-8"):
        read(raw)


def test_a_folder_without_archives_is_told(raw, video):
    publish(raw, video)
    (raw / "val/part_0.tar.gz").unlink()
    with pytest.raises(UserError, match=r"no archive \*.tar.gz"):
        read(raw)


@pytest.mark.parametrize("same_name", [True, False])
def test_replacements_stand_for_the_corrupted(raw, video, tmp_path, same_name):
    publish(raw, video)
    other = write_video(tmp_path / "b.mp4", 10).read_bytes()
    name = kinetics_name("train000001") if same_name else "train000001_000001_000002"
    put(raw / "replacement_for_corrupted_k400.tgz", tar_bytes({f"replacement_for_corrupted_k400/{name}.mp4": other}))
    manifest = prepare("k400", DATASET, raw, tmp_path / "out")
    frames = dict(zip(manifest.table["clip_id"].to_pylist(), manifest.table["frames"].to_pylist(), strict=True))
    assert frames.pop(kinetics_name("train000001")) == 10
    assert set(frames.values()) == {30} and len(frames) == 4


@pytest.mark.parametrize("cut", [0.5, 0.95, -8, -1])
def test_a_truncated_archive_is_an_error_that_names_it(raw, video, tmp_path, cut):
    publish(raw, video)
    path = raw / "train/part_0.tar.gz"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * cut) if cut > 0 else cut])
    with pytest.raises(UserError, match=r"train/part_0.tar.gz.*damaged or incomplete"):
        prepare("k400", DATASET, raw, tmp_path / "out")
    assert not (tmp_path / "out/manifest.parquet").exists()


@pytest.mark.parametrize("where", ["header", "checksum", "not gzip"])
def test_a_damaged_archive_is_an_error_that_names_it(raw, video, tmp_path, where):
    publish(raw, video)
    path = raw / "train/part_0.tar.gz"
    plain = bytearray(tar_bytes({f"{kinetics_name(name)}.mp4": video for _, name in TRAIN}, mode="w"))
    if where == "header":
        second = 512 + -(-len(video) // 512) * 512
        plain[second : second + 200] = b"\x7f" * 200
        path.write_bytes(plain)
    elif where == "checksum":
        content = bytearray(path.read_bytes())
        content[-6] ^= 255
        path.write_bytes(content)
    else:
        path.write_bytes(b"<html>Access denied</html>" * 100)
    with pytest.raises(UserError, match=r"train/part_0.tar.gz.*damaged or incomplete"):
        prepare("k400", DATASET, raw, tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"no video" * 99, "undecodable"), (b"\0" * 5000, "undecodable"), (None, "not found")],
)
def test_a_bad_video_is_listed_with_its_reason(raw, video, tmp_path, content, reason):
    publish(raw, video)
    names = [kinetics_name(name) for _, name in VAL]
    files = {f"{names[0]}.mp4": content, f"{names[1]}.mp4": video}
    put(raw / "val/part_0.tar.gz", tar_bytes({k: v for k, v in files.items() if v is not None}))
    manifest = prepare("k400", DATASET, raw, tmp_path / "out")
    assert len(manifest.split("test")) == 1
    lines = missing_lines(tmp_path / "out")
    assert set(lines) == {names[0]}
    assert lines[names[0]].startswith(f"-val_000000,val,air drumming,{reason},")
    assert reason == "not found" or "val/part_0.tar.gz" in lines[names[0]]


CLIP = kinetics_name("val00000001")


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (f"../../{CLIP}.mp4", None, "leads out of the archive"),
        (f"a/../../{CLIP}.mp4", None, "leads out of the archive"),
        (f"/etc/{CLIP}.mp4", None, "absolute path"),
        (f"..\\{CLIP}.mp4", None, "leads out of the archive"),
        (f"{CLIP}.mp4", link(f"{CLIP}.mp4", "/etc/passwd"), "it is a link"),
        (f"{CLIP}.mp4", link(f"{CLIP}.mp4", f"{kinetics_name('-val_000000')}.mp4", tarfile.LNKTYPE), "it is a link"),
        (f"{CLIP}.mp4", link(f"{CLIP}.mp4", "", tarfile.FIFOTYPE), "no regular file"),
        (f"{CLIP}.mp4", link(f"{CLIP}.mp4", "", tarfile.CHRTYPE), "no regular file"),
    ],
)
def test_unsafe_members_are_refused_by_name(raw, video, tmp_path, name, content, told):
    publish(raw, video)
    good = {f"{kinetics_name('-val_000000')}.mp4": video}
    put(raw / "val/part_0.tar.gz", tar_bytes({**good, name: video if content is None else content}))
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    manifest = prepare("k400", DATASET, raw, tmp_path / "out")
    assert len(manifest.split("test")) == 1
    line = missing_lines(tmp_path / "out")[CLIP]
    assert "not found" in line and told in line and shown(name) in line
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(tmp_path / "out") for path in new)


def test_a_member_too_large_is_refused(raw, video, tmp_path, monkeypatch):
    publish(raw, video)
    monkeypatch.setattr("multitrain.datasets.fetch.archives.LARGEST", len(video))
    put(raw / "val/part_0.tar.gz", tar_bytes({f"{CLIP}.mp4": video + b"\0"}))
    prepare("k400", DATASET, raw, tmp_path / "out")
    assert "refused, it is larger than" in missing_lines(tmp_path / "out")[CLIP]


def test_the_first_video_that_is_not_empty_wins(raw, video, tmp_path):
    publish(raw, video)
    other = write_video(tmp_path / "b.mp4", 10).read_bytes()
    good = {f"{kinetics_name('-val_000000')}.mp4": video}
    files = [(f"x/{CLIP}.mp4", b""), (f"y/{CLIP}.mp4", other), (f"z/{CLIP}.mp4", video)]
    put(raw / "val/part_0.tar.gz", tar_bytes({**good, **dict(files)}))
    manifest = prepare("k400", DATASET, raw, tmp_path / "out")
    row = next(row for row in manifest.table.to_pylist() if row["clip_id"] == CLIP)
    assert row["frames"] == 10 and codes(tmp_path / "out" / row["path"]) == list(range(10))
    assert missing_lines(tmp_path / "out") == {}
