"""Operations and parameters of networks as run.json describes them, and claims about them."""

import json

import pytest
import torch

from multitrain.analysis.claims.verdict_rule import FAILS, HOLDS
from multitrain.analysis.cost.flops import cost
from multitrain.analysis.cost.run_networks import network_cost, read_recorded, step_operations, write_networks
from multitrain.analysis.render.columns import NETWORKS
from multitrain.common.errors import UserError
from multitrain.model.network import Network, Output
from tests.analysis.claims.evidence.test_evidence_table import JOINT
from tests.analysis.claims.evidence.test_evidence_table import answer as answered
from tests.csv_rows import csv_rows

CLASSES = dict(zip(JOINT, (16, 14, 13, 11), strict=True))
WIDTH = 48  # of the features of two stages


@pytest.fixture
def results(results):
    """At scale mini with two blocks, which are quick to build."""
    results.scale = results.scale.model_copy(
        update={"model": results.scale.model.model_copy(update={"depths": (1, 1)})}
    )
    return results


def add(results, *runs: str, **changes: object) -> None:
    """run.json of runs as they are set, but for what is given."""
    for name in runs:
        run = results.experiments.run(name)
        said = {
            "synthetic": True,
            "settings": run.model_dump(mode="json"),
            "recipe": results.scale.recipes[run.recipe].model_dump(mode="json"),
            "pixels": results.scale.sizes[run.size],
            "datasets": {dataset: {"classes": CLASSES[dataset], "clips": 20} for dataset in run.datasets},
            "parts": 1,
        }
        folder = results.folder / name / "seed0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(json.dumps(said | changes))


def answer(results, kind: str, **settings: object):
    """The answer by the networks of the runs that are there."""
    there = {path.name for path in results.folder.iterdir() if path.is_dir()}
    table = results.experiments.tables["table3"]
    table = table.model_copy(update={"rows": tuple(row for row in table.rows if set(row.runs) <= there)})
    shown = results.experiments.model_copy(update={"tables": {"table3": table}})
    write_networks(results.scale, shown, (0,), results.root)
    return answered(results, kind, **settings)


def recorded(results, run: str):
    return read_recorded(results.folder / run / "seed0")


BASELINES = tuple(f"{name}_baseline" for name in JOINT)
AGAINST_BASELINES = {"table": "table1", "left": "MultiTrain", "right": "Baseline"}


@pytest.fixture
def fresh():
    """Networks of an edited class are not those of the cache."""
    network_cost.cache_clear()
    yield
    network_cost.cache_clear()


def test_operations_are_those_of_the_backbone_and_the_own_head(results):
    add(results, "multitrain")
    found = network_cost(recorded(results, "multitrain").spec(results.scale).model_dump_json())
    base = cost(results.scale, "base")
    backbone = (base.gflops - base.layer_norm) * 1e9
    assert found.backbone * 1e9 == pytest.approx(backbone, abs=0.5)
    expected = {name: backbone + WIDTH * count for name, count in CLASSES.items()}
    assert {name: 1e9 * value for name, value in found.operations.items()} == pytest.approx(expected, abs=0.5)
    expander = WIDTH * 96 + 96 * 24
    assert found.whole * 1e9 == pytest.approx(backbone + WIDTH * sum(CLASSES.values()) + expander, abs=0.5)


def test_parameters_are_those_of_the_network_and_of_what_scores_need(results):
    add(results, "multitrain")
    spec = recorded(results, "multitrain").spec(results.scale)
    found, network = network_cost(spec.model_dump_json()), Network(spec)
    count = lambda part: sum(weight.numel() for weight in part.parameters())  # noqa: E731
    assert found.parameters == count(network)
    assert found.needed == count(network.backbone) + count(network.heads)


def test_joint_training_costs_nothing_more_at_test_time(results):
    add(results, "multitrain", *BASELINES)
    found = answer(results, "test_cost", **AGAINST_BASELINES)
    assert [each.verdict for each in found.findings] == [HOLDS] * 4 + [""]
    assert (found.verdict, found.paper) == (HOLDS, "224 and 224 gFLOPs")


