"""Networks on the Hugging Face hub, in the form of multitrain/model/folder.py. Needs the package huggingface_hub."""

from pathlib import Path
from typing import Any

from multitrain.errors import UserError
from multitrain.model.folder import CONFIG, README, WEIGHTS, load_folder, save_folder
from multitrain.model.network import Network, Spec

try:
    import huggingface_hub
except ImportError:
    raise UserError(
        "models of the Hugging Face hub need the package huggingface_hub, which is not installed: "
        "pip install huggingface_hub"
    ) from None


class HubNetwork(Network, huggingface_hub.PyTorchModelHubMixin):
    """A `Network` that the hub keeps: `from_pretrained`, `save_pretrained` and `push_to_hub` as of any model there."""

    def __init__(self, spec: Spec):
        super().__init__(spec)

    @classmethod
    def of(cls, network: Network) -> "HubNetwork":
        """The same weights and card, ready for `push_to_hub`."""
        ours = cls(network.spec)
        ours.load_state_dict(network.state_dict())
        ours.card = network.card
        return ours.eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        save_folder(save_directory, self)

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
        folder = model_id
        if not Path(model_id).is_dir():
            folder = huggingface_hub.snapshot_download(
                model_id,
                revision=revision,
                cache_dir=cache_dir,
                force_download=force_download,
                local_files_only=local_files_only,
                token=token,
                allow_patterns=[WEIGHTS, CONFIG, README],
            )
        return load_folder(folder, cls)


def load_hub(name: str) -> HubNetwork:
    """The network of an `owner/name` of the hub, in evaluation mode.

    Raises:
        UserError: no such model, no network, or files that are no network of ours.
    """
    try:
        return HubNetwork._from_pretrained(model_id=name)
    except UserError as error:
        raise UserError(f"{name} of the Hugging Face hub: {error}") from None
    except Exception as error:  # the library and the one it talks HTTP with raise dozens of kinds
        detail = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{name}: no such file or folder, and the Hugging Face hub gave none ({detail})") from None
