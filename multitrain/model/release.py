"""The checkpoint format of the authors' release (PySlowFast, `.pyth`): reading only, weights only."""

import re
from itertools import pairwise
from pathlib import Path

import yaml
from torch import Tensor

from multitrain.config import Model
from multitrain.configfile import parse
from multitrain.errors import UserError
from multitrain.model.network import Network, Spec
from multitrain.model.storage import read_plain

# our module names -> theirs, for everything below the backbone
_RENAMED = (
    ("patch.", "patch_embed.proj."),
    ("position_space", "pos_embed_spatial"),
    ("position_time", "pos_embed_temporal"),
    (".attention.", ".attn."),
    (".skip.", ".proj_max_pool."),
)


def release_name(name: str) -> str:
    """The release's name of our parameter: `backbone.blocks.1.skip.weight` -> `blocks.1.proj_max_pool.weight`."""
    part, _, rest = name.partition(".")
    if part == "backbone":
        for ours, theirs in _RENAMED:
            rest = rest.replace(ours, theirs)
        return rest
    if part == "heads":
        return f"head.heads.{rest}"
    if part == "projections":
        _, target, source, leaf = rest.split(".")
        return f"head.cross_dataset_heads.{source}_{target}.{leaf}"
    return name


def _read(path: Path) -> dict:
    content = read_plain(path, "give the .pyth file of a release")
    if not isinstance(content.get("model_state"), dict):
        raise UserError(f"{path}: no model_state in it: not a checkpoint of the release")
    return content


def _infer_model(state: dict[str, Tensor], settings: dict, path: Path) -> tuple[Model, int]:
    """The configuration a checkpoint was made with: from its shapes where they tell, else from its settings."""
    try:
        mvit = settings["MVIT"]
        stride = tuple(mvit["PATCH_STRIDE"])
        patch = state["patch_embed.proj.weight"]
        channels = patch.shape[0]
        blocks = 1 + max(int(m[1]) for name in state if (m := re.match(r"blocks\.(\d+)\.", name)))
        starts = [i for i in range(blocks) if f"blocks.{i}.proj_max_pool.weight" in state]
        edges = [0, *starts, blocks]
        size = round(state["pos_embed_spatial"].shape[1] ** 0.5) * stride[1]
        hidden = next((v.shape[0] for k, v in state.items() if re.match(r"head\..*fc1\.weight", k)), 0)
        values = {
            "frames": state["pos_embed_temporal"].shape[1] * stride[0],
            "channels": channels,
            "depths": [end - start for start, end in pairwise(edges)],
            "heads": channels // state["blocks.0.attn.pool_k.weight"].shape[0],
            "patch_kernel": list(patch.shape[2:]),
            "patch_stride": stride,
            "kv_stride": mvit["POOL_KV_STRIDE_ADAPTIVE"][1],
            "mlp_ratio": state["blocks.0.mlp.fc1.weight"].shape[0] // channels,
            "head_hidden": hidden,
        }
    except (KeyError, ValueError, TypeError, IndexError, StopIteration) as error:
        raise UserError(f"{path}: not an MViTv2 with separable positions: {error} is missing or unusable") from None
    return parse(Model, values, path), size


def _classes(state: dict[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """Numbered class names for each head; the release stores no names. One dataset's own head is called `own`."""
    last = re.compile(r"head\.(?:heads\.(\w+)|projection)\.(?:fc2\.)?weight")
    found = {m[1] or "own": len(value) for name, value in state.items() if (m := last.fullmatch(name))}
    return {name: tuple(str(i) for i in range(count)) for name, count in found.items()}


def import_release(path: Path | str) -> Network:
    """Build our network from a release's checkpoint, every weight accounted for.

    Raises:
        UserError: no such file, not a checkpoint, or weights that do not fit.
    """
    path = Path(path)
    content = _read(path)
    state = dict(content["model_state"])
    try:
        settings = yaml.safe_load(content.get("cfg") or "{}")
    except yaml.YAMLError:
        raise UserError(f"{path}: its cfg is not valid YAML") from None
    model, size = _infer_model(state, settings, path)
    classes = _classes(state)
    expander = "expander.fc1.weight" in state
    spec = Spec(
        model=model,
        size=size,
        classes=classes,
        projections=any(name.startswith("head.cross_dataset_heads.") for name in state),
        expander=(state["expander.fc1.weight"].shape[0], state["expander.fc2.weight"].shape[0]) if expander else None,
    )
    network = Network(spec)
    network.load_state_dict(_renamed_state(network, state, path))
    return network


def _renamed_state(network: Network, state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    ours = {}
    for name, value in network.state_dict().items():
        theirs = release_name(name).replace("head.heads.own.", "head.projection.")
        if theirs not in state:
            raise UserError(f"{path}: {theirs} is missing")
        weight = state.pop(theirs)
        if weight.shape not in (value.shape, (1, *value.shape)):  # position tables have a leading 1 there
            raise UserError(f"{path}: {theirs} is {tuple(weight.shape)}, not {tuple(value.shape)}")
        ours[name] = weight.reshape(value.shape)
    if state:
        raise UserError(f"{path}: {len(state)} weights are not part of this model, among them {min(state)}")
    return ours
