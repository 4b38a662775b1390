"""The zoo: which models have a name, and where their files are."""

import difflib
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from anamorph.card import Card, Count, Name, Sha256
from anamorph.errors import ModelFileError, ModelNotFoundError
from anamorph.model_file import read_card, read_model

ZOO: Final = Path(__file__).parent / "zoo"
MANIFEST_NAME: Final = "manifest.json"

FileName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9._@-]*\.onnx$", max_length=120)]


class ZooModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model of the zoo.

    Attributes:
        name: Name that it is loaded by.
        version: Version of the weights, counted from 1.
        role: Part of a family of files of one name; ``model`` where there is only one.
        file: File in the zoo's folder.
        sha256: Of the whole file.
        size: Bytes of the file.
        url: Where to download it if the folder lacks it; null if nowhere.
    """

    name: Name
    version: Count
    role: Name = "model"
    file: FileName
    sha256: Sha256
    size: Count
    url: str | None = None

    @property
    def path(self) -> Path:
        """Where the file lies if the package carries it."""
        return ZOO / self.file

    def card(self) -> Card:
        """Read the card, if the package carries the file.

        Raises:
            ModelNotFoundError: It does not.
            ModelFileError: The file is damaged.
        """
        return read_card(self.path)


class _Manifest(msgspec.Struct, frozen=True):
    models: tuple[ZooModel, ...]


def models(folder: Path | None = None) -> tuple[ZooModel, ...]:
    """Return the zoo's models, by name and then by version, newest first; encoders come first.

    Args:
        folder: Folder that holds ``manifest.json``; None takes the package's own.

    Raises:
        ModelFileError: The manifest is missing or damaged.
    """
    path = (folder or ZOO) / MANIFEST_NAME
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Manifest).models
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelFileError(
            f"{path}: the list of models is missing or damaged ({error}); install anamorph again"
        ) from None
    return tuple(sorted(found, key=_place))


def _place(model: ZooModel) -> tuple[str, int, bool, str]:
    return model.name, -model.version, model.role != "encoder", model.role


def find(name: str) -> ZooModel:
    """Return the model of a name, such as ``photo-x4``, or of one version, such as ``photo-x4@1``.

    Of a family of several files it is the encoder.

    Raises:
        ModelNotFoundError: The zoo has no such model or version.
    """
    wanted, _, version = name.partition("@")
    known = models()
    versions = [model for model in known if model.name == wanted]
    if versions and not version and not name.endswith("@"):
        return versions[0]
    for model in versions:
        if str(model.version) == version:
            return model
    if versions:
        have = ", ".join(f"{model.name}@{model.version}" for model in versions)
        raise ModelNotFoundError(f"{name}: the zoo has no such version, only {have}")
    names = sorted({model.name for model in known})
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ModelNotFoundError(
        f"{name}: no model of this name; {hint}give a path, an https:// or hf:// address, or a "
        "name from: anamorph models"
    )


def describe(path: Path, *, url: str | None = None) -> ZooModel:
    """Return the manifest's entry for a model file; name and version come from its card.

    Raises:
        ModelFileError: The file is damaged or differs from its digest.
    """
    model = read_model(path)
    return ZooModel(
        name=model.card.name,
        version=model.card.model_version,
        role=model.card.role,
        file=path.name,
        sha256=hashlib.sha256(model.data).hexdigest(),
        size=len(model.data),
        url=url,
    )


def write_manifest(folder: Path, urls: dict[str, str] | None = None) -> tuple[ZooModel, ...]:
    """Describe the .onnx files of a folder in its ``manifest.json``, and return the entries.

    Entries of files that have moved out of the folder are kept if they have an address.

    Args:
        folder: The zoo's folder.
        urls: Address by file name, for files that have one.

    Raises:
        ModelFileError: A file is damaged, or two have the same name and version.
    """
    urls = urls or {}
    old = {model.file: model for model in _existing(folder)}
    entries = {model.file: model for model in old.values() if model.url}
    for path in sorted(folder.glob("*.onnx")):
        known = old.get(path.name)
        entries[path.name] = describe(
            path, url=urls.get(path.name) or (known.url if known else None)
        )
    _refuse_twins(entries.values())
    ordered = tuple(
        sorted(entries.values(), key=lambda model: (model.name, model.version, model.file))
    )
    encoded = msgspec.json.format(msgspec.json.encode(_Manifest(ordered)), indent=2)
    (folder / MANIFEST_NAME).write_bytes(encoded + b"\n")
    return models(folder)


def _existing(folder: Path) -> Sequence[ZooModel]:
    return models(folder) if (folder / MANIFEST_NAME).exists() else ()


def _refuse_twins(entries: Iterable[ZooModel]) -> None:
    seen: dict[tuple[str, int, str], str] = {}
    for entry in entries:
        twin = seen.setdefault((entry.name, entry.version, entry.role), entry.file)
        if twin != entry.file:
            raise ModelFileError(
                f"{entry.file}: is {entry.name}@{entry.version} as {twin} is; raise the "
                "model_version of one"
            )
