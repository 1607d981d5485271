"""Networks by owner/name of the Hugging Face hub; the library's downloads are replaced by a local folder."""

import sys

import pytest
import torch

import multitrain
from multitrain.common.errors import UserError
from multitrain.model.files.model_folder import save_folder
from tests.model.files.test_model_folder import CARD, make, same


def test_without_the_library_an_error_names_it_and_the_cure(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # as where it is not installed
    monkeypatch.delitem(sys.modules, "multitrain.model.files.hub", raising=False)
    with pytest.raises(UserError, match=r"^owner/name: no such file or folder; .*pip install huggingface_hub$") as said:
        multitrain.load("owner/name")
    assert "\n" not in str(said.value)


def errors(library) -> dict[str, Exception]:
    """What the library raises by name; a class is made without its constructor, which wants an HTTP response."""
    kinds = {"owner/other": library.errors.RepositoryNotFoundError, "owner/gated": library.errors.GatedRepoError}
    said = {name: kind.__new__(kind, "401 Client Error. (Request ID: 1)\n\nNot Found") for name, kind in kinds.items()}
    return {**said, "owner/away": library.errors.LocalEntryNotFoundError("Got: ConnectError")}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The library with a hub that has `owner/net` alone; the list of requests."""
    library = pytest.importorskip("huggingface_hub", reason="huggingface_hub is an extra")
    save_folder(tmp_path / "served", make())
    asked = []

    def snapshot(repo_id, **how):
        asked.append((repo_id, how))
        if repo_id == "owner/cut":
            raise RuntimeError("a long story " * 50)
        if repo_id != "owner/net":
            raise errors(library)[repo_id]
        return str(tmp_path / "served")

    def download(repo_id, filename, **_):
        return str(tmp_path / "served" / filename)

    monkeypatch.setattr(library, "snapshot_download", snapshot)
    monkeypatch.setattr("huggingface_hub.hub_mixin.hf_hub_download", download)
    monkeypatch.chdir(tmp_path)
    return asked


def test_a_name_on_the_hub_is_a_network(hub):
    network = multitrain.load("owner/net")
    assert same(network, make()) and network.card == CARD and not network.training
    ((name, how),) = hub
    assert name == "owner/net" and set(how["allow_patterns"]) == {"model.safetensors", "config.json", "README.md"}


def test_a_local_folder_goes_before_the_hub(hub, tmp_path):
    save_folder(tmp_path / "owner/net", make(None))
    assert multitrain.load("owner/net").card is None
    assert not hub


@pytest.mark.parametrize(
    ("name", "offline", "why"),
    [
        ("owner/other", False, "hub has none, or a private one: check the spelling"),
        ("owner/gated", False, "lets only some have it .*: ask for it there"),
        ("owner/away", False, "hub cannot be reached: check the spelling and the connection"),
        ("owner/away", True, "HF_HUB_OFFLINE forbids to ask .*, or unset HF_HUB_OFFLINE"),
        ("owner/cut", False, r"gave none \(RuntimeError: a long story .* \.\.\.\): check the spelling"),
    ],
)
def test_a_name_that_the_hub_does_not_give_is_one_line_with_its_cure(hub, monkeypatch, name, offline, why):
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: offline)
    with pytest.raises(UserError, match=rf"{name}: no such file or folder here, and .*{why}") as caught:
        multitrain.load(name)
    assert "\n" not in str(caught.value) and "Request ID" not in str(caught.value)


def test_a_snapshot_without_weights_is_not_told_to_be_saved(hub, tmp_path):
    (tmp_path / "served/model.safetensors").unlink()
    with pytest.raises(UserError, match=r"owner/net of .*model\.safetensors: no such file: fetch it anew, or ask"):
        multitrain.load("owner/net")


def test_saving_does_not_overwrite_other_files(hub, tmp_path):
    from multitrain.model.files.hub import HubNetwork

    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.json").write_text("{}")
    network = HubNetwork.of(make())
    with pytest.raises(UserError, match=r"config\.json there would be overwritten"):
        network.save_pretrained(tmp_path / "other")
    assert (tmp_path / "other/config.json").read_text() == "{}"
    for _ in range(2):  # the second time over its own
        network.save_pretrained(tmp_path / "saved")
    assert same(multitrain.load(tmp_path / "saved"), network)


def test_damaged_files_from_the_hub_name_both(hub, tmp_path):
    (tmp_path / "served/model.safetensors").write_bytes(b"damage")
    with pytest.raises(UserError, match=r"owner/net of the Hugging Face hub: .*model\.safetensors: damaged"):
        multitrain.load("owner/net")


def test_the_librarys_own_methods_use_the_same_folder(hub, tmp_path):
    from multitrain.model.files.hub import HubNetwork

    network = HubNetwork.of(make())
    network.save_pretrained(tmp_path / "saved")
    for name in ("model.safetensors", "config.json", "README.md"):
        assert (tmp_path / "saved" / name).read_bytes() == (tmp_path / "served" / name).read_bytes()
    for where in (tmp_path / "saved", "owner/net"):
        loaded = HubNetwork.from_pretrained(where)
        assert isinstance(loaded, HubNetwork) and same(loaded, network) and loaded.card == CARD
    assert same(multitrain.load(tmp_path / "saved"), network)
    clips = torch.randn(1, 3, 4, 16, 16)
    assert torch.equal(loaded.features(clips), network.features(clips))
