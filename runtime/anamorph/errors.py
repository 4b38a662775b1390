"""What can go wrong, as one family of exceptions.

Every message is one line that says what was given, what is accepted and what to do about it.
"""


class AnamorphError(Exception):
    """Base of every error that Anamorph raises on purpose."""


class ModelNotFoundError(AnamorphError, FileNotFoundError):
    """No model answers to the given name, path or address."""

    def __str__(self) -> str:
        """Return the message alone, without the errno that FileNotFoundError would add."""
        return str(self.args[0]) if self.args else ""


class ModelFileError(AnamorphError, ValueError):
    """A model file is damaged, is no Anamorph model, or contradicts its card."""


class InputError(AnamorphError, ValueError):
    """An input (picture, recording, folder, option) cannot be used as given."""


class UsageError(InputError):
    """The command line names no known option, or its options contradict each other."""


class OutputError(AnamorphError, OSError):
    """An output cannot be written: it exists, exceeds its format, or the disk refuses."""

    def __str__(self) -> str:
        """Return the message alone, without the errno that OSError would add."""
        return str(self.args[0]) if self.args else ""


class UnavailableError(AnamorphError, RuntimeError):
    """A device, an extra or a network that was asked for is not there."""
