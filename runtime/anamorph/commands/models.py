"""`anamorph models`: list the models that can be used by name."""

from typing import Annotated

import msgspec
from cyclopts import Parameter

from anamorph import manifest
from anamorph.card import Card
from anamorph.commands.info import task_of


def models(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """List the models that can be used by name; one of several files is one model.

    Args:
        json: Print one JSON object per model: name, version, task, size and description.
    """
    families: dict[tuple[str, int], list[manifest.ZooModel]] = {}
    for entry in manifest.models():
        families.setdefault((entry.name, entry.version), []).append(entry)
    for entries in families.values():
        entry, size = entries[0], sum(one.size for one in entries)
        card = entry.card() if entry.path.is_file() else None
        if json:
            print(msgspec.json.encode(_fields(entry, card) | {"bytes": size}).decode())
        else:
            name = f"{entry.name}@{entry.version}"
            where = card.description if card else "not downloaded yet; fetched on first use"
            task = task_of(card) if card else ""
            print(f"{name:<20} {size / 1e6:>6.2f} MB  {task:<12} {where}")
    return 0


def _fields(entry: manifest.ZooModel, card: Card | None) -> dict[str, object]:
    return {
        "name": entry.name,
        "version": entry.version,
        "bytes": entry.size,
        "here": card is not None,
        "task": card.task if card else None,
        "scale": card.scale if card else None,
        "licence": card.licence if card else None,
        "description": card.description if card else None,
    }
