"""What every model that is ready to run tells of itself."""

from anamorph.card import Card
from anamorph.upscaling import Session


class LoadedModel:
    """A model that ``anamorph.load`` made ready; each task has a class of its own.

    Args:
        session: What runs the graph.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def card(self) -> Card:
        """The model's card."""
        return self._session.card

    @property
    def device(self) -> str:
        """Device that runs the model, such as ``cpu``."""
        return self._session.device

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of what runs the model, such as ``CPUExecutionProvider``."""
        return self._session.provider

    @property
    def origin(self) -> str:
        """Name and version of the model, as outputs carry it."""
        return f"{self.card.name}@{self.card.model_version}"
