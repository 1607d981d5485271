"""Damaged and hostile archives, all made here. `tars` and `zips` give by name the bytes and what must become of them.

"whole": every video is found. "refused": the first video is left out and its line says why. "error": one line that
names the archive. ANY: the account closes, or one line names the archive.
"""

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable

from tests.datasets.corpus import ANY
from tests.datasets.forged import flipped
from tests.datasets.raw import link, tar_bytes

BLOCK = 512


def member(name: str, content: bytes, **values: object) -> bytes:
    """A member of a tar with header fields as given, whatever they claim."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in values.items():
        setattr(info, key, value)
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + content + bytes(-len(content) % BLOCK)


def pax(**values: str) -> bytes:
    """An extended header."""
    records = b""
    for key, value in values.items():
        record = f" {key.replace('__', '.')}={value}\n".encode()
        length = len(record) + 1
        while len(str(length)) + len(record) != length:
            length += 1
        records += str(length).encode() + record
    return member("PaxHeader", records, type=tarfile.XHDTYPE)


def tars(names: tuple[str, str], video: bytes) -> dict[str, tuple[bytes, str]]:
    """Archives that should hold these two videos."""
    first, second = names
    good = tar_bytes(dict.fromkeys(names, video))
    plain = tar_bytes(dict.fromkeys(names, video), "w")
    body, rest, end = member(first, video), member(second, video), bytes(2 * BLOCK)
    found = {f"gzip cut at {part}%": (good[: len(good) * part // 100], "error") for part in range(0, 100, 5)}
    found |= {f"gzip cut {count} bytes short": (good[:-count], "error") for count in (1, 4, 8, 9)}
    cuts = (1, BLOCK - 1, BLOCK, BLOCK + 100, len(body), len(body) + 10, len(body) + BLOCK)
    found |= {f"tar cut at byte {cut}": (plain[:cut], ANY if cut == len(body) else "error") for cut in cuts}
    found |= {f"gzip with flipped bytes {seed}": (flipped(good, seed), ANY) for seed in range(10)}
    found |= {f"tar with flipped bytes {seed}": (flipped(plain, seed, 30), ANY) for seed in range(10)}
    return found | _hostile(first, second, video, rest + end) | _mislabelled(names, video, good, plain)


def _hostile(first: str, second: str, video: bytes, rest: bytes) -> dict[str, tuple[bytes, str]]:
    """The first member is an attack."""
    kinds = {"fifo": tarfile.FIFOTYPE, "character device": tarfile.CHRTYPE, "block device": tarfile.BLKTYPE}
    kinds["contiguous file"] = tarfile.CONTTYPE
    bomb = member("long", b"", type=tarfile.GNUTYPE_LONGNAME, size=1 << 32) + bytes(4 * BLOCK)
    chain = b"".join(pax(comment="x") for _ in range(3000))
    holes = {"GNU__sparse__major": "1", "GNU__sparse__minor": "0", "GNU__sparse__realsize": str(1 << 40)}
    numbers = (b"1000000\n" + b"1\n" * 300).ljust(BLOCK, b"1")
    old_sparse = bytearray(member(first, video, type=tarfile.GNUTYPE_SPARSE))
    return {
        "a name that leads out": (member(f"../{first}", video) + rest, "refused"),
        "a name that leads out further in": (member(f"a/../../{first}", video) + rest, "refused"),
        "an absolute name": (member(f"/tmp/{first}", video) + rest, "refused"),
        "a name of Windows": (member(f"C:\\{first}", video) + rest, "refused"),
        "a symbolic link": (tar_bytes({first: link(first, "/etc/passwd")}, "w")[:BLOCK] + rest, "refused"),
        "a hard link": (tar_bytes({first: link(first, second, tarfile.LNKTYPE)}, "w")[:BLOCK] + rest, "refused"),
        **{f"a {name}": (member(first, b"", type=kind) + rest, ANY) for name, kind in kinds.items()},
        "a folder of that name": (member(first, b"", type=tarfile.DIRTYPE) + rest, ANY),
        "a size of 3 GiB": (member(first, video, size=3 << 30), "error"),
        "a size below 0": (member(first, video, size=-BLOCK) + rest, "error"),
        "a size in an extended header": (pax(size=str(1 << 40)) + member(first, video) + rest, "error"),
        "a size below 0 in an extended header": (pax(size="-5120") + member(first, video) + rest, "error"),
        "a name in an extended header": (pax(path=f"../{first}") + member("x.mp4", video) + rest, "refused"),
        "an empty name in an extended header": (pax(path="") + member("x.mp4", video) + rest, ANY),
        "a name of 4 GiB": (bomb + rest, "error"),
        "3000 extended headers in a row": (chain + member(first, video) + rest, "error"),
        "a sparse file": (bytes(old_sparse) + rest, "error"),
        "a sparse file in an extended header": (pax(**holes) + member(first, numbers) + rest, "error"),
        "a sparse file of nonsense": (pax(**holes) + member(first, b"\xff" * BLOCK) + rest, "error"),
        "a name that is no UTF-8": (member(f"\udcff/{first}", video) + rest, "whole"),
        "a name with line ends": (member(f"a\nb\r\t/{first}", video) + rest, "whole"),
        "a name with colours of a terminal": (member(f"\x1b[31m/{first}", b"no video") + rest, ANY),
        "a very long name": (tar_bytes({"x" * 5000 + f"/{first}": video}, "w")[: -2 * BLOCK] + rest, ANY),
        "an empty file first": (member(first, b"") + member(first, video) + rest, "whole"),
        "the same name twice": (member(first, video) + member(first, b"other") + rest, "whole"),
        "no user, no group, no time": (member(first, video, uid=-1, gid=-1, mtime=-1) + rest, "whole"),
    }


def _mislabelled(names: tuple[str, str], video: bytes, good: bytes, plain: bytes) -> dict[str, tuple[bytes, str]]:
    """Something else, or something more, than one gzip'd tar."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(names[0], video)
    page = b"<html><body>503 Slow Down</body></html>"
    return {
        "a plain tar": (plain, "whole"),
        "several gzip parts": (gzip.compress(plain[:999]) + gzip.compress(plain[999:]), "whole"),
        "gzip in gzip": (gzip.compress(good), "error"),
        "a tar in a tar": (tar_bytes({"inner.tar": plain}), ANY),
        "a tar without a member": (gzip.compress(bytes(20 * BLOCK)), ANY),
        "an empty gzip": (gzip.compress(b""), "error"),
        "an empty file": (b"", "error"),
        "an error page": (page, "error"),
        "a packed error page": (gzip.compress(page), "error"),
        "noise": (flipped(bytes(5000), 1, 5000), "error"),
        "a zip": (packed.getvalue(), "error"),
        "xz instead of gzip": (lzma.compress(plain), "error"),
        "only the first bytes of gzip": (b"\x1f\x8b", "error"),
        "text behind the end": (good + b"<html>", "error"),
        "zeros behind the end": (good + bytes(999), "whole"),
        "a second tar behind the first": (gzip.compress(plain + plain), "whole"),
        "a checksum of something else": (good[:-8] + b"\1\2\3\4" + good[-4:], "error"),
        "a length of something else": (good[:-4] + b"\1\2\3\4", "error"),
    }


