"""The model card that lies beside a network's weights, in the form of the Hugging Face hub."""

from multitrain.common.markup import Marked, line, markdown
from multitrain.config.model_settings import MVIT, PIXEL_MEAN, PIXEL_STD
from multitrain.model.files.metadata import Card, Frames, assumed_card
from multitrain.model.network import Network

__all__ = ["describe", "describe_frames", "readme"]

LISTED = 12  # classes of a dataset that are named


def readme(network: Network) -> str:
    """README.md with the hub's YAML header: use, heads with their training data, provenance, input."""
    card, spec = network.card or assumed_card(network.spec.classes), network.spec
    rendered = [name for name, head in card.datasets.items() if head.synthetic]
    synthetic = len(rendered) == len(card.datasets)
    total = sum(map(len, spec.classes.values()))
    paper = spec.model.backbone == MVIT
    kind, made = ("video transformer", "MViTv2") if paper else ("network", f"network on {spec.model.backbone}")
    heads = f"{len(spec.classes)} datasets" if len(spec.classes) != 1 else "one dataset"
    jointly = "trained jointly" if len(spec.classes) > 1 else "trained"
    lines = [
        *("---", "library_name: multitrain", "pipeline_tag: video-classification", "tags:"),
        *("- video-classification", "- action-recognition", *(["- synthetic"] if rendered else []), "---", ""),
        *(f"# {'Synthetic: a' if synthetic else 'A'} {kind} with heads of {heads}", ""),
        f"One {made} that answers with {total} classes of {heads}, {jointly} as in "
        '"Multi-dataset Training of Transformers for Robust Action Recognition" (NeurIPS 2022).',
        "",
    ]
    if synthetic:
        lines += [
            "**Its training videos were rendered, not filmed.** It knows a small synthetic world and nothing of real "
            "videos; its numbers do not compare with the paper's.",
            "",
        ]
    elif rendered:
        lines += [f"**{markdown(card.note())}**", ""]
    lines += ["## Use", "", "```python", "import multitrain", "", 'network = multitrain.load("this/folder")']
    lines += ['print(multitrain.predict(network, "video.mp4").top(5))', "```", ""]
    return "\n".join([*lines, *_heads(network, card), *_origin(card), *_input(network)]) + "\n"


def _heads(network: Network, card: Card) -> list[str]:
    lines = [
        *("## Heads", ""),
        "| head | dataset | classes | training videos | frames | test views |",
        "| --- | --- | ---: | --- | --- | --- |",
    ]
    for name, classes in network.spec.classes.items():
        head = card.datasets[name]
        views = f"{head.frames.views.temporal} x {head.frames.views.spatial}"
        videos = "rendered (synthetic)" if head.synthetic else "not recorded" if card.assumed else "the dataset's own"
        lines.append(
            line([Marked(f"`{name}`"), head.title, str(len(classes)), videos, describe_frames(head.frames), views])
        )
    titles = ", ".join(markdown(head.title) for head in card.datasets.values())
    lines += ["", "Test views: clips along time x crops.", ""]
    lines += [f"Trained on {titles}. MultiTrain ships no weights for filmed videos: these are of who saved them.", ""]
    for name, classes in network.spec.classes.items():
        more = f", and {len(classes) - LISTED} more (config.json has all)" if len(classes) > LISTED else ""
        lines.append(f"- `{name}`: {', '.join(map(markdown, classes[:LISTED]))}{more}")
    if card.assumed:
        lines += ["", "How the heads' clips were sampled is not recorded; the paper's values are assumed."]
    return [*lines, ""]


def describe_frames(frames: Frames) -> str:
    """The frames that a head's clips take of a video, in words."""
    rate = "the video's own rate" if frames.fps is None else f"{frames.fps:g} fps"
    if frames.sampling.kind == "segment":
        return f"one of each of equal segments at {rate}"
    return f"one in {frames.sampling.stride} at {rate}"


def _origin(card: Card) -> list[str]:
    origin = card.origin
    if origin is None:
        return ["## Provenance", "", "Not recorded.", ""]
    return [
        *("## Provenance", ""),
        f"Run `{origin.run}` at scale `{origin.scale}`, seed {origin.seed}, {origin.steps} steps, code {origin.code}.",
        "",
    ]


def _input(network: Network) -> list[str]:
    spec = network.spec
    constant = f"(x / 255 - {PIXEL_MEAN}) / {PIXEL_STD}"
    how = {"constant": constant, "clip": "each clip to mean 0 and standard deviation 1"}
    weights = sum(value.numel() for value in network.parameters())
    return [
        *("## Input", ""),
        f"Clips (B, 3, {spec.model.frames}, {spec.size}, {spec.size}); pixels normalised: "
        f"{how[spec.model.normalisation]}. {weights:,} weights.",
    ]


def _backbone(network: Network) -> list[str]:
    model = network.spec.model
    if model.backbone != MVIT:
        return [f"backbone {model.backbone} of {network.backbone.width} features"]
    return [f"{model.channels} channels", f"{'+'.join(map(str, model.depths))} blocks"]


def describe(network: Network) -> str:
    """One line about a network: frames, size, blocks, weights, heads."""
    spec = network.spec
    heads = ", ".join(f"{name} ({len(classes)} classes)" for name, classes in spec.classes.items()) or "none"
    weights = sum(value.numel() for value in network.parameters())
    parts = [
        f"{spec.model.frames} frames of {spec.size} pixels",
        *_backbone(network),
        f"{weights:,} weights",
        f"{'MLP' if spec.model.head_hidden else 'linear'} heads: {heads}",
    ]
    parts += ["projections"] if spec.projections else []
    parts += [f"expander {spec.expander[0]}-{spec.expander[1]}"] if spec.expander else []
    return "; ".join(parts)
