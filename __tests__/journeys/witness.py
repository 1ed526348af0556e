"""What the exchange said, held against what a stream told and what was stored: nothing made up, lost or doubled."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import httpx
import pytest

from __tests__.journeys.gateway import Gateway, Json, Reader, exact, gateway
from cryptomarket.market.ticks import FeedState
from cryptomarket.simulator.options import SimulatorOptions
from cryptomarket.simulator.server import RunningSimulator, running

OF_THE_GATEWAY = frozenset({"seq", "prev_seq", "received_us", "published_us", "kind", "ticker"})
OF_A_SNAPSHOT = frozenset({"age_ms", "state", "since_ms", "last_seq"})
PRICES = ("price", "last_price", "mark_price", "index_price")
WORDLESS = ("undefined", "expired")
LOOK_S = 0.02

HASTY = {
    "pool_size": "4",
    "index_silence_s": "1",
    "instrument_silence_s": "1",
    "renew_channel_s": "0.5",
    "refused_channel_s": "0.5",
    "request_timeout_s": "2",
    "slot_lease_s": "60",
    "keep_alive_s": "1",
}
"""Settings of a gateway that loses patience, and regains it, in about a second."""

BUSY = SimulatorOptions(
    port=0, recording=True, index_period_s=0.1, activity={"BTC-PERPETUAL": 0.1, "ETH-PERPETUAL": 0.1}
)
"""A market in which everything moves ten times a second, and of which a log is kept."""


@dataclass(frozen=True)
class Scene:
    """A simulator in this process, which keeps what it sent, and a gateway process that listens to it."""

    simulator: RunningSimulator
    gate: Gateway


@asynccontextmanager
async def scene(
    folder: Path, settings: Mapping[str, str] | None = None, *, market: SimulatorOptions | None = None
) -> AsyncIterator[Scene]:
    """Both, until the block ends. `settings` are over `HASTY`, `market` stands for `BUSY`."""
    async with running(market or BUSY) as simulator:
        given = {"deribit_ws_url": simulator.ws_url, **HASTY, **(settings or {})}
        async with gateway(folder, "serve", **given) as gate:
            yield Scene(simulator, gate)


async def comes_true(condition: Callable[[], object], *, within_s: float = 15) -> Json:
    """Waits for something that announces itself nowhere: looks, or asks, again and again until it is so."""
    ends_s = time.monotonic() + within_s
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < ends_s, "it did not come true in time"
        await asyncio.sleep(LOOK_S)  # sleep: between two looks at another process


async def moves_on(simulator: RunningSimulator, ticker: str) -> None:
    """Waits until the exchange's ticker of an instrument has changed."""
    world = simulator.exchange.world
    listing = world.find(ticker)
    assert listing is not None
    began = world.quotes.step(listing, simulator.now_us())
    await comes_true(lambda: world.quotes.step(listing, simulator.now_us()) > began)


def frames_of(simulator: RunningSimulator, ticker: str) -> list[dict[str, Json]]:
    """The readable data that the exchange sent about a ticker, in order of sending."""
    log = exact(simulator.exchange.journal.sent(None, None, 0).decode())
    assert log["dropped"] == 0, "the simulator's log was too small for this test"
    channels = (f"deribit_price_index.{ticker}", f"ticker.{ticker}.100ms", f"ticker.{ticker}.raw")
    said = []
    for entry in log["sent"]:
        if entry["channel"] in channels:
            try:
                data = exact(entry["frame"])["params"]["data"]
            except ValueError:
                continue
            if not any(isinstance(data.get(name), str) and data[name] not in WORDLESS for name in PRICES):
                said.append(data)
    return said


def event_of(data: Mapping[str, Json]) -> dict[str, Json]:
    """The content of the event that a frame must become: every field of it, and nulls for what was not said."""
    if "index_name" in data:
        return {"instrument_name": data["index_name"], "price": data["price"], "timestamp": data["timestamp"]}
    event = {name: None if value in WORDLESS else value for name, value in data.items()} | {"price": data["last_price"]}
    for side in ("bid", "ask"):
        names = (f"best_{side}_price", f"best_{side}_amount")
        if all(event.get(name) == 0 for name in names):
            event |= dict.fromkeys(names)
    return event


def content_of(message: Mapping[str, Json]) -> dict[str, Json]:
    """What of a streamed tick is the exchange's word."""
    return {name: value for name, value in message.items() if name not in OF_THE_GATEWAY}


