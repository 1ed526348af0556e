"""What a user and his gateway live through: set, stream, history, an orderly end, a crash, and the mornings after."""

import asyncio
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx

from __tests__.journeys.contract import contract_of, watched
from __tests__.journeys.gateway import Gateway, Json, Reader, exact, gateway, reading

KEPT, CANCELLED, ASKED = "btc_usd", "BTC-PERPETUAL", "ETH-PERPETUAL"
LOOK_S = 0.05


async def stored(client: httpx.AsyncClient, ticker: str, enough: Callable[[list[Json]], object]) -> list[Json]:
    """A ticker's rows, once there are enough of them: the writer is at most a flush behind what was streamed."""
    async with asyncio.timeout(10):
        while True:
            page = exact((await client.get(f"/api/v2/ticks/{ticker}", params={"limit": 10_000})).text)
            assert page["next_cursor"] is None
            if enough(page["data"]):
                rows: list[Json] = page["data"]
                return rows
            await asyncio.sleep(LOOK_S)  # sleep: between two looks at another process


def older_date(timestamp_ms: int) -> str:
    """A date as the older filter wants it, of the second that a moment lies in."""
    return f"{datetime.fromtimestamp(timestamp_ms // 1000, UTC):%Y-%m-%d_%H:%M:%S}"


def streamed(reader: Reader, ticker: str) -> list[Json]:
    """The ticks of a ticker that a stream told."""
    return [tick for tick in reader.named("message") if tick["ticker"] == ticker]


async def check_filters(client: httpx.AsyncClient, user_id: str, ticks: list[Json]) -> None:
    """Asserts that both date filters tell exactly these ticks of their range, digit for digit."""
    ticker, first_ms, last_ms = ticks[0]["ticker"], ticks[0]["timestamp"], ticks[-1]["timestamp"]
    await stored(client, ticker, lambda rows: any(row["seq"] == ticks[-1]["seq"] for row in rows))
    params: dict[str, str | int] = {"start": first_ms, "end": last_ms + 1}
    page = exact((await client.get(f"/api/v2/ticks/{ticker}", params=params)).text)
    rows = [{name: row[name] for name in row if name not in {"source", "position"}} for row in page["data"]]
    assert [row for row in rows if ticks[0]["seq"] <= row["seq"] <= ticks[-1]["seq"]] == ticks
    assert {row["timestamp"] for row in rows} == {tick["timestamp"] for tick in ticks}
    dates = {"start_date": older_date(first_ms), "end_date": older_date(last_ms + 1000)}
    answer = await client.get(f"/api/v1/market/{user_id}/get_order/{ticker.swapcase()}", params=dates)
    told = exact(answer.text)["detail"]
    assert (told["user_id"], told["tickers"], told["truncated"]) == (user_id, [ticker], False)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["count"] == len(told["message"])
    for key, row in told["message"].items():
        moment = datetime.strptime(key.partition("#")[0] + "000+0000", "%Y-%m-%d %H:%M:%S.%f%z")
        assert round(moment.timestamp() * 1000) == row["timestamp"]
    older = [row for row in told["message"].values() if ticks[0]["seq"] <= row["seq"] <= ticks[-1]["seq"]]
    assert older == ticks


async def check_simulator_gone(gate: Gateway) -> None:
    """Waits until nobody listens where the simulator did."""
    async with asyncio.timeout(10), httpx.AsyncClient(timeout=5) as client:
        while True:
            try:
                await client.get(f"{gate.simulator_url}/simulator/state")
            except httpx.TransportError:
                return
            await asyncio.sleep(LOOK_S)  # sleep: between two looks at another process


def check_kept(ticks: list[Json], rows: list[Json], *, may_lose_ms: int) -> None:
    """Asserts that rows have these ticks exactly, but for those that were published last."""
    epoch = rows[-1]["position"].partition("-")[0]
    kept = {
        row["seq"]: {name: row[name] for name in row if name not in {"source", "position"}}
        for row in rows
        if row["position"] == f"{epoch}-{row['seq']}"
    }
    lost = [tick for tick in ticks if kept.get(tick["seq"]) != tick]
    assert all(tick["published_us"] > ticks[-1]["published_us"] - may_lose_ms * 1000 for tick in lost), lost


