"""The network: one backbone, a head for each dataset, projections between datasets, and the expander."""

from dataclasses import dataclass

from torch import Tensor, nn

from multitrain.common.errors import UserError
from multitrain.config.base import Count, Name, Settings
from multitrain.config.model_settings import MVIT, PIXEL_MEAN, PIXEL_STD, Model
from multitrain.model.attention import Mlp
from multitrain.model.backbones.build import build_backbone
from multitrain.model.backbones.mvit import init_linear
from multitrain.model.files.metadata import Card
from multitrain.model.heads import Projections, add_projected, make_head

__all__ = ["Network", "Output", "Spec", "normalise"]


class Spec(Settings):
    """The specification from which a network is built; stored with its weights."""

    model: Model
    size: Count  # pixels of a clip's side
    classes: dict[Name, tuple[str, ...]]  # class names of each dataset, in the publisher's order
    projections: bool = False
    expander: tuple[Count, Count] | None = None  # hidden and output width


@dataclass(frozen=True)
class Output:
    """The network's output for a batch of B clips, of one type for all configurations."""

    features: Tensor  # z (B, D)
    embedding: Tensor  # z' (B, d): the expander's output, or z itself where there is no expander
    logits: dict[str, Tensor]  # Y_k (B, C_k) of every dataset's head for every clip


class Network(nn.Module):
    """Clips (B, 3, T, size, size), normalised as `spec.model.normalisation` says, to an `Output`."""

    def __init__(self, spec: Spec, projection_std: float = 0.02):
        super().__init__()
        self.spec = spec
        self.card: Card | None = None  # provenance of the weights; set by loading
        self.backbone = build_backbone(spec.model, spec.size)
        width = self.backbone.width
        self.heads = nn.ModuleDict(
            {
                name: make_head(width, len(names), spec.model.head_hidden, spec.model.head_dropout)
                for name, names in spec.classes.items()
            }
        )
        counts = {name: len(names) for name, names in spec.classes.items()}
        self.projections = Projections(counts if spec.projections else {}, projection_std)
        self.expander = Mlp(width, *spec.expander).apply(init_linear) if spec.expander else nn.Identity()

    def forward(self, clips: Tensor) -> Output:
        z = self.backbone(clips)
        return Output(z, self.expander(z), {name: head(z) for name, head in self.heads.items()})

    def features(self, clips: Tensor) -> Tensor:
        """z (B, D); of mvit the mean over the tokens of the last LayerNorm."""
        return self.backbone(clips)

    def logits(self, clips: Tensor) -> dict[str, Tensor]:
        """Y_k (B, C_k) by dataset name."""
        return self(clips).logits

    def projected(self, clips: Tensor) -> dict[tuple[str, str], Tensor]:
        """W_ik Y_i (B, C_k) by (source i, target k); empty where the model has no projections."""
        return self.projections(self.logits(clips))

    def added(self, logits: dict[str, Tensor]) -> dict[str, Tensor]:
        """Y'_k of Eq. 4 from Y_k, by dataset name; Y_k itself where the model has no projections."""
        return add_projected(logits, self.projections(logits))

    def load_backbone(self, weights: dict[str, Tensor], where: str) -> None:
        """Load the backbone's weights from another network; spatial positions of another grid of mvit are resized.

        Raises:
            UserError: a weight is missing, unknown, or of another shape or kind of number.
        """
        own = self.backbone.state_dict()
        if hasattr(self.backbone, "adapt_weights"):
            weights = self.backbone.adapt_weights(weights)
        for name in sorted(own.keys() | weights.keys()):
            theirs, ours = weights.get(name), own.get(name)
            if theirs is None or ours is None or theirs.shape != ours.shape:
                shapes = [tuple(value.shape) if value is not None else "absent" for value in (theirs, ours)]
                same = "channels, depths and frames" if self.spec.model.backbone == MVIT else "options, frames and size"
                raise UserError(
                    f"{where}: its backbone does not fit this model: {name} is {shapes[0]} there and {shapes[1]} here; "
                    f"choose a checkpoint of the same {same}"
                )
            if theirs.is_floating_point() != ours.is_floating_point():
                raise UserError(f"{where}: {name} is {theirs.dtype} there and {ours.dtype} here: choose another file")
        self.backbone.load_state_dict(weights)


NORMALISATIONS = ("constant", "clip")


def normalise(video: Tensor, how: str) -> Tensor:
    """Normalise pixels (B, 3, T, H, W) in 0..255 to the network's input in float32.

    "constant": (x / 255 - 0.45) / 0.225, as the paper; "clip": each clip to mean 0 and standard deviation 1.

    Raises:
        ValueError: another `how`.
    """
    if how not in NORMALISATIONS:
        raise ValueError(f"normalisation {how!r}: choose of {', '.join(NORMALISATIONS)}")
    video = video.float()
    if how == "constant":
        return (video / 255 - PIXEL_MEAN) / PIXEL_STD
    clip, count = (1, 2, 3, 4), video[0].numel()
    # two passes: torch.std_mean is ten times slower
    video = video - video.mean(clip, keepdim=True)
    variance = video.square().mean(clip, keepdim=True) * (count / (count - 1))
    # a root in float32 depends on the kind of processor
    return video / variance.double().sqrt().float().clamp_min(1.0)
