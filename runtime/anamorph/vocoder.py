"""Turn log-mel spectrograms into sound."""

import numpy as np

from anamorph.audio import Audio
from anamorph.chunks import plan_chunks, run_chunks
from anamorph.errors import InputError
from anamorph.loaded_model import LoadedModel


class Vocoder(LoadedModel):
    """Turns log-mel spectrograms into waveforms; made by ``anamorph.load``.

    Args:
        session: What runs the graph.
    """

    def __repr__(self) -> str:
        return f"Vocoder({self.origin}, {self.card.sample_rate} Hz, {self.provider})"

    def synthesize(self, mel: np.ndarray, *, chunk: int | None = None) -> Audio:
        """Turn a log-mel spectrogram into the sound that it is of.

        Args:
            mel: float32 (bands, frames), natural log of amplitude, as the card's input describes
                it; frames are ``card.hop_length`` samples apart.
            chunk: Greatest number of frames that are run at once, context included; fewer need
                less memory, the result is the same to 1e-4. None chooses.

        Raises:
            InputError: The spectrogram has another shape or holds NaN, or the chunk is too short.
            ModelFileError: The graph fails on it.
        """
        bands = len(self.card.inputs[0].channels)
        given = np.asarray(mel, np.float32)
        if given.ndim != 2 or given.shape[0] != bands or not given.shape[1]:
            raise InputError(
                f"mel of shape {given.shape}: accepted is ({bands}, frames), one frame at least"
            )
        if not np.isfinite(given).all():
            raise InputError("mel: holds NaN or infinity; floor amplitudes before the logarithm")
        plan = plan_chunks(self.card, given.shape[1], chunk=chunk)
        beyond = plan[-1].read_stop - given.shape[1]
        batch = np.pad(given, ((0, 0), (0, beyond)), mode="edge")[np.newaxis]
        pieces = run_chunks(self._session, plan, lambda start, stop: batch[..., start:stop])
        return Audio(np.concatenate(list(pieces), axis=1)[0], self.card.sample_rate, self.origin)
