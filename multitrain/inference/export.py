"""Export of a network as ONNX or as a PyTorch exported program, with a check of its outputs.

Both take decoded pixels and normalise them inside. They give z and every head's logits Y_k, without what only training
needs; see docs/guides/export.md.
"""

import copy
import importlib.util
import io
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from multitrain.common.errors import UserError
from multitrain.common.files.atomic import atomic
from multitrain.common.files.json_files import write_json
from multitrain.inference.features import collect, frames_for
from multitrain.inference.predict import Recogniser
from multitrain.inference.video_frames import read_views
from multitrain.model.network import Network, normalise

__all__ = ["export_onnx", "export_program", "first_views", "require_onnx"]

FORMAT = "multitrain-export-1"
CHECKED = 4  # videos of a folder in the check
TOLERANCE = 1e-4  # relative to an output's largest value: kernels and runtimes differ in rounding
TOLERANCE_HALF = 2e-2  # the same in half precision, whose rounding adds up over the blocks
BATCHES = (1, 2, 3)  # of random clips in the check; the graph is made with 2
OPSET = 18  # the oldest that PyTorch's exporter writes, for most runtimes
ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
DESCRIPTION = "multitrain.json"  # of an exported program, among its extra files
INPUT, FEATURES = "clips", "z"
ANOTHER = "try another version of the packages"

Answers = dict[str, Tensor]


class Exported(nn.Module):
    """The exported module: clips (B, 3, T, size, size) uint8 to {"z": (B, D), dataset: logits Y_k (B, C_k)}.

    With `half`, its own weights in float16; normalisation and outputs stay in float32.
    """

    def __init__(self, network: Network, half: bool = False):
        super().__init__()
        self.backbone, self.heads = network.backbone, network.heads
        if half:
            self.backbone, self.heads = copy.deepcopy(self.backbone).half(), copy.deepcopy(self.heads).half()
        self.normalisation, self.half_precision = network.spec.model.normalisation, half

    def forward(self, clips: Tensor) -> Answers:
        video = normalise(clips, self.normalisation)
        z = self.backbone(video.half() if self.half_precision else video)
        return {FEATURES: z.float(), **{name: head(z).float() for name, head in self.heads.items()}}


def describe(network: Network, half: bool = False) -> dict:
    """A description of the exported file as plain JSON: the input, the outputs with their classes, the card."""
    spec, card = network.spec, getattr(network, "card", None)
    outputs = {FEATURES: {"shape": ["batch", network.backbone.width], "values": "features"}}
    for name, classes in spec.classes.items():
        shape = ["batch", len(classes)]
        outputs[name] = {
            "shape": shape,
            "values": "logits; softmax, then mean over a video's views",
            "classes": classes,
        }
    return {
        "format": FORMAT,
        "input": {
            "name": INPUT,
            "type": "uint8",
            "shape": ["batch", 3, spec.model.frames, spec.size, spec.size],
            "values": "RGB pixels 0..255, frames in order of time; normalised within",
        },
        "outputs": outputs,
        **({"weights": "float16"} if half else {}),
        "card": json.loads(card.model_dump_json()) if card else None,
    }


def export_program(network: Network, out: Path, clips: Tensor | None = None, half: bool = False) -> float:
    """Write a `torch.export` program for any batch size; returns the largest difference from the network in the check.

    It computes on the device that the network is on.

    Args:
        clips: (N, 3, T, size, size) uint8, for the check, with random ones.
        half: weights and computation in float16, half the size.

    Raises:
        UserError: the file cannot be written, a head's name is taken, or the outputs differ; then no file is left.
    """
    program = _program(network, half)
    buffer = io.BytesIO()  # an archive written straight to a file carries the file's temporary name
    torch.export.save(program, buffer, extra_files={DESCRIPTION: _text(network, half)})
    with atomic(out) as temporary:
        temporary.write_bytes(buffer.getbuffer())
        again = torch.export.load(temporary).module()
        return check(again, network, out, clips, half)


def export_onnx(network: Network, out: Path, clips: Tensor | None = None, half: bool = False) -> float:
    """Write ONNX for any batch, and OUT.json beside it, the same text as in its metadata; otherwise `export_program`.

    The check runs the file in onnxruntime on the processor.
    """
    require_onnx()
    text = _text(network, half)
    content = _onnx(_program(network, half), list(describe(network)["outputs"]), text)
    with atomic(out) as temporary:
        temporary.write_bytes(content)
        difference = check(_onnx_runner(temporary), network, out, clips, half)
        write_json(out.with_name(f"{out.name}.json"), describe(network, half), ascii=False)
        return difference


