import gzip
import io
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from multitrain.common.errors import UserError
from multitrain.datasets.fetch.archives import ConcatenatedStream, archive_errors, stem, tar_members, unsafe
from tests.datasets.raw import tar_bytes

FILES = {f"folder/{name}.mp4": name.encode() * 400 for name in ("first", "second", "third")}


def contents(content: bytes) -> dict[str, bytes]:
    found = {}
    for member in tar_members(io.BufferedReader(io.BytesIO(content)), "a.tar.gz", "a", stem):
        with archive_errors("a.tar.gz"), member.content() as stream:
            found[member.key] = stream.read()
    return found


def expected() -> dict[str, bytes]:
    return {stem(name): content for name, content in FILES.items()}


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_members_in_order(mode):
    found = contents(tar_bytes(FILES, mode))
    assert found == expected() and list(found) == ["first", "second", "third"]


def test_several_gzip_parts_are_one_stream():
    plain = tar_bytes(FILES, "w")
    assert contents(gzip.compress(plain[:700]) + gzip.compress(plain[700:])) == expected()


def test_the_checksum_is_compared_also_far_behind_the_last_member():
    content = bytearray(gzip.compress(tar_bytes(FILES, "w") + bytes(1 << 20)))
    assert contents(bytes(content)) == expected()
    content[-6] ^= 255
    with pytest.raises(UserError, match="damaged or incomplete"):
        contents(bytes(content))


@given(st.integers(0, 400))
def test_any_truncation_is_an_error(missing):
    content = tar_bytes(FILES)
    with pytest.raises(UserError, match="damaged or incomplete"):
        contents(content[: len(content) - 1 - missing])


MEMBERS_END = sum(512 + -(-len(content) // 512) * 512 for content in FILES.values())


@example(MEMBERS_END)
@example(512 + 2048)  # behind the first member
@given(st.integers(1, MEMBERS_END))
def test_a_plain_tar_cut_anywhere_is_an_error(kept):
    content = tar_bytes(FILES, "w")
    assert contents(content[: MEMBERS_END + 1024]) == expected()
    with pytest.raises(UserError, match="damaged or incomplete"):
        contents(content[:kept])


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 7))
def test_joined_files_read_as_one(parts, size):
    stream = io.BufferedReader(ConcatenatedStream(partial(io.BytesIO, part) for part in parts), size)
    found = b""
    while block := stream.read(size):
        found += block
    assert found == b"".join(parts)


def test_pieces_are_closed_as_they_are_left():
    streams = [io.BytesIO(b"ab"), io.BytesIO(b"cd")]
    joined = ConcatenatedStream(iter([lambda: streams[0], lambda: streams[1]]))
    assert joined.read(2) == b"ab" and joined.read(2) == b"cd"
    assert streams[0].closed


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("a/b.mp4", True),
        ("./a..b.mp4", True),
        ("a/../b.mp4", False),
        ("..", False),
        ("/a.mp4", False),
        ("C:\\a.mp4", False),
        ("C:/a.mp4", False),
        ("a\\..\\b.mp4", False),
    ],
)
def test_names(name, fine):
    assert (unsafe(name, 1) == "") == fine
