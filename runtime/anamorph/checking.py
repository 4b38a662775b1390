"""Check again, without PyTorch, what a model's card promises."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm
from pathlib import Path
from typing import Final, Literal

import numpy as np

from anamorph.card import Card
from anamorph.context_probe import Context, Floats, probe_context
from anamorph.errors import AnamorphError, InputError, ModelFileError, ModelNotFoundError
from anamorph.model_file import ModelFile, read_card, read_model
from anamorph.session import Session, open_session

__all__ = ["Context", "Finding", "Report", "check", "probe_context"]

TOLERANCE: Final = 1e-4  # share of the output's range, as the export gate's
_LARGEST_SIDE: Final = 1024  # pixels; probing larger pictures takes minutes
_LARGEST_OUTPUT: Final = 4096  # pixels; the probe holds 16 of them, 3 GB
_STEPS: Final = ((0, 0), (0, 17), (12, 1), (16, 23))  # multiples beyond the least side
_SHORT_STEPS: Final = ((0, 0), (0, 1), (2, 1), (1, 3))  # where multiples are wide


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        name: What was checked, such as ``digest``.
        status: ``ok``, ``failed``, or ``note`` for what is allowed but worth knowing.
        detail: What was found, in a few words.
    """

    name: str
    status: Literal["ok", "failed", "note"]
    detail: str

    @property
    def ok(self) -> bool:
        """Whether the card's promise holds."""
        return self.status != "failed"


@dataclass(frozen=True)
class Report:
    """What was found about one model file.

    Attributes:
        path: The file.
        card: Its card; None if it cannot be read.
        findings: In the order in which they were checked; a failure may end the list early.
    """

    path: Path
    card: Card | None
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return all(finding.ok for finding in self.findings)


def check(path: str | os.PathLike[str], *, device: str = "cpu") -> Report:
    """Check a model file against its card.

    What cannot be tried fails: a card that nobody can test is no better than one that lies.

    Args:
        path: The file.
        device: Device to run it on; context is always probed on the CPU.

    Raises:
        ModelNotFoundError: There is no such file.
        UnavailableError: ONNX Runtime or the device is not there.
    """
    path = Path(path)
    findings: list[Finding] = []
    card = None
    stage = "schema"
    try:
        card = read_card(path)
        findings.append(_ok("schema", f"schema {card.schema[0]}.{card.schema[1]}"))
        stage = "digest"
        model = read_model(path)
        findings.append(_ok("digest", f"sha256 {card.digest}"))
        stage = "graph"
        session = open_session(model, device=device)
        findings.append(_ok("graph", f"agrees with the card, runs on {session.provider}"))
        findings.extend(_run_findings(model, session))
    except ModelNotFoundError:
        raise
    except ModelFileError as error:
        findings.append(_failed(stage, str(error).removeprefix(f"{path}: ")))
    if card:
        findings.append(_gate(card))
    return Report(path, card, tuple(findings))


def _ok(name: str, detail: str) -> Finding:
    return Finding(name, "ok", detail)


def _failed(name: str, detail: str) -> Finding:
    return Finding(name, "failed", detail)


def _judge(name: str, ok: bool, detail: str) -> Finding:
    return Finding(name, "ok" if ok else "failed", detail)


def _gate(card: Card) -> Finding:
    if card.gate is None:
        return Finding("gate", "note", "none recorded: nobody compared it with PyTorch")
    gate = card.gate
    return _judge(
        "gate",
        gate.greatest_error <= gate.tolerance,
        f"error {gate.greatest_error:.1e} of {gate.tolerance:.0e} allowed over "
        f"{len(gate.shapes)} shapes against PyTorch {gate.pytorch}",
    )


def _run_findings(model: ModelFile, session: Session) -> Iterator[Finding]:
    """Run the model; whatever ends that early is the last finding."""
    card = session.card
    named = card.task in ("reconstruct", "detect", "outliers")
    if not named and card.task not in ("upscale", "convert", "vocode"):
        yield _failed(
            "run",
            f"not tried: this version runs no models for {card.task!r}; try: pip install "
            "--upgrade anamorph",
        )
        return
    try:
        if card.task == "upscale":
            yield from _upscaler_findings(model, session)
        elif named:
            yield from _named_findings(session)
        else:
            yield from _sequence_findings(session)
    except MemoryError:
        yield _failed("run", "not enough memory")
    except (ModelFileError, InputError) as error:
        yield _failed("run", str(error).removeprefix(f"{model.origin}: "))


def _sequence_findings(session: Session) -> Iterator[Finding]:
    from anamorph.sequence_checks import sequence_findings

    for name, holds, detail in sequence_findings(session):
        yield Finding(name, "note", detail) if holds is None else _judge(name, holds, detail)


def _named_findings(session: Session) -> Iterator[Finding]:
    from anamorph.named_checks import named_findings

    for name, holds, detail in named_findings(session):
        yield Finding(name, "note", detail) if holds is None else _judge(name, holds, detail)


