"""A crowd in a market of large events, some of whom stop reading: what each is owed, and what he leaves in memory."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from __tests__.journeys.gateway import Gateway, Json, exact
from __tests__.journeys.light import LightReader, light_reader
from __tests__.journeys.storm import TOLD, Word, word_of
from __tests__.journeys.witness import event_of, says
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator

STREAMS = int(os.environ.get("SLOW_STREAMS", "60"))
SLOW = 2 * max(4, round(STREAMS * 0.05 / 2))
"""Who stops reading: five in a hundred, half of them in each mode, and never so few that they would not be noticed."""

EVENT_BYTES = 10_000
_OTHER_BYTES = 620
RATE = 3000 / STREAMS
"""Publications in a second: half of what one process can hear of all streams together."""

TICKERS = (
    "BTC_USDC", "ETH_USDC", "SOL_USDC", "XRP_USDC", "STETH_USDC", "PAXG_USDC", "BNB_USDC", "USDE_USDC", "BTC_USDT",
    "ETH_USDT",
)  # fmt: skip
LINES = 1500


def _said(number: int, at_us: int) -> dict[str, object]:
    """A notification, larger than any of the exchange's: a volume as exact as nobody needs it."""
    name = TICKERS[number % len(TICKERS)]
    price = msgspec.Raw(b"%d.%02d" % (85_000 + number % 997, number % 89))
    volume = msgspec.Raw(b"11.5" + b"0" * (EVENT_BYTES - _OTHER_BYTES) + b"1")
    data = {
        "timestamp": at_us // 1000,
        "state": "open",
        "stats": {"high": 87001, "low": 84002, "volume": volume},
        "instrument_name": name,
        "last_price": price,
        "mark_price": price,
        "index_price": 85010,
        "best_bid_price": price,
        "best_bid_amount": 1 + number % 91,
        "best_ask_price": price,
        "best_ask_amount": 1 + number % 83,
    }
    return {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": f"ticker.{name}.100ms", "data": data}}


def large_market(folder: Path) -> SimulatorOptions:
    """An exchange that plays large notifications of these tickers in turn, over and over, and keeps what it sent."""
    recording = folder / "large.jsonl"
    with recording.open("wb") as out:
        for number in range(LINES):
            at_us = 1_700_000_000_000_000 + int(number * 1e6 / RATE)
            out.write(msgspec.json.encode({"at_us": at_us, "frame": _said(number, at_us)}) + b"\n")
    return SimulatorOptions(
        port=0, recording=True, playback=recording, playback_loop=True, playback_restamp=True, compression=False
    )


@dataclass
class Listener:
    """One who listens, in one stream after another: each goes on where the one before it ended."""

    tickers: frozenset[str]
    mode: str = "all"
    parts: list[LightReader] = field(default_factory=list)

    async def come(self, gate: Gateway, token: str, buffer_bytes: int | None = None) -> LightReader:
        """Opens a stream; `buffer_bytes` as in `light_reader`."""
        query = {"tickers": ",".join(sorted(self.tickers)), "mode": self.mode}
        last_id = self.parts[-1].last_id if self.parts else ""
        reader = await light_reader(gate, token, query, last_id=last_id, buffer_bytes=buffer_bytes)
        self.parts.append(reader)
        await reader.until_told("connected", within_s=60)
        return reader

    async def until_heard(self, seq: int) -> None:
        """Waits until his present stream has told him of everything up to a sequence."""
        reader = self.parts[-1]
        while int(reader.last_id.rpartition("-")[2] or 0) < seq:
            assert not reader.ended, f"the stream ended: {reader.blocks[-1:]}"
            await reader.moved()

    @property
    def first_seq(self) -> int:
        """Where he began."""
        return int(self.parts[0].named("connected")[0].data["position"].rpartition("-")[2])

    @property
    def openings(self) -> list[str]:
        """How each of his streams began."""
        return [block.data["resume"] for part in self.parts for block in part.named("connected")]

    @property
    def farewells(self) -> list[str]:
        """Why his streams ended, as he was told."""
        return [block.data["reason"] for part in self.parts for block in part.named("disconnected")]

    @property
    def heard(self) -> int:
        """How many events about tickers came to him, by the count that was made as they came."""
        return sum(part.counts[name] for part in self.parts for name in TOLD)

    @property
    def words(self) -> list[Word]:
        """What he has heard, over all his streams. Asserts that every event about a ticker has its place as its id."""
        found = []
        for block in (block for part in self.parts for block in part.blocks if block.name in TOLD):
            word = word_of(block)
            assert word is not None, f"without a place: {block.text[:200]}"
            assert block.id.rpartition("-")[2] == str(word.seq)
            found.append(word)
        return found

    def owed(self, log: Sequence[Word]) -> list[Word]:
        """What was published about his tickers since he began."""
        first_seq = self.first_seq
        return [word for word in log if word.seq > first_seq and word.ticker in self.tickers]

    def check_whole(self, log: Sequence[Word]) -> None:
        """Asserts that he has heard everything, once each and in order, byte for byte."""
        words, owed = self.words, self.owed(log)
        seqs, wanted = [word.seq for word in words], [word.seq for word in owed]
        assert seqs == sorted(set(seqs)), "something came twice, or out of order"
        lost, made_up = sorted(set(wanted) - set(seqs)), sorted(set(seqs) - set(wanted))
        assert (lost, made_up) == ([], []), f"lost: {lost[:5]}; made up: {made_up[:5]}"
        assert words == owed

    def conflated(self, log: Sequence[Word]) -> int:
        """How many he was not told. Asserts that he was told a newer one of its ticker and kind instead of each, and
        everything else once and in order, byte for byte, to the newest of each ticker.
        """
        told, owed = {word.seq: word for word in self.words}, self.owed(log)
        assert list(told) == sorted(told)
        assert len(told) == self.heard, "something came twice"
        left_out = 0
        newest: set[tuple[str, str]] = set()
        for word in reversed(owed):
            if word.seq in told:
                assert told.pop(word.seq) == word
                newest.add((word.ticker, word.event))
            else:
                assert (word.ticker, word.event) in newest, f"nothing newer than {word.seq} of {word.ticker} was told"
                left_out += 1
        assert not told, f"made up: {sorted(told)[:5]}"
        return left_out


@dataclass
class Crowd:
    """Everybody: the witness comes before anything is said, `strict` and `lazy` stop reading and want everything or the
    newest.
    """

    witness: Listener
    quick: Sequence[Listener]
    strict: Sequence[Listener]
    lazy: Sequence[Listener]

    @property
    def slow(self) -> Sequence[Listener]:
        """Who stops reading."""
        return (*self.strict, *self.lazy)

    @property
    def reading(self) -> Sequence[Listener]:
        """Who never does."""
        return (self.witness, *self.quick)

    @property
    def all(self) -> Sequence[Listener]:
        """All of them."""
        return (*self.reading, *self.slow)

    @property
    def last_seq(self) -> int:
        """The newest that was published, once the exchange is silent."""
        return self.witness.words[-1].seq

    async def more(self, count: int, within_s: float) -> None:
        """Waits until so many more ticks were published."""
        reader = self.witness.parts[0]
        await reader.until_told("message", reader.counts["message"] + count, within_s=within_s)


def a_crowd() -> Crowd:
    """Nobody of it has come yet. A third of those who read want half of the tickers."""
    everything, half = frozenset(TICKERS), frozenset(TICKERS[::2])
    return Crowd(
        Listener(everything),
        [Listener(everything if number % 3 else half) for number in range(STREAMS - SLOW - 1)],
        [Listener(everything) for _ in range(SLOW // 2)],
        [Listener(everything, "latest") for _ in range(SLOW // 2)],
    )


class _Entry(msgspec.Struct):
    channel: str
    frame: str

    @property
    def ticker(self) -> str | None:
        """Of which instrument it is."""
        kind, _, rest = self.channel.partition(".")
        return rest.partition(".")[0] if kind == "ticker" else None


class _Sent(msgspec.Struct):
    dropped: int
    sent: list[_Entry]


def _entries(simulator: RunningSimulator) -> list[_Entry]:
    told = msgspec.json.decode(simulator.exchange.journal.sent(None, None, 0), type=_Sent)
    assert told.dropped == 0, "the exchange's log was too small for this test"
    return [entry for entry in told.sent if entry.ticker is not None]


def count_sent(simulator: RunningSimulator) -> int:
    """How many ticks the exchange has sent."""
    return len(_entries(simulator))


def check_order_of(log: Sequence[Word], first_seq: int) -> None:
    """Asserts that nothing is missing between one place and the next, and that each ticker's chain is unbroken."""
    assert [word.seq for word in log] == list(range(first_seq + 1, first_seq + 1 + len(log)))
    newest: dict[str, int] = {}
    for word in log:
        assert word.ticker not in newest or word.prev_seq == newest[word.ticker]
        newest[word.ticker] = word.seq
    assert newest.keys() == set(TICKERS)


def check_sent(log: Sequence[Word], simulator: RunningSimulator) -> None:
    """Asserts that the ticks of a log are what the exchange has said, all of it, in order, digit for digit."""
    ticks = [word for word in log if word.event == "message"]
    sent: dict[str, list[Json]] = {ticker: [] for ticker in TICKERS}
    for entry in _entries(simulator):
        sent[entry.ticker or ""].append(event_of(exact(entry.frame)["params"]["data"]))
    assert Counter(word.ticker for word in ticks) == {ticker: len(said) for ticker, said in sent.items()}
    next_of: dict[str, Iterator[Json]] = {ticker: iter(said) for ticker, said in sent.items()}
    for word in ticks:
        assert len(word.text) > 0.9 * EVENT_BYTES
        assert says(exact(word.text), next(next_of[word.ticker])), f"{word.seq} is not what was sent"
