"""Damaged and odd videos, all made here: what the internet and broken downloads put in a video's place.

`videos()` gives by name the bytes and what must become of them: "clip", a reason of the manifest, or ANY where both a
clip and a refusal are right answers and only a crash, a hang or a lost video would be wrong.
"""

import io
import random
from fractions import Fraction

import av
import numpy as np

from tests.datasets.forged import SIDE, boxes, encode, flipped, patched, shaped, sound

ANY = "any"


def _cut(name: str, content: bytes, step: int) -> dict[str, tuple[bytes, str]]:
    return {
        f"{name} cut at {part}%": (content[: len(content) * part // 100], ANY if part else "undecodable")
        for part in range(0, 100, step)
    }


def truncated() -> dict[str, tuple[bytes, str]]:
    """Broken-off downloads."""
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    mp4 = encode(noise=50)
    found = {f"{key}, index last": (value, ANY) for key, (value, _) in _cut("mp4", mp4, 5).items()}
    found |= _cut("mp4, index first,", encode(noise=50, muxing={"movflags": "faststart"}), 5)
    found |= _cut("fragmented mp4", encode(noise=50, muxing=fragments, options={"g": "4"}), 10)
    found |= _cut("webm", encode("webm", "libvpx-vp9", noise=50), 10)
    found |= _cut("mkv", encode("matroska", noise=50), 10)
    found |= _cut("avi", encode("avi", "mpeg4", noise=50), 10)
    found |= _cut("ts", encode("mpegts", noise=50), 20)
    for start in boxes(mp4):
        name = mp4[start + 4 : start + 8].decode()
        known = ANY if name == "udta" else "undecodable"  # behind everything that is needed
        found[f"mp4 cut before {name}"] = (mp4[:start], known)
        found[f"mp4 cut inside {name}"] = (mp4[: start + 7], known)
    return found


def flips() -> dict[str, tuple[bytes, str]]:
    """Seeded damage."""
    sources = {"mp4": encode(options={"g": "4"}), "webm": encode("webm", "libvpx-vp9"), "mkv": encode("matroska")}
    sources |= {"avi": encode("avi", "mpeg4"), "ts": encode("mpegts")}
    return {
        f"{name} with flipped bytes {seed}": (flipped(content, seed), ANY)
        for name, content in sources.items()
        for seed in range(20 if name == "mp4" else 8)
    }


def claims() -> dict[str, tuple[bytes, str]]:
    """Headers that promise what is not there."""
    mp4, huge, index = encode(), 0xFFFFFFFF, encode(muxing={"movflags": "faststart"})
    data = mp4.index(b"mdat") + 4
    moov = mp4.index(b"moov") - 4
    return {
        "tkhd of 65535x65535": (patched(patched(mp4, b"tkhd", 80, huge), b"tkhd", 84, huge), ANY),
        "avc1 of 65535x65535": (patched(mp4, b"avc1", 28, huge), ANY),
        "avc1 of 0x0": (patched(mp4, b"avc1", 28, 0), ANY),
        "mvhd without end": (patched(mp4, b"mvhd", 20, huge - 1), ANY),
        "tkhd without end": (patched(mp4, b"tkhd", 24, huge - 1), ANY),
        "mdhd without end": (patched(mp4, b"mdhd", 20, huge - 1), ANY),
        "mdhd of no duration": (patched(mp4, b"mdhd", 20, 0), "clip"),
        "time scale 0": (patched(mp4, b"mdhd", 16, 0), ANY),
        "time scale without end": (patched(mp4, b"mdhd", 16, huge), ANY),
        "stts of 4 billion frames": (patched(mp4, b"stts", 12, huge), ANY),
        "stts of 4 billion entries": (patched(mp4, b"stts", 8, huge), ANY),
        "stts of no time": (patched(mp4, b"stts", 16, 0), ANY),
        "stts of years a frame": (patched(mp4, b"stts", 16, 0x7FFFFFFF), ANY),
        "stts running backwards": (patched(mp4, b"stts", 16, 0x80000001), ANY),
        "stsz of 4 billion samples": (patched(mp4, b"stsz", 12, huge), ANY),
        "stsz of huge samples": (patched(mp4, b"stsz", 8, 0x7FFFFFFF), ANY),
        "stsz of an endless first sample": (patched(mp4, b"stsz", 16, huge), ANY),
        "stco outside the file": (patched(mp4, b"stco", 12, huge), ANY),
        "stsc of no samples": (patched(mp4, b"stsc", 16, 0), ANY),
        "elst far behind the end": (patched(encode(options={"bf": "2"}), b"elst", 16, 0x7FFFFFF0), ANY),
        "moov larger than the file": (patched(mp4, b"moov", -4, 0x7FFFFFFF), ANY),
        "moov of size 1": (patched(mp4, b"moov", -4, 1), ANY),
        "trak smaller than its header": (patched(mp4, b"trak", -4, 2), ANY),
        "mdat of size 0": (patched(index, b"mdat", -4, 0), "clip"),
        "moov missing": (mp4[:moov], "undecodable"),
        "mdat of garbage": (mp4[:data] + random.Random(0).randbytes(moov - data) + mp4[moov:], "undecodable"),
        "mdat of zeros": (mp4[:data] + bytes(moov - data) + mp4[moov:], "undecodable"),
        "data in another file": (patched(mp4, b"url ", 4, 0), ANY),
        "unknown codec": (mp4.replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"), "undecodable"),
        "zeros behind the end": (mp4 + bytes(5000), "clip"),
        "text behind the end": (mp4 + b"<html>" * 500, "clip"),
        "two files in one": (mp4 + mp4, ANY),
    }


def texts() -> dict[str, tuple[bytes, str]]:
    """What is no video at all."""
    image = io.BytesIO()
    with av.open(image, "w", format="image2pipe") as output:
        stream = output.add_stream("png", rate=1)
        stream.width = stream.height = SIDE
        stream.pix_fmt = "rgb24"
        output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((SIDE, SIDE, 3), np.uint8), "rgb24")))
        output.mux(stream.encode(None))
    contents = {
        "one byte": b"\0",
        "zeros": bytes(4096),
        "noise": random.Random(1).randbytes(4096),
        "text": b"this is no video at all\n" * 50,
        "error page": b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head><body></body></html>\n" * 9,
        "XML error": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nbait.mp4\n#EXT-X-ENDLIST\n",
        "concat script": b"ffconcat version 1.0\nfile bait.mp4\n",
        "session description": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
        "DASH manifest": b'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>bait.mp4</BaseURL></MPD>',
        "image": image.getvalue(),
        "gzip": b"\x1f\x8b\x08\0" + bytes(90),
        "header of an mp4 only": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + bytes(500),
        "header of a webm only": b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01",
        "sound": sound(),
    }
    refused = {name: (content, "undecodable") for name, content in contents.items()}
    return refused | {"sound with a cover": (sound(cover=True), "too short")}


