"""What is measured of vocoders' copies."""

import numpy as np

from anamorph_training.evaluation.copying import lend_phases

RATE = 22050


def tones(low: float, high: float, *, gain: float = 1.0) -> np.ndarray:
    """Return a second of 300 and 3000 Hz, which begin at these phases."""
    time = np.arange(RATE // 256 * 256) / RATE
    both = np.sin(2 * np.pi * 300 * time + low) + np.sin(2 * np.pi * 3000 * time + high)
    return (gain * both).astype(np.float32)


def test_phases_are_lent_up_to_a_frequency() -> None:
    lent = lend_phases(tones(1.0, 1.0), tones(0.0, 0.0, gain=0.5), 1000)
    inner = slice(2048, -2048)  # at its ends a frame holds no whole tone
    np.testing.assert_allclose(lent[inner], tones(0.0, 1.0)[inner], atol=0.02)


def test_phases_of_its_own_change_nothing() -> None:
    sound = tones(0.3, 0.6)
    np.testing.assert_allclose(lend_phases(sound, sound, 4000), sound, atol=1e-4)