def says(message: Mapping[str, Json], event: Mapping[str, Json]) -> bool:
    """Whether a streamed tick says exactly what the frame said: all of it, digit for digit, and nothing else."""
    content = content_of(message)
    return content.keys() >= event.keys() and all(_same(value, event.get(name)) for name, value in content.items())


def _same(told: Json, sent: Json) -> bool:
    if isinstance(told, dict):
        sent = sent or {}
        return told.keys() >= sent.keys() and all(_same(value, sent.get(name)) for name, value in told.items())
    return bool(told == sent)


def of(reader: Reader, ticker: str, *names: str, since: int = 0) -> list[dict[str, Json]]:
    """The data of a ticker's events of these names, from the `since`-th event of the stream on."""
    told = [exact(event.data) for event in reader.events[since:] if event.event in names]
    return [data for data in told if data["ticker"] == ticker]


def words_of(reader: Reader, ticker: str, since: int) -> list[str]:
    """What was told of a ticker in short: `tick`, a feed's state, or `gap:` and its cause."""
    words = []
    for event in reader.events[since:]:
        if event.event not in {"message", "status", "gap"}:
            continue
        data = exact(event.data)
        if data["ticker"] == ticker:
            short = {"message": "tick", "status": data.get("state"), "gap": f"gap:{data.get('cause')}"}
            words.append(short[event.event])
    return words


async def hears(reader: Reader, ticker: str, *story: str, since: int, within_s: float = 20) -> None:
    """Waits until a ticker's events have told this story, in this order, whatever else came between."""

    def told(reader: Reader) -> bool:
        words = iter(words_of(reader, ticker, since))
        return all(word in words for word in story)

    try:
        await reader.until(told, within_s=within_s)
    except TimeoutError:
        told_instead = [f"{word} ×{len(list(same))}" for word, same in groupby(words_of(reader, ticker, since))]
        pytest.fail(f"{ticker} should have told {story}, and told {told_instead}")


def check_order(reader: Reader) -> None:
    """Every publication once and in order; each ticker's chain unbroken from its snapshot; its times never go back."""
    last_seq: dict[str, int] = {}
    newest: dict[str, dict[str, Json]] = {}
    position = 0
    for before_it, event in zip([None, *reader.events], reader.events, strict=False):
        if event.event not in {"snapshot", "message", "status", "gap"}:
            continue
        data = exact(event.data)
        ticker = data["ticker"]
        if event.event == "snapshot":
            last_seq[ticker] = data["last_seq"]
            continue
        if data["seq"] is None:
            # A parser repeats the last id for an event without one.
            assert before_it is not None
            assert event.id == before_it.id, "what a process tells by itself has no id"
            assert (event.event, data["prev_seq"]) == ("status", None), "only a status is told by itself"
            continue
        assert data["prev_seq"] == last_seq[ticker], f"{ticker}: {data} does not follow {last_seq[ticker]}"
        assert data["seq"] > position, "a position came twice, or late"
        assert event.id.endswith(f"-{data['seq']}")
        position = last_seq[ticker] = data["seq"]
        if event.event == "message":
            before = newest.get(ticker)
            assert before is None or data["timestamp"] >= before["timestamp"], f"{ticker} went back in time"
            assert before is None or content_of(data) != content_of(before), f"{ticker} said the same twice"
            newest[ticker] = data


def check_gaps(reader: Reader, ticker: str) -> None:
    """Each gap begins at the last tick before it and ends at the first one after it."""
    last_ms, open_to_ms = None, None
    for data in of(reader, ticker, "message", "gap"):
        if "from_ms" in data:
            assert last_ms is None or data["from_ms"] == last_ms
            assert data["to_ms"] > data["from_ms"]
            open_to_ms = data["to_ms"]
        else:
            assert open_to_ms is None or data["timestamp"] == open_to_ms
            last_ms, open_to_ms = data["timestamp"], None


def check_truth(reader: Reader, simulator: RunningSimulator, ticker: str) -> None:
    """Each tick is one that the exchange sent, exactly; and what it sent and was not told lies in a gap that was."""
    messages = of(reader, ticker, "message")
    gaps = of(reader, ticker, "gap")
    frames = frames_of(simulator, ticker)
    at_ms: dict[int, list[dict[str, Json]]] = {}
    for data in frames:
        at_ms.setdefault(data["timestamp"], []).append(event_of(data))
    told_at_ms: dict[int, list[dict[str, Json]]] = {}
    for message in messages:
        told_at_ms.setdefault(message["timestamp"], []).append(message)
        assert any(says(message, sent) for sent in at_ms.get(message["timestamp"], [])), f"made up: {message}"
    newest_ms = 0
    for data in frames:
        is_echo, newest_ms = data["timestamp"] < newest_ms, max(newest_ms, data["timestamp"])
        if is_echo or not messages[0]["timestamp"] < data["timestamp"] < messages[-1]["timestamp"]:
            continue
        told = any(says(message, event_of(data)) for message in told_at_ms.get(data["timestamp"], []))
        assert told or any(gap["from_ms"] <= data["timestamp"] < gap["to_ms"] for gap in gaps), f"lost untold: {data}"


