"""Fine-tuning of a trained backbone on a folder of videos: preparation, training, evaluation, report."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from multitrain.common.errors import UserError
from multitrain.common.files.filenames import shown
from multitrain.common.records.predictions import predictions_path
from multitrain.common.records.run_record import read_record
from multitrain.config.experiments import Experiments, Run
from multitrain.config.model_settings import MVIT, Model
from multitrain.config.recipes import Recipe
from multitrain.config.scale import Dataset, Scale, Transcode
from multitrain.data.manifest import Manifest
from multitrain.datasets.formats import class_folders
from multitrain.datasets.prepare import prepare
from multitrain.datasets.required_splits import require_prepared
from multitrain.engine.checkpointing.checkpoint import load_network, save_network
from multitrain.engine.checkpointing.finished import FOLDER
from multitrain.engine.evaluate import evaluate
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.inference.finetune.add_head import add_head
from multitrain.inference.finetune.finetune_options import (
    FinetuneOptions,
    check_options,
    require_same_videos,
    require_training_videos,
    reserve_output,
)
from multitrain.inference.finetune.linear_probe import SECONDS, train_head
from multitrain.inference.finetune.outcome import write_report
from multitrain.model.files.metadata import Card, Frames, Origin, assumed_card, make_card
from multitrain.model.network import Network

__all__ = ["START", "finetune", "own_dataset"]

NAME = "finetune"  # of the run and of its scale
START = "checkpoint"  # the run of the initial weights
CLIPS_SEEN = 4800  # clips of a fine-tuning, counted over its epochs
EPOCHS = (6, 60)
BATCH = 16
SMALL_CLIP = 16 * 112 * 112  # pixels of a clip; larger ones are trained in micro-batches
STAGES = 8  # width of an MViT's features over its channels, with four stages
LR = 0.024  # divided by the backbone's channels: 1e-3 for 24 channels, 2.5e-4 for 96


@dataclass(frozen=True)
class FinetuneJob(Job):
    """A job whose files are in the folder of results itself, since there is one run."""

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
    options: FinetuneOptions,
    device: torch.device,
    jobs: int = 1,
    workers: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write model.pt, run.json, history.jsonl, predictions and report.md into `out`; returns the report.

    Started again after a kill it resumes, to the same bytes; when finished it writes the report again.

    Args:
        network: of the initial backbone; it is not changed.
        videos: FOLDER/class/video.mp4, see `datasets.formats.class_folders`.
        progress: gets (videos prepared, videos in all).

    Raises:
        UserError: the folder cannot be used, `out` holds something else, or as the training says.
    """
    card = network.card or assumed_card(network.spec.classes)
    dataset = own_dataset(videos, card, options, network.spec.size)
    check_options(out, videos, network, options)
    class_folders.read(videos, dataset)  # raises before anything is written
    with reserve_output(out, videos, network, options):
        home = out / NAME / options.name
        manifest = prepare(options.name, dataset, videos, home, 0, jobs, progress)
        require_training_videos(videos, manifest)
        require_prepared(videos, manifest)
        require_same_videos(out, home / "manifest.parquet")
        job = make_job(network, dataset, out, options, manifest)
        if not (out / "model.pt").is_file():
            assert job.init is not None  # as `make_job` makes it
            save_network(job.init, network)
            if options.freeze:
                train_head(job, device, workers)
            else:
                train(job, device, workers, SECONDS)
        _complete(job, network, card, options)
        shutil.rmtree(out / FOLDER, ignore_errors=True)  # a copy of the model without the other heads
        evaluate(job, options.name, "test", predictions_path(out, options.name), device, workers)
        return write_report(out, options.name, manifest)


def own_dataset(videos: Path, card: Card, options: FinetuneOptions, size: int) -> Dataset:
    """The folder as a dataset, with transcoding and sampling of the head `like`."""
    if options.like is not None and options.like not in card.datasets:
        raise UserError(f"--like {options.like}: the model has heads of {', '.join(card.datasets)}")
    like = options.like or next(iter(card.datasets), None)
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
        title=shown(videos.absolute().name) or options.name,
        paper_letter="o",
        reader="folder",
        raw=place if place.isprintable() else shown(place),  # for the record
        transcode=transcode,
        sampling=frames.sampling,
        views=frames.views,
        flip=options.flip,
    )


def make_recipe(clips: int, model: Model, size: int, options: FinetuneOptions, width: int = 0) -> Recipe:
    """The recipe for `clips` training clips of `size` pixels a side.

    The learning rate falls with the width; docs/guides/finetune.md has its effect. Another backbone of `width` features
    takes that of an MViT of as many, of four stages. Epochs are chosen such that
    `CLIPS_SEEN` clips are seen, within `EPOCHS`. The crop takes half of the frame or more, where training from scratch
    takes less: a folder has few clips, and each has to show its action.

    The recipe's epochs are the engine's, of whole batches. They are corrected for the incomplete batch: of 47 clips,
    batches of 16 leave 15 out in each epoch.
    """
    batch = min(BATCH, max(clips // 4 * 2, 2))
    epochs = options.epochs or min(max(CLIPS_SEEN / clips, EPOCHS[0]), EPOCHS[1])
    epochs = max(round(epochs * clips / batch), 1) / max(clips // batch, 1)
    return Recipe(
        epochs=epochs,
        warmup_epochs=epochs / 10,
        batch=batch,
        micro_batch=2 if model.frames * size * size > SMALL_CLIP and batch % 4 == 0 else None,
        lr=options.lr or LR / (model.channels if model.backbone == MVIT else width / STAGES),
        label_smoothing=0.1,
        crop_area=(0.5, 1.0),
    )


def make_job(
    network: Network, dataset: Dataset, out: Path, options: FinetuneOptions, manifest: Manifest
) -> FinetuneJob:
    """The run of one dataset that starts from the network's backbone, in the folder `out`."""
    model, size = network.spec.model, network.spec.size
    clips = len(manifest.split("train"))
    scale = Scale(
        name=NAME,
        datasets={options.name: dataset},
        model=model,
        sizes={"base": size, "large": size},
        recipes={NAME: make_recipe(clips, model, size, options, network.backbone.width)},
    )
    runs = {name: Run(datasets=(options.name,), recipe=NAME) for name in (START, NAME)}
    runs[NAME] = runs[NAME].model_copy(update={"init": START})
    experiments = Experiments(runs=runs, tables={})  # nothing to show of them
    start = {START: out / "start.pt"}
    return FinetuneJob(scale, experiments, NAME, options.seed, out, out, exclude_leaks=False, pretrained=start)


def _complete(job: FinetuneJob, start: Network, card: Card, options: FinetuneOptions) -> None:
    """Add the other heads to the trained model, and the card of all; idempotent."""
    path = job.folder / "model.pt"
    tuned = load_network(path)
    own = make_card({options.name: job.scale.dataset(options.name)})
    record = read_record(job.folder, "steps", "code")
    origin = Origin(run=NAME, scale=NAME, seed=job.seed, steps=record["steps"], code=record["code"])
    if not (options.freeze or options.keep):
        save_network(path, tuned, own.model_copy(update={"origin": origin}))
        return
    heads = {name: seen for name, seen in card.datasets.items() if name != options.name}
    whole = Card(datasets={**heads, **own.datasets}, origin=origin, assumed=card.assumed)
    save_network(path, add_head(start, tuned, options.name), whole)
