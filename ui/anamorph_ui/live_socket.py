"""Live conversion over a WebSocket: samples in, samples out, and what it costs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

import msgspec
import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from anamorph.errors import AnamorphError
from anamorph.stream import VoiceStream
from anamorph_ui.workshop import Workshop

_TOLD_EVERY: Final = 1.0  # seconds
_REFUSED: Final = 1008  # policy: what was asked for makes no sense
_BUSY: Final = 1013  # try again later
_PATIENCE: Final = 30.0  # seconds without a message; a microphone sends many a second
MOST_BYTES: Final = 1 << 20  # of one message: 5 s at 48 kHz

T = TypeVar("T")
Compute = Callable[[Callable[[], np.ndarray]], Awaitable[np.ndarray]]


def make_router(workshop: Workshop) -> APIRouter:
    """Return the route ``/v1/live``."""
    router = APIRouter()
    at_work: set[WebSocket] = set()

    def compute(work: Callable[[], T]) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(workshop.live_threads, work)

    @router.websocket("/live")
    async def live(socket: WebSocket, model: str, rate: int = 48_000, gain_db: float = 0.0) -> None:
        """Convert little-endian float32 mono samples, in binary messages of any length.

        As many come back in all. In between come text messages of JSON: what the delay by design
        is made of, in seconds, and seconds of computing per second.
        """
        await socket.accept()
        if len(at_work) >= workshop.limits.live:
            running = f"{len(at_work)} live conversions are running, as many as can; try later"
            await socket.close(_BUSY, running)
            return
        at_work.add(socket)
        try:
            voice = await compute(partial(workshop.shelf.load, model, task="convert"))
            stream = voice.stream(sample_rate=rate, gain_db=gain_db)
            await _converse(socket, stream, compute)
        except AnamorphError as error:
            await socket.close(_REFUSED, _short(workshop.without_folders(str(error))))
        except TimeoutError:
            await socket.close(_REFUSED, f"nothing came for {_PATIENCE:g} s")
        except WebSocketDisconnect:
            pass
        finally:
            at_work.discard(socket)

    return router


async def _converse(socket: WebSocket, stream: VoiceStream, compute: Compute) -> None:
    await socket.send_text(_encode({"delays": stream.delays, "latency": stream.latency}))
    taken, busy, told = 0, 0.0, time.perf_counter()
    while True:
        message = await asyncio.wait_for(socket.receive(), _PATIENCE)
        if message["type"] == "websocket.disconnect":
            return
        if message.get("text") == "end":
            await socket.send_bytes((await compute(stream.flush)).astype("<f4").tobytes())
            await socket.close()
            return
        data = message.get("bytes") or b""
        if len(data) > MOST_BYTES or len(data) % 4:
            await socket.close(
                _REFUSED, f"a message holds whole float32 samples, {MOST_BYTES} bytes"
            )
            return
        begun = time.perf_counter()
        made = await compute(partial(stream.push, np.frombuffer(data, "<f4")))
        busy += time.perf_counter() - begun
        taken += len(data) // 4
        if len(made):
            await socket.send_bytes(made.astype("<f4").tobytes())
        if time.perf_counter() - told > _TOLD_EVERY and taken:
            told = time.perf_counter()
            factor = busy / (taken / stream.sample_rate)
            taken, busy = 0, 0.0
            await socket.send_text(_encode({"real_time_factor": factor}))


def _short(reason: str) -> str:
    """Return what fits into the 123 bytes that a WebSocket's end may give as its reason."""
    return reason.encode()[:120].decode(errors="ignore")


def _encode(fields: dict[str, object]) -> str:
    return msgspec.json.encode(fields).decode()
