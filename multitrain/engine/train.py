"""The training loop: one run, resumable at any step."""

import hashlib
import importlib.metadata
import json
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch

from multitrain.data.clips import Batch, TrainClips
from multitrain.data.loader import train_batches
from multitrain.engine.checkpoint import read_resume, save_network, save_resume
from multitrain.engine.optim import make_optimiser, rate_factor, set_rate
from multitrain.engine.setup import Job, build_network, build_objective, code_hash, schedule
from multitrain.errors import UserError
from multitrain.files import atomic
from multitrain.losses.objective import Objective, Terms
from multitrain.model.network import Network, normalise
from multitrain.progress import progress
from multitrain.seeding import derive

HISTORY_LINES = 4000  # about as many steps as this are written to history.jsonl


class Training:
    """The state of a run: network, objective, optimiser and the number of steps done."""

    def __init__(self, job: Job, device: torch.device):
        self.job, self.device = job, device
        sources = [job.source(dataset, "train") for dataset in job.run.datasets]
        self.clips = TrainClips(sources, job.scale.model.frames, job.size, job.recipe, job.seed)
        classes = {name: source.classes for name, source in zip(job.run.datasets, sources, strict=True)}
        self.network = build_network(job, classes).to(device).train()
        self.objective = build_objective(job).to(device)
        self.optimiser = make_optimiser(job.recipe, self.network, self.objective)
        self.steps, self.warmup = schedule(job)
        self.fingerprint = self._fingerprint()
        self.done = 0
        self.seconds = 0.0  # spent in steps, over all restarts
        self.codes = [code_hash()]  # of all restarts: one, unless the code was changed in between

    def step(self, batch: Batch) -> tuple[Terms, float, float]:
        """One step on a batch; its loss terms, the gradient's norm before clipping and the learning rate.

        Raises:
            UserError: the loss is not finite.
        """
        recipe = self.job.recipe
        torch.manual_seed(derive(self.job.seed, "step", self.done))  # dropout and drop path depend on the step alone
        rate = recipe.rate * rate_factor(self.done, self.steps, self.warmup, *recipe.rate_ends)
        set_rate(self.optimiser, rate)
        terms = compute_terms(self.network, self.objective, batch.to(self.device))
        if not torch.isfinite(terms.total):
            raise UserError(
                f"run {self.job.name}, seed {self.job.seed}: the loss is {terms.total.item()} at step {self.done} "
                f"on clips {', '.join(batch.clip_ids)}: lower the recipe's rate; the last resume point is kept"
            )
        self.optimiser.zero_grad(set_to_none=True)
        terms.total.backward()
        parameters = [p for group in self.optimiser.param_groups for p in group["params"]]
        norm = torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
        self.optimiser.step()
        self.done += 1
        return terms, float(norm), rate

    def _fingerprint(self) -> str:
        """What a resume point shares with the run that takes it up: settings, clips and initial weights."""
        digest = hashlib.sha256()
        for settings in (self.job.run, self.job.recipe, self.network.spec):
            digest.update(settings.model_dump_json().encode())
        for source in self.clips.sources:
            digest.update("\n".join(source.columns["clip_id"].to_pylist()).encode())
        for weight in self.network.state_dict().values():
            digest.update(weight.cpu().contiguous().numpy())
        return digest.hexdigest()

    def state(self) -> dict:
        """All that a resume point holds; the random numbers need no state."""
        return {
            "fingerprint": self.fingerprint,
            "codes": self.codes,
            "done": self.done,
            "seconds": self.seconds,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict) -> None:
        """Continue from a resume point of the same run."""
        self.network.load_state_dict(state["network"])
        self.objective.load_state_dict(state["objective"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done, self.seconds = state["done"], state["seconds"]
        self.codes = [code for code in state["codes"] if code not in self.codes] + self.codes


def compute_terms(network: Network, objective: Objective, batch: Batch) -> Terms:
    """The loss terms of one batch."""
    output = network(normalise(batch.video, network.spec.model.normalisation))
    return objective(output.logits, output.embedding, network.projections.weights(), batch.label, batch.dataset)


def train(job: Job, device: torch.device, workers: int = 0, checkpoint_seconds: float = 60.0) -> None:
    """Train a run to its end and write model.pt, history.jsonl and run.json into its folder.

    While it goes on, the folder `resume` holds what a new start continues from; it is removed at the end.
    """
    torch.use_deterministic_algorithms(device.type == "cpu")
    training = Training(job, device)
    resume = job.folder / "resume"
    history = resume / "history.jsonl"
    resume.mkdir(parents=True, exist_ok=True)
    _take_up(training, resume)
    lines = history.read_text().splitlines() if history.exists() else []
    kept = [line for line in lines if _step_of(line) < training.done]  # steps that will be done again are dropped
    with atomic(history) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in kept))

    every = math.ceil(training.steps / HISTORY_LINES)
    batches = train_batches(training.clips, job.recipe.batch, training.done, training.steps, workers)
    title = f"{job.name} seed {job.seed}"
    saved = started = time.monotonic()
    with history.open("a", buffering=1) as log, progress(title, "step", training.steps, training.done) as bar:
        for batch in batches:
            terms, norm, rate = training.step(batch)
            now = time.monotonic()
            training.seconds, started = training.seconds + now - started, now
            if training.done % every == 0 or training.done == training.steps:
                log.write(json.dumps(_record(training, terms, norm, rate)) + "\n")
            bar.update()
            bar.set_postfix_str(f"loss {terms.total.item():.3f}", refresh=False)
            if now - saved > checkpoint_seconds:
                save_resume(resume / "checkpoint.pt", **training.state())
                saved = now
    _finish(training, history)
    shutil.rmtree(resume)


