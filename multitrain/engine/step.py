"""Gradient accumulation: the gradient of one step's loss from micro-batches, over any number of processes.

Eq. 6 is affine in L_k, and L_k is a mean over clips: the objective of the whole batch is the mean of the objectives of
equally large chunks, each with its own L_k. Only L^v and L^c need all embeddings Z' at once, and their backward pass
needs only G = d(L^v + L^c)/dZ': their gradient by the weights is that of <Z', G>. So processes exchange embeddings
without a gradient. In a step of several parts a first pass without activations gives the embeddings, and so G.
"""

import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from multitrain.config.recipes import Recipe
from multitrain.data.clips import Batch
from multitrain.data.mixing import Mix, mix_videos
from multitrain.engine.buffers import StepBuffers
from multitrain.engine.processes.distributed import SINGLE_PROCESS, ProcessGroup
from multitrain.losses.objective import Objective, Terms, partner_of
from multitrain.model.backbones.build import kept_buffers
from multitrain.model.dropout import clips_of_batch
from multitrain.model.network import Network, normalise

__all__ = ["Backward", "StepRandomness"]

PRECISIONS = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class StepRandomness:
    """The random draws of one step, the same for its whole batch."""

    seed: int  # of drop path and dropout
    mix: Mix | None = None


class Chunk(nn.Module):
    """Network and objective as one module, whose gradients DistributedDataParallel averages."""

    def __init__(self, network: Network, objective: Objective, recipe: Recipe, precision: str = "float32"):
        super().__init__()
        self.network, self.objective = network, objective
        self.clips = recipe.batch * recipe.repeats
        self.lost = recipe.mixing is not None and not recipe.mixing.cross_dataset_labels
        self.precision = PRECISIONS.get(precision)

    def forward(self, batch: Batch, randomness: StepRandomness) -> tuple[Tensor, Tensor]:
        """Z' (b, d) and L (K,) of b of the step's clips, in float32; L_k divided by b."""
        network, device = self.network, batch.video.device
        video = normalise(batch.video, network.spec.model.normalisation)
        video = video.to(next(network.parameters()).dtype)
        partner = None
        if randomness.mix is not None:
            video = mix_videos(video, randomness.mix)
            partner = partner_of(batch.label, batch.dataset, randomness.mix.lam, self.lost)
        torch.manual_seed(randomness.seed)  # dropout and drop path depend on the step and the clip's position alone
        lower = torch.autocast(device.type, self.precision) if self.precision else nullcontext()
        with clips_of_batch(self.clips, batch.rows), lower:
            output = network(video)
        logits = {name: _whole(values) for name, values in output.logits.items()}
        losses = self.objective.classification(
            logits, network.projections.weights(), batch.label, batch.dataset, partner
        )
        return _whole(output.embedding), losses


def _parallel(chunk: Chunk) -> DistributedDataParallel:
    # buffers are averaged by StepBuffers; by default those of the first process would be copied to the others
    return DistributedDataParallel(chunk, gradient_as_bucket_view=True, broadcast_buffers=False)


def _whole(values: Tensor) -> Tensor:
    return values.float() if values.dtype in PRECISIONS.values() else values


@dataclass(frozen=True)
class Statistics:
    """L^v and L^c of the embeddings of some parts, of all processes, and their gradient by each part's embeddings."""

    variance: Tensor
    covariance: Tensor
    gradients: tuple[Tensor, ...]  # by Z' (b, d), one a part; empty where the terms do not count


