import os
from pathlib import Path

import pytest

from anamorph import threads
from anamorph.errors import InputError


def test_default_stays_within_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANAMORPH_THREADS", raising=False)
    assert 1 <= threads.default_threads() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_getaffinity"):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
        assert threads.default_threads() == 1


def test_hardware_threads_of_one_core_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANAMORPH_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(threads, "_siblings", lambda cpu: f"{cpu % 2},{cpu % 2 + 2}")
    monkeypatch.setattr(threads, "_quota", lambda: 100)
    assert threads.default_threads() == 2


def test_without_affinity_all_processors_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert threads._cores() == 6


def test_unknown_topology_counts_processors() -> None:
    assert threads._siblings(123_456) == "cpu123456"


def test_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANAMORPH_THREADS", "7")
    assert threads.default_threads() == 7
    monkeypatch.setenv("ANAMORPH_THREADS", "many")
    with pytest.raises(InputError, match="ANAMORPH_THREADS=many: give a whole number"):
        threads.default_threads()


@pytest.mark.parametrize(
    ("content", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 1 << 30)],
)
def test_quota_of_a_container_is_respected(tmp_path: Path, content: str, expected: int) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(content)
    assert threads._quota(path) == expected
    assert threads._quota(tmp_path / "none") == 1 << 30
