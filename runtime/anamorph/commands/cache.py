"""`anamorph cache`: list or remove downloaded models."""

from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from anamorph import cache as store
from anamorph.errors import UsageError

cache = App(
    name="cache",
    help="List or remove downloaded models.",
    help_epilogue="Examples:\n  anamorph cache list\n  anamorph cache remove --all",
    help_format="plaintext",
)


@cache.command(name="list")
def list_entries(*, json: Annotated[bool, Parameter(negative=())] = False) -> int:
    """List downloaded models and the address that each came from.

    Args:
        json: Print one JSON object per model.
    """
    entries = store.entries()
    for entry in entries:
        if json:
            fields = {"source": entry.source, "path": str(entry.path), "bytes": entry.size}
            print(msgspec.json.encode(fields).decode())
        else:
            print(f"{entry.size / 1e6:>8.2f} MB  {entry.source}")
    if not json:
        print(f"{len(entries)} models in {store.cache_folder()}")
    return 0


@cache.command
def remove(
    *sources: str, everything: Annotated[bool, Parameter("--all", negative=())] = False
) -> int:
    """Remove downloaded models.

    Args:
        sources: Addresses or file names, as `anamorph cache list` shows them.
        everything: Remove every downloaded model.
    """
    if bool(sources) == everything:
        raise UsageError("name what to remove (see `anamorph cache list`), or give --all")
    for selection in ["all"] if everything else sources:
        for entry in store.remove(selection):
            print(f"removed {entry.source}")
    return 0
