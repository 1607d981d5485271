"""Checkpoints in the format of the authors' release (PySlowFast, `.pyth`): import, of weights only, and export.

A file holds `model_state`, weights by the release's names, and `cfg`, its settings as YAML. The release stores no class
names; a file of ours has the whole specification and the card under a key of its own, which the release ignores.
"""

import re
from itertools import pairwise
from pathlib import Path

import yaml
from torch import Tensor

from multitrain.common.errors import UserError
from multitrain.config.config_files import parse
from multitrain.config.model_settings import MVIT, PIXEL_MEAN, PIXEL_STD, Model
from multitrain.model.files.metadata import Card, checked_card
from multitrain.model.files.storage import read_plain, require_numbers, write_plain
from multitrain.model.network import Network, Spec

__all__ = ["export_release", "import_release"]

FORMAT = "multitrain-1"  # of model files, which are no checkpoints of the release
OURS = "multitrain"  # the key of our specification and card, each as JSON
HEAD_HIDDEN, EXPANDER_HIDDEN = 2048, 4096  # widths that are fixed in the release's code

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


def _names(network: Network, single: bool) -> dict[str, str]:
    """Our names -> theirs; `single`: the only head is `head.projection`, as in a model of one dataset."""
    names = {name: release_name(name) for name in network.state_dict()}
    if single:
        names = {ours: re.sub(r"^head\.heads\.\w+\.", "head.projection.", theirs) for ours, theirs in names.items()}
    return names


# Reading.


def _read(path: Path) -> tuple[dict[str, Tensor], dict, object]:
    """Weights, settings and, in a file of this project, the value of its own key."""
    content = read_plain(path, "give the .pyth file of a release")
    state = content.get("model_state")
    if content.get("format") == FORMAT:
        raise UserError(f"{path}: a model file of this project, no release's: give it a name that ends in .pt")
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: no model_state of weights in it: not a checkpoint of the release")
    try:
        settings = yaml.safe_load(content.get("cfg") or "{}")
    except (yaml.YAMLError, AttributeError):
        raise UserError(f"{path}: its cfg is not valid YAML") from None
    require_numbers(path, state, "give another checkpoint")
    return dict(state), settings if isinstance(settings, dict) else {}, content.get(OURS)


def _infer_model(state: dict[str, Tensor], settings: dict, path: Path) -> tuple[Model, int]:
    """The model's configuration, inferred from the shapes of weights, else from the settings."""
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
        data = settings.get("DATA") or {}
        colours = {*data.get("MEAN", [PIXEL_MEAN]), *data.get("STD", [PIXEL_STD])}
    except (AttributeError, KeyError, ValueError, TypeError, IndexError, StopIteration, ZeroDivisionError) as error:
        raise UserError(f"{path}: not an MViTv2 with separable positions: {error} is missing or unusable") from None
    if colours != {PIXEL_MEAN, PIXEL_STD}:
        ours = f"mean {PIXEL_MEAN} and deviation {PIXEL_STD}"
        raise UserError(f"{path}: its pixels are not normalised with {ours}, as ours are")
    return parse(Model, values, path), size


def _classes(state: dict[str, Tensor]) -> dict[str, tuple[str, ...]]:
    """Numbered class names for each head; the release stores no names. One dataset's own head is called `own`."""
    last = re.compile(r"head\.(?:heads\.(\w+)|projection)\.(?:fc2\.)?weight")
    counts = {m[1] or "own": len(value) for name, value in state.items() if (m := last.fullmatch(name))}
    return {name: tuple(str(i) for i in range(count)) for name, count in counts.items()}


def _infer_spec(state: dict[str, Tensor], settings: dict, path: Path) -> Spec:
    model, size = _infer_model(state, settings, path)
    expander = [state[name].shape[0] for name in ("expander.fc1.weight", "expander.fc2.weight") if name in state]
    values = {
        "model": model,
        "size": size,
        "classes": _classes(state),
        "projections": any(name.startswith("head.cross_dataset_heads.") for name in state),
        "expander": expander or None,
    }
    return parse(Spec, values, path)


def _own(ours: object, path: Path) -> tuple[Spec, Card | None]:
    """Specification and card of a file that was exported from here."""
    try:
        if not isinstance(ours, dict):
            raise TypeError
        spec, card = Spec.model_validate_json(ours["spec"]), ours["card"]
        return spec, None if card is None else checked_card(Card.model_validate_json(card), spec.classes)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: its key {OURS} is of another version: export the model again") from None


def import_release(path: Path | str) -> Network:
    """Build our network from a release's checkpoint, every weight accounted for.

    Raises:
        UserError: no such file, not a checkpoint, or weights that do not fit.
    """
    path = Path(path)
    state, settings, ours = _read(path)
    spec, card = (_infer_spec(state, settings, path), None) if ours is None else _own(ours, path)
    try:
        network = Network(spec)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    network.card = card
    network.load_state_dict(_renamed_state(network, state, path))
    return network


