"""Groups of processes that compute one training step together, and the plain step to compare with."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from multitrain.config.recipes import Mixing, Recipe
from multitrain.config.scale import Model
from multitrain.data.clips import Batch
from multitrain.data.loader import Share
from multitrain.data.mixing import Mix, mix_videos
from multitrain.engine.processes.distributed import SINGLE_PROCESS, ProcessGroup
from multitrain.engine.step import Backward, StepRandomness
from multitrain.engine.train import train  # noqa: F401  the server of processes is to have it
from multitrain.losses.extra_terms import BatchOutputs, ExtraTerms
from multitrain.losses.objective import Objective, Terms, partner_of
from multitrain.model.network import Network, Spec, normalise
from tests.engine.own_losses import Centres, contrast
from tests.forks import Forks

VIDEOS = 16  # enough for 4 processes times 2 parts
CLASSES = {"a": tuple("uvw"), "b": tuple("xyzuv"), "c": tuple("pq")}
MODEL = Model(frames=4, channels=8, depths=(1, 2), kv_stride=2, head_hidden=16, head_dropout=0.0)
SIZE = 16
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Case:
    """One form of the step; the defaults are MultiTrain's."""

    name: str
    informative: bool = True
    projection: str = "add"
    weighting: str = "uncertainty"
    smoothing: float = 0.0
    drop_path: float = 0.0
    dropout: float = 0.0
    repeats: int = 1
    mix: Mix | None = None
    lost: bool = False
    checkpointing: bool = False
    parts: int = 1
    informative_statistics: str = "batch"
    apart: bool = False  # every process has clips of one dataset only
    precision: str = "float32"
    double: bool = True
    extra: bool = False

    @property
    def clips(self) -> int:
        return VIDEOS * self.repeats

    def recipe(self) -> Recipe:
        mixing = Mixing(cross_dataset_labels=not self.lost) if self.mix else None
        how = {"repeats": self.repeats, "informative_statistics": self.informative_statistics, "mixing": mixing}
        return Recipe(epochs=1, warmup_epochs=0, batch=VIDEOS, lr=1e-3, **how)

    def modules(self) -> tuple[Network, Objective]:
        torch.manual_seed(3)
        model = MODEL.model_copy(update={"head_dropout": self.dropout})
        expander = (12, 10) if self.informative else None
        projections = self.projection != "none"
        network = Network(
            Spec(model=model, size=SIZE, classes=CLASSES, projections=projections, expander=expander), 0.3
        )
        for name, parameter in network.named_parameters():  # away from the small initial weights: all terms count
            if "expander" in name or "heads" in name:
                torch.nn.init.normal_(parameter, std=0.3)
        network.backbone.set_drop_path(self.drop_path)
        network.backbone.checkpointing = self.checkpointing
        switches = (self.informative, self.projection, self.weighting, 2.0, 0.5, self.smoothing)
        extra = None
        if self.extra:
            counts = {name: len(its) for name, its in CLASSES.items()}
            functions = {"contrast": contrast, "centres": Centres(counts, 0, 0)}
            extra = ExtraTerms(functions, {"contrast": None, "centres": 0.3})
        objective = Objective(tuple(CLASSES), *switches, extra)
        torch.nn.init.normal_(objective.log_sigma, std=0.3)
        kind = torch.float64 if self.double else torch.float32
        return network.to(kind).train(), objective.to(kind)

    def batch(self) -> Batch:
        rng = np.random.default_rng(5)
        video = rng.integers(0, 256, (self.clips, 3, MODEL.frames, SIZE, SIZE), dtype=np.uint8)
        dataset = rng.integers(0, 3, self.clips)
        if self.apart:
            for count in (4, 2):  # the last one holds for two processes as well as for four
                for process in range(count):
                    dataset[positions(Share(process, count, self.parts), self.repeats)] = process % 2 * 2
        label = np.array([rng.integers(len(CLASSES["abc"[k]])) for k in dataset])
        ids = tuple(f"clip{i}" for i in range(self.clips))
        return Batch(
            torch.from_numpy(video), torch.from_numpy(label), torch.from_numpy(dataset), ids, torch.arange(self.clips)
        )

    def shares(self, group: ProcessGroup) -> list[Batch]:
        """The micro-batches of one process."""
        whole, share = self.batch(), Share(group.rank, group.count, self.parts)
        return [rows_of(whole, share.positions(VIDEOS, part), self.repeats) for part in range(self.parts)]


