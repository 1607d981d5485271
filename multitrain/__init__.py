"""A replication of "Multi-dataset Training of Transformers for Robust Action Recognition" (NeurIPS 2022).

network = multitrain.load("results/runs/mini/multitrain/seed0/model.pt")
print(multitrain.predict(network, "video.mp4").top(5))
"""

import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multitrain.config.scale import Views
    from multitrain.inference.answers import Answer
    from multitrain.model.network import Network

__all__ = ["load", "predict", "save"]

__version__ = importlib.metadata.version("multitrain")

# Torch and all that stands on it is imported inside the functions, so that `import multitrain` is quick.


def load(where: Path | str) -> "Network":
    """A network in evaluation mode: `.features(clips)`, `.logits(clips)`, `.projected(clips)`, `.spec`, `.card`.

    `where` is a run's model.pt, a folder that `save` wrote, a release's .pyth, or `owner/name` of the Hugging Face hub
    where huggingface_hub is installed; what exists here wins. Clips are (B, 3, T, size, size) and normalised; see
    `multitrain.model.network.normalise`.

    Raises:
        multitrain.common.errors.UserError: nothing of that name, damaged, or of another kind.
    """
    from multitrain.inference.models import load

    return load(where)


def save(network: "Network", folder: Path | str) -> None:
    """Write a network as model.safetensors, config.json and README.md; `load(folder)` gives it back bit for bit.

    Raises:
        multitrain.common.errors.UserError: the folder cannot be written, or holds another's files of these names.
    """
    from multitrain.model.files.model_folder import save_folder

    save_folder(folder, network)


def predict(network: "Network", video: Path | str, views: "Views | None" = None, batch: int = 16) -> "Answer":
    """The answer of every head to a video: `.top(5)`, `.scores`; see `multitrain.inference.answers.Answer`.

    `views` is a `multitrain.config.scale.Views`, None for each dataset's test protocol; `batch` is how many views the
    network sees at once. For several videos make one `multitrain.inference.predict.Recogniser`.

    Raises:
        multitrain.common.errors.UserError: no video, or one that cannot be decoded.
    """
    from multitrain.inference.predict import Recogniser

    device = next(network.parameters()).device
    return Recogniser(network, device, batch).answer(video, views=views)
