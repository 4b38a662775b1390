"""From what a user calls a model to an object that runs it."""

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from anamorph import download, manifest
from anamorph.errors import InputError, ModelFileError, ModelNotFoundError
from anamorph.family import check_digest, find_family
from anamorph.model_file import check_file, read_model
from anamorph.session import open_session

if TYPE_CHECKING:
    from anamorph.autoencoder import Autoencoder
    from anamorph.converter import VoiceConverter
    from anamorph.detector import Detector
    from anamorph.loaded_model import LoadedModel
    from anamorph.outliers import OutlierFinder
    from anamorph.upscaler import Upscaler

Loaded = TypeVar("Loaded")

_REMOTE: Final = ("https://", "http://", "hf://")
_CLASSES: Final = {
    "upscale": ("anamorph.upscaler", "Upscaler"),
    "convert": ("anamorph.converter", "VoiceConverter"),
    "vocode": ("anamorph.vocoder", "Vocoder"),
    "reconstruct": ("anamorph.autoencoder", "Autoencoder"),
    "detect": ("anamorph.detector", "Detector"),
    "outliers": ("anamorph.outliers", "OutlierFinder"),
}
_ROLES: Final = {"reconstruct": ("encoder", "decoder")}


def load(name: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None) -> Any:
    """Load a model and return an object of its task.

    That is `Upscaler`, `VoiceConverter`, `Vocoder`, `Autoencoder`, `Detector` or `OutlierFinder`.
    Of a model of several files any may be named; the others are found beside it.

    Args:
        name: A name of the zoo (``photo-x4``, or ``photo-x4@1`` for one version), a path, or an
            ``https://`` or ``hf://owner/repo/file.onnx`` address.
        device: One of ``auto``, ``cpu``, ``cuda``, ``tensorrt``, ``coreml``, ``directml`` and
            ``openvino``; all but ``auto`` are used or refused, never replaced.
        threads: Threads on the CPU; None takes the cores that this process may use.

    Raises:
        ModelNotFoundError: No model answers to the name.
        ModelFileError: The file is damaged, is no Anamorph model, or contradicts its card.
        UnavailableError: ONNX Runtime, the device or the network is not there.
        InputError: An option is no valid choice, or another command runs this task.
    """
    path = resolve(name)
    model = read_model(path)
    task = model.card.task
    if task not in _CLASSES:
        raise InputError(
            f"{model.origin}: is a model for {model.card.task!r}, which this version of Anamorph "
            "does not run; try: pip install --upgrade anamorph"
        )
    home, kind = _CLASSES[task]
    roles = _ROLES.get(task, (model.card.role,))
    if roles != (model.card.role,):
        files = find_family(name, path, roles, resolve=resolve)
        models = [read_model(files[role]) for role in roles]
        check_digest([one.card for one in models], model.origin)
    else:
        models = [model]
    sessions = [open_session(one, device=device, threads=threads) for one in models]
    return getattr(import_module(home), kind)(*sessions)


def load_upscaler(
    name: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None
) -> "Upscaler":
    """Load a model that enlarges pictures; arguments and errors are those of ``load``.

    Raises:
        InputError: It does something else.
    """
    from anamorph.upscaler import Upscaler

    return _of_task(load(name, device=device, threads=threads), Upscaler, "upscale")


def load_converter(
    name: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None
) -> "VoiceConverter":
    """Load a model that converts voices; arguments and errors are those of ``load``.

    Raises:
        InputError: It does something else.
    """
    from anamorph.converter import VoiceConverter

    return _of_task(load(name, device=device, threads=threads), VoiceConverter, "convert")


def load_autoencoder(
    name: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None
) -> "Autoencoder":
    """Load a model that turns pictures into codes; arguments and errors are those of ``load``.

    Raises:
        InputError: It does something else.
    """
    from anamorph.autoencoder import Autoencoder

    return _of_task(load(name, device=device, threads=threads), Autoencoder, "reconstruct")


def load_detector(
    name: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None
) -> "Detector":
    """Load a model that finds anomalies; arguments and errors are those of ``load``.

    Raises:
        InputError: It does something else.
    """
    from anamorph.detector import Detector

    return _of_task(load(name, device=device, threads=threads), Detector, "detect")


def load_outlier_finder(
    name: str | os.PathLike[str], *, device: str = "auto", threads: int | None = None
) -> "OutlierFinder":
    """Load a model that finds outliers; arguments and errors are those of ``load``.

    Raises:
        InputError: It does something else.
    """
    from anamorph.outliers import OutlierFinder

    return _of_task(load(name, device=device, threads=threads), OutlierFinder, "outliers")


def _of_task(loaded: "LoadedModel", kind: type[Loaded], task: str) -> Loaded:
    if not isinstance(loaded, kind):
        raise InputError(
            f"{loaded.origin}: is a model for {loaded.card.task!r}, not for {task!r}; see which "
            "are: anamorph models"
        )
    return loaded


def resolve(
    name: str | os.PathLike[str], *, progress: Callable[[int, int | None], None] | None = None
) -> Path:
    """Return the local file of a model, downloaded if need be.

    A path is what is path-like, exists, ends in ``.onnx`` or holds a separator. All else is a name
    of the zoo.

    Args:
        name: As for ``load``.
        progress: Called with the bytes received and the bytes expected, if known.

    Raises:
        ModelNotFoundError: No model answers to the name.
        ModelFileError: It is a folder or cannot be reached, or what was downloaded is no model.
        UnavailableError: It must be downloaded and cannot be.
    """
    text = os.fspath(name)
    if not text.strip():
        raise ModelNotFoundError("the model's name is empty; give a name from: anamorph models")
    if isinstance(name, str) and "://" in text:
        if not text.startswith(_REMOTE):
            raise InputError(f"{text}: addresses start with https:// or hf://")
        return download.fetch(text, progress=progress)
    path = _expanded(text)
    if not isinstance(name, str) or path.suffix == ".onnx" or _has_separator(text):
        check_file(path)
        return path
    # A file shadows a name of the zoo; a folder called photo-x4 does not.
    try:
        check_file(path)
    except ModelNotFoundError:
        found: ModelFileError | None = None
    except ModelFileError as error:
        found = error
    else:
        return path
    try:
        entry = manifest.find(text)
    except ModelNotFoundError:
        if found:
            raise found from None
        raise
    return _locate(entry, progress)


def _has_separator(text: str) -> bool:
    return "/" in text or "\\" in text


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ModelNotFoundError(
            f"{text}: there is no such user's folder; give the path of an .onnx file"
        ) from None


def _locate(model: manifest.ZooModel, progress: Callable[[int, int | None], None] | None) -> Path:
    if model.path.is_file():
        return model.path
    if model.url is None:
        raise ModelNotFoundError(
            f"{model.name}@{model.version}: its file {model.file} is not installed; run: "
            "pip install --force-reinstall anamorph"
        )
    return download.fetch(f"{model.url}#sha256={model.sha256}", progress=progress)
