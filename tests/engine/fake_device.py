"""A fake accelerator: its tensors hold values on the processor, and every wait for it is recorded.

The device is `meta`. A tensor of it knows what an accelerator's tensor knows, and what would make the processor wait
(its values, the size of a selection by its values, a copy to the processor) is noted with its name. An operation that
mixes its tensors with a processor's of one dimension or more is an error, as on an accelerator.
"""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only

aten = torch.ops.aten
DEVICE = torch.device("meta")
WAITS = {aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten.equal, aten.is_nonzero}


class OnDevice(Tensor):
    """A tensor of the device."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> "OnDevice":
        made = Tensor._make_wrapper_subclass(
            cls, values.shape, values.stride(), values.storage_offset(), dtype=values.dtype, device=DEVICE
        )
        made.values = values
        return made

    @classmethod
    def __torch_dispatch__(cls, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        raise AssertionError(f"{function} outside the device's context")

    __torch_function__ = torch._C._disabled_torch_function_impl


class FakeDevice(TorchDispatchMode):
    """A context in which `meta` is the fake device; `waits` are the names of operations that waited for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), named: Any = None) -> Any:
        named = dict(named or {})
        flat, _ = torch.utils._pytree.tree_flatten((arguments, named))
        tensors = [each for each in flat if isinstance(each, Tensor)]
        ours = [each for each in tensors if isinstance(each, OnDevice)]
        target = named.get("device", DEVICE if ours else None)
        packet = function.overloadpacket
        copies = packet in (aten._to_copy, aten.copy_)
        if ours and (packet in WAITS or self._selects(packet, arguments)):
            self.waits.append(str(packet))
        if ours and packet is aten._to_copy and target.type == "cpu":
            self.waits.append("a copy to the processor")
        if packet is aten.copy_ and ours and not isinstance(arguments[0], OnDevice):
            self.waits.append("a copy to the processor")
        if ours and not copies and (other := [t for t in tensors if not isinstance(t, OnDevice) and t.ndim]):
            raise RuntimeError(f"{function}: a tensor {tuple(other[0].shape)} of the processor among the device's")
        if "device" in named:
            named["device"] = torch.device("cpu")
        arguments, named = tree_map_only(OnDevice, lambda each: each.values, (arguments, named))
        result = function(*arguments, **named)
        if str(target) != str(DEVICE):
            return result
        known = {id(each.values): each for each in ours}
        return tree_map_only(Tensor, lambda each: known[id(each)] if id(each) in known else OnDevice(each), result)

    def _selects(self, packet: Any, arguments: Any) -> bool:
        """Whether an index is a mask of the device, for whose result its values are needed."""
        if packet not in (aten.index, aten.index_put_, aten.index_put):
            return False
        return any(each is not None and each.dtype == torch.bool for each in arguments[1])
