"""A user's VGG19 file: both formats load, and whatever is wrong is said in one line."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from anamorph.errors import AnamorphError, InputError, ModelFileError, ModelNotFoundError
from anamorph_training.networks.vgg19 import WIDTHS, VGG19Features
from anamorph_training.vgg19_file import load_vgg19

SMALL = tuple(width // 16 for width in WIDTHS)
Weights = dict[str, Tensor]


def stand_in() -> Weights:
    """Return weights as torchvision's file has them, a 16th as wide, classifier included."""
    torch.manual_seed(0)
    weights = VGG19Features(widths=SMALL).state_dict()
    return {**weights, "classifier.0.weight": torch.rand(4, 8), "classifier.0.bias": torch.rand(4)}


def save_zip(weights: Any, path: Path) -> Path:
    torch.save(weights, path)
    return path


def save_old(weights: Any, path: Path) -> Path:
    torch.save(weights, path, _use_new_zipfile_serialization=False)  # as torchvision's file is
    return path


def save_safe(weights: Weights, path: Path) -> Path:
    path = path.with_suffix(".safetensors")
    save_file(weights, path)
    return path


FORMATS = pytest.mark.parametrize("save", [save_zip, save_old, save_safe])
Save = Callable[[Weights, Path], Path]


def refusal(path: Path, kind: type[AnamorphError], sha256: str | None = None) -> str:
    with pytest.raises(kind) as caught:
        load_vgg19(path, widths=SMALL, sha256=sha256)
    message = str(caught.value)
    assert "\n" not in message
    return message


@FORMATS
def test_loads_the_weights_of_either_format(save: Save, tmp_path: Path) -> None:
    weights = stand_in()
    path = save(weights, tmp_path / "vgg19.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    network = load_vgg19(path, widths=SMALL, sha256=digest.upper())
    assert len(network.state_dict()) == 32
    for key, weight in network.state_dict().items():
        assert torch.equal(weight, weights[key])
    assert not any(weight.requires_grad for weight in network.parameters())


@FORMATS
def test_loads_no_more_than_the_layer_needs(save: Save, tmp_path: Path) -> None:
    path = save(stand_in(), tmp_path / "vgg19.pth")
    network = load_vgg19(path, layer="conv2_1", widths=SMALL)
    assert list(network.state_dict())[-1] == "features.5.bias"


def test_half_precision_is_widened(tmp_path: Path) -> None:
    weights = {key: value.half() for key, value in stand_in().items()}
    network = load_vgg19(save_safe(weights, tmp_path / "vgg19"), widths=SMALL)
    loaded = network.state_dict()["features.0.weight"]
    assert torch.equal(loaded, weights["features.0.weight"].float())


def test_the_name_vouches_for_the_contents(tmp_path: Path) -> None:
    path = save_zip(stand_in(), tmp_path / "vgg19.pth")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path = path.rename(tmp_path / f"vgg19-{digest[:8]}.pth")
    load_vgg19(path, widths=SMALL)
    path = path.rename(tmp_path / "vgg19-dcbb9e9d.pth")
    message = refusal(path, ModelFileError)
    assert f"its SHA-256 is {digest}, not dcbb9e9d as its name says" in message
    assert "download it again" in message


def test_another_checksum_is_refused(tmp_path: Path) -> None:
    path = save_safe(stand_in(), tmp_path / "vgg19")
    wanted = "0" * 64
    assert f"not {wanted} as asked for" in refusal(path, ModelFileError, sha256=wanted)


@pytest.mark.parametrize("sha256", ["", "dcbb9e9d", "g" * 64])
def test_what_is_no_checksum_is_refused(sha256: str, tmp_path: Path) -> None:
    path = save_safe(stand_in(), tmp_path / "vgg19")
    assert "64 hexadecimal digits" in refusal(path, InputError, sha256=sha256)


def test_an_absent_file_is_named_with_what_to_give(tmp_path: Path) -> None:
    for path in (tmp_path / "vgg19.pth", tmp_path):
        message = refusal(path, ModelNotFoundError)
        assert message.startswith(f"{path}: no such file; give torchvision's vgg19-dcbb9e9d.pth")


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save_zip(stand_in(), tmp_path / "vgg19.pth")

    def deny(*_: object, **__: object) -> None:  # the superuser may read whatever its mode
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(torch, "load", deny)
    message = refusal(path, InputError)
    assert "cannot be read (Permission denied); check its permissions" in message


@FORMATS
def test_a_truncated_file_is_refused(save: Save, tmp_path: Path) -> None:
    path = save(stand_in(), tmp_path / "vgg19.pth")
    whole = path.read_bytes()
    for length in (0, 3, 40, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:length])
        assert "is damaged, or no file of weights" in refusal(path, ModelFileError)


@pytest.mark.parametrize("name", ["vgg19.pth", "vgg19.safetensors"])
def test_a_web_page_saved_as_weights_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("<html><body>404: not found</body></html>")
    assert "download it again" in refusal(path, ModelFileError)


class Trap:
    """Creates a file when unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sprung),)


@pytest.mark.parametrize("save", [save_zip, save_old])
def test_code_in_the_file_is_never_run(save: Callable[[Any, Path], Path], tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    path = save({**stand_in(), "trap": Trap(sprung)}, tmp_path / "vgg19.pth")
    message = refusal(path, ModelFileError)
    assert f"refers to code ({os.mkdir.__module__}.mkdir), which is never run" in message
    assert not sprung.exists()


def test_a_whole_module_is_refused_as_code(tmp_path: Path) -> None:
    path = save_zip(nn.Conv2d(3, 4, 3), tmp_path / "vgg19.pth")
    assert "refers to code (torch.nn.modules.conv.Conv2d)" in refusal(path, ModelFileError)


def without_the_last(weights: Weights) -> None:
    del weights["features.34.weight"]


def with_batch_norm(weights: Weights) -> None:
    weights["features.1.running_mean"] = torch.zeros(4)


def wider(weights: Weights) -> None:
    weights["features.0.weight"] = torch.zeros(8, 3, 3, 3)


def of_integers(weights: Weights) -> None:
    weights["features.0.weight"] = torch.zeros(4, 3, 3, 3, dtype=torch.int32)


@FORMATS
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_the_last, "holds no features.34.weight"),
        (with_batch_norm, "holds features.1.running_mean"),
        (wider, "torch.float32 of shape (8, 3, 3, 3), not floats of shape (4, 3, 3, 3)"),
        (of_integers, "torch.int32 of shape (4, 3, 3, 3), not floats"),
    ],
)
def test_another_network_is_refused(
    change: Callable[[Weights], None], reason: str, save: Save, tmp_path: Path
) -> None:
    weights = stand_in()
    change(weights)
    message = refusal(save(weights, tmp_path / "net.pth"), ModelFileError)
    assert "is not VGG19" in message
    assert reason in message


def test_a_checkpoint_around_the_weights_is_refused(tmp_path: Path) -> None:
    path = save_zip({"state_dict": stand_in(), "epoch": 3}, tmp_path / "net.pth")
    assert "holds no features.0.weight" in refusal(path, ModelFileError)
    path = save_zip(torch.zeros(3), tmp_path / "net.pth")
    assert "holds one Tensor, no tensors by name" in refusal(path, ModelFileError)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    weights = stand_in()
    weights["features.5.bias"][0] = torch.nan
    path = save_zip(weights, tmp_path / "net.pth")
    assert "features.5.bias is not finite" in refusal(path, ModelFileError)
