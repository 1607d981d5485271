"""Listed videos, as they are and transcoded: what is hostile, what cannot be used, and that frames can be read."""

from fractions import Fraction

import pytest

from multitrain.config.scale import Limits
from multitrain.data.decode import read_frames
from multitrain.datasets.formats import path_lists
from multitrain.datasets.prepare import prepare
from multitrain.datasets.transcode.batches import Transcoding
from multitrain.datasets.transcode.encode_clip import Clip
from multitrain.datasets.transcode.journal import ClipStore
from multitrain.datasets.transcode.untranscoded import UntranscodedFiles, probe
from tests.datasets.coded import code, write_video
from tests.datasets.formats.test_path_lists import DATASET, publish
from tests.datasets.raw import TRANSCODE, dataset, missing_rows, put


def intake(kind, raw, tmp_path, **values):
    """Records by key, and what was refused."""
    publication = path_lists.read(raw, dataset("list", classes_file="classes.txt", **values))
    if kind == "as is":
        made = UntranscodedFiles(publication, tmp_path / "out", Limits())
    else:
        made = Transcoding(publication, ClipStore(tmp_path / "out", TRANSCODE), TRANSCODE)
    made.run(1)
    keys = {clip.clip_id: clip.key for clip in publication.clips}
    return {keys[clip_id]: record for clip_id, record in made.records.items()}, made


HOSTILE = "../../evil.mp4 0\n/etc/passwd 1\n..\\evil.mp4 0\nC:\\evil.mp4 1\nok.mp4 0\nlost.mp4 0\nvoid.mp4 1\n"
HOSTILE += f"$(touch evil);`x`.mp4 0\n{'n' * 300}.mp4 0\n.. 0\n/ 1\n"


@pytest.mark.parametrize("kind", ["as is", "transcoded"])
def test_paths_that_lead_out_are_refused_by_name(raw, video, tmp_path, kind):
    put(raw.parent / "evil.mp4", video)
    put(raw / "videos/ok.mp4", video)
    put(raw / "d.mp4", video)
    put(raw / "void.mp4", b"")
    before = sorted(path for path in tmp_path.rglob("*evil*"))
    records, made = intake(kind, publish(raw, train=HOSTILE, val="d.mp4 1\n"), tmp_path)
    good = {key for key, record in records.items() if not record.reason}
    assert good == {"ok.mp4", "d.mp4"} and records["void.mp4"].reason == "empty" and len(records) == 3
    assert {key for key, why in made.refused.items() if "absolute path" in why} == {"/etc/passwd", "C:/evil.mp4", "/"}
    assert {key for key, why in made.refused.items() if "leads out" in why} == {"../../evil.mp4", "../evil.mp4", ".."}
    assert sorted(path for path in tmp_path.rglob("*evil*")) == before


def test_files_as_they_are_stay_where_they_lie(raw, tmp_path):
    write_video(raw / "videos/a.mp4", 40, rate=12)
    write_video(raw / "b.webm", 31, rate=25, codec="libvpx-vp9", size=(64, 48))
    records, made = intake("as is", publish(raw, train="a.mp4 0\nb.webm 1\n", val="a.mp4 0\nlost.mp4 0\n"), tmp_path)
    assert not (tmp_path / "out").exists()
    assert {key: (r.frames, r.fps, r.width, r.height) for key, r in records.items()} == {
        "a.mp4": (40, 12.0, 48, 32),
        "b.webm": (31, 25.0, 64, 48),
    }
    for record in records.values():
        path = made.path(record.clip)
        assert path == (raw / ("videos/a.mp4" if record.clip == "a" else "b.webm")).as_posix()
        indices = [record.frames - 1, 0, 3, 6, 7]
        frames = read_frames(tmp_path / "out" / path, indices, record.fps)
        assert [code(frame) for frame in frames] == indices


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24000, 1001), Fraction(25, 2), Fraction(60)])
@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "libx264"), ("mkv", "libx264"), ("webm", "libvpx-vp9")])
@pytest.mark.parametrize("stride", [1, 3])
def test_what_is_taken_as_it_is_can_be_read_frame_by_frame(tmp_path, rate, suffix, codec, stride):
    options = {"bf": "3", "g": "50"} if codec == "libx264" else {}
    path = write_video(tmp_path / f"a.{suffix}", 120, rate=rate, codec=codec, options=options)
    clip = probe(path, Limits())
    assert isinstance(clip, Clip) and clip.frames == 120 and abs(clip.fps / rate - 1) < 1e-3
    indices = [119, *range(0, 120, stride)]
    assert [code(frame) for frame in read_frames(path, indices, clip.fps, stride)] == indices


