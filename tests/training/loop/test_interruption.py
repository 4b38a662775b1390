"""Ctrl-C asks once."""

import os
import signal

import pytest

from anamorph_training.loop.interruption import Interruption


def test_the_first_signal_asks_and_the_second_kills() -> None:
    with Interruption() as interruption:
        assert not interruption.asked
        os.kill(os.getpid(), signal.SIGINT)
        assert interruption.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interruption():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_leaves_as_the_signal_would() -> None:
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interruption.leave()
    with Interruption() as interruption:
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        interruption.leave()
    assert left.value.code == 143
