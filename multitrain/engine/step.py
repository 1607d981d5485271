"""Gradient accumulation: the gradient of one step's loss from micro-batches, over any number of processes.

Eq. 6 is affine in L_k, and L_k is a mean over clips: the objective of the whole batch is the mean of the objectives of
equally large chunks, each with its own L_k. Only L^v and L^c need all embeddings Z' at once, and their backward pass
needs only G = d(L^v + L^c)/dZ': their gradient by the weights is that of <Z', G>. So processes exchange embeddings
without a gradient. In a step of several parts a first pass without activations gives the embeddings, and so G.
Extra terms are treated alike, with a row of all outputs of a clip in the place of Z'.
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
from multitrain.engine.user_losses import term_values
from multitrain.losses.extra_terms import BatchOutputs
from multitrain.losses.objective import Objective, Terms, moved, partner_of
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
        """Rows and L (K,) of b of the step's clips, in float32; L_k divided by b.

        The rows are Z' (b, d); where there are extra terms, Z', z, all Y_k and all Y'_k side by side (b, n).
        """
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
        rows = _whole(output.embedding)
        if self.objective.extra is not None:
            projected = network.added(logits)
            rows = torch.cat([rows, _whole(output.features), *logits.values(), *projected.values()], 1)
        return rows, losses

    def embedding(self, rows: Tensor) -> Tensor:
        """Z' (b, d) of rows."""
        return rows if self.objective.extra is None else rows[:, : self._width(rows)]

    def outputs(self, rows: Tensor, clips: Tensor, mix: Mix | None) -> BatchOutputs:
        """The outputs of rows (B, n) in the batch's order; clips (B, 3): position in the batch, label and dataset."""
        order = clips[:, 0].argsort()
        rows, (_, label, dataset) = rows[order], clips[order].unbind(1)
        counts = {name: len(its) for name, its in self.network.spec.classes.items()}
        widths = [self._width(rows), self.network.backbone.width, *counts.values(), *counts.values()]
        embedding, features, *logits = rows.split(widths, 1)
        own, projected = (dict(zip(counts, its, strict=True)) for its in (logits[: len(counts)], logits[len(counts) :]))
        partner = partner_of(label, dataset, mix.lam, self.lost) if mix else None
        return BatchOutputs(features, embedding, own, projected, label, dataset, self.objective.datasets, partner)

    def _width(self, rows: Tensor) -> int:
        """d of rows with all outputs."""
        return rows.shape[1] - self.network.backbone.width - 2 * sum(map(len, self.network.spec.classes.values()))


def _whole(values: Tensor) -> Tensor:
    """Half precision as float32; other values as they are."""
    return values.float() if values.dtype in PRECISIONS.values() else values


