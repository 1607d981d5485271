"""Stand-ins of packages that are not in the lock: the calls that their documentation promises, and no more."""

from types import SimpleNamespace

import torch
from torch import nn

__all__ = ["INTERFACES"]


class LightningModule(nn.Module):
    """https://lightning.ai/docs/pytorch/stable/common/lightning_module.html"""

    def log_dict(self, values: dict, batch_size: int) -> None:
        assert all(value.ndim == 0 for value in values.values()) and batch_size


class LightningTrainer:
    """Automatic optimisation, as the page above writes it out under "Under the hood"."""

    def __init__(self, max_steps: int, **_: object):
        self.max_steps = max_steps

    def fit(self, module: LightningModule, loader: torch.utils.data.DataLoader) -> None:
        optimiser = module.configure_optimizers()
        for index, batch in zip(range(self.max_steps), loader, strict=False):
            loss = module.training_step(batch.to(torch.device("cpu")), index)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()


class HuggingFaceTrainer:
    """https://huggingface.co/docs/transformers/main_classes/trainer: methods that a subclass may replace."""

    def __init__(self, model: nn.Module, args: SimpleNamespace):
        self.model, self.args = model, args

    def train(self) -> None:
        optimiser = self.create_optimizer()
        assert optimiser is self.optimizer
        for _, inputs in zip(range(self.args.max_steps), self.get_train_dataloader(), strict=False):
            assert isinstance(inputs, dict) and inputs
            optimiser.zero_grad()
            self.compute_loss(self.model, inputs, num_items_in_batch=None).backward()
            optimiser.step()


INTERFACES = {
    "lightning": SimpleNamespace(LightningModule=LightningModule, Trainer=LightningTrainer),
    "transformers": SimpleNamespace(
        Trainer=HuggingFaceTrainer, TrainingArguments=lambda folder, **named: SimpleNamespace(**named)
    ),
}
