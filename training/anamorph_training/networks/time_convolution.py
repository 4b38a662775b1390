"""Convolutions over time that see only so far ahead: what a live voice has to wait for."""

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from anamorph.errors import InputError


def share_look_ahead(frames: int | None, kernels: Sequence[int]) -> tuple[int, ...]:
    """Divide what a network may see of the time after a frame among its convolutions.

    The first ones get it: all that follow can then make use of it.

    Args:
        frames: In all; None for as many as symmetric kernels see.
        kernels: Frames that each convolution's symmetric kernel spans, odd.

    Returns:
        Frames that each sees ahead, at most as many as a symmetric kernel.

    Raises:
        InputError: There is more to see than symmetric kernels can.
    """
    most = [kernel // 2 for kernel in kernels]
    left = sum(most) if frames is None else frames
    if left > sum(most):
        raise InputError(
            f"look-ahead of {left} frames: this network sees {sum(most)} at most; give fewer "
            "(--look-ahead)"
        )
    shares = []
    for one in most:
        shares.append(min(one, left))
        left -= shares[-1]
    return tuple(shares)


class TimeConvolution(nn.Conv1d):
    """A convolution over time that gives as many frames as it is given; zeros lie beyond.

    Args:
        inputs: Features that come in.
        outputs: Features that go out.
        kernel: Frames that the symmetric kernel spans, odd.
        ahead: Frames that it sees ahead, at most half of the kernel; the rest of it is left out.
        groups: Groups of features that do not mix.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int, ahead: int, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel // 2 + 1 + ahead, groups=groups)
        self.before, self.ahead = kernel // 2, ahead

    def forward(self, features: Tensor) -> Tensor:
        """Turn (batch, inputs, frames) into (batch, outputs, frames)."""
        features, padding = self._pad(features)
        return F.conv1d(features, self.weight, self.bias, padding=padding, groups=self.groups)

    def as_picture(self, features: Tensor) -> Tensor:
        """Do the same as if it were a picture one pixel wide.

        Where channels lie together, as dense layers leave them, it takes a third of the time on a
        CPU.
        """
        features, padding = self._pad(features)
        picture = F.conv2d(
            features.unsqueeze(3),
            self.weight.unsqueeze(3),
            self.bias,
            padding=(padding, 0),
            groups=self.groups,
        )
        return picture.squeeze(3)

    def _pad(self, features: Tensor) -> tuple[Tensor, int]:
        """Return features, and the padding on both sides that is left to the convolution."""
        if self.before == self.ahead:
            return features, self.before
        return F.pad(features, (self.before, self.ahead)), 0