@dataclass(frozen=True)
class Statistics:
    """L^v, L^c and extra terms of the rows of some parts, of all processes, and the gradient of those that count."""

    values: Tensor  # (2 + E,)
    gradients: tuple[Tensor, ...] = ()  # by the rows (b, n), one a part; empty where none counts
    of_parameters: tuple[Tensor, ...] = ()  # by the parameters of the extra terms


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
        extra = objective.extra.parameters() if objective.extra is not None else ()
        self.trained = [parameter for parameter in extra if parameter.requires_grad]
        self.buffers = StepBuffers(network, process_group)  # averaged; DDP would copy those of the first process
        self.parallel: DistributedDataParallel | None = None
        if process_group.count > 1:
            self.parallel = DistributedDataParallel(self.chunk, gradient_as_bucket_view=True, broadcast_buffers=False)

    def __call__(self, batches: Sequence[Batch], randomness: StepRandomness) -> Terms:
        """The terms of the step's whole batch, the same in all processes; no parameter is changed."""
        groups = [batches] if self.together else [[batch] for batch in batches]
        self.buffers.begin(len(batches))
        results = []
        for number, group in enumerate(groups, start=1):
            results.append(self._group(group, randomness, len(batches), len(groups), number == len(groups)))
        self.buffers.end()
        count = len(self.objective.datasets)
        values = self.process_group.mean(torch.stack(results).mean(0))
        with torch.no_grad():
            return self.objective.combine(values[:count], values[count], values[count + 1], values[count + 2 :])

    def rows(self, batches: Sequence[Batch], randomness: StepRandomness) -> list[Tensor]:
        """The rows (b, n) of each part, without activations for a backward pass."""
        with torch.no_grad(), kept_buffers(self.chunk.network):
            return [self.chunk(batch, randomness)[0] for batch in batches]

    def non_finite_clips(self, batches: Sequence[Batch], randomness: StepRandomness) -> list[str]:
        """Ids of this process's clips whose outputs are not finite; else those of parts whose loss is not."""
        ids: list[str] = []
        with torch.no_grad(), kept_buffers(self.chunk.network):
            for batch in batches:
                rows, losses = self.chunk(batch, randomness)
                finite = rows.isfinite().all(1)
                if finite.all() and not losses.isfinite().all():
                    finite = ~finite
                ids += [clip for clip, fine in zip(batch.clip_ids, finite.tolist(), strict=True) if not fine]
        return ids

    def _group(self, group: Sequence[Batch], randomness: StepRandomness, parts: int, groups: int, last: bool) -> Tensor:
        """Back-propagate parts whose statistics belong together: (L_1 .. L_K, L^v, L^c, extra), L_k of this process."""
        ahead = self.objective.of_whole_batch and len(group) > 1
        statistics = self._statistics(self.rows(group, randomness), group, randomness) if ahead else None
        all_rows, losses = [], []
        for index, batch in enumerate(group):
            exchanging = last and index == len(group) - 1
            alone = nullcontext() if exchanging or self.parallel is None else self.parallel.no_sync()
            with alone, self.buffers.part():
                rows, loss = (self.parallel or self.chunk)(batch, randomness)
                all_rows.append(rows.detach())
                losses.append(loss.detach())
                total = self._classification(loss) / parts
                if self.objective.of_whole_batch:
                    statistics = statistics or self._statistics(all_rows, group, randomness)  # of the only part
                    # times the number of processes: each adds its own rows, and the gradients are averaged
                    of_whole_batch = (rows * statistics.gradients[index]).sum()
                    total = total + of_whole_batch * (self.process_group.count / groups)
                    for parameter, gradient in zip(self.trained, statistics.of_parameters, strict=True):
                        total = total + (parameter * gradient).sum() / (len(group) * groups)
                self.scale(total).backward()
        statistics = statistics or self._statistics(all_rows, group, randomness)
        return torch.cat([torch.stack(losses).mean(0), statistics.values])

    def _classification(self, losses: Tensor) -> Tensor:
        """Eq. 6 of L (K,) without the informative terms."""
        zero = losses.new_zeros(())
        return self.objective.combine(losses, zero, zero).total

    def _statistics(self, parts: Sequence[Tensor], group: Sequence[Batch], randomness: StepRandomness) -> Statistics:
        """Of rows (b, n) of this process's parts of a group together with those of the other processes."""
        own, objective = torch.cat(list(parts)), self.objective
        whole = self.process_group.gather(own).requires_grad_(objective.of_whole_batch)  # (count * len(own), n)
        with torch.enable_grad():
            variance, covariance = objective.informative_terms(self.chunk.embedding(whole))
            extra = own.new_zeros(0)
            if objective.extra is not None:
                columns = [torch.cat([getattr(each, name) for each in group]) for name in ("rows", "label", "dataset")]
                clips = torch.stack([moved(column, own.device) for column in columns], 1)  # (b, 3)
                torch.manual_seed(randomness.seed)  # the same draws in all processes
                outputs = self.chunk.outputs(whole, self.process_group.gather(clips), randomness.mix)
                extra = term_values(objective.extra, outputs)
            values = torch.cat([variance.detach()[None], covariance.detach()[None], extra.detach()])
            if not objective.of_whole_batch:
                return Statistics(values)
            total = objective.combine(own.new_zeros(len(objective.datasets)), variance, covariance, extra).total
            gradient, *others = torch.autograd.grad(total, [whole, *self.trained], materialize_grads=True)
        mine = gradient.split(len(own))[self.process_group.rank]
        return Statistics(values, mine.split([len(part) for part in parts]), tuple(others))
