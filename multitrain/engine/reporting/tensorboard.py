"""TensorBoard event files of a training; the package is optional and imported on demand."""

from pathlib import Path

__all__ = ["Events"]


class Events:
    """TensorBoard writer of scalars by step."""

    def __init__(self, folder: Path, done: int):
        """Events of an earlier start from step `done` on are hidden."""
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder), purge_step=done)

    def add(self, values: dict, step: int) -> None:
        """Add numbers by name, or by two names; None and the step itself are left out."""
        for name, value in values.items():
            if isinstance(value, dict):
                for key, number in value.items():
                    self.writer.add_scalar(f"{name}/{key}", number, step)
            elif name != "step" and value is not None:
                self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        self.writer.close()
