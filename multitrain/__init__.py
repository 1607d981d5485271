"""A replication of "Multi-dataset Training of Transformers for Robust Action Recognition" (NeurIPS 2022)."""

from pathlib import Path


def load(path: Path | str):
    """The network of a model file, in evaluation mode: `.features(clips)`, `.logits(clips)`, `.projected(clips)`.

    Clips are (B, 3, T, size, size) and normalised; see `multitrain.model.network.normalise`.

    Raises:
        multitrain.errors.UserError: the file is missing, damaged or of another kind.
    """
    from multitrain.engine.checkpoint import load_network  # so that `import multitrain` does not load torch

    return load_network(path)