def check(
    run: Callable[[Tensor], Mapping[str, Tensor]],
    network: Network,
    name: Path | str,
    clips: Tensor | None = None,
    half: bool = False,
) -> float:
    """The largest difference of any output between `run` and the network, on random clips and on `clips`.

    It is a share of the output's largest value, or the difference itself where that is below 1.

    Raises:
        UserError: it is above TOLERANCE, with `half` TOLERANCE_HALF, or an output is missing or of another shape.
    """
    spec, rng, largest = network.spec, torch.Generator().manual_seed(0), 0.0
    device, tolerance = next(network.parameters()).device, TOLERANCE_HALF if half else TOLERANCE
    shape = (3, spec.model.frames, spec.size, spec.size)
    batches = [torch.randint(0, 256, (size, *shape), generator=rng, dtype=torch.uint8) for size in BATCHES]
    batches += [torch.zeros((1, *shape), dtype=torch.uint8), *(clips.split(max(BATCHES)) if clips is not None else ())]
    for batch in (each.to(device) for each in batches):
        with torch.inference_mode():
            output = network(normalise(batch, spec.model.normalisation))
            found = run(batch)
        wanted = {FEATURES: output.features, **output.logits}
        for key in wanted.keys() | found.keys():
            ours, theirs = wanted.get(key), found.get(key)
            if ours is None or theirs is None or ours.shape != theirs.shape:
                raise UserError(f"{name}: output {key} of {len(batch)} clips is not the network's: nothing is written")
            difference = float((ours - theirs.to(device)).abs().max() / ours.abs().max().clamp(min=1))
            if not difference <= tolerance:
                raise UserError(
                    f"{name}: {key} differs from the network's by {difference:.1e} of its largest value, more than "
                    f"{tolerance:g}: nothing is written; {'leave out --half' if half else ANOTHER}"
                )
            largest = max(largest, difference)
    return largest


def require_onnx() -> None:
    """Raise a UserError that names the packages of ONNX that are not installed."""
    if missing := [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]:
        raise UserError(f"ONNX: not installed: {', '.join(missing)}: `pip install {' '.join(missing)}`")


def _text(network: Network, half: bool) -> str:
    return json.dumps(describe(network, half), indent=2, ensure_ascii=False)


def _program(network: Network, half: bool) -> torch.export.ExportedProgram:
    """The graph for any batch size, without paths of this machine."""
    spec = network.spec
    if taken := {INPUT, FEATURES} & set(spec.classes):
        raise UserError(f"dataset {min(taken)!r}: an exported input or output has that name: rename the dataset")
    device = next(network.parameters()).device
    example = torch.zeros((2, 3, spec.model.frames, spec.size, spec.size), dtype=torch.uint8, device=device)
    shapes = ({0: torch.export.Dim("batch", min=1)},)
    # Without gradients, custom autograd functions are inlined in the graph.
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(Exported(network, half).eval(), (example,), dynamic_shapes=shapes)
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of source files
    return program


def _onnx(program: torch.export.ExportedProgram, outputs: list[str], text: str) -> bytes:
    """The bytes of an ONNX file, with `text` as its metadata and without paths of this machine."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program,
            input_names=[INPUT],
            output_names=outputs,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert made is not None  # as with dynamo
    model = made.model_proto
    graph = model.graph
    for value in (*graph.input, *graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:], graph.metadata_props[:], model.metadata_props[:]
    for node in graph.node:
        del node.metadata_props[:]  # PyTorch's trace; a fifth of a small file
    entry = model.metadata_props.add()
    entry.key, entry.value = "multitrain", text
    try:
        return model.SerializeToString(deterministic=True)
    except ValueError:
        raise UserError("ONNX: more than 2 GB of weights do not fit into one file: export a program instead") from None


def _onnx_runner(path: Path) -> Callable[[Tensor], Answers]:
    """A function that runs an ONNX file on clips, on the processor."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]

    def run(clips: Tensor) -> Answers:
        arrays = session.run(names, {INPUT: clips.cpu().numpy()})
        return {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}

    return run


def first_views(network: Network, where: Path, warn: Callable[[str], None]) -> Tensor:
    """The first view of the first videos of a folder that can be read, (N, 3, T, S, S) uint8.

    Raises:
        UserError: none can be read.
    """
    collection, recogniser = collect(where, "test"), Recogniser(network)
    _, frames = frames_for(recogniser, collection.dataset)
    found = []
    for clip in collection.clips:
        try:
            found.append(read_views(collection.folder / clip.path, frames, *recogniser.size)[:1])
        except UserError as error:
            warn(f"note: {error}; left out of the check")
        if len(found) == CHECKED:
            break
    if not found:
        raise UserError(f"--clips {where}: none of {len(collection.clips)} videos can be read: leave it out")
    return torch.cat(found)
