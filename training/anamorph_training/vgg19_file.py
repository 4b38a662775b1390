"""A user's file of VGG19's weights: checked, read without running anything in it, and loaded.

Accepted are torchvision's ``vgg19-dcbb9e9d.pth`` and safetensors with tensors of the same names,
``features.N.weight`` and ``features.N.bias``; the classifier in it is left alone.
"""

import hashlib
import pickle
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from anamorph.errors import InputError, ModelFileError, ModelNotFoundError
from anamorph_training.networks.vgg19 import SRGAN_LAYER, WIDTHS, VGG19Features

_ACCEPTED: Final = "torchvision's vgg19-dcbb9e9d.pth, or its tensors as .safetensors"
_PREFIX: Final = "features."
# torchvision names a file by the first digits of its SHA-256.
_DIGITS_IN_NAME: Final = re.compile(r"-([0-9a-f]{8})\.pth\Z", re.IGNORECASE)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.IGNORECASE)
_NAMED_CODE: Final = re.compile(r"GLOBAL ([\w.]{1,80})")  # in PyTorch's refusal to unpickle it


def load_vgg19(
    path: Path,
    *,
    layer: str = SRGAN_LAYER,
    widths: Sequence[int] = WIDTHS,
    sha256: str | None = None,
) -> VGG19Features:
    """Load VGG19 up to a layer, on the CPU, from a file of weights.

    Args:
        path: ``.safetensors``, or else a PyTorch state dict; nothing in it is ever executed. A name
            that ends in ``-<8 hexadecimal digits>.pth`` is held to them.
        layer: As for `VGG19Features`.
        widths: Channels of the five stages.
        sha256: Of the whole file, 64 hexadecimal digits; without it, only the name is checked.

    Raises:
        InputError: ``sha256`` is no SHA-256, or the file may not be read.
        ModelNotFoundError: There is no such file.
        ModelFileError: The file has another checksum, is damaged, holds code, or is not VGG19.
        ValueError: VGG19 has no such layer.
    """
    if not path.is_file():
        raise ModelNotFoundError(f"{path}: no such file; give {_ACCEPTED}")
    try:
        _check_digest(path, sha256)
        tensors = _read(path)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror or error}); check its permissions"
        ) from None
    _check_layout(path, tensors, widths)
    network = VGG19Features(layer=layer, widths=widths)
    network.load_state_dict({key: tensors[key] for key in network.state_dict()})
    return network


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits in lower case."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _check_digest(path: Path, sha256: str | None) -> None:
    if sha256 is not None and not _DIGEST.fullmatch(sha256):
        raise InputError(f"{sha256!r} is no SHA-256; give its 64 hexadecimal digits")
    in_name = _DIGITS_IN_NAME.search(path.name)
    promised = [in_name[1]] if in_name else []
    promised += [sha256] if sha256 else []
    if not promised:
        return
    actual = hash_file(path)
    for digits in promised:
        if not actual.startswith(digits.lower()):
            whose = "as asked for" if digits == sha256 else "as its name says"
            raise ModelFileError(
                f"{path}: its SHA-256 is {actual}, not {digits.lower()} {whose}; download it "
                "again, or correct the checksum or the name"
            )


def _read(path: Path) -> dict[str, Tensor]:
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    return _read_state_dict(path)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    try:
        with safe_open(path, framework="pt") as file:
            keys = [key for key in file.keys() if key.startswith(_PREFIX)]  # noqa: SIM118
            return {key: file.get_tensor(key) for key in keys}
    except SafetensorError as error:
        raise _damaged(path, error) from None


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what the error then says
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise
    except Exception as error:  # garbage breaks the unpickler in any way that there is
        code = _NAMED_CODE.search(str(error))
        if isinstance(error, pickle.UnpicklingError) and code:
            raise ModelFileError(
                f"{path}: refers to code ({code[1].rstrip('.')}), which is never run; give tensors "
                f"alone: {_ACCEPTED}"
            ) from None
        raise _damaged(path, error) from None
    return _features_of(path, content)


def _features_of(path: Path, content: Any) -> dict[str, Tensor]:
    if not isinstance(content, Mapping):
        raise _not_vgg19(path, f"holds one {type(content).__name__}, no tensors by name")
    return {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and key.startswith(_PREFIX) and isinstance(value, Tensor)
    }


def _check_layout(path: Path, tensors: Mapping[str, Tensor], widths: Sequence[int]) -> None:
    """Hold the whole stack to VGG19's, so that no relative of it passes for its first layers."""
    with torch.device("meta"):
        expected = VGG19Features(widths=widths).state_dict()
    for key, wanted in expected.items():
        if key not in tensors:
            raise _not_vgg19(path, f"holds no {key}")
        found = tensors[key]
        if found.shape != wanted.shape or not found.is_floating_point():
            raise _not_vgg19(
                path,
                f"its {key} is {found.dtype} of shape {tuple(found.shape)}, "
                f"not floats of shape {tuple(wanted.shape)}",
            )
        if not found.float().isfinite().all():
            raise _damaged(path, f"{key} is not finite")
    extra = sorted(tensors.keys() - expected.keys())
    if extra:
        raise _not_vgg19(path, f"holds {extra[0]} (the variant with batch norm?)")


def _not_vgg19(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{path}: is not VGG19 ({reason}); give {_ACCEPTED}")


def _damaged(path: Path, reason: Exception | str) -> ModelFileError:
    # PyTorch explains itself over many lines: the first sentence says what broke.
    first = re.split(r"\. |\n", str(reason))[0] or type(reason).__name__
    return ModelFileError(
        f"{path}: is damaged, or no file of weights ({first[:100]}); download it again: {_ACCEPTED}"
    )
