"""`anamorph check`: verify a model file without PyTorch."""

import sys
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter

from anamorph.checking import check as run_checks
from anamorph.commands.progress import locate
from anamorph.errors import InputError

Device = Literal["auto", "cpu", "cuda", "tensorrt", "coreml", "directml", "openvino"]


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
        raise InputError("no model given; name one from `anamorph models`, or a path")
    failed = False
    for model in models:
        report = run_checks(locate(model), device=device)
        failed |= not report.ok
        if json:
            fields = {"model": model, "ok": report.ok, "findings": report.findings}
            sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
            continue
        print(f"{model}: {'ok' if report.ok else 'FAILED'}")
        for finding in report.findings:
            print(f"  {finding.status:<6}  {finding.name:<14} {finding.detail}")
    return 1 if failed else 0
