"""The benchmark compares round by round and reports what it measured."""

import time

from anamorph_training.bench.rounds import ratio, time_interleaved


def test_contestants_alternate_and_the_first_round_is_not_counted() -> None:
    order: list[str] = []
    seconds = time_interleaved(
        {"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3
    )
    assert order == ["b", "a", "a", "b", "b", "a", "a", "b"]
    assert {name: len(times) for name, times in seconds.items()} == {"a": 3, "b": 3}


def test_a_contestant_twice_as_slow_has_a_ratio_of_two() -> None:
    seconds = time_interleaved(
        {"slow": lambda: time.sleep(0.1), "fast": lambda: time.sleep(0.05)}, rounds=3
    )
    measured = ratio(seconds, "slow", "fast", bound=1.5)
    assert 1.8 < measured.median < 2.2
    assert not measured.holds


def test_the_median_ratio_is_of_rounds_and_not_of_medians() -> None:
    seconds = {"a": [1.0, 2.0, 30.0], "b": [1.0, 4.0, 10.0]}
    measured = ratio(seconds, "a", "b", bound=1.0)
    assert (measured.least, measured.median, measured.greatest) == (0.5, 1.0, 3.0)
    assert measured.holds
