"""`anamorph live`: speak into the microphone in another voice."""

import math
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import Parameter

from anamorph.commands.progress import locate
from anamorph.commands.running import Switch
from anamorph.errors import UnavailableError, UsageError
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.converter import VoiceConverter
    from anamorph.live import Bridge, Status

_BAR: Final = 20  # characters of the level meter, 3 dB each
_TICK_SECONDS: Final = 0.1
_LINE_SECONDS: Final = 5.0  # between lines where there is no terminal


def live(
    *,
    model: Annotated[str, Parameter(alias="-m")] = "",
    input: str | None = None,
    output: str | None = None,
    list_devices: Switch = False,
    rate: int | None = None,
    gain: Annotated[float, Parameter(allow_leading_hyphen=True)] = 0.0,
    cushion: float = 20.0,
    seconds: float | None = None,
    device: Device = "auto",
    threads: int | None = None,
) -> int:
    """Speak into the microphone in another voice; Ctrl-C ends it. Wear headphones.

    Args:
        model: Name (see `anamorph models`), path, https:// or hf:// address of a voice.
        input: Microphone, by its number or a part of its name; by default the system's.
        output: Loudspeaker or headphones, likewise.
        list_devices: List all sound devices, and end.
        rate: Samples per second of both; by default what the microphone prefers.
        gain: dB by which the model hears you louder: speech should reach -12 to -6 dB.
        cushion: Milliseconds that playing is held back by; more forgives a busy machine more.
        seconds: End after so long.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
    """
    from anamorph.sound_card import describe_devices, find_device, import_sounddevice

    if not list_devices and not model:
        raise UsageError("no model is named; give --model NAME, or --list-devices")
    if not 0 <= cushion <= 1000:
        raise UsageError(f"--cushion {cushion:g}: 0 to 1000 milliseconds are accepted")
    if seconds is not None and not seconds > 0:
        raise UsageError(f"--seconds {seconds:g}: must be above 0")
    sounddevice = import_sounddevice()
    if list_devices:
        lines = describe_devices(sounddevice)
        print("\n".join(lines) if lines else "no audio device is present")
        return 0
    microphone = find_device(sounddevice, input, "input")
    speaker = find_device(sounddevice, output, "output")

    from anamorph.loading import load_converter

    converter = load_converter(locate(model), device=device, threads=threads)
    chosen = round(microphone["default_samplerate"]) if rate is None else rate
    title = f"{converter.origin} on {converter.device}"
    print(f"{title}: {microphone['name']} to {speaker['name']}, {chosen} Hz", file=sys.stderr)
    bridge = _build(converter, chosen, gain, cushion / 1000)
    pair = microphone["index"], speaker["index"]
    try:
        _run(sounddevice, bridge, pair, chosen, seconds)
    except sounddevice.PortAudioError as error:
        reason = " ".join(str(error).split())
        raise UnavailableError(
            f"{chosen} Hz from {microphone['name']} to {speaker['name']}: {reason}; try another "
            "--rate, --input or --output"
        ) from None
    finally:
        bridge.close()
    return 0


def _build(converter: "VoiceConverter", rate: int, gain: float, cushion: float) -> "Bridge":
    import numpy as np

    from anamorph.live import Bridge

    stream = converter.stream(sample_rate=rate, gain_db=gain)
    stream.push(np.zeros(rate, np.float32))  # the first runs are slow
    stream.flush()
    terms = ", ".join(f"{name} {1000 * value:.0f}" for name, value in stream.delays.items())
    print(
        f"behind by {1000 * (stream.latency + cushion):.0f} ms and the sound card ({terms}, "
        f"cushion {1000 * cushion:.0f})",
        file=sys.stderr,
    )
    return Bridge(stream, cushion=cushion)


def _run(
    sounddevice: Any, bridge: "Bridge", pair: tuple[int, int], rate: int, seconds: float | None
) -> None:
    """Convert until Ctrl-C or the end of the time, and tell how it goes."""

    def exchange(heard: Any, played: Any, frames: int, clock: Any, flags: Any) -> None:
        played[:, 0] = bridge.exchange(
            heard[:, 0],
            heard_at=clock.inputBufferAdcTime,
            played_at=clock.outputBufferDacTime,
            flawed=bool(flags),
        )

    begun = told = time.monotonic()
    status, terminal = bridge.status(), sys.stderr.isatty()
    with sounddevice.Stream(
        samplerate=rate, device=pair, channels=1, dtype="float32", latency="low", callback=exchange
    ) as running:
        try:
            while running.active and (seconds is None or time.monotonic() < begun + seconds):
                time.sleep(_TICK_SECONDS)
                status = bridge.status()
                if bridge.error:
                    break
                if terminal:
                    print(f"\r{_line(status)} ", end="", file=sys.stderr, flush=True)
                elif time.monotonic() > told + _LINE_SECONDS:
                    told = time.monotonic()
                    print(_line(status), file=sys.stderr)
        except KeyboardInterrupt:
            pass  # the way to end it
        lost = not running.active
    if terminal:
        print(file=sys.stderr)
    print(f"ended: {_figures(status)}", file=sys.stderr)
    if bridge.error:
        raise bridge.error
    if lost:
        raise UnavailableError("the sound device went away; plug it in and repeat the command")


def _line(status: "Status") -> str:
    meters = f"in {_meter(status.level_in)}  out {_meter(status.level_out)}"
    return f"{meters}  {_figures(status)}"


def _figures(status: "Status") -> str:
    runs = f"{status.under_runs} under-run{'' if status.under_runs == 1 else 's'}"
    lost = f", {status.dropped:.1f} s lost: this machine is too slow" if status.dropped else ""
    return f"{1000 * status.latency:.0f} ms behind, {runs}{lost}"


def _meter(level: float) -> str:
    """Return a bar from -60 to 0 dB of full scale, and the figure."""
    decibels = max(-99.0, 20 * math.log10(max(level, 1e-9)))
    filled = min(_BAR, max(0, round(_BAR + decibels / 3)))
    return f"[{'#' * filled:<{_BAR}}] {decibels:>3.0f} dB"