def zips(first: str, publish: Callable[[dict[str, bytes]], bytes], video: bytes) -> dict[str, tuple[bytes, str]]:
    """Archives like the one that `publish` makes of extra members, whose video `first` is attacked."""
    good = publish({})
    missing = publish({first: None})
    central = good.index(b"PK\1\2")
    entry = good.index(first.encode(), central) - 46  # of the first video in the list at the end
    head = good.index(first.encode()) - 30
    found = {f"zip cut at {part}%": (good[: len(good) * part // 100], "error") for part in range(0, 100, 5)}
    found |= {f"zip with flipped bytes {seed}": (flipped(good, seed), ANY) for seed in range(15)}

    def written(offset: int, form: str, value: int, header: int | None = None) -> bytes:
        changed = bytearray(good)
        struct.pack_into(form, changed, entry + offset, value)
        if header is not None:
            struct.pack_into(form, changed, head + header, value)
        return bytes(changed)

    bad_name = good.replace(first.encode(), b"\xff\xfe" + first.encode()[2:])
    return found | {
        "a password": (written(8, "<H", 1, 6), "error"),
        "an unknown method": (written(10, "<H", 99, 8), "error"),
        "a method it is not": (written(10, "<H", 8, 8), "error"),
        "a size of 3 GiB": (written(24, "<I", 3 << 30), "refused"),
        "a size too large": (written(24, "<I", len(video) * 2), "whole"),
        "a size too small": (written(24, "<I", len(video) // 2), "error"),
        "a packed size without end": (written(20, "<I", 0xFFFFFFF0), "whole"),
        "a place behind the end": (written(42, "<I", 0x7FFFFFFF), "error"),
        "the place of another": (written(42, "<I", 0), "error"),
        "another checksum": (written(16, "<I", 1), "error"),
        "a link": (written(38, "<I", 0o120777 << 16), "refused"),
        "a name that is no UTF-8": (_flagged(bad_name), "error"),
        "a name of old DOS": (bad_name, ANY),
        "a list of fewer": (good[:-14] + struct.pack("<HH", 1, 1) + good[-10:], ANY),
        "a list that begins elsewhere": (good[:-6] + struct.pack("<I", 7) + good[-2:], ANY),
        "a list that is longer": (good[:-10] + struct.pack("<I", 0x7FFFFFFF) + good[-6:], "error"),
        "text before it": (b"#!/bin/sh\n" + good, "whole"),
        "text behind it": (good + b"<html>", ANY),
        "a name that leads out": (publish({first: None, f"../../{first}": video}), "refused"),
        "an absolute name": (publish({first: None, f"/{first}": video}), "refused"),
        "the video not there": (missing, ANY),
        "an empty archive": (b"PK\5\6" + bytes(18), "error"),
        "an empty file": (b"", "error"),
        "an error page": (b"<html><body>403</body></html>", "error"),
        "a tar": (tar_bytes({first: video}), "error"),
        "itself in itself": (publish({"inner.zip": good}), "whole"),
    }


def _flagged(content: bytes) -> bytes:
    """The archive's names said to be UTF-8."""
    changed = bytearray(content)
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        place = changed.find(mark)
        while place >= 0:
            struct.pack_into("<H", changed, place + offset, 0x800)
            place = changed.find(mark, place + 4)
    return bytes(changed)
