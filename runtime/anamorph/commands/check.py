"""`anamorph check`: verify a model file without PyTorch."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from anamorph import manifest
from anamorph.checking import Finding, Report
from anamorph.checking import check as run_checks
from anamorph.commands.progress import locate
from anamorph.errors import AnamorphError, UsageError
from anamorph.providers import Device


def check(
    *models: str, device: Device = "cpu", json: Annotated[bool, Parameter(negative=())] = False
) -> int:
    """Verify model files: card, digest, shapes, finiteness, determinism and context.

    Of a model of several files in the zoo, such as an encoder and a decoder, all are verified.

    Args:
        models: Names (see `anamorph models`), paths, https:// or hf:// addresses.
        device: Where to run.
        json: Print one JSON object per model.
    """
    if not models:
        raise UsageError("no model given; name one from `anamorph models`, or a path")
    failed = False
    for model in _with_siblings(models):
        try:
            report = run_checks(locate(model), device=device)
        except AnamorphError as error:
            report = Report(Path(model), None, (Finding("load", "failed", str(error)),))
        failed |= not report.ok
        if json:
            fields = {"model": model, "ok": report.ok, "findings": report.findings}
            print(msgspec.json.encode(fields).decode())
            continue
        print(f"{model}: {'ok' if report.ok else 'FAILED'}")
        for finding in report.findings:
            print(f"  {finding.status:<6}  {finding.name:<14} {finding.detail}")
    return 1 if failed else 0


def _with_siblings(models: tuple[str, ...]) -> Iterator[str]:
    """Yield each model, and after a name of the zoo the paths of the other files of its family."""
    for model in models:
        yield model
        with suppress(AnamorphError):
            first = manifest.find(model)
            for entry in manifest.models():
                same = (entry.name, entry.version) == (first.name, first.version)
                if same and entry.role != first.role and entry.path.is_file():
                    yield str(entry.path)
