"""What a person sees of streams: a table that lives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from cryptomarket.client import (
    Connected,
    Gap,
    Heard,
    InstrumentTick,
    Interrupted,
    KeepAlive,
    Reset,
    Snapshot,
    Status,
    Tick,
)
from cryptomarket.terminal.tables import table_within

_STATE_STYLES = {"live": "green", "unknown": "dim", "stale": "yellow", "halted": "yellow", "maintenance": "yellow"}
_KEPT_GAPS = 3
_COLUMNS = ("ticker", "price", "change", "bid", "ask", "feed", "age", "ticks")
# What a narrow terminal goes without, one after the other.
_DISPENSABLE = (("ticks",), ("age",), ("bid", "ask"), ("change",), ("feed",))
_HUNDRED = Decimal(100)


@dataclass
class Row:
    """What is known of one ticker."""

    tick: Tick | None = None
    first: Decimal | None = None
    direction: int = 0
    state: str = "unknown"
    ticks: int = 0


@dataclass
class Board:
    """Hears a stream and draws it. `now_us` tells the time, in microseconds since the epoch."""

    now_us: Callable[[], int]
    rows: dict[str, Row] = field(default_factory=dict)
    connection: str = "connecting"
    exchange: str = ""
    position: str | None = None
    resumed: int = 0
    resets: int = 0
    gaps: list[Gap] = field(default_factory=list)

    def expect(self, tickers: Sequence[str]) -> None:
        """Shows these, also before anything is known of them."""
        for ticker in tickers:
            self.rows.setdefault(ticker, Row())

    def hear(self, heard: Heard) -> None:
        """Takes an event in."""
        self.position = heard.position
        match heard.event:
            case Tick() as tick:
                self._tick(tick)
            case Snapshot() as snapshot:
                row = self.rows.setdefault(snapshot.ticker, Row())
                row.state = snapshot.state
                if snapshot.tick is not None:
                    row.tick, row.first = snapshot.tick, row.first or snapshot.tick.price
            case Status() as status:
                self.rows.setdefault(status.ticker, Row()).state = status.state
            case Gap() as gap:
                self.gaps = [*self.gaps, gap][-_KEPT_GAPS:]
            case Connected() as connected:
                self.expect(connected.tickers)
                self.exchange, self.connection = connected.exchange, "connected"
                self.resumed += connected.resume == "complete"
                self.resets += isinstance(connected, Reset)
            case KeepAlive() as alive:
                for ticker, feed in alive.feeds.items():
                    self.rows.setdefault(ticker, Row()).state = feed.state
            case Interrupted() as interrupted:
                self.connection = f"{interrupted.reason} – back in {interrupted.returns_in_s:.1f} s"

    def _tick(self, tick: Tick) -> None:
        row = self.rows.setdefault(tick.ticker, Row())
        before = row.tick.price if row.tick is not None else None
        if before is not None and tick.price is not None and before != tick.price:
            row.direction = 1 if tick.price > before else -1
        row.first = row.first if row.first is not None else tick.price
        row.tick, row.ticks = tick, row.ticks + 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table as it is now, as wide as the terminal lets it be."""
        yield _line(self._title(), "italic")
        yield self._table_within(console, options)
        for gap in self.gaps:
            yield _line(_gap_line(gap), "yellow")
        yield _line(self._footer(), "dim")

    def _table_within(self, console: Console, options: ConsoleOptions) -> Table:
        rows = [self._cells(ticker, row) for ticker, row in self.rows.items()]
        return table_within(
            console, options.max_width, _COLUMNS, rows, dispensable=_DISPENSABLE, to_the_left={"ticker", "feed"}
        )

    def _title(self) -> str:
        simulated = "  simulated prices" if self.exchange == "simulator" else ""
        return f"{self.exchange or 'cryptomarket'}{simulated}  {self.connection}"

    def _footer(self) -> str:
        return f"Ctrl-C ends  resumed {self.resumed}  reset {self.resets}  id {self.position or '–'}"

    def _cells(self, ticker: str, row: Row) -> Mapping[str, RenderableType]:
        tick, state = row.tick, Text(row.state, style=_STATE_STYLES.get(row.state, "red"))
        known: dict[str, RenderableType] = {"ticker": ticker, "feed": state, "ticks": str(row.ticks)}
        if tick is None:
            return {**known, "price": "–"}
        arrow, style = {1: ("▲", "green"), -1: ("▼", "red"), 0: (" ", "")}[row.direction]
        bid, ask = (tick.best_bid_price, tick.best_ask_price) if isinstance(tick, InstrumentTick) else (None, None)
        age_s = max(0, self.now_us() - tick.received_us) / 1_000_000
        price = Text(f"{_plain(tick.price)} {arrow}", style=style)
        quotes = {"bid": _plain(bid), "ask": _plain(ask)}
        return {**known, **quotes, "price": price, "change": _change(row.first, tick.price), "age": f"{age_s:.1f} s"}


def _line(text: str, style: str) -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _plain(price: Decimal | None) -> str:
    return "–" if price is None else f"{price:,f}"


def _change(first: Decimal | None, last: Decimal | None) -> str:
    if not first or last is None:
        return ""
    return f"{(last - first) / first * _HUNDRED:+.3f} %"


def _gap_line(gap: Gap) -> str:
    return f"gap  {gap.ticker}  {(gap.to_ms - gap.from_ms) / 1000:.1f} s not heard ({gap.cause})"
