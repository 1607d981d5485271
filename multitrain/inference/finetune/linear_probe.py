"""Linear probe: a head trained on features of a frozen backbone, which are computed once and kept on the disk.

The head is fitted to all features at once by L-BFGS. For a linear head that problem is convex: it has one solution,
whatever learning rate or number of epochs.
"""

import hashlib
import importlib.metadata
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Subset

from multitrain.common.codehash import code_hash
from multitrain.common.errors import UserError
from multitrain.common.progress import progress
from multitrain.common.records.history import NAME as HISTORY
from multitrain.common.records.history import write_history
from multitrain.common.records.run_record import RunRecord, write_record
from multitrain.config.scale import Views
from multitrain.data.clips import Source, ViewClips
from multitrain.data.loader import view_batches
from multitrain.engine.checkpointing.checkpoint import ResumePoint, read_state, save_network
from multitrain.engine.processes.preemption import Preempted, StopRequest
from multitrain.engine.setup import Job, build_network, init_record
from multitrain.model.files.storage import finite
from multitrain.model.network import Network, normalise

__all__ = ["SECONDS", "train_head"]

VIEWS = Views(temporal=2, spatial=1)  # of a training clip
SECONDS = 10.0  # between two resume points: a fine-tuning may take a minute
DECAYS = (1e-2, 1e-1, 1.0)  # candidates of weight decay, for features of deviation 1
FOLDS, TRIAL_STEPS, STEPS = 4, 40, 200
BATCH = 4  # clips


def train_head(job: Job, device: torch.device, workers: int = 0) -> None:
    """Write model.pt (the backbone and the one head), run.json and history.jsonl into the job's folder."""
    (name,) = job.run.datasets
    seen = job.scale.dataset(name).model_copy(update={"views": VIEWS})
    source = replace(job, scale=job.scale.model_copy(update={"datasets": {name: seen}})).source(name, "train")
    network = build_network(job, {name: source.classes})
    resume = ResumePoint(job.folder / "resume" / "features.pt", SECONDS)
    z = features(network, source, resume, device, workers)  # (N, V, D)
    labels = torch.tensor(source.columns["label"].to_pylist())
    decay = choose_decay(z, labels, lambda: build_network(job, {name: source.classes}).heads[name])
    history = fit(network.heads[name], z, labels, decay, STEPS)
    write_history(job.folder / HISTORY, history)
    record: RunRecord = {
        "run": job.name,
        "scale": job.scale.name,
        "seed": job.seed,
        "synthetic": False,
        "datasets": {name: {"classes": len(source.classes), "clips": len(source), "left_out": source.left_out}},
        "settings": {"freeze": True, "views": VIEWS.model_dump(), "decay": decay},
        "pixels": job.size,
        "init": init_record(job),
        "steps": len(history),
        "device": device.type,
        "code": code_hash(),
        "versions": {package: importlib.metadata.version(package) for package in ("torch", "av")},
    }
    write_record(job.folder, record)
    save_network(job.folder / "model.pt", network)


def features(network: Network, source: Source, resume: ResumePoint, device: torch.device, workers: int) -> Tensor:
    """Features z (N, V, D) of the V views of each clip; resumed from the features of an earlier start.

    Raises:
        Preempted: a signal asked to stop; the features so far are kept.
        UserError: a clip cannot be read, or its features are not finite.
    """
    spec, views = network.spec, source.settings.views
    clips = ViewClips([source], spec.model.frames, spec.size)
    fingerprint = _fingerprint(source)
    parts = _resumed(resume, fingerprint, (len(clips), views.temporal * views.spatial, network.backbone.width))
    done = sum(map(len, parts))
    network = network.to(device).eval()
    resume.path.parent.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode(), StopRequest() as stop, progress("features", "clip", len(clips), done) as bar:
        batches = view_batches(Subset(clips, range(done, len(clips))), BATCH, workers)
        while found := stop.take(batches, 1):
            (batch,) = found
            z = network.features(normalise(batch.video.to(device), spec.model.normalisation)).cpu()
            if not z.isfinite().all():
                raise UserError(f"features of {batch.clip_ids[0]}: not finite: choose another checkpoint")
            parts.append(z.unflatten(0, (-1, views.temporal * views.spatial)))
            bar.update(len(parts[-1]))
            if resume.due():
                resume.save(fingerprint=fingerprint, z=torch.cat(parts))
        if found is None:
            if parts:
                resume.save(fingerprint=fingerprint, z=torch.cat(parts))
            seen = f"clip {sum(map(len, parts))} of {len(clips)}"
            raise Preempted(f"asked to stop by {stop.signal} at {seen}: start it again to go on", stop.status)
    network.to("cpu")
    whole = torch.cat(parts).clone()
    if done < len(clips):
        resume.save(fingerprint=fingerprint, z=whole)
    return whole


