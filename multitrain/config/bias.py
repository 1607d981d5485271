"""Biases of the synthetic datasets: what varies beside the class, and by how much, which sets the difficulty.

A scale's file changes single values: `world: { bias: { mit: { noise: 0.1 } } }`.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from multitrain.config.base import Count, Fraction, Positive, Settings, Share

__all__ = ["BIASES", "KINDS", "REASONS", "Bias"]

Range = tuple[float, float]
Tint = tuple[Positive, Positive, Positive]


class Bias(Settings):
    """What varies in a dataset, beside the class."""

    seconds: Range = Field(description="length of a video or, untrimmed, of a segment")
    appearance: Share = Field(
        description="probability that a video is filmed in its motion's usual place, in the clothes worn there"
    )
    relatives: int = Field(ge=0, description="classes related to one of K400's (of K700: not used)")
    tail: float = Field(1.0, ge=1, description="training videos of the most frequent class over those of the rarest")
    noise: Fraction = Field(0.0, description="part of the training videos that carry another class's label")
    idle: Fraction = Field(0.0, description="part of a video or segment in which its figure stands idle, in the mean")
    yaw: float = Field(ge=0, description="radians to either side of a motion's best view")
    elevation: Range = Field((0.0, 0.2), description="radians that the camera looks down")
    zoom: Range = Field(description="1: a standing figure fills two thirds of the frame")
    shift: float = Field(ge=0, description="of the frame, to either side")
    shake: float = Field(ge=0, description="of the frame, amplitude")
    tempo: Range = Field(description="factor on a motion's rate; ends within a factor of 2, as pace can be a class")
    reach: Range = Field(description="factor on a motion's amplitude")
    habit: float = Field(ge=0, description="radians, deviation of a video's own offset of every joint angle")
    contrast: float = Field(ge=0, description="of the background's texture")
    clutter: int = Field(ge=0, description="still boxes in the background, at random")
    colours: Share = Field(description="0: everybody looks alike, 1: any bright colour")
    props: Share = Field(description="probability that a motion's prop is seen")
    hold: Fraction = Field(0.2, description="of the video, longest rest before and after a motion that happens once")
    hand: bool = Field(False, description="objects are moved by a hand")
    tint: Tint = Field((1.0, 1.0, 1.0), description="factors on red, green, blue: the cameras' white balance")
    light: Range = Field((1.0, 1.0), description="factor on a video's brightness")
    blur: float = Field(0.0, ge=0, description="pixels, of the lens")
    grain: float = Field(0.0, ge=0, description="grey levels, deviation of the sensor's noise")
    crf: Annotated[int, Field(ge=0, le=51)] = Field(20, description="quality of the published file, lower is better")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        for name in ("seconds", "elevation", "zoom", "tempo", "reach", "light"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: the lower end {low} is above the upper end {high}")
        if self.tempo[0] <= 0 or self.tempo[1] > 2 * self.tempo[0]:
            raise ValueError(
                f"tempo: {self.tempo[0]} to {self.tempo[1]} is more than a factor of 2: pace tells classes apart"
            )
        return self


class Kind(Settings):
    """What a dataset of the world is, whatever its bias."""

    reader: str = Field(description="the publisher's format")
    classes: Count
    objects: int = Field(0, description="of its classes, motions of objects")


KINDS = {
    "k400": Kind(reader="kinetics", classes=16, objects=3),
    "k700": Kind(reader="kinetics", classes=25, objects=3),
    "mit": Kind(reader="mit", classes=14),
    "ssv2": Kind(reader="ssv2", classes=14, objects=14),
    "actnet": Kind(reader="activitynet", classes=11),
}

_KINETICS = Bias(
    seconds=(2.5, 3.0),
    appearance=0.85,
    relatives=16,
    tail=3.0,
    yaw=0.7,
    elevation=(0.0, 0.2),
    zoom=(0.6, 1.1),
    shift=0.1,
    shake=0.02,
    tempo=(0.8, 1.3),
    reach=(0.75, 1.1),
    habit=0.17,
    contrast=0.35,
    clutter=2,
    colours=0.6,
    props=0.6,
    hand=True,
    tint=(1.0, 1.0, 1.0),
    light=(0.8, 1.15),
    grain=3.0,
    crf=24,
)

BIASES: dict[str, Bias] = {
    "k400": _KINETICS,
    "k700": _KINETICS,
    "mit": Bias(
        seconds=(2.0, 2.25),
        appearance=0.5,
        relatives=7,
        tail=4.0,
        noise=0.15,
        yaw=0.7,
        elevation=(0.0, 0.3),
        zoom=(0.6, 1.1),
        shift=0.12,
        shake=0.03,
        tempo=(0.8, 1.3),
        reach=(0.75, 1.1),
        habit=0.16,
        contrast=0.4,
        clutter=3,
        colours=0.8,
        props=0.5,
        tint=(1.08, 1.0, 0.9),
        light=(0.65, 1.2),
        blur=0.4,
        grain=5.0,
        crf=28,
    ),
    "ssv2": Bias(
        seconds=(2.0, 3.3),
        appearance=0.0,
        relatives=4,
        tail=6.0,
        yaw=0.5,
        elevation=(0.1, 0.5),
        zoom=(0.7, 1.2),
        shift=0.14,
        shake=0.03,
        tempo=(0.8, 1.2),
        reach=(0.6, 1.1),
        habit=0.0,
        contrast=0.45,
        clutter=3,
        colours=1.0,
        props=1.0,
        hold=0.3,
        hand=True,
        tint=(0.94, 1.0, 1.06),
        light=(0.75, 1.1),
        grain=4.0,
        crf=24,
    ),
    "actnet": Bias(
        seconds=(2.0, 3.0),
        appearance=0.85,
        relatives=4,
        tail=1.5,
        idle=0.2,
        yaw=0.6,
        elevation=(0.0, 0.25),
        zoom=(0.6, 1.0),
        shift=0.12,
        shake=0.02,
        tempo=(0.8, 1.3),
        reach=(0.8, 1.1),
        habit=0.16,
        contrast=0.36,
        clutter=2,
        colours=0.6,
        props=0.6,
        tint=(1.0, 1.04, 0.97),
        light=(0.75, 1.1),
        blur=0.7,
        grain=2.0,
        crf=30,
    ),
}

# Sources of the values. What is not named here is a nuisance that sets the difficulty.
REASONS = {
    "appearance": (
        "One frame a segment, without any motion (TSN), reaches about 70% on Kinetics-400 and 30% on Something- "
        "Something-v2; the same backbone with motion 74% and 60% (TSM). So places and props tell much of Kinetics "
        "and ActivityNet, less of Moments in Time, whose verbs occur anywhere, and nothing of SSv2, whose templates "
        "leave the object open."
    ),
    "relatives": (
        "65 of ActivityNet's 200 classes overlap with K400's (the paper, Section 4.3): 4 of 11. Half of Moments in "
        "Time's verbs and 4 of 14 of SSv2's templates are assumed, as no paper counts them; without any, the "
        "largest gain that the paper reports for projections could not occur."
    ),
    "tail": (
        "K400 has 303 clips of its rarest class and 683 in the mean (the note on Kinetics-700-2020, Table 1). SSv2 "
        "has no quota for a template, and Moments in Time none for a verb; ActivityNet is nearly balanced. Only "
        "training videos have the tail, as the validation sets of Kinetics and Moments in Time are balanced."
    ),
    "noise": (
        "Moments in Time's training labels are votes on one verb of a clip of which several may be true, and its "
        "files keep the votes against it. 15% is assumed. The test labels are right, so that an accuracy means what "
        "it says."
    ),
    "idle": (
        "ActivityNet's segments are drawn by hand round activities that have breaks, and cut into clips of 10 s "
        "wherever these fall. 20% is assumed."
    ),
    "tint, light, blur, grain, crf, elevation": (
        "A domain of its own for each: Kinetics and ActivityNet are uploads of two kinds, Moments in Time collects "
        "from many sites, SSv2 is filmed at home, from above. The values are chosen to be seen and to leave the "
        "motion legible."
    ),
}
