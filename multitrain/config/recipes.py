"""Settings of a training: the recipe (optimiser, schedule, augmentation, constants of the losses) and the machine."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from multitrain.config.base import Count, Fraction, Growing, Positive, Settings, Share

__all__ = ["ExtraLoss", "Machine", "Mixing", "RandAugment", "Recipe"]


class RandAugment(Settings):
    """RandAugment with operations whose effect grows with the magnitude, the same for all frames of a clip."""

    operations: Count = Field(4, description="drawn for each clip, one after the other")
    magnitude: float = Field(7.0, ge=0, le=10, description="strength of the operations")
    std: float = Field(0.5, ge=0, description="of the magnitude, drawn anew for each operation")
    probability: Share = Field(0.5, description="of applying an operation that was drawn")


class Mixing(Settings):
    """Mixup and cutmix of each step's batch with its own reverse, across datasets."""

    mixup: float = Field(0.8, ge=0, description="alpha of the Beta distribution of lambda; 0: no mixup")
    cutmix: float = Field(1.0, ge=0, description="alpha of the Beta distribution of lambda; 0: no cutmix")
    switch_probability: Share = Field(0.5, description="probability of cutmix where there are both")
    probability: Share = Field(1.0, description="of mixing a step's batch at all")
    cross_dataset_labels: bool = Field(
        True, description="false: a partner of another dataset mixes its pixels but not its label, as in the release"
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.mixup and not self.cutmix:
            raise ValueError("mixing needs mixup or cutmix: leave the whole entry out to mix nothing")
        return self


class Recipe(Growing):
    """How a run is trained, and the open constants of the paper's losses."""

    LATER: ClassVar[frozenset[str]] = frozenset({"layer_decay", "val_every", "ema"})

    epochs: Positive = Field(description="passes over the training videos")
    warmup_epochs: float = Field(ge=0, description="in which the learning rate rises to its peak")
    batch: int = Field(ge=2, description="videos of one step, over all processes")
    repeats: Count = Field(1, description="clips of each video in a batch (repeated augmentation), decoded once")
    micro_batch: Count | None = Field(
        None, description="videos a process works on at once, the rest accumulates; null: its whole share of the batch"
    )
    informative_statistics: Literal["batch", "micro_batch"] = Field(
        "batch", description="variance and covariance of Eq. 2 and 3 over the accumulated batch or each micro-batch"
    )
    optimiser: Literal["adamw", "sgd"] = Field("adamw", description="AdamW, or SGD with momentum")
    lr: Positive = Field(description="peak learning rate")
    lr_start_factor: Fraction = Field(0.01, description="learning rate at the start of the warm-up, over the peak")
    lr_end_factor: Fraction = Field(0.01, description="learning rate at the end of training, over the peak")
    layer_decay: float = Field(
        1.0, gt=0, le=1, description="learning rate of each block over that of the block after it; 1: all the same"
    )
    ema: Fraction = Field(
        0.0, description="decay of an exponential moving average of the weights, which is scored and saved; 0: none"
    )
    val_every: Positive | None = Field(
        None, description="epochs from one scoring of the val split to the next during training; null: none"
    )
    weight_decay: float = Field(0.05, ge=0, description="of matrices and kernels, not of biases and norms")
    betas: tuple[Fraction, Fraction] = Field((0.9, 0.999), description="of AdamW")
    momentum: Fraction = Field(0.9, description="of SGD")
    clip_norm: Positive = Field(1.0, description="L2 norm of all gradients together, at most")
    gradient_divisor: Count = Field(
        1, description="the gradient is divided by it before it is clipped: in the release by the number of processes"
    )
    label_smoothing: Fraction = Field(0.0, description="part of a label spread over all classes of its dataset")
    drop_path: Fraction = Field(0.0, description="probability of leaving out the last block; it grows with depth")
    crop_area: tuple[Positive, Positive] = Field((0.08, 1.0), description="random resized crop, part of the frame")
    crop_aspect: tuple[Positive, Positive] = Field(
        (0.75, 1.3333333333333333), description="random resized crop, width over height"
    )
    crop_square: tuple[Share, Share] | None = Field(
        None, description="in place of both: a random square, its side such a part of the frame's shorter side"
    )
    randaugment: RandAugment | None = Field(None, description="null: none")
    erasing: Share = Field(0.0, description="probability of random erasing, a box of noise through all frames")
    mixing: Mixing | None = Field(None, description="mixup and cutmix; null: none")
    head: Literal["model", "linear"] = Field(
        "model", description="linear: one layer after dropout for each dataset, whatever the model's head_hidden"
    )
    expander_hidden: Count = Field(4096, description="hidden width of the expander, which makes Z' of Z")
    embedding: Count = Field(768, description="width d of the expanded embedding Z'")
    variance_weight: float = Field(1.0, ge=0, description="of L^v, Eq. 2, in Eq. 6")
    covariance_weight: float = Field(1.0, ge=0, description="of L^c, Eq. 3, in Eq. 6")
    projection_std: float = Field(0.02, ge=0, description="standard deviation of the initial projection weights")
    sigma_lr_factor: Positive = Field(1.0, description="learning rate of log sigma, as a multiple of the others'")

    def parts(self, processes: int) -> int:
        """Micro-batches of one step in each of so many processes."""
        return max(-(-self.batch // (processes * self.micro_batch)), 1) if self.micro_batch else 1


class ExtraLoss(Settings):
    """A user-defined loss term; the text `module:function` stands for one of weight 1. docs/guides/your-loss.md."""

    function: str = Field(description="`module:function` of a file of your own; the function's name is the term's")
    weight: Annotated[float, Field(ge=0)] | Literal["learned"] = Field(
        1.0, description="factor in the total; learned: L / (2 sigma^2) + log sigma with a sigma of its own, as Eq. 6"
    )

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return value if isinstance(value, Mapping | ExtraLoss) else {"function": value}

    @field_validator("function")
    @classmethod
    def _named(cls, function: str) -> str:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", function):
            raise ValueError(f"{function!r} is no function: write module:function, of the file module.py")
        return function

    @property
    def name(self) -> str:
        """The term's name in history and tables."""
        return self.function.rpartition(":")[2]


def _precision(value: object) -> object:
    """The name of a precision, also from its short one."""
    return {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}.get(str(value), value)


class Machine(Settings):
    """What a training runs on; of these only the precision and the kernels change its numbers."""

    nodes: Count = Field(1, description="computers of a training")
    gpus: int = Field(0, ge=0, description="accelerators of a node, a process each; 0: processors alone")
    cpu_processes: Count = Field(1, description="training processes of a node without accelerators")
    workers: int = Field(0, ge=0, description="processes that decode ahead, for each training process")
    cache_mb: int = Field(
        0, ge=0, description="decoded frames that each process that decodes keeps in memory, for small datasets"
    )
    precision: Annotated[Literal["float32", "bfloat16", "float16"], BeforeValidator(_precision)] = Field(
        "float32", description="of the network's forward pass (also bf16, fp16); losses and weights stay in float32"
    )
    checkpointing: tuple[Literal["base", "large"], ...] = Field(
        (), description="sizes whose blocks are computed again in the backward pass rather than kept"
    )
    compile: bool = Field(False, description="torch.compile of the network")
    portable: bool = Field(
        False,
        description="kernels whose results do not depend on the kind of processor, on one thread; slower",
    )

    @property
    def processes(self) -> int:
        """Training processes, over all nodes."""
        return self.nodes * self.node_processes

    @property
    def node_processes(self) -> int:
        """Training processes of one node."""
        return self.gpus or self.cpu_processes

    def check_batch(self, recipe: Recipe, place: str = "") -> None:
        """Raise a ValueError for a batch that is no even number of videos for each part of each process."""
        count, parts = self.processes, recipe.parts(self.processes)
        if parts * count > 1 and recipe.batch % (2 * parts * count):
            said = f"a batch of {recipe.batch} is no even number of videos for each of {count} processes times"
            raise ValueError(f"{place}{said} {parts} parts")