async def check_morning(
    gate: Gateway, token: str, evening: dict[str, list[Json]], last_id: str, *, may_lose_ms: int
) -> None:
    """Asserts that a gateway which was started again has the set and the history, and tells what it did not hear.

    `evening` has what was streamed of each ticker before the end, of which the last `may_lose_ms` need not be stored.
    """
    contract = await contract_of(gate)
    async with watched(gate, contract, token) as client:
        kept = (await client.get("/api/v2/subscriptions")).json()
        assert [row["ticker"] for row in kept["subscriptions"]] == [KEPT]
        async with (
            reading(gate, token, headers={"Last-Event-ID": last_id}) as following,
            reading(gate, token, tickers=ASKED) as asking,
        ):
            assert following.named("connected")[0]["resume"] == "reset"
            assert following.named("connected")[0]["tickers"] == [KEPT]
            told = await asking.until(lambda reader: reader.named("gap"))
            await asking.until(lambda reader: reader.named("message"))
            await following.until(lambda reader: reader.named("message"))
            assert [gap["ticker"] for gap in told] == [ASKED]
            for reader, ticker in ((following, KEPT), (asking, ASKED)):
                gap = await check_gap(client, reader, evening[ticker], may_lose_ms=may_lose_ms)
                assert gap["ticker"] == ticker
            assert gap == told[0]


async def check_gap(client: httpx.AsyncClient, reader: Reader, ticks: list[Json], *, may_lose_ms: int) -> Json:
    """The gap between what was stored before a restart and what is heard since. Asserts that it is exactly that."""
    last = reader.named("message")[-1]
    ticker, epoch = last["ticker"], reader.last_id.partition("-")[0]
    rows = await stored(client, ticker, lambda rows: any(row["position"] == f"{epoch}-{last['seq']}" for row in rows))
    before = [row for row in rows if not row["position"].startswith(f"{epoch}-")]
    first = rows[len(before)]
    gap = exact((await client.get(f"/api/v2/gaps/{ticker}")).text)["data"][-1]
    assert (gap["cause"], gap["from_ms"], gap["to_ms"]) == ("restart", before[-1]["timestamp"], first["timestamp"])
    check_kept(ticks, before, may_lose_ms=may_lose_ms)
    page = exact((await client.get(f"/api/v2/ticks/{ticker}", params={"start": before[-1]["timestamp"]})).text)
    assert page["complete"] is False
    assert gap in page["gaps"]
    return gap


async def test_set_stream_history_restart_and_crash(tmp_path: Path) -> None:
    """Promise: what was streamed is what is stored; the saved set and the history outlive SIGTERM and kill -9; what was
    not heard meanwhile is a gap, from the last stored tick to the first new one; and the simulator ends with us.
    """
    async with gateway(tmp_path) as gate:
        token, user_id = await gate.login()
        contract = await contract_of(gate)
        async with watched(gate, contract, token) as client, reading(gate, token) as following:
            assert following.named("connected")[0]["tickers"] == []
            for ticker in (KEPT, CANCELLED):
                answer = await client.put(f"/api/v2/subscriptions/{ticker.swapcase()}")
                assert (answer.status_code, answer.json()["ticker"]) == (201, ticker)
            await following.until(lambda reader: all(len(streamed(reader, name)) > 2 for name in (KEPT, CANCELLED)))
            assert [told["ticker"] for told in following.named("subscribed")] == [KEPT, CANCELLED]
            assert following.named("subscribed")[-1]["tickers"] == sorted([KEPT, CANCELLED])
            assert (await client.delete(f"/api/v2/subscriptions/{CANCELLED}")).json()["tickers"] == [KEPT]
            left = await following.until(lambda reader: reader.named("unsubscribed"))
            at = [event.event for event in following.events].index("unsubscribed")
            assert left == [{"ticker": CANCELLED, "tickers": [KEPT], "seq": left[0]["seq"]}]
            many = len(streamed(following, KEPT))
            await following.until(lambda reader: len(streamed(reader, KEPT)) > many + 1)
            afterwards = [exact(event.data) for event in following.events[at + 1 :]]
            assert {told["ticker"] for told in afterwards if "ticker" in told} == {KEPT}
            for ticker in (KEPT, CANCELLED):
                await check_filters(client, user_id, streamed(following, ticker))
            async with reading(gate, token, tickers=ASKED) as asking:
                await asking.until(lambda reader: len(reader.named("message")) > 2)
                assert await gate.stop(signal.SIGTERM) == 0
                for reader in (following, asking):
                    await reader.until(lambda reader: reader.ended or reader.events[-1].event == "disconnected")
                    assert reader.events[-1].event == "disconnected"
                    assert reader.named("disconnected")[0]["reason"] == "shutdown"
                evening = {KEPT: streamed(following, KEPT), ASKED: streamed(asking, ASKED)}
        await check_simulator_gone(gate)

        await gate.start()
        await check_morning(gate, token, evening, following.last_id, may_lose_ms=0)
        async with reading(gate, token) as following, reading(gate, token, tickers=ASKED) as asking:
            await following.until(lambda reader: len(reader.named("message")) > 1)
            await asking.until(lambda reader: len(reader.named("message")) > 1)
            await gate.kill()
            evening = {KEPT: streamed(following, KEPT), ASKED: streamed(asking, ASKED)}
        assert following.named("disconnected") == []
        await check_simulator_gone(gate)

        await gate.start()
        await check_morning(gate, token, evening, following.last_id, may_lose_ms=300)
        assert await gate.stop() == 0
