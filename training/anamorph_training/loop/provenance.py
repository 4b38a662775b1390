"""Where the weights of a run come from, as its card will tell."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anamorph.errors import InputError
from anamorph_training.loop.effort import Spent
from anamorph_training.loop.run_folder import code_revision, settings, write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from anamorph.card import Dataset

Record = dict[str, Any]
"""The fields of `anamorph.card.Provenance`, as JSON values."""

_FILE: Final = "provenance.json"


def make_record(
    *,
    recipe: str,
    config: "DataclassInstance",
    datasets: "list[Dataset]",
    seed: int,
    steps: int,
    spent: Spent,
    start: Record | None = None,
    voice: Record | None = None,
) -> Record:
    """Return the fields of `anamorph.card.Provenance` that are known so far.

    Args:
        recipe: Name of its module.
        config: Its configuration; fields that are paths are left out.
        datasets: What was learnt from.
        seed: Of weights and data.
        steps: Done so far.
        spent: Time of this run.
        start: The run whose weights this one began with, as `describe_start` returns it.
        voice: The converter that made what this one is shown, as `describe_model` returns it.
    """
    import msgspec

    record = {
        "recipe": recipe,
        "config": settings(config),
        "seed": seed,
        "steps": steps,
        "cpu_hours": round(spent.cpu_hours, 4),
        "gpu_hours": round(spent.gpu_hours, 4),
        "datasets": msgspec.to_builtins(datasets),
        "code_revision": code_revision(),
    }
    return record | {k: v for k, v in (("start", start), ("voice", voice)) if v}


def check_datasets(run: Path, kept: Record | None, datasets: "list[Dataset]") -> None:
    """See that a run continues on the very data that it began with.

    Args:
        run: Folder of the run.
        kept: What its checkpoint keeps; without it, ``provenance.json`` counts.
        datasets: Data at hand.

    Raises:
        InputError: The data have changed since the last checkpoint.
    """
    before = kept or read_provenance(run)
    if before is None:
        return
    if [one["digest"] for one in before["datasets"]] != [one.digest for one in datasets]:
        raise InputError(
            f"{run}: its data have changed since it began; restore them, or choose another --out"
        )


def check_voice(run: Path, kept: Record | None, voice: Record | None, *, option: str) -> None:
    """See that a run continues on what the very converter makes that it began with.

    Args:
        run: Folder of the run.
        kept: What its checkpoint keeps; without it, ``provenance.json`` counts.
        voice: The converter at hand, as `describe_model` returns it; None for none.
        option: That it was given as.

    Raises:
        InputError: It is another one, or was trained further.
    """
    before = (kept or read_provenance(run) or {}).get("voice")
    was, now = ((one or {}).get("checkpoint") for one in (before, voice))
    if was != now:
        raise InputError(
            f"{run}: its {option} has changed since it began; give the same one at the same "
            "checkpoint, none if there was none, or choose another --out"
        )


def write_provenance(run: Path, record: Mapping[str, Any]) -> None:
    """Write ``provenance.json``, which export reads."""
    write_json(run / _FILE, record)


def mend_provenance(run: Path, record: Record) -> None:
    """Write ``provenance.json`` where it does not belong to the checkpoint that a run goes on from.

    A kill may come between the two.

    Args:
        run: Folder of the run.
        record: As of that checkpoint.
    """
    found = read_provenance(run)
    if found is None or found.get("steps") != record["steps"]:
        write_provenance(run, record)


def read_provenance(run: Path) -> Record | None:
    """Return what ``provenance.json`` holds; None where there is none, or a damaged one."""
    try:
        record: Record = json.loads((run / _FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return record
