"""Selection of the device, from its name on the command line."""

import torch

from multitrain.common.errors import UserError
from multitrain.engine.processes.distributed import claim_accelerator
from multitrain.engine.processes.heap import keep_freed_memory

__all__ = ["select_device"]


def select_device(name: str, threads: int, own: bool = False, portable: bool = False) -> torch.device:
    """The device of that name; with `own`, each process on a node gets its own accelerator.

    With `portable`, one thread in any case, and no accelerator unless it is named.

    Raises:
        UserError: no such device, or not usable here.
    """
    torch.set_num_threads(1 if portable else threads)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() and not portable else "cpu"
    if name == "cuda" and own and torch.cuda.is_available():
        claim_accelerator()
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = "no such kind" if "device type" in str(error) else str(error).splitlines()[0]
        raise UserError(f"--device {name}: not usable here ({reason}): choose cpu, cuda or auto") from None
    if device.type == "cpu":
        keep_freed_memory()
    return device
