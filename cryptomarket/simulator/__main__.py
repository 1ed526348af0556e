"""``python -m cryptomarket.simulator``: the simulator alone, for a user's own CI."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cryptomarket.simulator.faults import BadScript, read_script_file
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.playback import BadRecording, read_recording
from cryptomarket.simulator.server import simulate

_DEFAULTS = SimulatorOptions()

app = typer.Typer(pretty_exceptions_enable=False)


@app.command()
def main(  # noqa: PLR0913  # each is an option of the command
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = _DEFAULTS.host,
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = _DEFAULTS.port,
    seed: Annotated[int, typer.Option(help="Same seed, same market.")] = _DEFAULTS.seed,
    faults: Annotated[Path | None, typer.Option(help="Script of faults (JSON).")] = None,
    play: Annotated[Path | None, typer.Option(help="Recording to play (JSON lines).")] = None,
    speed: Annotated[float, typer.Option(help="How fast to play it.")] = 1.0,
    loop: Annotated[bool, typer.Option(help="Play it again and again.")] = False,
    restamp: Annotated[bool, typer.Option(help="Move its timestamps to the present.")] = False,
    record: Annotated[bool, typer.Option(help="Keep a log of what was sent.")] = False,
    rate: Annotated[
        float, typer.Option(help="Price notifications per second in all; 0 is the market's own pace.")
    ] = 0.0,
    token_life_s: Annotated[int, typer.Option(help="Life of access tokens.")] = _DEFAULTS.token_life_s,
    until_pipe_closes: Annotated[bool, typer.Option(help="End when stdin does.")] = False,
) -> None:
    """Run a Deribit that an unmodified client accepts: ws://HOST:PORT/ws/api/v2 and http://HOST:PORT/api/v2/…"""
    options = replace(
        _DEFAULTS, host=host, port=port, seed=seed, playback=play, playback_speed=speed, playback_loop=loop,
        playback_restamp=restamp, recording=record, rate=rate, token_life_s=token_life_s,
    )  # fmt: skip
    try:
        if play is not None:
            read_recording(play)
        if faults is not None:
            options = replace(options, faults=read_script_file(faults))
    except (OSError, BadScript, BadRecording) as error:
        raise typer.BadParameter(str(error)) from error
    try:
        simulate(options, until_pipe_closes=until_pipe_closes)
    except OSError as error:
        typer.echo(f"The simulator cannot listen on port {port} of {host}: {error.strerror}.", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()