def check_snapshots(reader: Reader, simulator: RunningSimulator, ticker: str) -> None:
    """Each snapshot is a tick that the exchange sent, exactly, and the one that the stream itself has told when it has;
    beside it stands how the feed is.
    """
    messages = {message["seq"]: message for message in of(reader, ticker, "message")}
    sent_at_ms: dict[int, list[dict[str, Json]]] = {}
    for data in frames_of(simulator, ticker):
        sent_at_ms.setdefault(data["timestamp"], []).append(event_of(data))
    for snapshot in of(reader, ticker, "snapshot"):
        told = {name: value for name, value in snapshot.items() if name not in OF_A_SNAPSHOT}
        if "instrument_state" in told:
            told["state"] = told.pop("instrument_state")
        if told["price"] is None and told["timestamp"] is None:
            assert {name for name, value in told.items() if value is not None} == {"ticker"}
            continue
        assert any(says(told, sent) for sent in sent_at_ms.get(told["timestamp"], [])), f"made up: {snapshot}"
        assert told["seq"] not in messages or told == messages[told["seq"]]
        assert told["seq"] is None or told["seq"] <= snapshot["last_seq"]
        assert snapshot["age_ms"] >= 0
        assert snapshot["state"] in set(FeedState)


async def check_history(reader: Reader, gate: Gateway, token: str, ticker: str) -> None:
    """The store has the stream's ticks and gaps, row by row, and says `complete` exactly where no gap is."""
    messages, gaps = of(reader, ticker, "message"), of(reader, ticker, "gap")
    epoch = reader.last_id.rpartition("-")[0]
    first_ms, last_ms = messages[0]["timestamp"], messages[-1]["timestamp"]
    async with gate.client(token) as client:
        rows = await _rows_up_to(client, ticker, first_ms, last_ms, messages[-1]["seq"])
        within = [row for row in rows["data"] if messages[0]["seq"] <= row["seq"] <= messages[-1]["seq"]]
        places = [(row.pop("source"), row.pop("position")) for row in within]
        assert within == messages
        assert places == [("stream", f"{epoch}-{message['seq']}") for message in messages]
        inside = [gap for gap in gaps if messages[0]["seq"] <= gap["seq"] <= messages[-1]["seq"]]
        recorded = [gap for gap in rows["gaps"] if messages[0]["seq"] <= gap["seq"] <= messages[-1]["seq"]]
        assert recorded == inside
        assert not (inside and rows["complete"])
        for gap in inside:
            params = {"start": gap["from_ms"], "end": gap["to_ms"]}
            answer = exact((await client.get(f"/api/v2/ticks/{ticker}", params=params)).text)
            assert answer["complete"] is False, f"complete over {gap}"
        asked = {"start": first_ms, "end": last_ms + 1}
        listed = exact((await client.get(f"/api/v2/gaps/{ticker}", params=asked)).text)["data"]
        assert [gap for gap in listed if gap["seq"] >= messages[0]["seq"]][: len(inside)] == inside


async def _rows_up_to(client: httpx.AsyncClient, ticker: str, start_ms: int, last_ms: int, seq: int) -> Json:
    """The stored range, once it is stored up to this sequence: the writer is at most a flush behind."""
    params = {"start": start_ms, "end": last_ms + 1, "limit": 10_000}

    async def rows() -> Json:
        answer = await client.get(f"/api/v2/ticks/{ticker}", params=params)
        assert answer.status_code == 200, answer.text
        page = exact(answer.text)
        return page if page["data"] and page["data"][-1]["seq"] >= seq else None

    return await comes_true(rows)


async def check_everything(reader: Reader, scene: Scene, token: str, tickers: Sequence[str]) -> None:
    """All of the above, of a stream that is still open."""
    check_order(reader)
    for ticker in tickers:
        check_gaps(reader, ticker)
        check_snapshots(reader, scene.simulator, ticker)
        check_truth(reader, scene.simulator, ticker)
        await check_history(reader, scene.gate, token, ticker)
