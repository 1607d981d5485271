"""Suffixes of video files."""

from pathlib import PurePath

__all__ = ["SUFFIXES", "has_video_suffix"]

FORMATS = (
    "264 265 3g2 3gp asf avi divx dv f4v flv gif h264 h265 hevc m1v m2t m2ts m2v m4v mjpeg mjpg mkv mov mp4 mpe mpeg "
    "mpg mts mxf nut ogg ogm ogv qt rm rmvb ts vob webm wmv y4m"
)
SUFFIXES = frozenset(f".{name}" for name in FORMATS.split())


def has_video_suffix(path: PurePath) -> bool:
    """Whether a file's name has a suffix of videos."""
    return path.suffix.lower() in SUFFIXES
