"""The five synthetic datasets: their classes, their biases, and how their classes relate."""

from dataclasses import dataclass
from itertools import permutations

from multitrain.errors import UserError
from multitrain.synth import classes
from multitrain.synth.classes import Action

Range = tuple[float, float]


@dataclass(frozen=True)
class Bias:
    """What varies in a dataset beside the class, and by how much: the world's difficulty is set here."""

    seconds: Range  # of a video or, untrimmed, of a segment
    yaw: float  # radians to either side of a motion's best view
    zoom: Range  # 1: a standing figure fills two thirds of the frame
    shift: float  # of the frame, to either side
    shake: float  # of the frame, amplitude
    tempo: Range  # factor on a motion's rate; keep its ends within a factor of 2: pace is a class
    reach: Range  # factor on a motion's amplitude
    habit: float  # radians, standard deviation of a video's own offset of every joint angle
    contrast: float  # of the background's texture
    clutter: int  # still boxes in the background
    colours: float  # 0: everybody looks alike, 1: any bright colour
    props: float  # probability that a motion's prop is seen
    hold: float = 0.2  # of the video, longest rest before and after a motion that happens once
    hand: bool = False  # objects are moved by a hand


@dataclass(frozen=True)
class DatasetSpec:
    """A dataset of the world."""

    reader: str  # the publisher's format
    actions: tuple[Action, ...]  # in the publisher's order of labels
    bias: Bias

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, by label."""
        return tuple(action.name for action in self.actions)


_KINETICS = Bias(
    seconds=(2.5, 3.0),
    yaw=0.7,
    zoom=(0.6, 1.1),
    shift=0.1,
    shake=0.02,
    tempo=(0.75, 1.35),
    reach=(0.7, 1.1),
    habit=0.17,
    contrast=0.35,
    clutter=3,
    colours=0.7,
    props=0.5,
)

DATASETS: dict[str, DatasetSpec] = {
    "k400": DatasetSpec("kinetics", classes.K400, _KINETICS),
    "k700": DatasetSpec("kinetics", classes.K700, _KINETICS),
    "mit": DatasetSpec(
        "mit",
        classes.MIT,
        Bias(
            seconds=(2.0, 2.25),
            yaw=0.9,
            zoom=(0.55, 1.1),
            shift=0.12,
            shake=0.03,
            tempo=(0.75, 1.35),
            reach=(0.7, 1.15),
            habit=0.2,
            contrast=0.4,
            clutter=3,
            colours=0.8,
            props=0.4,
        ),
    ),
    "ssv2": DatasetSpec(
        "ssv2",
        classes.SSV2,
        Bias(
            seconds=(2.0, 3.3),
            yaw=0.6,
            zoom=(0.6, 1.2),
            shift=0.17,
            shake=0.03,
            tempo=(0.8, 1.2),
            reach=(0.5, 1.1),
            habit=0.0,
            contrast=0.5,
            clutter=4,
            colours=1.0,
            props=1.0,
            hand=True,
            hold=0.4,
        ),
    ),
    "actnet": DatasetSpec(
        "activitynet",
        classes.ACTNET,
        Bias(
            seconds=(2.0, 3.0),
            yaw=0.7,
            zoom=(0.55, 0.95),
            shift=0.12,
            shake=0.02,
            tempo=(0.75, 1.3),
            reach=(0.85, 1.1),
            habit=0.2,
            contrast=0.36,
            clutter=3,
            colours=0.7,
            props=0.5,
        ),
    ),
}


def spec(dataset: str) -> DatasetSpec:
    """The dataset of that name, or a UserError that lists those there are."""
    if dataset not in DATASETS:
        raise UserError(f"no synthetic dataset {dataset!r}; there are {', '.join(DATASETS)}")
    return DATASETS[dataset]


@dataclass(frozen=True)
class Relation:
    """A class of one dataset seen from a class of another: the fields are the columns of relations.csv."""

    source_dataset: str
    source_class: str
    target_dataset: str
    target_class: str
    relation: str  # "same motion", "finer" (the source is a part of the target) or "coarser"


def relations() -> list[Relation]:
    """Every related pair of classes, for every ordered pair of datasets."""
    found = []
    for source, target in permutations(DATASETS, 2):
        for a in DATASETS[source].actions:
            for b in DATASETS[target].actions:
                ours, theirs = a.cells(), b.cells()
                if ours == theirs:
                    relation = "same motion"
                elif ours < theirs:
                    relation = "finer"
                elif ours > theirs:
                    relation = "coarser"
                else:
                    continue
                found.append(Relation(source, a.name, target, b.name, relation))
    return found
