"""The state of a training, its optimisation step, and its fingerprint."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NoReturn, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multitrain.common.errors import UserError
from multitrain.common.records.history import Step
from multitrain.common.seeding import derive
from multitrain.config import kernels
from multitrain.data.clips import Batch, TrainClips
from multitrain.data.loader import Share, train_batches
from multitrain.data.mixing import draw_mix
from multitrain.engine.evaluate import Validation
from multitrain.engine.optim import clip_gradients, learning_rate, make_optimiser, set_lr
from multitrain.engine.processes.distributed import SINGLE_PROCESS, ProcessGroup
from multitrain.engine.setup import Job, build_network, build_objective, init_record, schedule
from multitrain.engine.step import Backward, StepRandomness
from multitrain.losses.objective import Terms
from multitrain.model.backbones.contract import compile_backbone, set_checkpointing
from multitrain.model.network import Network

__all__ = ["Training"]

NAMED_CLIPS = 64  # most clips that an error names


class Training:
    """The state of a run: network, objective, optimiser, scaler and the number of steps done."""

    def __init__(self, job: Job, device: torch.device, process_group: ProcessGroup = SINGLE_PROCESS):
        self.job, self.device, self.process_group = job, device, process_group
        recipe, machine = job.recipe, job.scale.machine
        job.require_clean_start()
        sources = [job.source(dataset, "train") for dataset in job.run.datasets]
        self.clips = TrainClips(sources, job.scale.model.frames, job.size, recipe, job.seed, machine.cache_mb)
        classes = {name: source.classes for name, source in zip(job.run.datasets, sources, strict=True)}
        self.network = build_network(job, classes).to(device).train()
        self.init = init_record(job)  # now: the file may be removed during the training
        if job.run.size in machine.checkpointing:
            set_checkpointing(self.network.backbone, self.network.spec.model.backbone)
        self.ema = AveragedModel(self.network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema)) if recipe.ema else None
        self.validation = Validation(job, self.scored, process_group) if recipe.val_every else None
        if machine.compile:
            compile_backbone(self.network.backbone)
        self.objective = build_objective(job, self.network.spec, self.network.backbone.width).to(device)
        self.optimiser = make_optimiser(recipe, self.network, self.objective)
        self.scaler = torch.amp.GradScaler(device.type, enabled=machine.precision == "float16")
        self.share = Share(process_group.rank, process_group.count, recipe.parts(process_group.count))
        self.backward = Backward(self.network, self.objective, recipe, process_group, machine.precision, self.scaler)
        self.steps, self.warmup = schedule(job)
        self.fingerprint = self._fingerprint()
        self.done = 0
        self._finite = torch.zeros((), device=device)  # steps whose loss and gradient, and all before, were finite
        self._skipped = torch.zeros((), device=device)
        self.seconds = 0.0  # spent in steps, over all restarts
        self.codes = [job.code]  # of all restarts: one, unless the code was changed in between

    @property
    def scored(self) -> Network:
        """The network that is scored and saved: the moving average of the weights, where there is one."""
        return self.network if self.ema is None else cast(Network, self.ema.module)

    def validate(self, workers: int = 0) -> bool:
        """Score val where the last step ends one of the recipe's intervals, or the training; whether it does."""
        every, epochs = self.job.recipe.val_every, self.job.recipe.batch / len(self.clips)  # of a step
        if self.validation is None or every is None:
            return False
        due = self.done == self.steps or self.done * epochs // every > (self.done - 1) * epochs // every
        if due:
            self.validation.score(self.done - 1, (self.done - 1) * epochs, workers)
        return due

    @property
    def skipped(self) -> int:
        """Steps without an update, since a gradient in half precision was too large."""
        return int(self._skipped)

    @property
    def is_finite(self) -> bool:
        """Whether the loss and the gradient of every step were finite; no weight has changed since one was not."""
        return int(self._finite) == self.done

    def step(self, batches: Sequence[Batch], recorded: bool = True) -> Step | None:
        """One step on this process's micro-batches; returns its line of the history if it is `recorded`.

        A step that is not recorded does not wait for the device. After a loss or gradient that is not finite no weight
        is changed, and the next recorded step is an error.

        Raises:
            UserError: the loss or the gradient of this step or one before is not finite; in all processes.
        """
        recipe = self.job.recipe
        lr = learning_rate(recipe, self.done, self.steps, self.warmup)
        set_lr(self.optimiser, lr)
        batches = [batch.to(self.device) for batch in batches]
        terms, norm = self._gradient(batches, self.done)
        self._update(terms.total, norm)
        self.done += 1
        return self._record(terms, norm, lr, batches) if recorded else None

    def _record(self, terms: Terms, norm: Tensor, lr: float, batches: Sequence[Batch]) -> Step:
        """The history's line of the step just done, with one wait for the device."""
        names, extra, step = self.objective.datasets, self.objective.extra, self.done - 1
        tensors = [terms.total, terms.variance, terms.covariance, norm, self._skipped, self._finite]
        tensors += [*terms.classification.values(), *terms.extra.values()]
        learned, log_sigmas = [], [self.objective.log_sigma.detach()]
        if extra is not None and extra.learned:
            learned, log_sigmas = extra.learned, [*log_sigmas, extra.log_sigma.detach()]
        values = iter(torch.cat([torch.stack(tensors), torch.cat(log_sigmas).exp()]).cpu().tolist())
        total, variance, covariance, size, skipped, finite = islice(values, 6)
        if finite < self.done:
            self._raise_divergence(batches)

        def by_name(names: Iterable[str]) -> dict[str, float]:
            return {name: next(values) for name in names}

        record = {
            "step": step,
            "epoch": step * self.job.recipe.batch / len(self.clips),
            "rate": lr,
            "total": total,
            "variance": variance,
            "covariance": covariance,
            "classification": by_name(names),
            **({"extra": by_name(terms.extra)} if terms.extra else {}),
            "sigma": by_name(names),
            "gradient_norm": size if math.isfinite(size) else None,
            **({"extra_sigma": by_name(learned)} if learned else {}),
        }
        return cast(Step, record | ({"skipped": int(skipped)} if self.scaler.is_enabled() else {}))

    def _gradient(self, batches: Sequence[Batch], step: int) -> tuple[Terms, Tensor]:
        """The terms of a step and its gradient's norm, before the gradient was clipped; no weight is changed."""
        self.optimiser.zero_grad(set_to_none=True)
        terms = self.backward(batches, self._randomness(step))
        self.scaler.unscale_(self.optimiser)
        return terms, clip_gradients(self.optimiser, self.job.recipe)

    def _randomness(self, step: int) -> StepRandomness:
        job = self.job
        return StepRandomness(derive(job.seed, "step", step), draw_mix(job.recipe.mixing, job.seed, step, job.size))

    def _update(self, total: Tensor, norm: Tensor) -> None:
        """The optimiser's step; left out, by the device itself, where loss or gradient is not finite, and from then on.

        The scaler leaves out a step whose gradient has overflowed, and lowers its scale.
        """
        finite = total.isfinite() & (self._finite == self.done)
        if not self.scaler.is_enabled():
            finite = finite & norm.isfinite()
            self.optimiser.found_inf = (~finite).float()  # type: ignore[attr-defined]  # fused optimisers skip by it
        one = torch.ones((), device=self.device)
        before = self.scaler.scale(one)
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update_parameters(self.network)
        self._skipped += self.scaler.scale(one) < before
        self._finite += finite

    def _raise_divergence(self, batches: Sequence[Batch]) -> NoReturn:
        """Raise a UserError that names the clips of a non-finite loss or gradient, the same in all processes.

        The first such step is computed again, with the weights that it had; `batches` are those of the last step done.
        """
        step, last, self.done = int(self._finite), self.done - 1, int(self._finite)
        if step < last:
            source = train_batches(self.clips, self.job.recipe.batch, step, step + 1, 0, self.share)
            batches = [batch.to(self.device) for batch in source]
        terms, norm = self._gradient(batches, step)
        total = float(terms.total)
        what = f"the gradient's norm is {float(norm)}" if math.isfinite(total) else f"the loss is {total}"
        gather, randomness = self.process_group.all_gather_objects, self._randomness(step)
        non_finite = [clip for clips in gather(self.backward.non_finite_clips(batches, randomness)) for clip in clips]
        ids = non_finite or [clip for clips in gather([i for b in batches for i in b.clip_ids]) for clip in clips]
        more = f" and {len(ids) - NAMED_CLIPS} more" if len(ids) > NAMED_CLIPS else ""
        named = {**terms.classification, "variance": terms.variance, "covariance": terms.covariance}
        named |= terms.extra
        raise UserError(
            f"run {self.job.name}, seed {self.job.seed}: {what} at step {step} "
            f"on clips {', '.join(ids[:NAMED_CLIPS])}{more} ({', '.join(f'{k} {v:.4g}' for k, v in named.items())}): "
            f"{self.job.divergence_advice}"
        )

    def _fingerprint(self) -> str:
        """Hash of settings, clips and initial weights: a resume point is for a run with the same one.

        Of the machine's settings only those count that change numbers by more than rounding: the precision, the number
        of parts if each has its own statistics, and portable kernels.
        """
        job, recipe = self.job, self.job.recipe
        digest = hashlib.sha256()
        digest.update(job.run.model_dump_json(exclude={"set"}).encode())  # the recipe has its values
        for settings in (recipe.model_copy(update={"micro_batch": None}), self.network.spec):
            digest.update(settings.model_dump_json().encode())
        digest.update(job.scale.machine.precision.encode())
        if kernels.kernels(job.scale.machine, self.device.type) == "portable":
            digest.update(b"portable")
        if self.objective.of_whole_batch and recipe.informative_statistics == "micro_batch":
            digest.update(f"{self.share.parts} parts".encode())
        for source in self.clips.sources:
            digest.update("\n".join(source.columns["clip_id"].to_pylist()).encode())
        for weight in self.network.state_dict().values():
            digest.update(weight.cpu().contiguous().numpy())
        return digest.hexdigest()

    def state(self) -> dict:
        """The content of a resume point; random numbers have no state."""
        return {
            "fingerprint": self.fingerprint,
            "codes": self.codes,
            "done": self.done,
            "skipped": self.skipped,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            **({} if self.ema is None else {"ema": self.ema.state_dict()}),
            **({} if self.validation is None else {"val": self.validation.state()}),
        }

    def restore(self, state: dict) -> None:
        """Continue from a resume point of the same run that `check_state` has found good."""
        self.network.load_state_dict(dict(state["network"]))
        self.objective.load_state_dict(dict(state["objective"]))
        groups = self.optimiser.state_dict()["param_groups"]  # the recipe's: a step sets its own learning rate
        self.optimiser.load_state_dict({"state": state["optimiser"]["state"], "param_groups": groups})
        self.scaler.load_state_dict(state["scaler"])
        if self.ema is not None:
            self.ema.load_state_dict(dict(state["ema"]))
        if self.validation is not None:
            self.validation.restore(state["val"])
        self.done, self.seconds = state["done"], state["seconds"]
        self._finite.fill_(self.done)
        self._skipped.fill_(state["skipped"])
        self.codes = [code for code in state["codes"] if code not in self.codes] + self.codes