def _fingerprint(source: Source) -> str:
    digest = hashlib.sha256(f"{code_hash()} {source.settings.model_dump_json()}".encode())
    digest.update("\n".join(source.columns["clip_id"].to_pylist()).encode())
    return digest.hexdigest()


def _resumed(resume: ResumePoint, fingerprint: str, shape: tuple[int, int, int]) -> list[Tensor]:
    """Saved features (n, V, D) of the first n clips, where `shape` is (N, V, D) and clips and settings are the same."""

    def check(state: dict) -> None:
        z = state.get("z")
        if state.get("fingerprint") != fingerprint:
            raise ValueError("made with other code, settings or clips")
        if not isinstance(z, Tensor) or z.dtype != torch.float32 or z.ndim != 3 or z.shape[1:] != shape[1:]:
            raise ValueError(f"z holds no features of shape {shape}")
        if not 0 < len(z) <= shape[0] or not finite(z):
            raise ValueError(f"z holds features of {len(z)} clips, or numbers that are not finite")

    path = resume.newest(partial(print, file=sys.stderr), check)
    return [read_state(path)["z"]] if path else []


def fit(head: nn.Module, z: Tensor, labels: Tensor, decay: float, steps: int) -> list[dict]:
    """Fit a head to features z (N, V, D) of clips of classes `labels` (N,); returns the loss of each evaluation.

    Loss: mean cross-entropy + decay / 2 * the squares of all matrices, on features brought to mean 0 and deviation 1
    in each dimension. That scaling is folded into the head's first layer at the end.
    """
    z, labels = z.flatten(0, 1), labels.repeat_interleave(z.shape[1])  # (N * V, D), (N * V,)
    mean, deviation = z.mean(0), z.std(0, correction=0).clamp_min(1e-6)
    scaled = (z - mean) / deviation
    head.eval()  # without dropout: weight decay regularises
    parameters = list(head.parameters())
    optimiser = torch.optim.LBFGS(parameters, max_iter=steps, line_search_fn="strong_wolfe", tolerance_change=1e-7)
    history: list[dict] = []

    def loss() -> Tensor:
        optimiser.zero_grad()
        squares = sum(weight.square().sum() for weight in parameters if weight.ndim > 1)
        total = F.cross_entropy(head(scaled), labels) + decay / 2 * squares
        total.backward()
        history.append({"step": len(history), "total": total.item()})
        return total

    optimiser.step(loss)
    first = next(layer for layer in head.modules() if isinstance(layer, nn.Linear))
    with torch.no_grad():
        first.weight /= deviation
        first.bias.sub_(first.weight @ mean)
    return history


def choose_decay(z: Tensor, labels: Tensor, fresh: Callable[[], nn.Module]) -> float:
    """The decay of `DECAYS` with the lowest loss in stratified cross-validation of `FOLDS` folds.

    All views of a clip are in one fold. The only clip of a class is never left out. Of equally good decays the largest
    is taken, also where no class has two clips.
    """
    places = torch.full_like(labels, -1)
    for label in labels.unique():
        own = (labels == label).nonzero().squeeze(1)
        if len(own) > 1:
            places[own] = torch.arange(len(own)) % FOLDS
    losses = {}
    for decay in DECAYS:
        each = [_left_out(z, labels, places == fold, fresh(), decay) for fold in range(FOLDS)]
        losses[decay] = sum(each)
    return min(reversed(DECAYS), key=losses.__getitem__)


def _left_out(z: Tensor, labels: Tensor, out: Tensor, head: nn.Module, decay: float) -> float:
    """Summed cross-entropy of the mean view of the held-out clips `out` (N,), after a fit to the others."""
    if not out.any():
        return 0.0
    fit(head, z[~out], labels[~out], decay, TRIAL_STEPS)
    with torch.no_grad():
        scores = head(z[out].flatten(0, 1)).softmax(-1).unflatten(0, (-1, z.shape[1])).mean(1)  # (n, C)
        return float(F.nll_loss(scores.clamp_min(1e-9).log(), labels[out], reduction="sum"))
