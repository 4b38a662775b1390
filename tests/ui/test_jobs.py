"""Turns: one job at a time, in order, a bounded number waiting."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from anamorph_ui.jobs import BusyError, CalledOffError, Desk, Job


@contextmanager
def take_turn(desk: Desk, job: Job) -> Iterator[None]:
    desk.enter(job)
    with desk.turn(job):
        yield


def test_jobs_are_served_one_by_one_in_their_order() -> None:
    desk, order, together = Desk(waiting=8), [], 0
    at_work = 0

    def work(number: int) -> None:
        nonlocal at_work, together
        with take_turn(desk, Job()):
            at_work += 1
            together = max(together, at_work)
            time.sleep(0.02)
            order.append(number)
            at_work -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(5)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        while desk.length < number and number not in order:
            time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert (order, together, desk.length) == ([0, 1, 2, 3, 4], 1, 0)


def test_one_more_than_may_wait_is_told_to_come_back() -> None:
    desk = Desk(waiting=0)
    full = pytest.raises(BusyError, match="1 jobs are at work or wait, 1 are the most")
    with take_turn(desk, Job()), full, take_turn(desk, Job()):
        raise AssertionError("its turn has not come")
    with take_turn(desk, Job()):
        assert desk.length == 1


def test_a_waiting_job_is_told_its_place_and_can_be_called_off() -> None:
    desk, told = Desk(waiting=1), list[str]()

    def show(share: float, words: str) -> None:
        told.append(words)
        job.call_off()

    job = Job(show)
    with take_turn(desk, Job()), pytest.raises(CalledOffError), take_turn(desk, job):
        raise AssertionError("its turn has not come")
    assert told == ["waiting: 1 before you"]
    assert desk.length == 0


def test_progress_tells_the_share_and_the_time_left() -> None:
    told: list[tuple[float, str]] = []
    job = Job(lambda share, words: told.append((share, words)))
    job._begun -= 10  # ten seconds have passed
    job.progress(0.25)
    with job.part(1, 2):
        job.progress(0.5)
    job.progress(1.0)
    assert told == [(0.25, "30 s left"), (0.75, "3 s left"), (1.0, "nearly done")]


def test_a_job_that_was_called_off_ends_at_its_next_step() -> None:
    job = Job()
    job.call_off()
    with pytest.raises(CalledOffError):
        job.progress(0.5)


def test_whoever_leaves_the_line_makes_room() -> None:
    desk, first, second = Desk(waiting=1), Job(), Job()
    desk.enter(first)
    desk.enter(second)
    desk.leave(first)
    desk.leave(first)  # nobody stands there any more
    with desk.turn(second):
        assert desk.length == 1


def test_a_desk_that_closes_calls_everything_off() -> None:
    desk, first, second = Desk(waiting=1), Job(), Job()
    desk.enter(first)
    desk.enter(second)
    desk.close()
    for job in (first, second):
        with pytest.raises(CalledOffError), desk.turn(job):
            raise AssertionError("it was called off")
    with pytest.raises(BusyError, match="about to end"):
        desk.enter(Job())
    assert desk.length == 0
