"""Stop after the current step on Ctrl-C or SIGTERM, so that the loop can save and leave."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

_SIGNALLED: Final = 128  # a shell's exit code for a program that a signal ended, less the signal


class Interruption:
    """Context in which the first Ctrl-C or SIGTERM sets `asked`; a second one kills at once."""

    def __init__(self) -> None:
        self.asked = False
        self._signal = signal.SIGINT
        self._former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Handlers can be set in the main thread alone; elsewhere the caller stops the loop.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def leave(self) -> NoReturn:
        """Leave as the signal would have made the program leave.

        Raises:
            KeyboardInterrupt: Ctrl-C came.
            SystemExit: SIGTERM came; the code is 143.
        """
        if self._signal == signal.SIGTERM:
            raise SystemExit(_SIGNALLED + signal.SIGTERM)
        raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked, self._signal = True, signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former.clear()
