"""How much a server does for whoever asks."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds that hold for the page and for HTTP alike.

    Attributes:
        upload_bytes: Of one request.
        pixels: Of one picture that comes in.
        seconds: Of one recording that comes in.
        files: That come in at once.
        waiting: Jobs that may wait for their turn; one more is told to come back.
        live: Live conversions at a time.
        own_models: Models of one's own that are kept; the oldest goes.
        memory_bytes: That loaded models may take, about; the least recently used goes.
        kept_seconds: Age at which uploads and results that nobody fetched are deleted.
    """

    upload_bytes: int = 200_000_000
    pixels: int = 16_000_000
    seconds: float = 1800.0
    files: int = 50
    waiting: int = 16
    live: int = 2
    own_models: int = 8
    memory_bytes: int = 500_000_000
    kept_seconds: int = 1800
