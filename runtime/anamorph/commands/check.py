"""`anamorph check`: verify a model file without PyTorch."""

from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from anamorph.checking import Finding, Report
from anamorph.checking import check as run_checks
from anamorph.commands.progress import locate
from anamorph.errors import AnamorphError, UsageError
from anamorph.providers import Device


def check(
    *models: str, device: Device = "cpu", json: Annotated[bool, Parameter(negative=())] = False
) -> int:
    """Verify model files: card, digest, shapes, finiteness, determinism and context.

    Args:
        models: Names (see `anamorph models`), paths, https:// or hf:// addresses.
        device: Where to run.
        json: Print one JSON object per model.
    """
    if not models:
        raise UsageError("no model given; name one from `anamorph models`, or a path")
    failed = False
    for model in models:
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