def test_scores_that_hang_on_projections_cost_more(results, monkeypatch, fresh):
    """The measurement finds it by itself: nothing tells it which parts decide."""

    def adding(self: Network, clips: torch.Tensor) -> Output:
        z = self.backbone(clips)
        return Output(z, self.expander(z), self.added({name: head(z) for name, head in self.heads.items()}))

    monkeypatch.setattr(Network, "forward", adding)
    add(results, "multitrain", *BASELINES)
    found = answer(results, "test_cost", **AGAINST_BASELINES)
    assert found.verdict == FAILS
    assert all(each.value > 0 for each in found.findings if each.verdict)


def test_a_head_of_more_layers_is_no_cost_of_joint_training(results):
    """As at scale paper: linear heads for baselines, two layers for joint runs."""
    results.scale = results.scale.model_copy(
        update={"model": results.scale.model.model_copy(update={"head_hidden": 64})}
    )
    add(results, "multitrain", *BASELINES)
    for name in BASELINES:
        path = results.folder / name / "seed0" / "run.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps(said | {"recipe": said["recipe"] | {"head": "linear"}}))
    found = answer(results, "test_cost", **AGAINST_BASELINES)
    assert found.verdict == HOLDS
    assert f"heads {(WIDTH * 64 + 64 * 16) / 1e9:.3g} and {WIDTH * 16 / 1e9:.3g}" in found.findings[0].ours


def test_larger_clips_cost_more(results):
    add(results, *BASELINES)
    add(results, "multitrain", pixels=64)
    assert answer(results, "test_cost", **AGAINST_BASELINES).verdict == FAILS


def test_one_network_needs_fewer_parameters_than_four(results):
    add(results, "multitrain", *BASELINES)
    found = answer(results, "parameters", **AGAINST_BASELINES)
    assert found.verdict == HOLDS
    needed, trained = found.findings
    assert 0.25 < needed.value < 0.3  # a backbone for four, and all heads
    assert needed.value < trained.value and trained.verdict == ""
    assert answer(results, "parameters", **AGAINST_BASELINES, datasets=("mit",)).verdict == FAILS  # two more heads


STEP = {"left": "MultiTrain", "right": "Vanilla", "bound": 0.01}


def test_a_step_of_multitrain_costs_next_to_nothing_more(results):
    add(results, "multitrain", "vanilla")
    found = answer(results, "training_cost", **STEP)
    assert found.verdict == HOLDS
    assert 0 < found.findings[0].value < 0.01
    assert answer(results, "training_cost", **{**STEP, "bound": 1e-6}).verdict == FAILS


def test_statistics_over_several_micro_batches_cost_a_forward_pass_more(results):
    add(results, "multitrain", "vanilla", parts=4)
    found = answer(results, "training_cost", **STEP)
    assert found.verdict == FAILS
    assert found.findings[0].value == pytest.approx(1 / 3, abs=0.01)


def test_a_step_is_three_passes_of_the_backbone_and_what_the_losses_take(results):
    add(results, "vanilla")
    vanilla = recorded(results, "vanilla")
    backbone = network_cost(vanilla.spec(results.scale).model_dump_json()).backbone
    heads = 3 * WIDTH * sum(CLASSES.values())  # forward, and by the weights and the features backward
    statistics = 32 * WIDTH  # of the Gram matrix of 32 clips' features, two of each video, which each run records
    found = 1e9 * step_operations(results.scale, vanilla)
    assert found == pytest.approx(3e9 * backbone + heads + statistics, abs=0.5)


def test_a_row_a_run_and_dataset_is_written(results):
    add(results, "multitrain", *BASELINES)
    answer(results, "test_cost", **AGAINST_BASELINES)
    rows = csv_rows(results.root / "networks.csv")
    assert tuple(rows[0]) == tuple(NETWORKS)
    assert [(row["run"], row["dataset"]) for row in rows][3:5] == [
        ("actnet_baseline", "actnet"),
        ("multitrain", "k400"),
    ]
    assert {row["scale"] for row in rows} == {"mini"}


def test_what_is_not_in_a_record_is_named(results):
    add(results, "multitrain", settings={"datasets": []})
    with pytest.raises(UserError, match=r"multitrain/seed0/run.json: no record of a network .*datasets.*: train"):
        recorded(results, "multitrain")