def _take_up(training: Training, resume: Path) -> None:
    def say(message: str) -> None:
        sys.stderr.write(f"{message}\n")

    state = read_resume(resume / "checkpoint.pt", say)
    if state is None:
        return
    if state["fingerprint"] != training.fingerprint:
        say(f"{resume}: made with other settings, clips or initial weights: starting from the first step")
        return
    training.restore(state)
    if len(training.codes) > 1:
        say(f"{training.job.name}: the code has changed since this run started; run.json will name both versions")
    say(f"{training.job.name}: resuming at step {training.done} of {training.steps}")


def _step_of(line: str) -> float:
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf  # the line that was being written when the process died


def _record(training: Training, terms: Terms, norm: float, rate: float) -> dict:
    return {
        "step": training.done - 1,
        "epoch": (training.done - 1) * training.job.recipe.batch / len(training.clips),
        "rate": rate,
        "total": terms.total.item(),
        "variance": terms.variance.item(),
        "covariance": terms.covariance.item(),
        "classification": {name: loss.item() for name, loss in terms.classification.items()},
        "sigma": training.objective.sigma(),
        "gradient_norm": norm,
    }


def _finish(training: Training, history: Path) -> None:
    job, folder = training.job, training.job.folder
    with atomic(folder / "history.jsonl") as temporary:
        shutil.copyfile(history, temporary)
    record = {
        "run": job.name,
        "scale": job.scale.name,
        "seed": job.seed,
        "synthetic": job.scale.world is not None,
        "datasets": {
            name: {"classes": len(source.classes), "clips": len(source), "left_out": source.left_out}
            for name, source in zip(job.run.datasets, training.clips.sources, strict=True)
        },
        "settings": job.run.model_dump(mode="json"),
        "size": job.run.size,
        "pixels": job.size,
        "recipe": job.recipe.model_dump(mode="json"),
        "init": job.run.init,
        "steps": training.steps,
        "seconds": round(training.seconds, 1),
        "device": training.device.type,
        "sigma": training.objective.sigma(),
        "code": "+".join(training.codes),
        "commit": _commit(),
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "torchvision", "av", "numpy")},
    }
    with atomic(folder / "run.json") as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    save_network(folder / "model.pt", training.network)


def _commit() -> str | None:
    """The commit of the checkout the package lies in, with `+` where files differ from it."""
    try:
        where = Path(__file__).parent
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=where,
            capture_output=True,
            text=True,
            timeout=10,
        )
        return done.stdout.strip() or None
    except (OSError, subprocess.TimeoutExpired):
        return None
