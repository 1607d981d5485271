"""Multi-view evaluation: scores of every clip of a split, averaged over its views; validation during a training."""

from pathlib import Path

import torch
from einops import reduce
from torch import Tensor
from torch.utils.data import Subset

from multitrain.common.errors import UserError
from multitrain.common.progress import progress
from multitrain.common.ranks import ranks, top
from multitrain.common.records.predictions import write_predictions
from multitrain.common.records.statistics import write_statistics
from multitrain.config import kernels
from multitrain.data.clips import ViewClips
from multitrain.data.loader import view_batches
from multitrain.data.manifest import read_manifest
from multitrain.engine.checkpointing.checkpoint import load_network
from multitrain.engine.moments import NetworkMoments
from multitrain.engine.processes.distributed import ProcessGroup
from multitrain.engine.setup import Job
from multitrain.model.network import Network, Output, normalise

__all__ = ["VIEWS_AT_ONCE", "Validation", "evaluate", "view_scores"]

VIEWS_AT_ONCE = 64  # in one forward pass


def view_scores(network: Network, output: Output, dataset: str, each: int) -> tuple[torch.Tensor, ...]:
    """Softmax of Y_k, and where there are projections of Y'_k, averaged over `each` views a clip: (B, C_k) each.

    `output` is of B * each views; the views of one clip follow each other.
    """
    logits = [output.logits, network.added(output.logits)] if network.spec.projections else [output.logits]
    return tuple(reduce(form[dataset].softmax(-1), "(b v) c -> b c", "mean", v=each) for form in logits)


def evaluate(job: Job, dataset: str, split: str, out: Path, device: torch.device, workers: int = 0) -> None:
    """Score the clips of one split with the run's model: predictions in `out`, statistics beside it as .npz.

    Raises:
        UserError: the model was not trained on this dataset or on other classes, or a clip was not scored.
    """
    kernels.require_kernels(job.scale.machine)
    if dataset not in job.run.datasets:
        raise UserError(f"run {job.name} has no dataset {dataset!r}: it is trained on {', '.join(job.run.datasets)}")
    path = job.folder / "model.pt"
    network = load_network(path).to(device)
    source = job.source(dataset, split)
    if network.spec.classes.get(dataset) != source.classes:
        raise UserError(f"{path}: its classes of {dataset} are not the manifest's: train the run again")
    each = source.settings.views.temporal * source.settings.views.spatial
    clips = ViewClips([source], job.scale.model.frames, network.spec.size)
    manifest = read_manifest(source.folder / "manifest.parquet", ["clip_id", "video_id"]).split(split)
    videos = dict(zip(*(manifest.table[name].to_pylist() for name in ("clip_id", "video_id")), strict=True))
    rows, moments, title = [], NetworkMoments(network, dataset), f"{job.name} on {dataset}"
    with torch.inference_mode(), progress(title, "clip", len(clips)) as bar:
        for batch in view_batches(clips, max(VIEWS_AT_ONCE // each, 1), workers):
            output = network(normalise(batch.video.to(device), network.spec.model.normalisation))
            moments.add(output)
            scores = view_scores(network, output, dataset, each)
            for index, clip_id in enumerate(batch.clip_ids):
                own, *projected = (form[index].tolist() for form in scores)
                added = projected[0] if projected else None
                rows.append((clip_id, int(batch.label[index]), own, added, each, videos[clip_id]))
            bar.update(len(batch.clip_ids))
    if len({row[0] for row in rows}) != len(source):
        raise UserError(f"{out}: {len(rows)} clips scored of {len(source)} in the manifest: prepare {dataset} again")
    write_statistics(out.with_suffix(".npz"), moments.statistics())
    write_predictions(out, rows, source.classes)


class Validation:
    """Top-1 on val during a training, and the weights of the best mean over the datasets (the first of equal ones)."""

    def __init__(self, job: Job, network: Network, process_group: ProcessGroup):
        """`network` is scored as it is at that moment.

        Raises:
            UserError: a dataset has no val split.
        """
        self.network, self.process_group = network, process_group
        self.sources = {name: job.source(name, "val") for name in job.run.datasets}
        self.lines: list[dict] = []  # step, epoch, top1 by dataset
        self.best: dict[str, Tensor] = {}

    def score(self, step: int, epoch: float, workers: int = 0) -> None:
        """Score every clip of val once, divided among the processes."""
        training = self.network.training
        self.network.eval()
        with torch.no_grad():
            top1 = {name: self._top1(name, workers) for name in self.sources}
        self.network.train(training)
        if sum(top1.values()) > max((sum(line["top1"].values()) for line in self.lines), default=-1.0):
            self.best = {name: weight.detach().cpu().clone() for name, weight in self.network.state_dict().items()}
        self.lines.append({"step": step, "epoch": epoch, "top1": top1})

    def _top1(self, name: str, workers: int) -> float:
        """Top-1 accuracy by Y_k, 0 to 1."""
        source, spec, group = self.sources[name], self.network.spec, self.process_group
        views, device = source.settings.views, next(self.network.parameters()).device
        each = views.temporal * views.spatial
        clips = ViewClips([source], spec.model.frames, spec.size)
        mine, right = Subset(clips, range(group.rank, len(clips), group.count)), 0
        for batch in view_batches(mine, max(VIEWS_AT_ONCE // each, 1), workers):
            output = self.network(normalise(batch.video.to(device), spec.model.normalisation))
            scores = view_scores(self.network, output, name, each)[0]
            right += int(top(1, ranks(scores.cpu().numpy(), batch.label.numpy())).sum())
        return sum(group.all_gather_objects(right)) / len(clips)

    def state(self) -> dict:
        """The content for a resume point."""
        return {"lines": self.lines, "best": self.best}

    def restore(self, state: dict) -> None:
        """Continue from a resume point."""
        self.lines, self.best = list(state["lines"]), dict(state["best"])
