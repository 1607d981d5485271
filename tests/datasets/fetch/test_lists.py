"""Lists of archives come from outside: their lines can do no more than name archives of their own host."""

from pathlib import Path

import pytest

from multitrain.common.errors import UserError
from multitrain.config.scale import Download
from multitrain.datasets.prepare import prepare
from tests.datasets.fetch.remote import LISTS, fetched, options, outcome, total
from tests.datasets.raw import dataset, put
from tests.datasets.server import Server


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("http://example.org/train/part_0.tar.gz", "is at another host than the list"),
        ("//example.org/train/part_0.tar.gz", "is at another host than the list"),
        ("https://{host}/part_0.tar.gz", "is at another host than the list"),
        ("http://x@{host}/part_0.tar.gz", "is at another host than the list"),
        ("file:///etc/part_0.tar.gz", "gives no http address"),
        ("-o/tmp/x.tar.gz;//", "no plain file name"),
        ("train/part_0.tar.gz; touch pwned", "no plain file name"),
        ("train/$(touch pwned).tar.gz", "no plain file name"),
        ("train/..", "no plain file name"),
        ("train/.part_0.tar.gz", "no plain file name"),
        ("train/part_0.exe", "is no archive"),
        ("http://[::1/part_0.tar.gz", "is no address"),
        ("other/part_1.tar.gz", "from another address"),
    ],
)
def test_lines_of_no_good_are_refused_by_place(server, tmp_path, published, line, told):
    host = server.base.split("/")[2]
    put(published / LISTS["train"], f"train/part_1.tar.gz\n{line.format(host=host)}\n")
    with pytest.raises(UserError) as caught:
        fetched(server, tmp_path)
    assert "k400_train_path.txt:2: " in str(caught.value) and told in str(caught.value)
    assert total(server) == 0 and not list(tmp_path.rglob("pwned"))


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("{base}train/part_0.tar.gz", "train/part_0.tar.gz"),
        ("/train/part_0.tar.gz", "train/part_0.tar.gz"),
        ("../../train/part_0.tar.gz", "train/part_0.tar.gz"),
        (
            "a b;$(touch pwned)`touch pwned`|{{1-9}}[1-9]/part_0.tar.gz",
            "a b;$(touch pwned)`touch pwned`|{1-9}[1-9]/part_0.tar.gz",
        ),
        ("train/part_0.tar.gz?version=1&x=$(touch pwned)", "train/part_0.tar.gz"),
        ("-/part_0.tar.gz", "-/part_0.tar.gz"),
    ],
)
def test_odd_addresses_only_fetch(server, tmp_path, published, local, line, path):
    content = (published / "train/part_0.tar.gz").read_bytes()
    put(published / path, content)
    put(published / LISTS["train"], f"train/part_1.tar.gz\r\n  {line.format(base=server.base)} \n")
    fetched(server, tmp_path)
    assert server.asked(path) == [0]
    assert {k: v for k, v in outcome(tmp_path / "out").items() if k.endswith("mp4")} == {
        k: v for k, v in local.items() if k.endswith("mp4")
    }
    assert not list(tmp_path.rglob("pwned")) and not Path("pwned").exists()


def test_names_in_the_settings_are_plain(server, tmp_path):
    with pytest.raises(UserError, match=r"'../x.csv' is no plain file name"):
        fetched(server, tmp_path, annotations={"../x.csv": "annotations/train.csv"})
    with pytest.raises(UserError, match=r"download.val: 'val/k400_val_path.txt' gives no http address"):
        prepare("k400", options("", annotations={}), _annotated(server, tmp_path), tmp_path / "o")


def _annotated(server: Server, home: Path) -> Path:
    for split in LISTS:
        put(home / f"raw/annotations/{split}.csv", (server.folder / f"annotations/{split}.csv").read_bytes())
    return home / "raw"


@pytest.mark.parametrize("reader", ["ssv2", "mit", "list"])
def test_what_cannot_be_fetched_is_told(tmp_path, reader):
    names = {"classes_file": "classes.txt"} if reader == "list" else {}
    settings = dataset(reader, download=Download(base_url="http://127.0.0.1:1/"), **names)
    with pytest.raises(UserError, match=f"files for reader {reader} are brought, not fetched"):
        prepare("x", settings, tmp_path / "raw", tmp_path / "out")
