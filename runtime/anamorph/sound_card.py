"""Sound cards, through the package sounddevice (PortAudio)."""

from types import ModuleType
from typing import Any

from anamorph.errors import InputError, UnavailableError


def import_sounddevice() -> ModuleType:
    """Return the package.

    Raises:
        UnavailableError: PortAudio, the library that it calls, is not there.
        ModuleNotFoundError: The extra is not installed.
    """
    try:
        import sounddevice
    except OSError as error:
        raise UnavailableError(
            f"sound cards cannot be reached ({error}); install PortAudio, on Debian and Ubuntu: "
            "apt-get install libportaudio2"
        ) from None
    module: ModuleType = sounddevice
    return module


def describe_devices(sounddevice: ModuleType) -> list[str]:
    """Return a line for each device: number, name, channels and rate."""
    lines = []
    for number, device in enumerate(sounddevice.query_devices()):
        channels = f"{device['max_input_channels']} in, {device['max_output_channels']} out"
        rate = f"{device['default_samplerate']:.0f} Hz"
        lines.append(f"{number:>3}  {device['name']}  ({channels}, {rate})")
    return lines


def find_device(sounddevice: ModuleType, wanted: str | None, kind: str) -> dict[str, Any]:
    """Return what is known of a device.

    Args:
        sounddevice: The package.
        wanted: Number or part of a name; None takes the system's choice.
        kind: ``input`` or ``output``.

    Raises:
        UnavailableError: No device of this kind is present.
        InputError: None answers to ``wanted``, or more than one.
    """
    name = int(wanted) if wanted and wanted.isdigit() else wanted
    try:
        found: dict[str, Any] = sounddevice.query_devices(name, kind)
    except (ValueError, sounddevice.PortAudioError) as error:
        if not any(one[f"max_{kind}_channels"] for one in sounddevice.query_devices()):
            raise UnavailableError(
                f"no audio {kind} device is present; plug one in, then see: "
                "anamorph live --list-devices"
            ) from None
        reason = " ".join(str(error).split())
        raise InputError(
            f"--{kind} {wanted or 'not given'}: {reason}; see: anamorph live --list-devices"
        ) from None
    if not found[f"max_{kind}_channels"]:
        raise InputError(
            f"--{kind} {wanted}: {found['name']} has no {kind}; see: anamorph live --list-devices"
        )
    return found
