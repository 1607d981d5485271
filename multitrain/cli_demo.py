"""`multitrain demo`: a local page to drop videos on."""

import signal
import threading
from typing import Annotated

import typer

from multitrain.cli_predict import Model, load_recogniser
from multitrain.errors import UserError
from multitrain.options import Device, Threads


def demo(
    model: Model,
    host: Annotated[str, typer.Option("--host", help="Where to listen; 0.0.0.0: other machines too.")] = ("127.0.0.1"),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen at; 0: any free one.")] = 7860,
    limit: Annotated[int, typer.Option("--limit", min=1, help="MB of the largest video that is taken.")] = 500,
    threads: Threads = 1,
    device: Device = "auto",
) -> None:
    """Open a page on this machine: drop a video, see the heads' answers and the timeline. Ctrl-C ends it."""
    if not host.strip():
        raise UserError("--host: is empty: give an address of this machine")
    from multitrain.use.demo import serving

    recogniser = load_recogniser(model, device, threads)
    ended = threading.Event()
    with serving(recogniser, host, port, limit * 1_000_000) as server:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: ended.set())
        if not server.loopback:
            typer.echo("note: everybody who reaches this machine can send videos to this page", err=True)
        typer.echo(f"Open {server.address} in a browser; Ctrl-C ends it.")
        ended.wait()
