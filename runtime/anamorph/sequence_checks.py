"""What `anamorph check` tries on models that make waveforms: converters and vocoders."""

from collections.abc import Iterator
from typing import Final, Protocol

import numpy as np

from anamorph.card import Card
from anamorph.chunks import geometry_of, plan_chunks, run_chunks
from anamorph.context_probe import Context, Floats, probe_sequence
from anamorph.session import Session

TOLERANCE: Final = 1e-4  # of full scale
_LONGEST: Final = 2**19  # samples made at once; 24 seconds at 22.05 kHz
_MARGIN: Final = 8  # steps beyond the context that are looked at

Result = tuple[str, bool | None, str]
"""Name of a finding, whether it holds (None: worth knowing), and what was found."""


class _Make(Protocol):
    def __call__(self, length: int, seed: int = 0) -> Floats:
        """Return an input of so many steps."""


def sequence_findings(session: Session) -> Iterator[Result]:
    """Run a converter or a vocoder on made-up input; the session checks the shapes.

    Raises:
        ModelFileError: The graph fails, or returns another shape than its card says.
    """
    card = session.card
    make = _maker(card)
    step = max(card.alignment, card.size_multiple)
    least = -(-card.minimum_size // card.size_multiple) * card.size_multiple
    lengths = [least, least + card.size_multiple, least + 3 * step, least + 17 * step]
    outputs = [session.run(make(length)[np.newaxis]) for length in lengths]
    yield "shapes", True, f"{', '.join(map(str, lengths))} steps, in batches of 1 and 2"
    bad = sum(int(np.count_nonzero(~np.isfinite(output))) for output in outputs)
    yield "finite", not bad, f"{bad} outputs are NaN or infinite" if bad else "all outputs"
    if bad:
        return
    pair = np.stack([make(lengths[-1]), make(lengths[-1], seed=1)])
    error = float(np.abs(session.run(pair)[:1] - outputs[-1]).max())
    yield "batches", error <= TOLERANCE, f"a batch of 2 differs from 1 by {error:.1e}"
    error = float(np.abs(session.run(make(lengths[-1])[np.newaxis]) - outputs[-1]).max())
    same = error == 0 if session.device == "cpu" else error <= TOLERANCE
    yield "determinism", same, f"two runs differ by {error:.1e}"
    if card.context_before is None or card.context_after is None:
        yield "context", None, "unbounded: the model runs on whole recordings"
        return
    yield from _finite_findings(session, make, Context(card.context_before, card.context_after))


def probe(session: Session, claimed: Context, *, thorough: bool = False) -> Context:
    """Measure the context of a converter or a vocoder.

    Args:
        session: What runs it.
        claimed: By its card.
        thorough: Disturb inputs at an eighth of the residues of the alignment, not just at the
            ends and in the middle.
    """
    card = session.card
    step = max(card.alignment, card.size_multiple)
    reach = -(-(max(claimed.before, claimed.after) + _MARGIN) // step) * step
    residues = {0, 1, step // 2 - 1, step // 2, step - 1} & {*range(step)}
    if thorough:
        residues |= {*range(0, step, 8)}
    positions = [reach + residue for residue in sorted(residues)]
    given = _maker(card)(geometry_of(card).padded(2 * reach + step))
    return probe_sequence(session.run, given, rate=card.hop_length or 1, positions=positions)


def _finite_findings(session: Session, make: _Make, claimed: Context) -> Iterator[Result]:
    card = session.card
    if 3 * (claimed.before + claimed.after) * (card.hop_length or 1) > _LONGEST:
        yield "context", False, "not probed: it takes an input longer than 24 seconds"
        return
    seen = probe(session, claimed)
    text = (
        f"{seen.before} before and {seen.after} after observed, "
        f"{claimed.before} and {claimed.after} on the card"
    )
    within = seen.before <= claimed.before and seen.after <= claimed.after
    yield "context", within and (True if seen == claimed else None), text
    length = 3 * (claimed.before + claimed.after) + 5 * card.alignment + 1
    chunk = 2 * (claimed.before + claimed.after + 2 * card.alignment * card.size_multiple)
    geometry = geometry_of(card)
    chunk = max(chunk, geometry.least_window)
    given = make(geometry.padded(max(length, chunk + 1)))  # two chunks at least
    plan = plan_chunks(card, given.shape[-1], chunk=chunk)
    batch = given[np.newaxis]
    chunked = np.concatenate(list(run_chunks(session, plan, lambda a, b: batch[..., a:b])), axis=1)
    error = float(np.abs(chunked - session.run(batch)).max())
    found = f"{len(plan)} chunks differ from the whole by {error:.1e}"
    yield "chunks", error <= TOLERANCE, found


def _maker(card: Card) -> _Make:
    """Return what makes an input for a card: noise, or a noisy spectrogram."""

    def make(length: int, seed: int = 0) -> Floats:
        generator = np.random.default_rng(seed)
        if card.task == "vocode":
            bands = len(card.inputs[0].channels)
            return generator.normal(-5, 2, (bands, length)).astype(np.float32)
        return generator.normal(0, 0.05, length).astype(np.float32)

    return make
