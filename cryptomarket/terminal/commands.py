"""What these commands are called, and what they take. Each is a line or two around the client."""

import asyncio
import sys
import time
from collections.abc import Coroutine, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from cryptomarket.client import (
    AccessToken,
    ApiKey,
    Client,
    InstrumentTick,
    KeyPair,
    Unauthenticated,
)
from cryptomarket.client.client import USUAL_URL
from cryptomarket.client.events import AnyTick
from cryptomarket.client.words import url_of
from cryptomarket.market.candles import Resolution
from cryptomarket.terminal.endings import Ending, hear_ctrl_c, told, until_signalled
from cryptomarket.terminal.examples import epilog_of
from cryptomarket.terminal.moments import duration_ms
from cryptomarket.terminal.output import write_whole
from cryptomarket.terminal.tables import table_within
from cryptomarket.terminal.tail import Tail, tail_to_end
from cryptomarket.terminal.tokens import Kept, secret_of, token_store

app = typer.Typer(pretty_exceptions_enable=False)

Url = Annotated[str, typer.Option("--url", envvar="CRYPTOMARKET_URL", help="The gateway.")]
Token = Annotated[
    str, typer.Option("--token", envvar="CRYPTOMARKET_TOKEN", help="Instead of the one that `login` has kept.")
]
Ticker = Annotated[str, typer.Argument(help="An index (btc_usd) or an instrument (BTC-PERPETUAL), in any case.")]
Start = Annotated[str | None, typer.Option(help="Inclusive: ISO 8601 (UTC without a zone), or Unix time.")]
End = Annotated[str | None, typer.Option(help="Exclusive, written like --start; now when absent.")]
Last = Annotated[str | None, typer.Option("--last", help="Instead of --start: so long before now: 90s, 15m, 2h, 7d.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, a line per value, prices digit for digit.")]

_COLUMNS = ("time (ms)", "price", "bid", "ask", "position")
# What a narrow terminal goes without, one after the other.
_DISPENSABLE = (("position",), ("bid", "ask"), ("time (ms)",))
_encoder = msgspec.json.Encoder(decimal_format="number")


def _run(work: Coroutine[object, object, None]) -> None:
    on_terminal = sys.stdout.isatty()
    hear_ctrl_c(on_terminal=on_terminal)
    with told():
        # What draws on no terminal has nothing to undo, and ends as any program does.
        asyncio.run(until_signalled(work) if on_terminal else work)


def _client(url: str, token: str, *, patience_s: float = 5.0) -> Client:
    """A client with the token that was given, or kept. Raises Unauthenticated without any."""
    url = url_of(url)
    if token:
        return Client(url, AccessToken(token), patience_s=patience_s)
    kept = token_store().get(url)
    if kept is None:
        raise Unauthenticated(f"Nobody is logged in at {url}.")
    return Client(url, AccessToken(secret_of(kept)), patience_s=patience_s)


