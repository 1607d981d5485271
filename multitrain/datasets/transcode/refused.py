"""Errors for videos of which no clip can be made, with the reason in missing.csv."""

__all__ = ["STILL", "NotAFile", "Outside", "OverLimit", "Refused", "TooShort", "Undecodable"]

STILL = "a still of one frame: an action needs two at least"


class Refused(Exception):
    """A clip that cannot be made; `reason` is one of the manifest's REASONS."""

    reason = "undecodable"
    cure = "see whether a player shows it"


class Undecodable(Refused):
    """No frame could be decoded, or the frames make no video."""


class OverLimit(Undecodable):
    """The video exceeds a limit of the settings."""


class NotAFile(Undecodable):
    """A folder, or a pipe or device, which may be endless and cannot be read twice."""

    cure = "give a file"


class TooShort(Refused):
    """The interval has fewer than two frames."""

    reason = "too short"
    cure = ""


class Outside(Refused):
    """The interval lies outside the video."""

    reason = "outside"
