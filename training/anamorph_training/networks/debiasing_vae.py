"""A classifier whose encoder is also that of a VAE (Amini et al., 2019, figure 2)."""

import torch
from torch import Tensor, nn

from anamorph_training.networks.autoencoder import Decoder, Encoder, Size, reparametrise


class DebiasingVAE(nn.Module):
    """Tells classes apart, and learns what else there is to its pictures.

    Args:
        size: Of the picture, and how wide the network is.
        latent: Numbers in a code.
        classes: Classes to tell apart.
    """

    def __init__(self, size: Size, *, latent: int, classes: int) -> None:
        super().__init__()
        self.size, self.latent, self.classes = size, latent, classes
        self.encoder = Encoder(size, latent=latent, outputs=2 * latent + classes)
        self.decoder = Decoder(size, latent=latent)

    def forward(self, picture: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return a picture made of a drawn code, its posterior, and logits of its class.

        Args:
            picture: float32 (b, bands, height, width) in [0, 1].
            noise: float32 (b, latent), drawn from N(0, I); zeros take the mean.

        Returns:
            The picture before `Decoder.show`; mean and log variance, each (b, latent); logits of
            the classes (b, classes).
        """
        mean, log_variance, classes = self._judge(picture)
        return self.decoder(reparametrise(mean, log_variance, noise)), mean, log_variance, classes

    def posterior(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | picture), each float32 (b, latent)."""
        mean, log_variance, _ = self._judge(picture)
        return mean, log_variance

    def encode(self, picture: Tensor) -> Tensor:
        """Return the code of a picture: the posterior's mean, float32 (b, latent)."""
        return self._judge(picture)[0]

    def classify(self, picture: Tensor) -> Tensor:
        """Return the chance of each class, float32 (b, classes)."""
        return torch.softmax(self._judge(picture)[2], dim=1)

    def _judge(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        numbers = self.encoder(picture)
        mean, log_variance, classes = numbers.split([self.latent, self.latent, self.classes], 1)
        return mean, log_variance, classes