def _start_of(start: str | None, last: str | None) -> str | None:
    if start is not None and last is not None:
        raise ValueError("--start and --last are two words for one thing: give one of them.")
    return start if last is None else str(time.time_ns() // 1_000_000 - duration_ms(last))


def _row(tick: AnyTick) -> dict[str, str]:
    bid, ask = (tick.best_bid_price, tick.best_ask_price) if isinstance(tick, InstrumentTick) else (None, None)
    cells = (tick.timestamp_ms, tick.price, bid, ask, tick.position)
    return {name: "" if cell is None else str(cell) for name, cell in zip(_COLUMNS, cells, strict=True)}


def _draw(rows: Sequence[Mapping[str, str]]) -> None:
    console = Console()
    # Written by ourselves: the library has an end of its own for an output that nobody reads any more.
    with console.capture() as drawn:
        console.print(
            table_within(console, console.width, _COLUMNS, rows, dispensable=_DISPENSABLE, to_the_left=_COLUMNS)
        )
    write_whole(drawn.get())


def _say(value: object) -> None:
    write_whole(_encoder.encode(value) + b"\n")


@app.command(epilog=epilog_of("tail"))
def tail(
    *,
    tickers: Annotated[list[str] | None, typer.Argument(help="Which; the saved set when none are named.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Events as lines; also when the output is no terminal.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Adds the lines to this file, and goes on after its last one, exactly.")
    ] = None,
    from_id: Annotated[str | None, typer.Option(help="Goes on after the id of any line.")] = None,
    timer: Annotated[float | None, typer.Option(help="At most the latest of each ticker in so many seconds.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Ends after so many ticks.")] = None,
    url: Url = USUAL_URL,
    token: Token = "",
) -> None:
    """Watch prices live. Lost connections are resumed by themselves, without losing or doubling an event."""

    async def work() -> None:
        async with _client(url, token) as client:
            # A gateway that was never there is told at once; one that goes away is waited for.
            await client.me()
            if not tickers and not await client.subscriptions():
                typer.echo("cryptomarket: The saved set is empty: until it has tickers, there is silence.", err=True)
            wish = Tail(tuple(tickers or ()), as_lines=json or not sys.stdout.isatty(), out=out, after=from_id)
            await tail_to_end(client, wish, timer_s=timer, count=count)

    _run(work())


@app.command(epilog=epilog_of("history"))
def history(
    *,
    ticker: Ticker,
    start: Start = None,
    end: End = None,
    last: Last = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many ticks, the oldest first.")] = 20,
    newest: Annotated[bool, typer.Option("--newest", help="The newest first.")] = False,
    json: Json = False,
    url: Url = USUAL_URL,
    token: Token = "",
) -> None:
    """Stored ticks of a time, and on the error output what of it is missing."""

    async def work() -> None:
        rows: list[dict[str, str]] = []
        left, pages = limit, None
        async with _client(url, token) as client:
            begin, order = _start_of(start, last), "desc" if newest else "asc"
            async for page in client.pages(ticker, begin, end, order=order, rows=min(limit, 1000)):  # type: ignore[arg-type]  # one of the two words
                pages = page
                for tick in page.ticks[:left]:
                    if json:
                        _say(tick)
                    else:
                        rows.append(_row(tick))
                left -= len(page.ticks)
                if left <= 0:
                    break
        if not json:
            _draw(rows)
        if pages is not None and not pages.complete:
            typer.echo(
                f"Not everything of this time was heard or is stored yet; recorded gaps: {len(pages.gaps)}.", err=True
            )

    _run(work())


@app.command(epilog=epilog_of("export"))
def export(
    *,
    ticker: Ticker,
    to: Annotated[Path, typer.Option(help="The file; its ending says the format: .ndjson, .csv, .parquet or .arrow.")],
    start: Start = None,
    end: End = None,
    last: Last = None,
    fields: Annotated[str, typer.Option(help="Names, separated by commas; all when absent.")] = "",
    url: Url = USUAL_URL,
    token: Token = "",
) -> None:
    """All ticks of a time as a file, which is there only when it came whole."""

    async def work() -> None:
        async with _client(url, token) as client:
            chosen = [name for name in fields.split(",") if name]
            facts = await client.export(ticker, to, _start_of(start, last), end, fields=chosen)
        whole = "complete" if facts.complete else "not everything of this time was heard"
        typer.echo(f"{to}: {facts.rows} rows, {whole}, sha256 {facts.sha256}")

    _run(work())


@app.command(epilog=epilog_of("candles"))
def candles(
    *,
    ticker: Ticker,
    resolution: Annotated[Resolution, typer.Option(help="Minutes of a candle, or 1D.")] = Resolution.MINUTE_1,
    start: Start = None,
    end: End = None,
    last: Last = None,
    json: Json = False,
    url: Url = USUAL_URL,
    token: Token = "",
) -> None:
    """Candles of a time, drawn; as many as the terminal is wide."""

    async def work() -> None:
        async with _client(url, token) as client:
            answer = await client.candles(ticker, resolution, _start_of(start, last), end)
        if json:
            for candle in answer.candles:
                _say(candle)
            return
        if not answer.candles:
            typer.echo(f"There is no price of {answer.ticker} in this time.", err=True)
            return
        console, drawing = Console(), import_module("cryptomarket.terminal.plot")
        width, height = max(40, console.width), max(10, min(24, console.height - 4))
        write_whole(
            drawing.picture(answer.candles, resolution, width=width, height=height, colored=console.is_terminal) + "\n"
        )
        newest = answer.candles[-1]
        typer.echo(
            f"{answer.ticker}  open {newest.open}  high {newest.high}  low {newest.low}  close {newest.close}  "
            f"{'closed' if newest.is_closed else 'open still'}  {answer.count} candle{'' if answer.count == 1 else 's'}"
        )

    _run(work())


@app.command(epilog=epilog_of("status"))
def status(url: Url = USUAL_URL, token: Token = "") -> None:
    """How the gateway is, part by part, and who is logged in. Ends with 4 when it is not ready."""

    async def work() -> None:
        where = url_of(url)
        async with Client(where, patience_s=0) as anybody:
            health, readiness = await anybody.health(), await anybody.readiness()
        simulated = ", simulated prices" if health.simulated else ""
        typer.echo(f"{where}  version {health.version}  exchange {health.exchange}{simulated}")
        for name, part in sorted(readiness.parts.items()):
            typer.echo(f"  {'ready    ' if part.ready else 'NOT READY'}  {name}: {part.detail}")
        if token or token_store().get(where) is not None:
            async with _client(where, token) as client:
                me = await client.me()
                typer.echo(f"  logged in as {me.username or me.user_id} ({me.user_id})")
        else:
            typer.echo("  nobody is logged in here")
        if not readiness.ready:
            raise typer.Exit(Ending.AWAY)

    _run(work())


@app.command(epilog=epilog_of("login"))
def login(
    client_id: Annotated[str | None, typer.Option(help="Of a Deribit API key; asked for when absent.")] = None,
    api_key: Annotated[bool, typer.Option("--api-key", help="With a gateway API key instead of a pair.")] = False,
    url: Url = USUAL_URL,
) -> None:
    """Log in: the secret is asked for or read from the input; only the token is kept, in the keyring or a 0600 file."""

    async def work() -> None:
        where = url_of(url)
        credentials = ApiKey(_secret("API key")) if api_key else KeyPair(_name(client_id), _secret("Client secret"))
        async with Client(where, credentials, patience_s=5.0) as client:
            issued = await client.login()
        store = token_store()
        store.put(where, Kept(issued.access_token.reveal(), issued.user_id))
        typer.echo(
            f"{issued.user_id} is logged in at {where} for {issued.expires_in_s // 3600} h; kept in {store.place}"
        )

    _run(work())


@app.command(epilog=epilog_of("logout"))
def logout(url: Url = USUAL_URL) -> None:
    """End the token, everywhere, and forget it."""

    async def work() -> None:
        where, store = url_of(url), token_store()
        kept = store.get(where)
        if kept is None:
            typer.echo(f"Nobody was logged in at {where}.")
            return
        try:
            async with Client(where, AccessToken(secret_of(kept)), patience_s=5.0) as client:
                await client.revoke()
        except Unauthenticated:
            typer.echo("The token had ended before.")
        # Not before it is dead: with it goes the only way to end it.
        store.remove(where)
        typer.echo(f"{kept.user_id} is logged out of {where}.")

    _run(work())


def _name(client_id: str | None) -> str:
    return client_id or str(typer.prompt("Client id"))


def _secret(what: str) -> str:
    """From the terminal, unseen; else the first line of the input."""
    if sys.stdin.isatty():
        return str(typer.prompt(what, hide_input=True))
    return sys.stdin.readline().strip()
