"""Trainings with other backbones, from clips to scores."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from multitrain.common.errors import UserError
from multitrain.config.model_settings import Backbone
from multitrain.data.loader import train_batches
from multitrain.engine.buffers import StepBuffers
from multitrain.engine.checkpointing.checkpoint import load_network, read_state
from multitrain.engine.evaluate import evaluate
from multitrain.engine.processes.distributed import ProcessGroup
from multitrain.engine.setup import Job
from multitrain.engine.train import train
from multitrain.engine.training_state import Training
from tests.engine.batch_norm_net import NAME
from tests.engine.stopping import stopped_at, with_run

CPU = torch.device("cpu")


def on(job: Job, backbone: str, **scale: object) -> Job:
    """The job, every run of it on another backbone."""
    runs = {name: run.model_copy(update={"backbone": backbone}) for name, run in job.experiments.runs.items()}
    experiments = job.experiments.model_copy(update={"runs": runs})
    return replace(job, experiments=experiments, scale=job.scale.model_copy(update=scale))


@pytest.mark.parametrize("backbone", ["cnn3d", NAME])
def test_a_joint_run_is_trained_and_scored(job, backbone, tmp_path):
    own = with_run(on(job("joint"), backbone), init=None)
    train(own, CPU)
    record = json.loads((own.folder / "run.json").read_text())
    assert record["settings"]["backbone"] == backbone
    network = load_network(own.folder / "model.pt")
    assert network.spec.model.backbone == backbone
    evaluate(own, "mit", "test", tmp_path / "mit.parquet", CPU)
    assert (tmp_path / "mit.parquet").is_file()


def test_a_step_of_a_network_of_torchvision_changes_all_its_weights(job):
    training = Training(on(job("k400_baseline", batch=2), "torchvision:r3d_18"), CPU)
    before = {name: weight.detach().clone() for name, weight in training.network.backbone.named_parameters()}
    training.step([next(train_batches(training.clips, 2, 0, 1, 0, training.share))])
    assert not [name for name, w in training.network.backbone.named_parameters() if torch.equal(w, before[name])]
    assert training.network.backbone.stem[1].num_batches_tracked == 1


def test_a_resumed_training_with_batch_norm_has_the_bytes_of_an_undisturbed_one(job, tmp_path, monkeypatch):
    undisturbed, run = (on(job("k400_baseline", results=tmp_path / where), NAME) for where in ("whole", "stopped"))
    train(undisturbed, CPU)
    with stopped_at(monkeypatch, 2, KeyboardInterrupt, keep=True):
        train(run, CPU)
    assert read_state(run.folder / "resume/checkpoint.pt")["network"]["backbone.norm.num_batches_tracked"] == 2
    train(run, CPU)
    for name in ("model.pt", "history.jsonl"):
        assert (run.folder / name).read_bytes() == (undisturbed.folder / name).read_bytes()


def test_a_run_starts_from_another_ones_weights_and_counters(job):
    own = on(job("k400_baseline"), NAME)
    train(own, CPU)
    joint = replace(own, name="joint")
    assert joint.run.init == "k400_baseline"
    start = load_network(own.folder / "model.pt").backbone.state_dict()
    found = Training(joint, CPU).network.backbone.state_dict()
    assert all(torch.equal(found[name], value) for name, value in start.items()) and found["norm.running_mean"].any()
    other = on(joint, "cnn3d")
    with pytest.raises(UserError, match=f"made with backbone {NAME}, and this model has cnn3d"):
        Training(other, CPU)


def test_a_scale_names_backbones_with_options_and_weights(job, tmp_path):
    file = tmp_path / "own.pt"
    own = on(
        job("k400_baseline"), "mine", backbones={"mine": Backbone(backbone=NAME, backbone_options={"channels": 5})}
    )
    network = Training(own, CPU).network
    assert network.backbone.width == 5 and network.spec.model.backbone_options == {"channels": 5}
    weights = {name: torch.full_like(value, 2) for name, value in network.backbone.state_dict().items()}
    torch.save(weights, file)
    chosen = own.scale.backbones["mine"].model_copy(update={"backbone_weights": str(file)})
    given = replace(own, scale=own.scale.model_copy(update={"backbones": {"mine": chosen}}))
    training = Training(given, CPU)
    assert (training.network.backbone.conv.weight == 2).all()
    assert training.init["file"] == str(file) and len(training.init["sha256"]) == 64
    assert training.network.spec.model.backbone_weights is None


def test_the_code_of_an_own_backbone_is_part_of_a_runs_code(job):
    assert "-" not in job("k400_baseline").code
    assert on(job("k400_baseline"), NAME).code.startswith(f"{job('k400_baseline').code}-")


def test_settings_that_a_backbone_cannot_follow_are_refused(job):
    with pytest.raises(UserError, match=f"drop_path is 0.1, and backbone {NAME} has no set_drop_path"):
        Training(on(job("k400_baseline", drop_path=0.1), NAME), CPU)
    own = on(job("k400_baseline"), NAME)
    machine = own.scale.machine.model_copy(update={"checkpointing": ("base",)})
    with pytest.raises(UserError, match="keeps all activations"):
        Training(replace(own, scale=own.scale.model_copy(update={"machine": machine})), CPU)


@pytest.mark.parametrize("informative", ["k400_baseline", "joint"])
def test_a_step_of_two_parts_is_one_update_of_running_statistics(job, informative):
    training = Training(with_run(on(job(informative, micro_batch=4), NAME), init=None), CPU)
    norm, seen = training.network.backbone.norm, []
    norm.register_forward_hook(lambda module, inputs, _: seen.append(inputs[0].detach().mean((0, 2, 3, 4))))
    source = train_batches(training.clips, 8, 0, 1, 0, training.share)
    training.step([next(source), next(source)])
    assert norm.num_batches_tracked == 1
    assert torch.allclose(norm.running_mean, 0.1 * (seen[-1] + seen[-2]) / 2, atol=1e-6)


class Two(ProcessGroup):
    """Two processes, of which the other has twice the values."""

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        return (values + 2 * values) / 2


def test_running_statistics_are_averaged_over_processes():
    norm = nn.BatchNorm1d(2, momentum=1.0).train()
    buffers = StepBuffers(norm, Two())
    buffers.begin(1)
    with buffers.part():
        norm(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert norm.num_batches_tracked == 0
    buffers.end()
    assert norm.num_batches_tracked == 1 and norm.running_mean.tolist() == [3.0, 4.5]