def test_a_file_inside_the_folder_is_named_relative_to_it(raw, video):
    put(raw / "d.mp4", video)
    publication = path_lists.read(publish(raw, val="d.mp4 0\n"), DATASET)
    made = UntranscodedFiles(publication, raw.parent, Limits())
    made.run(2)
    assert made.path("d") == "raw/d.mp4"


def test_what_cannot_be_used_as_it_is_says_why(tmp_path):
    uneven = [0, 0.1, 0.15, 0.5, 0.6, 1.4, 1.5, 1.55, 2.0, 2.8]
    files = {
        "variable": write_video(tmp_path / "variable.mp4", 10, times=uneven),
        "late": write_video(tmp_path / "late.mp4", 10, times=[1 + i / 10 for i in range(10)]),
        "turned": write_video(tmp_path / "turned.mp4", 10, rotation=90),
        "one": write_video(tmp_path / "one.mp4", 1),
        "text": put(tmp_path / "text.mp4", "no video"),
        "void": put(tmp_path / "void.mp4", b""),
        "torn": put(tmp_path / "torn.mp4", write_video(tmp_path / "x.mp4", 40).read_bytes()[:900]),
        "large": write_video(tmp_path / "large.mp4", 3, size=(96, 64)),
    }
    told = {name: probe(path, Limits(pixels=5000)) for name, path in files.items()}
    assert all(isinstance(result, tuple) for result in told.values())
    assert {name: reason for name, (reason, _) in told.items() if reason != "undecodable"} == {
        "one": "too short",
        "void": "empty",
    }
    assert "constant rate" in told["variable"][1] and "prepared: false" in told["variable"][1]
    assert "turned" in told["turned"][1]
    assert "constant rate from 0 s" in told["late"][1]
    assert isinstance(probe(write_video(tmp_path / "ok.mp4", 7, size=(64, 64)), Limits(pixels=5000)), Clip)


@pytest.mark.parametrize("prepared", [True, False])
def test_from_lists_to_frames_with_every_line_accounted_for(raw, video, tmp_path, prepared):
    for name in ("a", "b", "d"):
        put(raw / f"videos/{name}.mp4", video)
    put(raw / "videos/t.mp4", "no video")
    train = "a.mp4 0\nb.mp4 1\nb.mp4 1\nt.mp4 2\n../x.mp4 0\nq.mp4 -1\n"
    publish(raw, train=train, val="d.mp4 1\nlost.mp4 0\n")
    settings = dataset("list", classes_file="classes.txt", prepared=prepared)
    manifest = prepare("mine", settings, raw, tmp_path / "out", jobs=2)
    assert manifest.table["clip_id"].to_pylist() == ["a", "b", "d"]
    assert manifest.table["label"].to_pylist() == [0, 1, 1] and len(manifest.classes) == 3
    rows = missing_rows(tmp_path / "out")
    lost = {(row["label"], row["reason"]): row["detail"] for row in rows}
    reasons = {
        ("air drumming", "duplicate"),
        ('saying "é"', "undecodable"),
        ("abseiling", "not found"),
        ("", "no label"),
    }
    assert set(lost) == reasons and len(rows) == 5
    assert (tmp_path / "out/annotated.csv").read_text() == "publisher_split,clips\ntrain,6\nval,2\n"
    for path, frames, fps in zip(
        *(manifest.table[name].to_pylist() for name in ("path", "frames", "fps")), strict=True
    ):
        assert [code(frame) for frame in read_frames(tmp_path / "out" / path, range(frames), fps)] == list(range(30))
    assert (tmp_path / "out/videos").exists() is not prepared
    content = (tmp_path / "out/manifest.parquet").read_bytes()
    prepare("mine", settings, raw, tmp_path / "out")
    assert (tmp_path / "out/manifest.parquet").read_bytes() == content
