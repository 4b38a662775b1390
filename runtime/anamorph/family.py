"""The files of a model that deploys as several graphs, such as an encoder and a decoder."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from anamorph import cache
from anamorph.card import Card
from anamorph.errors import ModelFileError, ModelNotFoundError
from anamorph.model_file import check_file, read_card


def find_family(
    name: str | os.PathLike[str],
    path: Path,
    roles: Iterable[str],
    *,
    resolve: Callable[[str], Path],
) -> dict[str, Path]:
    """Return the files of all roles of a model, by role.

    They lie beside each other, or at addresses that differ in the role alone.

    Args:
        name: What the user calls one of them.
        path: Its local file.
        roles: That are needed.
        resolve: Returns the local file of an address.

    Raises:
        ModelNotFoundError: A role is missing.
        ModelFileError: A file belongs to another training of the family, or cannot be read.
    """
    address = name.partition("#")[0] if isinstance(name, str) and "://" in name else ""
    address = address or _downloaded_from(path)
    if not address:
        return find_siblings(path, roles)
    own = read_card(path)
    ending = f".{own.role}.onnx"
    if not address.endswith(ending):
        raise ModelNotFoundError(
            f"{address}: is the {own.role} of {own.name}, but does not end in {ending}, so that "
            "the rest cannot be found; download all its files into one folder"
        )
    found = {own.role: path}
    for role in roles:
        if role != own.role:
            found[role] = resolve(f"{address.removesuffix(ending)}.{role}.onnx")
            _check_sibling(found[role], role, own, path)
    return found


def find_siblings(path: Path, roles: Iterable[str]) -> dict[str, Path]:
    """Return the files of a family that deploys as several graphs, by role.

    Args:
        path: File of one role, such as ``faces.encoder.onnx``.
        roles: Roles that are needed, such as ``("encoder", "decoder")``.

    Raises:
        ModelNotFoundError: A role is missing beside the file.
        ModelFileError: A sibling belongs to another training of the family, or cannot be read.
    """
    own = read_card(path)
    found = {own.role: path}
    for role in roles:
        if role == own.role:
            continue
        sibling = path.with_name(f"{own.family}.{role}.onnx")
        try:
            check_file(sibling)
        except ModelNotFoundError:
            raise ModelNotFoundError(
                f"{path}: needs {sibling.name} beside it; copy it into the same folder"
            ) from None
        _check_sibling(sibling, role, own, path)
        found[role] = sibling
    return found


def _downloaded_from(path: Path) -> str:
    """Return the address that a file of the cache came from; empty for files elsewhere."""
    if cache.cache_folder() not in path.parents:
        return ""
    return next((entry.source for entry in cache.entries() if entry.path == path), "")


def check_digest(cards: Sequence[Card], origin: str) -> None:
    """See that files are those that were exported together.

    Their shared digest is the SHA-256 over the digests of all of them, in the order of their roles.

    Args:
        cards: Of all files of a model, whose own digests were checked.
        origin: One of them, for messages.

    Raises:
        ModelFileError: A file belongs to another export.
    """
    whole = hashlib.sha256(b"".join(bytes.fromhex(card.digest) for card in cards)).hexdigest()
    if any(card.family_digest != whole for card in cards):
        raise ModelFileError(
            f"{origin}: its files were not exported together; use the files of one export"
        )


def _check_sibling(sibling: Path, role: str, own: Card, path: Path) -> None:
    card = read_card(sibling)
    if (card.family, card.role, card.family_digest) != (own.family, role, own.family_digest):
        raise ModelFileError(
            f"{sibling}: does not belong to {path.name}; use the files of one export"
        )
