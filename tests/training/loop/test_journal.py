"""Metrics without doubles, and progress that reads well."""

import io
from pathlib import Path

from anamorph_training.loop.journal import Journal, Progress, clock, read_metrics


def test_a_resume_drops_what_lies_beyond_the_checkpoint(tmp_path: Path) -> None:
    with Journal(tmp_path, step=0, tensorboard=False) as journal:
        for step in range(1, 6):
            journal.write(step, loss=step / 10)
    with (tmp_path / "metrics.jsonl").open("a") as stream:
        stream.write('{"step": 6, "lo')  # a kill in mid-line
    with Journal(tmp_path, step=3, tensorboard=False) as journal:
        journal.write(4, loss=9.0)
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["loss"] == 9.0


def test_writes_events_for_tensorboard(tmp_path: Path) -> None:
    with Journal(tmp_path, step=0, tensorboard=True) as journal:
        journal.write(1, loss=0.5)
    assert list((tmp_path / "events").iterdir())


def test_progress_tells_steps_and_time_left() -> None:
    stream = io.StringIO()
    progress = Progress(100, stream)
    progress.show(1, loss=0.5)
    progress.show(2, loss=0.4)  # too soon for another line
    progress.show(100, loss=0.1)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "step 100/100" in lines[1]
    assert "left" in lines[1]
    assert "loss 0.1" in lines[1]


def test_durations_read_as_clocks() -> None:
    assert clock(59.6) == "0:01:00"
    assert clock(3 * 3600 + 61) == "3:01:01"
