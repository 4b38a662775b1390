"""The learning rate as a function of the step."""

import pytest

from anamorph_training.loop.schedule import two_cosines, warm_cosine


def rate(step: int) -> float:
    return warm_cosine(step, steps=1000, warm_up=100, peak=1e-3, floor=1e-6)


def test_rises_to_the_peak_then_falls_to_the_floor() -> None:
    rates = [rate(step) for step in range(1000)]
    assert rates[0] == pytest.approx(1e-5)
    assert max(rates) == pytest.approx(1e-3)
    assert rates.index(max(rates)) in (99, 100)
    assert rates[-1] == pytest.approx(1e-6)
    assert rates[101:] == sorted(rates[101:], reverse=True)


def test_one_step_and_no_warm_up_are_sane() -> None:
    assert warm_cosine(0, steps=1, warm_up=0, peak=1.0, floor=0.1) == pytest.approx(1.0)
    assert warm_cosine(0, steps=1, warm_up=500, peak=1.0, floor=0.1) == pytest.approx(1 / 500)


def test_two_cosines_end_at_their_floors() -> None:
    def rates(first: int) -> list[float]:
        return [
            two_cosines(
                step,
                steps=30,
                first=first,
                warm_up=2,
                first_floor=0.3,
                second_peak=0.4,
                floor=0.1,
            )
            for step in range(30)
        ]

    made = rates(10)
    assert (made[1], made[9], made[11], made[29]) == pytest.approx((1.0, 0.3, 0.4, 0.1))
    assert made[2:10] == sorted(made[2:10], reverse=True)
    assert made[12:] == sorted(made[12:], reverse=True)
    assert max(rates(0)) == 1
    assert rates(30)[-1] == pytest.approx(0.3)