class Backward:
    """The backward pass of a step: a call with its micro-batches adds the whole batch's gradient to the parameters."""

    def __init__(
        self,
        network: Network,
        objective: Objective,
        recipe: Recipe,
        process_group: ProcessGroup = SINGLE_PROCESS,
        precision: str = "float32",
        scaler: torch.amp.GradScaler | None = None,
    ):
        self.objective, self.process_group = objective, process_group
        self.scale = scaler.scale if scaler else lambda loss: loss
        self.together = recipe.informative_statistics == "batch"  # statistics over all parts of a step
        self.chunk = Chunk(network, objective, recipe, precision)
        # a depthwise kernel's gradient may have another stride along its axis of length one, which costs nothing
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        several = process_group.count > 1
        self.buffers = StepBuffers(network, process_group)
        self.parallel = _parallel(self.chunk) if several else None

    def __call__(self, batches: Sequence[Batch], randomness: StepRandomness) -> Terms:
        """The terms of the step's whole batch, the same in all processes; no parameter is changed."""
        groups = [batches] if self.together else [[batch] for batch in batches]
        self.buffers.begin(len(batches))
        results = []
        for number, group in enumerate(groups, start=1):
            results.append(self._group(group, randomness, len(batches), len(groups), number == len(groups)))
        self.buffers.end()
        *losses, variance, covariance = self.process_group.mean(torch.stack(results).mean(0))
        with torch.no_grad():
            return self.objective.combine(torch.stack(losses), variance, covariance)

    def embeddings(self, batches: Sequence[Batch], randomness: StepRandomness) -> list[Tensor]:
        """Z' (b, d) of each part, without activations for a backward pass."""
        with torch.no_grad(), kept_buffers(self.chunk.network):
            return [self.chunk(batch, randomness)[0] for batch in batches]

    def non_finite_clips(self, batches: Sequence[Batch], randomness: StepRandomness) -> list[str]:
        """Ids of this process's clips whose embedding is not finite; else those of parts whose loss is not."""
        ids: list[str] = []
        with torch.no_grad(), kept_buffers(self.chunk.network):
            for batch in batches:
                embedding, losses = self.chunk(batch, randomness)
                finite = embedding.isfinite().all(1)
                if finite.all() and not losses.isfinite().all():
                    finite = ~finite
                ids += [clip for clip, fine in zip(batch.clip_ids, finite.tolist(), strict=True) if not fine]
        return ids

    def _group(self, group: Sequence[Batch], randomness: StepRandomness, parts: int, groups: int, last: bool) -> Tensor:
        """Back-propagate parts whose statistics belong together: (L_1 .. L_K, L^v, L^c), the L_k of this process."""
        ahead = self.objective.informative and len(group) > 1
        statistics = self._statistics(self.embeddings(group, randomness)) if ahead else None
        embeddings, losses = [], []
        for index, batch in enumerate(group):
            exchanging = last and index == len(group) - 1
            alone = nullcontext() if exchanging or self.parallel is None else self.parallel.no_sync()
            with alone, self.buffers.part():
                embedding, loss = (self.parallel or self.chunk)(batch, randomness)
                embeddings.append(embedding.detach())
                losses.append(loss.detach())
                total = self._classification(loss) / parts
                if self.objective.informative:
                    statistics = statistics or self._statistics(embeddings)  # of the group's only part
                    # times the number of processes: each adds its own rows, and the gradients are averaged
                    informative = (embedding * statistics.gradients[index]).sum()
                    total = total + informative * (self.process_group.count / groups)
                self.scale(total).backward()
        statistics = statistics or self._statistics(embeddings)
        return torch.cat([torch.stack(losses).mean(0), statistics.variance[None], statistics.covariance[None]])

    def _classification(self, losses: Tensor) -> Tensor:
        """Eq. 6 of L (K,) without the informative terms."""
        zero = losses.new_zeros(())
        return self.objective.combine(losses, zero, zero).total

    def _statistics(self, parts: Sequence[Tensor]) -> Statistics:
        """Of embeddings Z' (b, d) of this process's parts together with those of the other processes."""
        own = torch.cat(list(parts))
        whole = self.process_group.gather(own).requires_grad_(self.objective.informative)  # (count * len(own), d)
        with torch.enable_grad():
            variance, covariance = self.objective.informative_terms(whole)
            if not self.objective.informative:
                return Statistics(variance, covariance, ())
            losses = own.new_zeros(len(self.objective.datasets))
            (gradient,) = torch.autograd.grad(self.objective.combine(losses, variance, covariance).total, whole)
        mine = gradient.split(len(own))[self.process_group.rank]
        return Statistics(variance.detach(), covariance.detach(), mine.split([len(part) for part in parts]))
