"""Errors for videos of which no clip can be made, with the reason in missing.csv."""

__all__ = ["STILL", "Beyond", "NoFile", "Outside", "Refused", "TooShort", "Undecodable"]

STILL = "a still of one frame: an action needs two at least"


class Refused(Exception):
    """A clip that cannot be made; `reason` is one of the manifest's REASONS."""

    reason = "undecodable"
    cure = "see whether a player shows it"


class Undecodable(Refused):
    """No frame could be decoded, or what was decoded makes no video."""


class Beyond(Undecodable):
    """The video is over a limit; under another limit it might not be."""


class NoFile(Undecodable):
    """A folder, or a pipe or device, which may have no end and cannot be read twice."""

    cure = "give a file"


class TooShort(Refused):
    """Fewer than two frames lie in the wanted part."""

    reason = "too short"
    cure = ""


class Outside(Refused):
    """The wanted part lies outside the video."""

    reason = "outside"
