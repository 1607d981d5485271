"""Lists of `path label`: both separators, and what is wrong with file and line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.datasets.formats import path_lists
from tests.datasets.raw import dataset, put
from tests.datasets.raw import path_lists as raw_lists

CLASSES = 'abseiling\nair drumming\nsaying "é"\n'
DATASET = dataset("list", classes_file="classes.txt")
TRAIN = "train/a.mp4 0\ntrain/b c.mp4 1\n"


def publish(raw, train=TRAIN, val="val/d.mp4 1\n", test=None, classes=CLASSES):
    return raw_lists(raw, train, val, test, classes)


def rows(publication):
    return sorted((clip.key, clip.label, clip.split, clip.publisher_split) for clip in publication.clips)


def reasons(publication):
    return sorted((line.detail, line.reason) for line in publication.missing)


def test_an_excerpt_as_people_have_it(raw):
    publication = path_lists.read(publish(raw), DATASET)
    assert publication.classes == ("abseiling", "air drumming", 'saying "é"')
    assert rows(publication) == [
        ("train/a.mp4", "abseiling", "train", "train"),
        ("train/b c.mp4", "air drumming", "train", "train"),
        ("val/d.mp4", "air drumming", "test", "val"),
    ]
    assert len({clip.clip_id for clip in publication.clips}) == 3 and not publication.missing


SAME = [("a.mp4", "abseiling"), ("b c,d.mp4", "air drumming"), ("e.mp4", 'saying "é"')]


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4 0\nb c,d.mp4 1\ne.mp4 2\n",
        "a.mp4,0\nb c,d.mp4,1\ne.mp4,2\n",
        'a.mp4, 0\n"b c,d.mp4", 1\ne.mp4 , 2\n',
        "\ufeffa.mp4\t0\r\n\r\nb c,d.mp4  1\r\n   \r\ne.mp4 2",
        "path label\na.mp4 0\nb c,d.mp4 1\ne.mp4 2\n",
        "video_path,label\n./a.mp4,00\nb c,d.mp4,1\ne.mp4,2\n",
    ],
    ids=["space", "comma", "comma and space", "mark, CRLF, tab", "header", "comma header"],
)
def test_forms_of_the_same_list(raw, text):
    publication = path_lists.read(publish(raw, train=text), DATASET)
    assert [(key, label) for key, label, split, _ in rows(publication) if split == "train"] == SAME


@pytest.mark.parametrize(
    "text",
    [
        "a.mp4 0,2\nb c,d.mp4 1\ne.mp4 2,0,1\n",
        'a.mp4,0,2\nb c,d.mp4,"1,0"\ne.mp4,2\n',
        "a.mp4 0 2\nb c,d.mp4 1\ne.mp4 2 0 1\n",
        "a.mp4\t0\t2\nb c,d.mp4\t1\ne.mp4\t2\n",
    ],
)
def test_of_several_labels_the_first_counts_where_they_are_meant(raw, text):
    several = dataset("list", classes_file="classes.txt", labels="first")
    publication = path_lists.read(publish(raw, train=text), several)
    assert [(key, label) for key, label, split, _ in rows(publication) if split == "train"] == SAME
    with pytest.raises(
        UserError, match=r"train.csv:1: 'a.mp4.+2' has several labels: give one, or set `labels: first`"
    ):
        path_lists.read(raw, DATASET)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("frames/a 5 1\nframes/b 7 2\n", r"train.csv:1: 'frames/a 5 1' looks .* frame folders, `folder frames label`:"),
        ("a.mp4 300 0\n\nb.mp4 250 1\n", r"train.csv:1: 'a.mp4 300 0' looks .* frame folders, `folder frames label`:"),
        ("frames/a 2 5 1\nframes/a 7 5 2\n", r"'frames/a 2 5 1' looks .* `folder offset frames label`:"),
        ("frames/a 5 1\nframes/b 7 2 0\n", r"'frames/a 5 1' has several labels"),
        ("a.mp4 0\n\ntake 2 1\n", r"train.csv:3: 'take 2 1' has several labels: .* ends in a number into quotes"),
        ("file,class,place\na.mp4,abseiling,training\n", r"train.csv: no line has a label, e.g. 'file,class,place'"),
        ("a.mp4\nb.mp4\n", r"train.csv: no line has a label, e.g. 'a.mp4': .*, or leave the list away"),
    ],
)
def test_other_lists_are_refused_by_name(raw, text, told):
    with pytest.raises(UserError, match=told):
        path_lists.read(publish(raw, train=text), DATASET)


def test_folders_of_frames_are_refused_also_where_several_labels_are_meant(raw):
    several = dataset("list", classes_file="classes.txt", labels="first")
    with pytest.raises(UserError, match=r"train.csv:2: 'frames/b 7 2' names a folder of frames"):
        path_lists.read(publish(raw, train="a.mp4 0 1\nframes/b 7 2\n"), several)


def test_a_path_that_ends_in_a_number_may_be_quoted(raw):
    publication = path_lists.read(publish(raw, train='"take 2" 1\na.mp4 0\n'), DATASET)
    assert [(key, label) for key, label, split, _ in rows(publication) if split == "train"] == [
        ("a.mp4", "abseiling"),
        ("take 2", "air drumming"),
    ]


NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters='"\\/'), min_size=1)
PATHS = NAMES.map(lambda text: f"f/{' '.join(text.split())}.mp4").filter(lambda text: "\x85" not in text)


@given(st.lists(st.tuples(PATHS, st.integers(0, 2)), min_size=1, max_size=8), st.sampled_from([" ", ",", "\t", " , "]))
def test_any_path_comes_back_from_either_separator(tmp_path_factory, entries, separator):
    path = tmp_path_factory.mktemp("lists") / "train.csv"
    path.write_text("".join(f"{name}{separator}{label}\n" for name, label in entries), encoding="utf-8")
    assert list(path_lists._rows(path, 3)) == [(name, str(label)) for name, label in entries]


@given(st.lists(st.tuples(st.sampled_from(["a", "b/c", "b.c", "a.webm", "b c"]), st.integers(-1, 1)), min_size=1))
def test_every_line_is_a_clip_or_missing_and_no_id_is_shared(tmp_path_factory, entries):
    raw = tmp_path_factory.mktemp("raw")
    publish(raw, train="".join(f"{name} {label}\n" for name, label in entries))
    publication = path_lists.read(raw, DATASET)
    train = [clip for clip in publication.clips if clip.publisher_split == "train"]
    lost = [line for line in publication.missing if line.publisher_split == "train"]
    assert len(train) + len(lost) == len(entries)
    assert len({clip.clip_id for clip in train}) == len({clip.key for clip in train}) == len(train)


@pytest.mark.parametrize(
    ("lists", "told"),
    [
        ({"train": "a.mp4 0\nb.mp4 3\n"}, r"train.csv:2: label 3 is none of 0 to 2"),
        ({"train": "a.mp4 -2\n"}, r"train.csv:1: label -2 is none"),
        ({"train": f"a.mp4 {'9' * 5000}\n"}, r"train.csv:1: a line of 5006 characters"),
        ({"train": f"a.mp4 {'9' * 50}\n"}, r"train.csv:1: label 99999999999999999999 is none"),
        ({"train": "a.mp4 0\n\nb.mp4 dancing\n"}, r"train.csv:3: expected `path label` .* found 'b.mp4 dancing'"),
        ({"train": "a.mp4,0\nb.mp4,c,\n"}, r"train.csv:2: expected `path,label`"),
        ({"train": b"a\xff.mp4 0\n"}, r"train.csv: byte 1 is no UTF-8"),
        ({"val": None}, r"val.csv: no such list"),
        ({"train": None}, r"train.csv: no such list"),
        ({"classes": ""}, r"classes.txt: 0 class names"),
        ({"classes": "a\na\n"}, r"classes.txt: 2 class names, not each once"),
        ({"classes": "1 a\n2 b\n"}, r"classes.txt: its indices begin with 1, labels of lists with 0"),
        ({"classes": "0 a\n0 b\n"}, r"classes.txt: 2 class names, not each once"),
        ({"classes": "a,0\nb,2\n"}, r"classes.txt: 2 class names, not each once"),
    ],
)
def test_what_is_wrong_names_file_and_line(raw, lists, told):
    with pytest.raises(UserError, match=told) as caught:
        path_lists.read(publish(raw, **lists), DATASET)
    assert "\n" not in str(caught.value)


def test_class_names_are_asked_for(raw):
    publish(raw)
    with pytest.raises(ValueError, match="reader list needs classes_file"):
        dataset("list")
    with pytest.raises(UserError, match=r"labels.txt: no file of class names"):
        path_lists.read(raw, dataset("list", classes_file="labels.txt"))
    with pytest.raises(UserError, match="is a folder, not a regular file"):
        path_lists.read(raw, dataset("list", classes_file="."))


@pytest.mark.parametrize(
    ("name", "text", "classes"),
    [
        ("c.txt", "b\na", ("b", "a")),
        ("c.txt", "\ufeffb, 1\r\na, 0\r\n", ("a", "b")),
        ("c.txt", "a, b and c\nd\n", ("a, b and c", "d")),
        ("c.txt", "0 b\n2 a b\n1 c, d\n", ("b", "c, d", "a b")),
        ("c.csv", "id,name\n0,b\n1,a\n", ("b", "a")),
        ("c.csv", "name,id\nb,0\na,1\n", ("b", "a")),
        ("c.csv", '"class_id","class_name"\r\n1,a\r\n0,"b, c"\r\n', ("b, c", "a")),
        ("c.txt", "0\tb\n1\ta\n", ("b", "a")),
        ("c.txt", "2 step\nswing dance\n", ("2 step", "swing dance")),
        ("c.json", '{"0": "b", "1": "a"}', ("b", "a")),
        ("c.json", '{"b": "1", "a": 0}', ("a", "b")),
        ("c.json", '["b", "a"]', ("b", "a")),
    ],
)
def test_forms_of_class_names(raw, name, text, classes):
    put(raw / name, text)
    assert path_lists._classes(raw, dataset("list", classes_file=name)) == classes


@pytest.mark.parametrize("text", ["{}", "3", '{"a": "x"}', '{"a": null}', '["a", "a"]', "{"])
def test_class_names_in_json_may_be_wrong(raw, text):
    put(raw / "c.json", text)
    with pytest.raises(UserError, match=r"c.json"):
        path_lists._classes(raw, dataset("list", classes_file="c.json"))


def test_a_test_list_is_scored_and_the_same_twice_is_one(raw):
    publication = path_lists.read(publish(raw, val="d.mp4 1\ne.mp4 0\n", test="e.mp4 0\nd.mp4 1\n"), DATASET)
    assert [row[2:] for row in rows(publication) if row[0] in "d.mp4e.mp4"] == [("test", "val")] * 2
    assert not publication.missing
    publication = path_lists.read(publish(raw, val="d.mp4 1\ne.mp4 0\n", test="e.mp4 0\nf.mp4 1\n"), DATASET)
    assert {row[0]: row[2:] for row in rows(publication) if row[2] != "train"} == {
        "d.mp4": ("val", "val"),
        "e.mp4": ("test", "test"),
        "f.mp4": ("test", "test"),
    }
    (line,) = publication.missing
    assert (line.clip_id, line.publisher_split, line.reason) == ("e", "val", "duplicate")


def test_lines_of_no_use_are_told(raw):
    text = "a.mp4 0\na.mp4 1\nb.mp4 -1\nc.mp4\nval/d.mp4 0\n"
    publication = path_lists.read(publish(raw, train=text), DATASET)
    assert sorted((line.clip_id, line.reason) for line in publication.missing) == [
        ("a", "duplicate"),
        ("b", "no label"),
        ("c", "no label"),
        ("val.d", "duplicate"),
    ]
    assert next(clip.split for clip in publication.clips if clip.clip_id == "val.d") == "test"


def test_videos_of_youtube_are_known_by_their_names(raw):
    names = ["k/0wR5jVB-WPk_000417_000427.mp4", "v_0wR5jVB-WPk.mkv", "v_0wR5jVB-WPk_000_01.mp4", "yt-0wR5jVB-WPk_7.mp4"]
    train = "".join(f"{name} 0\n" for name in [*names, "78687.webm", "v_Basketball_g01_c01.avi", "é.mp4"])
    publication = path_lists.read(publish(raw, train=train), DATASET)
    videos = {clip.key: clip.video_id for clip in publication.clips}
    assert {videos[name] for name in names} == {"v_0wR5jVB-WPk"}
    assert (videos["78687.webm"], videos["v_Basketball_g01_c01.avi"]) == ("78687", "v_Basketball_g01_c01")


def test_clip_ids_are_plain_file_names(raw):
    train = "a b/é.mp4 0\n-x.mp4 1\n.hidden 0\nplain.mp4 0\n"
    publication = path_lists.read(publish(raw, train=train), DATASET)
    assert all(re.fullmatch(r"[\w+-][\w.+-]*", clip.clip_id, re.ASCII) for clip in publication.clips)
    assert "plain" in {clip.clip_id for clip in publication.clips}
