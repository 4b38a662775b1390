"""The files of a model that deploys as several graphs, such as an encoder and a decoder."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

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
    if not isinstance(name, str) or "://" not in name:
        return find_siblings(path, roles)
    own, address = read_card(path), name.partition("#")[0]
    ending = f".{own.role}.onnx"
    if not address.endswith(ending):
        raise ModelNotFoundError(
            f"{name}: is the {own.role} of {own.name}, and its address does not end in {ending}, "
            "so that the rest cannot be found; download all its files into one folder"
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


def _check_sibling(sibling: Path, role: str, own: Card, path: Path) -> None:
    card = read_card(sibling)
    if (card.family, card.role, card.family_digest) != (own.family, role, own.family_digest):
        raise ModelFileError(
            f"{sibling}: does not belong to {path.name}; use the files of one export"
        )
