"""A trained backbone on one's own folder of videos: prepared, trained by the engine or on its features, and scored."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import shown
from multitrain.common.records.run_record import read_record
from multitrain.config.experiments import Experiments, Run
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Dataset, Model, Scale, Transcode
from multitrain.data.manifest import Manifest
from multitrain.datasets.formats import class_folders as sorted_folder
from multitrain.datasets.prepare import prepare
from multitrain.datasets.required_splits import require_prepared
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.engine.checkpointing.finished import FOLDER
from multitrain.engine.evaluate import evaluate
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.inference.finetune.add_head import widened
from multitrain.inference.finetune.choices import Choices, check_names, claimed, same_clips, trainable
from multitrain.inference.finetune.linear_probe import SECONDS, train_head
from multitrain.inference.finetune.outcome import write_report
from multitrain.model.files.metadata import Card, Frames, Origin, assumed_card, make_card
from multitrain.model.network import Network

__all__ = ["START", "finetune", "own_dataset"]

NAME = "finetune"  # of the run and of the scale it makes up
START = "checkpoint"  # the run that the initial weights stand for
SEEN = 4800  # clips that a fine-tuning looks at; so few classes need no more, and fewer clips need more epochs
EPOCHS = (6, 60)
BATCH = 16
SMALL = 16 * 112 * 112  # pixels of a clip; of a larger one few fit into a laptop's memory at once
LR = 0.024  # over the backbone's channels: 1e-3 for 24 of them, 2.5e-4 for 96


@dataclass(frozen=True)
class Tuning(Job):
    """A job whose files lie in the folder of results itself, since there is one run."""

    @property
    def folder(self) -> Path:
        return self.results

    @property
    def divergence_advice(self) -> str:
        return "give a lower --lr, and a new --out"


def finetune(
    network: Network,
    videos: Path,
    out: Path,
    choices: Choices,
    device: torch.device,
    jobs: int = 1,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write model.pt, run.json, history.jsonl, predictions and report.md into `out`; returns the report.

    Started again after a kill it goes on where it was, to the same bytes; finished, it writes the report anew.

    Args:
        network: whose backbone is taken; it is not changed.
        videos: FOLDER/class/video.mp4, see `sources.folder`.
        progress: is told (videos prepared, videos in all).

    Raises:
        UserError: the folder cannot be used, `out` holds something else, or as the training says.
    """
    card = network.card or assumed_card(network.spec.classes)
    dataset = own_dataset(videos, card, choices, network.spec.size)
    check_names(out, videos, network, choices)
    sorted_folder.read(videos, dataset)  # what cannot be used is told before anything is written
    with claimed(out, videos, network, choices):
        home = out / NAME / choices.name
        manifest = prepare(choices.name, dataset, videos, home, 0, jobs, progress)
        trainable(videos, manifest)
        require_prepared(videos, manifest)
        same_clips(out, home / "manifest.parquet")
        job = make_job(network, dataset, out, choices, manifest)
        if not (out / "model.pt").is_file():
            assert job.init is not None  # as `make_job` makes it
            save_network(job.init, network)
            if choices.freeze:
                train_head(job, device, workers)
            else:
                train(job, device, workers, SECONDS)
        _complete(job, network, card, choices)
        shutil.rmtree(out / FOLDER, ignore_errors=True)  # a second model, without the heads that stay
        evaluate(job, choices.name, "test", out / "predictions" / f"{choices.name}.parquet", device, workers)
        return write_report(out, choices.name, manifest)


def own_dataset(videos: Path, card: Card, choices: Choices, size: int) -> Dataset:
    """The folder as a dataset whose clips are made and sampled as those of the head it is like."""
    if choices.like is not None and choices.like not in card.datasets:
        raise UserError(f"--like {choices.like}: the model has heads of {', '.join(card.datasets)}")
    like = choices.like or next(iter(card.datasets), None)
    frames = card.datasets[like].frames if like else Frames()
    stride = max(frames.grid, 1)
    transcode = Transcode(
        short_side=frames.short_side or round(size * 10 / 7),  # 320 for 224 pixels, as the paper
        fps=frames.fps,
        stride=stride,
        keyint=stride * 16,
    )
    place = str(videos.resolve())
    return Dataset(
        title=shown(videos.absolute().name) or choices.name,
        paper_letter="o",
        reader="folder",
        raw=place if place.isprintable() else shown(place),  # for the record; it is read by its own name
        transcode=transcode,
        sampling=frames.sampling,
        views=frames.views,
        flip=choices.flip,
    )


def make_recipe(clips: int, model: Model, size: int, choices: Choices) -> Recipe:
    """How a trained backbone is brought to `clips` training clips of `size` pixels a side.

    The learning rate falls with the width, as large models need; docs/guides/finetune.md has what it was seen to do.
    As many epochs as show it `SEEN` clips, within `EPOCHS`: few clips are seen often, so that the new head is trained,
    and many at least so often. The crop takes half of the frame or more, where a training from nothing takes less: a
    folder has few clips, each of which has to show its action.

    The recipe's epochs are the engine's, of whole batches. They are counted such that as many clips are seen as in the
    epochs meant: of 47 clips, batches of 16 leave 15 out each time.
    """
    batch = min(BATCH, max(clips // 4 * 2, 2))
    epochs = choices.epochs or min(max(SEEN / clips, EPOCHS[0]), EPOCHS[1])
    epochs = max(round(epochs * clips / batch), 1) / max(clips // batch, 1)
    return Recipe(
        epochs=epochs,
        warmup_epochs=epochs / 10,
        batch=batch,
        micro_batch=2 if model.frames * size * size > SMALL and batch % 4 == 0 else None,
        lr=choices.lr or LR / model.channels,
        label_smoothing=0.1,
        crop_area=(0.5, 1.0),
    )


def make_job(network: Network, dataset: Dataset, out: Path, choices: Choices, manifest: Manifest) -> Tuning:
    """The run of one dataset that starts from the network's backbone, in the folder `out`."""
    model, size = network.spec.model, network.spec.size
    clips = len(manifest.split("train"))
    scale = Scale(
        name=NAME,
        datasets={choices.name: dataset},
        model=model,
        sizes={"base": size, "large": size},
        recipes={NAME: make_recipe(clips, model, size, choices)},
    )
    runs = {name: Run(datasets=(choices.name,), recipe=NAME) for name in (START, NAME)}
    runs[NAME] = runs[NAME].model_copy(update={"init": START})
    experiments = Experiments.model_construct(runs=runs, tables={})  # type: ignore[call-arg]  # nothing to show of them
    start = {START: out / "start.pt"}
    return Tuning(scale, experiments, NAME, choices.seed, out, out, exclude_leaks=False, pretrained=start)


def _complete(job: Tuning, start: Network, card: Card, choices: Choices) -> None:
    """Give the trained model the heads that stay, and the card of all; done twice it is the same."""
    path = job.folder / "model.pt"
    tuned = load_network(path)
    own = make_card({choices.name: job.scale.dataset(choices.name)})
    record = read_record(job.folder, "steps", "code")
    origin = Origin(run=NAME, scale=NAME, seed=job.seed, steps=record["steps"], code=record["code"])
    if not (choices.freeze or choices.keep):
        save_network(path, tuned, own.model_copy(update={"origin": origin}))
        return
    heads = {name: seen for name, seen in card.datasets.items() if name != choices.name}
    whole = Card(datasets={**heads, **own.datasets}, origin=origin, assumed=card.assumed)
    save_network(path, widened(start, tuned, choices.name), whole)
