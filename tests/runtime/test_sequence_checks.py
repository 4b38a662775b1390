"""`anamorph check` on converters and vocoders: truth passes, each lie is found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.runtime.tiny_voices import tiny_converter, tiny_vocoder

from anamorph.checking import Report, check

NAMES = ["schema", "digest", "graph", "shapes", "finite", "batches", "determinism"]
NAMES += ["context", "chunks", "gate"]
EACH = pytest.mark.parametrize("make", [tiny_converter, tiny_vocoder])
Make = Callable[..., Path]


def failed(report: Report) -> list[str]:
    return [finding.name for finding in report.findings if not finding.ok]


def detail(report: Report, name: str) -> str:
    return next(finding.detail for finding in report.findings if finding.name == name)


@EACH
def test_a_true_card_passes(make: Make, tmp_path: Path) -> None:
    report = check(make(tmp_path / "tiny.onnx"))
    assert report.ok, report.findings
    assert [finding.name for finding in report.findings] == NAMES
    assert [one.name for one in report.findings if one.status == "note"] == ["gate"]


@EACH
def test_a_true_card_with_a_least_length_passes(make: Make, tmp_path: Path) -> None:
    report = check(make(tmp_path / "tiny.onnx", minimum_size=300, size_multiple=4))
    assert report.ok, report.findings


@EACH
@pytest.mark.parametrize("side", ["context_before", "context_after"])
def test_a_context_that_is_too_small_fails(make: Make, side: str, tmp_path: Path) -> None:
    report = check(make(tmp_path / "tiny.onnx", **{side: 0}))
    assert failed(report) == ["context", "chunks"]


@EACH
def test_a_looser_context_is_noted(make: Make, tmp_path: Path) -> None:
    report = check(make(tmp_path / "tiny.onnx", context_after=9))
    assert report.ok
    assert "observed" in detail(report, "context")


@EACH
def test_unbounded_context_is_noted_and_not_probed(make: Make, tmp_path: Path) -> None:
    report = check(make(tmp_path / "tiny.onnx", context_before=None))
    assert report.ok
    assert "whole recordings" in detail(report, "context")


@EACH
def test_a_context_too_long_to_probe_fails(make: Make, tmp_path: Path) -> None:
    report = check(make(tmp_path / "tiny.onnx", context_before=900_000))
    assert failed(report) == ["context"]


def test_numbers_that_are_none_fail(tmp_path: Path) -> None:
    report = check(tiny_converter(tmp_path / "tiny.onnx", gain=float("inf")))
    assert "finite" in failed(report)


def test_a_false_hop_fails(tmp_path: Path) -> None:
    liar: dict[str, Any] = {"hop_length": 3}
    assert failed(check(tiny_vocoder(tmp_path / "tiny.onnx", **liar))) == ["run"]
