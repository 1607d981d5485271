"""The state of a training, its optimisation step, and its fingerprint."""

import hashlib
import math
from collections.abc import Sequence
from typing import cast

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from multitrain.common.errors import UserError
from multitrain.common.records.history import Step
from multitrain.common.seeding import derive
from multitrain.config import kernels
from multitrain.data.clips import Batch, TrainClips
from multitrain.data.loader import Share
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
        self.skipped = 0  # steps without an update, since a gradient in half precision was too large
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

    def step(self, batches: Sequence[Batch]) -> Step:
        """One step on this process's micro-batches; returns its line of the history.

        Raises:
            UserError: the loss or its gradient is not finite; in all processes, and no weight has changed.
        """
        job, recipe = self.job, self.job.recipe
        mix = draw_mix(recipe.mixing, job.seed, self.done, job.size)
        randomness = StepRandomness(derive(job.seed, "step", self.done), mix)
        lr = learning_rate(recipe, self.done, self.steps, self.warmup)
        set_lr(self.optimiser, lr)
        batches = [batch.to(self.device) for batch in batches]
        self.optimiser.zero_grad(set_to_none=True)
        terms = self.backward(batches, randomness)
        record = {
            "step": self.done,
            "epoch": self.done * recipe.batch / len(self.clips),
            "rate": lr,
            **numbers(terms),
        }
        if not math.isfinite(record["total"]):
            self._raise_divergence(f"the loss is {record['total']}", record, batches, randomness)
        self.scaler.unscale_(self.optimiser)
        norm = clip_gradients(self.optimiser, recipe)
        if not math.isfinite(norm) and not self.scaler.is_enabled():  # the scaler leaves such a step out
            self._raise_divergence(f"the gradient's norm is {norm}", record, batches, randomness)
        self._update()
        self.done += 1
        record |= {"sigma": self.objective.sigma(), "gradient_norm": norm if math.isfinite(norm) else None}
        if self.objective.extra is not None and (sigma := self.objective.extra.sigma()):
            record["extra_sigma"] = sigma
        return cast(Step, record | ({"skipped": self.skipped} if self.scaler.is_enabled() else {}))

    def _update(self) -> None:
        """The optimiser's step; the scaler leaves it out where the gradient has overflowed, and lowers its scale."""
        before = self.scaler.get_scale()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if self.ema is not None:
            self.ema.update_parameters(self.network)
        self.skipped += self.scaler.get_scale() < before

    def _raise_divergence(self, what: str, record: dict, batches: Sequence[Batch], randomness: StepRandomness) -> None:
        """Raise a UserError that names the clips of a non-finite loss or gradient, the same in all processes."""
        gather = self.process_group.all_gather_objects
        non_finite = [clip for clips in gather(self.backward.non_finite_clips(batches, randomness)) for clip in clips]
        ids = non_finite or [clip for clips in gather([i for b in batches for i in b.clip_ids]) for clip in clips]
        more = f" and {len(ids) - NAMED_CLIPS} more" if len(ids) > NAMED_CLIPS else ""
        terms = {**record["classification"], "variance": record["variance"], "covariance": record["covariance"]}
        terms |= record.get("extra", {})
        raise UserError(
            f"run {self.job.name}, seed {self.job.seed}: {what} at step {self.done} "
            f"on clips {', '.join(ids[:NAMED_CLIPS])}{more} ({', '.join(f'{k} {v:.4g}' for k, v in terms.items())}): "
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
        self.done, self.skipped, self.seconds = state["done"], state["skipped"], state["seconds"]
        self.codes = [code for code in state["codes"] if code not in self.codes] + self.codes


def numbers(terms: Terms) -> dict:
    """The terms as numbers for the history, with one wait for the device."""
    by_name = [*terms.classification.values(), *terms.extra.values()]
    values = torch.stack([terms.total, terms.variance, terms.covariance, *by_name]).tolist()
    count = 3 + len(terms.classification)
    return {
        "total": values[0],
        "variance": values[1],
        "covariance": values[2],
        "classification": dict(zip(terms.classification, values[3:count], strict=True)),
        **({"extra": dict(zip(terms.extra, values[count:], strict=True))} if terms.extra else {}),
    }