def odd() -> dict[str, tuple[bytes, str]]:
    """Whole videos with what readers stumble over."""
    late = [0, 1, 2, 3, 9, 10, 11, 40, 41, 42, 43, 44]
    return {
        "one frame": (encode(count=1), "too short"),
        "one frame of webm": (encode("webm", "libvpx-vp9", count=1), "too short"),
        "two frames": (encode(count=2), "clip"),
        **{f"rotated by {turn}": (encode(rotation=turn), "clip") for turn in (90, 180, 270, -90, 45)},
        "variable rate": (encode("matroska", times=late), "clip"),
        "variable rate in mp4": (encode(times=late), "clip"),
        "odd size": (encode("webm", "libvpx-vp9", size=(33, 35)), "clip"),
        "4:4:4": (encode(pixels="yuv444p", size=(33, 35)), "clip"),
        "10 bits": (encode(pixels="yuv420p10le"), "clip"),
        "grey": (encode(pixels="gray"), "clip"),
        "RGB without loss": (encode("matroska", "ffv1", pixels="bgr0"), "clip"),
        "interlaced": (encode(options={"preset": "veryfast", "x264-params": "tff=1"}), "clip"),
        "MPEG-2": (encode("mpegts", "mpeg2video", rate=25), "clip"),
        "HEVC": (encode(codec="libx265", options={"x265-params": "log-level=none"}), "clip"),
        "flv": (encode("flv"), "clip"),
        "webm": (encode("webm", "libvpx-vp9"), "clip"),
        "live webm, no duration": (encode("webm", "libvpx-vp9", muxing={"live": "1"}), "clip"),
        "B-frames and an edit list": (encode(options={"preset": "veryfast", "bf": "3"}), "clip"),
        "open groups": (encode(options={"preset": "veryfast", "x264-params": "open-gop=1:keyint=4"}), "clip"),
        "starts at 1000 s": (encode("matroska", times=range(12_000, 12_012)), "clip"),
        "starts before 0": (encode(times=range(-5, 7), muxing={"avoid_negative_ts": "disabled"}), ANY),
        "1000 frames a second": (encode(rate=1000, count=300), "clip"),
        "a frame a minute": (encode(rate=Fraction(1, 60), count=3), "clip"),
        "a jump of a day": (encode("matroska", times=[*range(11), 12 * 86_400]), "undecodable"),
        "raw stream": (encode("h264"), "clip"),
        "tiny": (encode(codec="libvpx-vp9", container="webm", size=(2, 2)), "clip"),
        "very wide": (encode(size=(1024, 4)), "clip"),
        "pixels 1000 times as wide as high": (shaped(encode(), 1000, 1), "undecodable"),
        "pixels 1000 times as high as wide": (shaped(encode(), 1, 1000), ANY),
    }


def videos() -> dict[str, tuple[bytes, str]]:
    """The whole corpus."""
    return {**truncated(), **flips(), **claims(), **texts(), **odd()}