def positions(share: Share, repeats: int) -> np.ndarray:
    """Of the clips of one process, all parts."""
    videos = np.concatenate([share.positions(VIDEOS, part) for part in range(share.parts)])
    return (videos[:, None] * repeats + np.arange(repeats)).reshape(-1)


def rows_of(whole: Batch, videos: np.ndarray, repeats: int) -> Batch:
    """The clips of some videos of a batch."""
    rows = torch.from_numpy((videos[:, None] * repeats + np.arange(repeats)).reshape(-1))
    ids = tuple(whole.clip_ids[i] for i in rows.tolist())
    return Batch(whole.video[rows], whole.label[rows], whole.dataset[rows], ids, rows)


@dataclass(frozen=True)
class StepResult:
    """The terms and gradients of a step."""

    terms: dict[str, float]
    gradients: dict[str, Tensor]


def step_result(terms: Terms, network: Network, objective: Objective) -> StepResult:
    named = {"total": terms.total, "variance": terms.variance, "covariance": terms.covariance, **terms.classification}
    named |= terms.extra
    parameters = {**dict(network.named_parameters()), **dict(objective.named_parameters())}
    gradients = {name: p.grad for name, p in parameters.items() if p.requires_grad}
    assert all(gradient is not None for gradient in gradients.values()), "a weight takes no part in the step"
    gradients = {name: gradient.cpu() for name, gradient in gradients.items()}
    return StepResult({name: value.item() for name, value in named.items()}, gradients)


def plainly(case: Case) -> StepResult:
    """The step as the paper writes it: one batch, one objective, one backward pass."""
    network, objective = case.modules()
    network.backbone.checkpointing = False
    terms = plain_terms(case, case.batch(), network, objective)
    terms.total.backward()
    return step_result(terms, network, objective)


def plain_terms(case: Case, batch: Batch, network: Network, objective: Objective) -> Terms:
    """The terms of one batch."""
    video = normalise(batch.video, "constant").to(objective.log_sigma.dtype)
    partner = None
    if case.mix:
        video = mix_videos(video, case.mix)
        partner = partner_of(batch.label, batch.dataset, case.mix.lam, case.lost)
    torch.manual_seed(11)
    output = network(video)
    weights = network.projections.weights()
    projected = network.added(output.logits)
    where = (batch.label, batch.dataset, objective.datasets, partner)
    outputs = BatchOutputs(output.features, output.embedding, output.logits, projected, *where)
    return objective(output.logits, output.embedding, weights, batch.label, batch.dataset, partner, outputs)


def together(case: Case, group: ProcessGroup = SINGLE_PROCESS, device: torch.device = CPU) -> StepResult:
    """The step as the engine takes it, in the processes of a group."""
    network, objective = (part.to(device) for part in case.modules())
    backward = Backward(network, objective, case.recipe(), group, case.precision)
    terms = backward([batch.to(device) for batch in case.shares(group)], StepRandomness(11, case.mix))
    return step_result(terms, network, objective)


def _process(rank: int, count: int, store: str, folder: str, work, arguments: tuple) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(count), LOCAL_RANK=str(rank))
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=count)
    torch.save(work(ProcessGroup(rank, count), *arguments), Path(folder) / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


def in_processes(count: int, folder: Path, work, *arguments) -> list:
    """The results of work(group, *arguments) in each process of a group; an error where one fails or hangs."""
    folder.mkdir()
    how = (count, str(folder / "store"), str(folder), work, arguments)
    assert forks().exit_codes([(_process, (rank, *how)) for rank in range(count)]) == [0] * count
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(count)]


@cache
def forks() -> Forks:
    """One for all tests of a test process."""
    return Forks("tests.engine.process_group", "torch._dynamo")  # the first step of an optimiser imports it


def all_cases(group: ProcessGroup, cases: Sequence[Case]) -> dict[Case, StepResult]:
    return {case: together(case, group) for case in cases}


def single(case: Case) -> Case:
    """The same in float32."""
    return replace(case, double=False)
