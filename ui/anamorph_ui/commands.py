"""The verb that the page brings to the command line: ``serve``."""

import sys
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from anamorph.commands.running import Switch
from anamorph.errors import UnavailableError, UsageError
from anamorph.providers import Device

Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]
Positive = Annotated[float, Parameter(validator=Number(gt=0))]
Count = Annotated[int, Parameter(validator=Number(gte=0))]


def serve(
    *,
    host: str = "127.0.0.1",
    port: Port = 7860,
    auth: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    insecure: Switch = False,
    share: Switch = False,
    device: Device = "auto",
    threads: int | None = None,
    upload_mb: Positive = 200.0,
    megapixels: Positive = 16.0,
    minutes: Positive = 30.0,
    waiting: Count = 16,
    memory_mb: Positive = 500.0,
) -> int:
    """Open a page for voices, pictures and models, and the same over HTTP, on this machine.

    Args:
        host: Address to listen at; others than this machine's own need --auth.
        port: Port to listen at; 0 takes a free one.
        auth: NAME:PASSWORD that is asked for; repeat for several people.
        insecure: Let anybody in from elsewhere without --auth.
        share: Also open a public address through Gradio's servers, which carry all that is sent.
        device: Where models run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        upload_mb: Greatest size of what is sent at once.
        megapixels: Greatest picture that is taken.
        minutes: Longest recording that is taken.
        waiting: Jobs that may wait; one more is told to come back.
        memory_mb: That loaded models may take, about; the least recently used goes.
    """
    from anamorph.download import LOOPBACK

    for user in auth:
        if not all(user.partition(":")):
            raise UsageError(f"--auth {user}: give NAME:PASSWORD")
    local = host in LOOPBACK
    if not (local and not share) and not auth and not insecure:
        raise UsageError(
            f"--host {host}{' --share' if share else ''}: everybody who can reach it could use it; "
            "give --auth NAME:PASSWORD, or --insecure if that is what you want"
        )
    try:
        from anamorph_ui.listening import listen
        from anamorph_ui.server import build_server
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"the page needs {error.name}; install it with: pip install 'anamorph[ui]'"
        ) from None
    from anamorph_ui.limits import Limits
    from anamorph_ui.workshop import Workshop

    limits = Limits(
        upload_bytes=int(upload_mb * 1e6),
        pixels=int(megapixels * 1e6),
        seconds=60 * minutes,
        waiting=waiting,
        memory_bytes=int(memory_mb * 1e6),
    )
    workshop = Workshop(limits, device=device, threads=threads)
    try:
        hosts = LOOPBACK if local and not share else ()
        listen(
            build_server(workshop, users=auth, hosts=hosts),
            host=host,
            port=port,
            share=share,
            report=lambda line: print(line, file=sys.stderr, flush=True),
            ending=workshop.desk.close,
        )
    finally:
        workshop.close()
    return 0
