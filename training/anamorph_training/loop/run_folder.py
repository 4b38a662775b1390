"""The folder of a run: opened anew, or continued where its configuration is the same."""

import dataclasses
import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anamorph.errors import InputError, OutputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader finds the old file or the new one, never half of one."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, ensure_ascii=False)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def settings(config: "DataclassInstance") -> dict[str, Any]:
    """Return a configuration as JSON values, without the fields that are paths.

    Paths say where things lie on one machine; they neither decide the weights nor belong in a card.
    """
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if "Path" not in str(field.type)
    }


def open_run(run: Path, recipe: str, config: "DataclassInstance") -> None:
    """Make the folder of a run, or check that it belongs to the same recipe and configuration.

    A run that never reached a checkpoint has nothing to lose: it starts anew.

    Args:
        run: Folder, made where absent.
        recipe: Name of the recipe's module.
        config: Its configuration; fields that are paths may differ.

    Raises:
        InputError: The folder holds something else.
        OutputError: It cannot be made or written.
    """
    code_revision()  # remembered now: the sources may change while the run lasts
    file = run / "config.json"
    wanted = {"recipe": recipe, "config": settings(config)}
    try:
        begun = file.exists() and any((run / "checkpoints").glob("*.safetensors"))
        if not begun:
            _begin(run, file, wanted)
            return
        _check_same(run, file, wanted)
        with tempfile.TemporaryFile(dir=run):  # said now, not at the first checkpoint
            pass
    except OSError as error:
        raise OutputError(
            f"{run}: a run cannot be kept there ({error.strerror}); choose another --out"
        ) from None


def _begin(run: Path, file: Path, wanted: dict[str, Any]) -> None:
    if not file.exists() and run.exists() and (not run.is_dir() or any(run.iterdir())):
        raise InputError(f"{run}: exists and holds no run; choose another --out")
    run.mkdir(parents=True, exist_ok=True)
    write_json(file, wanted)


def _check_same(run: Path, file: Path, wanted: dict[str, Any]) -> None:
    recipe = wanted["recipe"]
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        before, now = found["config"], json.loads(json.dumps(wanted["config"]))
        differing = sorted(k for k in before | now if before.get(k) != now.get(k))
        same_recipe = found["recipe"] == recipe
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: is damaged ({error}); choose another --out") from None
    if not same_recipe:
        raise InputError(
            f"{run}: holds a run of {found['recipe']}, not {recipe}; choose another --out"
        )
    if differing:
        changes = ", ".join(f"{k} {before.get(k)} -> {now.get(k)}" for k in differing)
        raise InputError(
            f"{run}: its run has another configuration ({changes}); "
            "repeat the former one to continue it, or choose another --out"
        )


@cache
def code_revision() -> str:
    """Return the git revision of the code that runs, marked where it differs; empty if none."""
    try:
        # An installed copy may lie inside a repository that is not ours.
        _git("ls-files", "--error-unmatch", __file__)
        return _git("describe", "--always", "--dirty", "--abbrev=12")
    except (OSError, subprocess.SubprocessError):
        return ""


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