def _renamed_state(network: Network, state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    ours, weights = {}, network.state_dict()
    single = any(name.startswith("head.projection.") for name in state)
    for name, theirs in _names(network, single).items():
        if theirs not in state:
            raise UserError(f"{path}: {theirs} is missing")
        value, weight = weights[name], state.pop(theirs)
        if weight.shape not in (value.shape, (1, *value.shape)):  # position tables have a leading 1 there
            raise UserError(f"{path}: {theirs} is {tuple(weight.shape)}, not {tuple(value.shape)}")
        ours[name] = weight.reshape(value.shape)
    if state:
        raise UserError(f"{path}: {len(state)} weights are not part of this model, among them {min(state)}")
    return ours


# Writing.


def export_release(network: Network, path: Path | str) -> list[str]:
    """Write a network as a checkpoint of the release; returns the parts that the release's own code cannot build.

    The same weights give the same bytes.

    Raises:
        UserError: two projections have one name there.
    """
    path, spec = Path(path), network.spec
    if spec.model.backbone != MVIT:
        raise UserError(
            f"{path}: the release's code has no backbone {spec.model.backbone}: save the network as a folder"
        )
    names = _names(network, len(spec.classes) == 1)
    if len(set(names.values())) < len(names):
        raise UserError(f"{path}: dataset names of {', '.join(spec.classes)} give two projections the same name there")
    state = {theirs: network.state_dict()[ours].detach().cpu().clone() for ours, theirs in names.items()}
    for name in ("pos_embed_spatial", "pos_embed_temporal"):
        state[name] = state[name][None]  # (1, positions, channels)
    content = {"epoch": 0, "model_state": state, "optimizer_state": {}, "cfg": yaml.safe_dump(_settings(spec))}
    card = None if network.card is None else network.card.model_dump_json()
    write_plain(path, {**content, OURS: {"spec": spec.model_dump_json(), "card": card}})
    return _unsupported(spec)


def _settings(spec: Spec) -> dict:
    """The release's settings of the model, without those of its training."""
    model = spec.model
    starts = [sum(model.depths[: stage + 1]) for stage in range(len(model.depths) - 1)]
    several = len(spec.classes) != 1
    counts = [len(names) for names in spec.classes.values()]
    data: dict[str, object] = {"NUM_FRAMES": model.frames, "TRAIN_CROP_SIZE": spec.size, "TEST_CROP_SIZE": spec.size}
    data |= {"INPUT_CHANNEL_NUM": [3], "MEAN": [PIXEL_MEAN] * 3, "STD": [PIXEL_STD] * 3}
    heads: dict[str, object] = {
        "ARCH": "mvit",
        "MODEL_NAME": "MViT",
        "USE_MULTI_HEAD": several,
        "MULTI_USE_MLP": model.head_hidden > 0,
    }
    if several:
        heads |= {"MULTI_DATASETS": list(spec.classes), "MULTI_NUM_CLASSES": counts}
        heads |= {"MULTI_ADD_CROSS_PROJ": spec.projections}
    else:
        heads["NUM_CLASSES"] = counts[0]
    heads |= {"USE_INF_EXPANDER": spec.expander is not None, "USE_INF_LOSS": spec.expander is not None}
    mvit = {
        "CHANNEL_EXPAND_FRONT": True,
        "CLS_EMBED_ON": False,
        "DEPTH": sum(model.depths),
        "DIM_MUL": [[start, 2.0] for start in starts],
        "EMBED_DIM": model.channels,
        "HEAD_MUL": [[start, 2.0] for start in starts],
        "MLP_RATIO": float(model.mlp_ratio),
        "MODE": "conv",
        "NORM": "layernorm",
        "NUM_HEADS": model.heads,
        "PATCH_2D": False,
        "PATCH_KERNEL": list(model.patch_kernel),
        "PATCH_PADDING": [side // 2 for side in model.patch_kernel],
        "PATCH_STRIDE": list(model.patch_stride),
        "POOL_FIRST": False,
        "POOL_KVQ_KERNEL": [3, 3, 3],
        "POOL_KV_STRIDE_ADAPTIVE": [1, model.kv_stride, model.kv_stride],
        "POOL_Q_STRIDE": [[start, 1, 2, 2] for start in starts],
        "QKV_BIAS": True,
        "Q_POOL_ALL": True,
        "Q_POOL_RESIDUAL": True,
        "REL_POS_EMBED": False,
        "SEP_POS_EMBED": True,
    }
    return {"DATA": data, "MODEL": heads, "MVIT": mvit}


def _unsupported(spec: Spec) -> list[str]:
    """The parts of a network that the release's own code cannot build."""
    parts = []
    if spec.model.head_hidden not in (0, HEAD_HIDDEN):
        parts.append(f"heads of hidden width {spec.model.head_hidden} (there: {HEAD_HIDDEN})")
    if spec.expander is not None and spec.expander[0] != EXPANDER_HIDDEN:
        parts.append(f"an expander of hidden width {spec.expander[0]} (there: {EXPANDER_HIDDEN})")
    if spec.model.normalisation != "constant":
        parts.append("clips normalised each by itself (there: by constants)")
    return parts
