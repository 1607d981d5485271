"""The guide's way from a function to a row of Table 3, its files and commands word for word."""

import dataclasses
import math
import re
import sys
from pathlib import Path

import pytest
import torch
import yaml
from torch import Tensor

from multitrain.common.records.run_record import changes
from multitrain.config.recipes import ExtraLoss
from multitrain.data.loader import train_batches
from multitrain.engine.training_state import Training
from multitrain.engine.user_losses import load_terms
from multitrain.losses.extra_terms import BatchOutputs, ExtraTerms, Partner
from multitrain.planning.plan import Plan
from tests.engine.own_losses import Centres
from tests.engine.stopping import with_run
from tests.guide_pages import blocks, commands, inline, read, table
from tests.workflow.planned import job_counts, linked_checkout, snakemake

PAGE = "your-loss.md"
SIZES = {"classes": {"a": 3, "b": 5}, "width": 6, "embedding": 4}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A checkout with the page's two files, each under the name that the page gives it."""
    linked_checkout(tmp_path)
    for language, suffix in (("python", "py"), ("yaml", "yaml")):
        (name,) = re.findall(rf"here `(\w+\.{suffix})`", read(PAGE))
        (source,) = blocks(PAGE, language)
        (tmp_path / name).write_text(source)
    monkeypatch.delitem(sys.modules, "contrast", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_hand(outputs: BatchOutputs, temperature: float) -> Tensor:
    """Khosla et al. 2020, Eq. 2, clip by clip: (B,)."""
    z = outputs.features / outputs.features.norm(dim=1, keepdim=True)
    places = range(len(z))
    losses = []
    for i in places:
        scores = {j: z[i] @ z[j] / temperature for j in places if j != i}
        same = [j for j in scores if (outputs.label[j], outputs.dataset[j]) == (outputs.label[i], outputs.dataset[i])]
        every = torch.stack([*scores.values()]).logsumexp(0)
        losses.append(sum((every - scores[j] for j in same), start=z.new_zeros(())) / max(len(same), 1))
    return torch.stack(losses)


def test_the_function_of_the_page_is_the_loss_that_it_says(place: Path):
    from contrast import contrast

    z = torch.randn(8, 6, generator=torch.Generator().manual_seed(0))
    label, dataset = torch.tensor([[0, 0, 1, 1, 0, 0, 2, 0], [0, 0, 0, 0, 1, 1, 0, 0]])
    outputs = BatchOutputs(z, z, {}, {}, label, dataset, ("k400", "mit"))
    found = contrast(outputs, temperature=0.3)
    torch.testing.assert_close(found, by_hand(outputs, 0.3))
    assert found[6] == 0 and (found[:6] > 0).all()  # the seventh clip is alone in its class


def test_the_study_of_the_page_has_the_term_as_a_row_of_table_3(place: Path):
    plan = Plan.load({}, "contrast.yaml")
    shown = plan.experiments.table("table3")
    (plain,), (own,) = (row.runs for row in shown.rows)
    settings = {name: plan.experiments.runs[name].model_dump(mode="json") for name in (plain, own)}
    assert changes(settings[own]) == inline(PAGE, "0.1 x ") and not changes(settings[plain])
    losses = settings[own].pop("extra_losses")
    assert settings[own] == settings[plain] and [each["function"] for each in losses] == ["contrast:contrast"]
    assert (place / "resources/published" / shown.published).is_file()
    plan.try_losses([own])


def test_the_command_of_the_page_makes_that_table(place: Path):
    ((program, *words),) = commands(PAGE)
    planned = snakemake(place, "-n", *words)
    counts = job_counts(planned)
    assert program == "snakemake" and (counts["train"], counts["table"]) == (3, 1)
    assert "results/contrast/runs/contrast/with_contrast/seed0/model.pt" in planned.stdout


def test_the_function_gets_what_the_page_says(place: Path, job, monkeypatch):
    seen, term = [], ExtraTerms.term
    monkeypatch.setattr(ExtraTerms, "term", lambda self, name, its: seen.append(its) or term(self, name, its))
    losses = (ExtraLoss(function="contrast:contrast", weight="learned"),)
    training = Training(with_run(job("joint"), extra_losses=losses, init=None), torch.device("cpu"))
    seen.clear()
    batch = training.job.recipe.batch
    record = training.step([next(train_batches(training.clips, batch, 0, 1, 0, training.share))])
    for key in ("extra", "extra_sigma"):
        assert math.isfinite(record[key]["contrast"]) and f"`{key}`" in read(PAGE)
    (outputs,) = seen  # once a step
    spec = training.network.spec
    sizes = {"B": batch, "D": training.network.backbone.width, "d": spec.expander[1]}
    rows = {name: shape for names, shape, _ in table(PAGE, "field") for name in re.findall(r"`(\w+)`", names)}
    assert [*rows] == [field.name for field in dataclasses.fields(BatchOutputs)]
    for name, shape in rows.items():
        value = getattr(outputs, name)
        for of, its in value.items() if shape.startswith("dataset: ") else [("", value)]:
            if letters := re.findall(r"\w+(?=[,)])", shape):
                assert its.shape == tuple({**sizes, "C_k": len(spec.classes.get(of, ()))}[each] for each in letters)
    assert rows["datasets"] == "names" and outputs.datasets == tuple(spec.classes)
    assert rows["partner"] == "or None" and (outputs.partner is None or isinstance(outputs.partner, Partner))
    (row,) = (what for name, _, what in table(PAGE, "field") if name == "`partner`")
    assert re.findall(r"`(\w+)`", row) == [field.name for field in dataclasses.fields(Partner)]


@pytest.mark.parametrize(("entry", "formula"), table(PAGE, "entry of `extra_losses`"))
def test_a_term_counts_as_the_page_says(place: Path, entry: str, formula: str):
    loss = ExtraLoss.model_validate(yaml.safe_load(entry.strip("`")))
    terms = load_terms([loss], "here", **SIZES)
    if terms.learned:
        torch.nn.init.constant_(terms.log_sigma, math.log(1.5))
    written = formula.partition(",")[0].replace("log sigma", "log(sigma)").replace("^", "**")
    written = re.sub(r"(?<=[\d.]) (?=[a-zL])", " * ", written)
    expected = eval(written, {"L": 0.7, "sigma": 1.5, "log": math.log})
    assert terms.weighted(torch.tensor([0.7])).item() == pytest.approx(expected)


def test_nothing_to_count_is_a_zero_with_a_gradient():
    z = torch.randn(4, 6, requires_grad=True)
    outputs = BatchOutputs(z, z, {}, {}, torch.zeros(4), torch.zeros(4), ("k400",))
    value = eval(inline(PAGE, "outputs.features"), {"outputs": outputs})
    value.backward()
    assert value.shape == () and value.item() == 0 and z.grad.tolist() == [[0.0] * 6] * 4


class Recorded(Centres):
    """Keeps the arguments that it was made with."""

    def __init__(self, **given: object):
        super().__init__(**given)
        type(self).given = given


def test_a_class_is_made_as_the_page_says():
    load_terms([ExtraLoss(function=f"{__name__}:Recorded")], "here", **SIZES)
    arguments = dict(re.findall(r"(\w+)=(\w*)", inline(PAGE, "Class(")))
    meaning = {"": SIZES["classes"], "D": SIZES["width"], "d": SIZES["embedding"]}
    assert {name: meaning[letter] for name, letter in arguments.items()} == Recorded.given