def _upscaler_findings(model: ModelFile, session: Session) -> Iterator[Finding]:
    card = session.card
    if not _fits(card, largest := max(max(side) for side in _sides(card))):
        yield _failed("shapes", f"not tried: they take pictures of {largest} pixels")
        return
    outputs = _run_sizes(session)
    sizes = ", ".join(f"{width} x {height}" for height, width in outputs)
    yield _ok("shapes", f"{sizes} pixels, each times {card.scale}, in batches of 1 and 2")
    yield (finite := _finite(outputs))
    if not finite.ok:
        return
    yield _range(card, outputs)
    yield _batches(session, outputs)
    yield _determinism(session, outputs)
    try:
        on_cpu = session if session.device == "cpu" else open_session(model, device="cpu")
    except AnamorphError as error:
        yield _failed("context", f"not probed: {error}")
        return
    yield _context(on_cpu)
    yield _tiles(session)


def _least_side(card: Card) -> int:
    return -(-card.minimum_size // card.size_multiple) * card.size_multiple


def _picture(seed: int, height: int, width: int) -> Floats:
    """Return a random picture, float32 (1, 3, height, width) in [0, 1]."""
    return np.random.default_rng(seed).random((1, 3, height, width), np.float32)


def _run_sizes(session: Session) -> dict[tuple[int, int], Floats]:
    """Upscale pictures of least, odd and even sides; the session checks the shapes."""
    sides = _sides(session.card)
    return {(height, width): session.run(_picture(0, height, width)) for height, width in sides}


def _sides(card: Card) -> list[tuple[int, int]]:
    least, multiple = _least_side(card), card.size_multiple
    steps = _STEPS if multiple <= 16 else _SHORT_STEPS
    return [(least + rows * multiple, least + columns * multiple) for rows, columns in steps]


def _fits(card: Card, side: int) -> bool:
    """Return whether square pictures of this side can be tried."""
    return side <= _LARGEST_SIDE and side * card.scale <= _LARGEST_OUTPUT


def _finite(outputs: dict[tuple[int, int], Floats]) -> Finding:
    bad = sum(int(np.count_nonzero(~np.isfinite(output))) for output in outputs.values())
    return _judge("finite", not bad, f"{bad} outputs are NaN or infinite" if bad else "all outputs")


def _range(card: Card, outputs: dict[tuple[int, int], Floats]) -> Finding:
    port = card.outputs[0]
    least = min(float(output.min()) for output in outputs.values())
    greatest = max(float(output.max()) for output in outputs.values())
    inside = (port.minimum is None or least >= port.minimum) and (
        port.maximum is None or greatest <= port.maximum
    )
    return _judge("range", inside, f"{least:.4g} to {greatest:.4g}")


def _batches(session: Session, outputs: dict[tuple[int, int], Floats]) -> Finding:
    """Compare a picture upscaled alone with the same picture beside another."""
    (height, width), alone = list(outputs.items())[-1]
    pair = np.concatenate([_picture(0, height, width), _picture(1, height, width)])
    error = float(np.abs(session.run(pair)[:1] - alone).max())
    return _judge("batches", error <= TOLERANCE, f"a batch of 2 differs from 1 by {error:.1e}")


def _determinism(session: Session, outputs: dict[tuple[int, int], Floats]) -> Finding:
    (height, width), first = list(outputs.items())[-1]
    second = session.run(_picture(0, height, width))
    error = float(np.abs(second - first).max())
    # GPUs may add in another order each time; the CPU may not.
    same = bool(np.array_equal(first, second)) if session.device == "cpu" else error <= TOLERANCE
    return _judge("determinism", same, f"two runs differ by {error:.1e}")


def _context(session: Session) -> Finding:
    card = session.card
    if card.context_before is None or card.context_after is None:
        return Finding("context", "note", "unbounded: the model runs on whole pictures")
    claimed = Context(card.context_before, card.context_after)
    margin = max(8, 2 * card.alignment)
    multiple = lcm(card.alignment, card.size_multiple)
    size = 2 * (max(claimed.before, claimed.after) + margin)
    size = max(_least_side(card), -(-size // multiple) * multiple)
    if not _fits(card, size):
        return _failed("context", f"not probed: it takes a picture of {size} pixels")
    seen = probe_context(session.run, scale=card.scale, size=size)
    text = (
        f"{seen.before} before and {seen.after} after observed, "
        f"{claimed.before} and {claimed.after} on the card"
    )
    if seen.before > claimed.before or seen.after > claimed.after:
        return _failed("context", text)
    if seen != claimed:
        return Finding("context", "note", f"{text}: the card asks for more than was seen")
    return _ok("context", text)


def _tiles(session: Session) -> Finding:
    """Compare the middle of a tile that starts at the alignment with the whole picture."""
    card = session.card
    if card.context_before is None or card.context_after is None:
        return Finding("tiles", "note", "none: the model runs on whole pictures")
    step = lcm(card.alignment, card.size_multiple)
    before = -(-card.context_before // step) * step
    after = -(-card.context_after // step) * step
    body = -(-max(8, card.minimum_size) // step) * step
    side = step + before + body + after + step
    if not _fits(card, side):
        return _failed("tiles", f"not tried: it takes a picture of {side} pixels")
    picture = _picture(0, side, side)
    tile = session.run(picture[:, :, step:-step, step:-step])
    inner = slice(card.scale * before, card.scale * (before + body))
    start = card.scale * (step + before)
    outer = slice(start, start + card.scale * body)
    whole = session.run(picture)[:, :, outer, outer]
    error = float(np.abs(tile[:, :, inner, inner] - whole).max())
    return _judge("tiles", error <= TOLERANCE, f"a tile differs from the whole by {error:.1e}")
