"""Networks on the Hugging Face hub, in the form of `model_folder`. Needs the package huggingface_hub."""

import textwrap
from pathlib import Path
from typing import Any

from multitrain.common.errors import UserError
from multitrain.model.files.model_folder import CONFIG, README, WEIGHTS, load_folder, refuse_others, write_folder
from multitrain.model.network import Network, Spec

__all__ = ["HubNetwork", "load_hub"]

try:
    import huggingface_hub
except ImportError:
    raise UserError(
        "models of the Hugging Face hub need the package huggingface_hub, which is not installed: "
        "pip install huggingface_hub"
    ) from None


CURE = "fetch it anew, or ask its owner, who makes such files with `multitrain.save`"


class HubNetwork(Network, huggingface_hub.PyTorchModelHubMixin):
    """A `Network` with the hub's methods `from_pretrained`, `save_pretrained` and `push_to_hub`."""

    def __init__(self, spec: Spec):
        super().__init__(spec)

    @classmethod
    def of(cls, network: Network) -> "HubNetwork":
        """The same weights and card, ready for `push_to_hub`."""
        ours = cls(network.spec)
        ours.load_state_dict(network.state_dict())
        ours.card = network.card
        return ours.eval()

    def save_pretrained(self, save_directory: str | Path, **how: Any) -> str | None:
        """Save as the library does, but never over other files, whose config.json the library would remove."""
        refuse_others(save_directory)
        return super().save_pretrained(save_directory, **how)

    def _save_pretrained(self, save_directory: Path) -> None:
        write_folder(save_directory, self)

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        force_download: bool = False,
        local_files_only: bool = False,
        token: str | bool | None = None,
        **_: Any,
    ) -> "HubNetwork":
        if Path(model_id).is_dir():
            return load_folder(model_id, cls)
        folder = huggingface_hub.snapshot_download(
            model_id,
            revision=revision,
            cache_dir=cache_dir,
            force_download=force_download,
            local_files_only=local_files_only,
            token=token,
            allow_patterns=[WEIGHTS, CONFIG, README],
        )
        return load_folder(folder, cls, CURE)


def load_hub(name: str) -> HubNetwork:
    """The network of an `owner/name` of the hub, in evaluation mode.

    Raises:
        UserError: no such model, no network, or files that are no network of ours.
    """
    try:
        return HubNetwork._from_pretrained(model_id=name)
    except UserError as error:
        raise UserError(f"{name} of the Hugging Face hub: {error}") from None
    except Exception as error:  # the library and its HTTP client raise dozens of kinds
        raise UserError(f"{name}: no such file or folder here, and {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The reason why the hub gave no model, and its cure."""
    kinds = huggingface_hub.errors
    if isinstance(error, kinds.GatedRepoError):
        return "its owner lets only some have it from the Hugging Face hub: ask for it there, then `hf auth login`"
    if isinstance(error, kinds.RepositoryNotFoundError):
        return "the Hugging Face hub has none, or a private one: check the spelling; for a private one `hf auth login`"
    if isinstance(error, kinds.LocalEntryNotFoundError | kinds.OfflineModeIsEnabled):
        if huggingface_hub.constants.is_offline_mode():
            return "HF_HUB_OFFLINE forbids to ask the Hugging Face hub: check the spelling, or unset HF_HUB_OFFLINE"
        return "the Hugging Face hub cannot be reached: check the spelling and the connection"
    detail = textwrap.shorten(f"{type(error).__name__}: {error}", 200, placeholder=" ...")
    return f"the Hugging Face hub gave none ({detail}): check the spelling and the connection"
