import json
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from __tests__.history.outside import USER, outside
from __tests__.history.world import (
    NOW_MS,
    StoppedClock,
    heard,
    index_tick,
    live,
    new_bus,
    perpetual_tick,
    publish,
    writing,
)
from cryptomarket.accounts.tokens import Scope
from cryptomarket.history.repository import Repository
from cryptomarket.market.ticks import Gap, GapCause

T = NOW_MS - 100_000


def exact(response: httpx2.Response) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(response.text, parse_float=Decimal)
    return told


async def test_a_range_of_ticks_is_answered_exactly(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Prices leave as JSON numbers of the same digits; the name is resolved in any case and told as the exchange's."""
    await repository.keep(heard([perpetual_tick(T), perpetual_tick(T + 1)]))
    response = await client.get("/api/v2/ticks/btc-perpetual", params={"start": T, "limit": 1})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    told = exact(response)
    assert told["data"][0]["price"] == Decimal("8.55E+4")
    assert (told["ticker"], told["count"], told["start"], told["end"]) == ("BTC-PERPETUAL", 1, T, NOW_MS)
    assert told["data"][0]["mark_price"] == Decimal("85499.90")
    following = exact(
        await client.get("/api/v2/ticks/BTC-PERPETUAL", params={"cursor": told["next_cursor"], "fields": "timestamp"})
    )
    assert following["data"] == [{"timestamp": T + 1}]


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"start": "soon"}, 400, "start"),
        ({"end": "2026-99-01"}, 400, "end"),
        ({"start": "2999-01-01"}, 422, "start"),
        ({"start": str(T), "end": str(T)}, 422, "start"),
        ({"start": "-5"}, 422, "start"),
        ({"limit": "0"}, 422, "limit"),
        ({"limit": "10001"}, 422, "limit"),
        ({"limit": "many"}, 400, "limit"),
        ({"order": "sideways"}, 422, "order"),
        ({"source": "rumour"}, 422, "source"),
        ({"format": "xml"}, 422, "format"),
        ({"format": "csv", "limit": "5"}, 422, "limit"),
        ({"format": "csv", "start": "2999-01-01"}, 422, "start"),
        ({"format": "csv", "fields": "colour"}, 422, "fields"),
        ({"cursor": "abc"}, 400, "cursor"),
        ({"fields": "price,colour"}, 422, "fields"),
        ({"fields": ""}, 422, "fields"),
    ],
)
async def test_a_question_that_cannot_be_is_refused(
    client: httpx2.AsyncClient, query: dict[str, str], status: int, field: str
) -> None:
    """400 for what can't be read, 422 for what can't be, each naming its field."""
    response = await client.get("/api/v2/ticks/btc_usd", params=query)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in response.json()["errors"]] == [field]


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "parquet", "arrow"])
async def test_fields_that_a_kind_has_none_of_are_refused(
    client: httpx2.AsyncClient, repository: Repository, form: str
) -> None:
    """Promise: no answer in any format is rows of nothing; fields of which the kind has one are answered with it."""
    await repository.keep(heard([index_tick(T), perpetual_tick(T)]))
    asked = {"format": form, "fields": "greeks,mark_iv"}
    for ticker, sentence in (
        ("BTC_USD", "btc_usd, an index, has none of these fields; it has instrument_name, kind, position, prev_seq, "),
        ("BTC-PERPETUAL", "BTC-PERPETUAL, a perpetual, has none of these fields; it has best_ask_amount, "),
    ):
        answer = await client.get(f"/api/v2/ticks/{ticker}", params=asked)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "fields")
        assert answer.json()["detail"].startswith(sentence)
    asked["fields"] += ",price"
    assert (await client.get("/api/v2/ticks/btc_usd", params=asked)).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/api/v2/ticks/btc_usdd", "/api/v2/ticks/btc_usdd/latest", "/api/v2/gaps/btc_usdd",
     "/api/v2/ticks/btc_usdd/at?time=0", "/api/v2/ticks/btc_usdd/stats", "/api/v2/candles/btc_usdd?resolution=1",
     f"/api/v1/market/{USER}/get_order/btc_usdd?start_date=2026-01-01_0:0:0"],
)  # fmt: skip
async def test_an_unknown_ticker_names_the_nearest(client: httpx2.AsyncClient, path: str) -> None:
    """404 with the nearest known names, on every path of history."""
    response = await client.get(path)
    assert response.status_code == 404
    assert "Did you mean btc_usd?" in response.json()["detail"]


async def test_the_latest_tick_has_an_age(client: httpx2.AsyncClient, repository: Repository) -> None:
    """`latest` is one row with `age_ms`; 404 before anything was heard."""
    assert (await client.get("/api/v2/ticks/btc_usd/latest")).status_code == 404
    await repository.keep(heard([index_tick(T, "85500.10")]))
    response = await client.get("/api/v2/ticks/btc_usd/latest")
    assert '"price":85500.10' in response.text
    assert (response.json()["age_ms"], response.json()["timestamp"]) == (100_000, T)


async def test_gaps_of_a_range(client: httpx2.AsyncClient, repository: Repository) -> None:
    """Recorded gaps come with their positions and times in milliseconds."""
    await repository.keep(heard([index_tick(T), Gap("btc_usd", T, T + 9, GapCause.RESTART), index_tick(T + 9)]))
    told = (await client.get("/api/v2/gaps/BTC_USD", params={"start": T, "end": T + 5})).json()
    assert told == {
        "ticker": "btc_usd", "start": T, "end": T + 5, "bounds": "[start,end)", "count": 1, "truncated": False,
        "data": [
            {"ticker": "btc_usd", "from_ms": T, "to_ms": T + 9, "cause": "restart", "state": "recorded", "seq": 2,
             "prev_seq": 1}
        ],
    }  # fmt: skip


async def test_a_moment_a_range_and_its_candles(client: httpx2.AsyncClient, repository: Repository) -> None:
    """`at`, `stats` and `candles` answer with exact numbers, and echo what was understood in milliseconds."""
    await repository.keep(heard([index_tick(T, "85500.10"), index_tick(T + 2000, "85500.000000001")]))
    at = await client.get("/api/v2/ticks/BTC_USD/at", params={"time": (T + 1500) * 1000, "max_difference_ms": 500})
    assert '"price":85500.000000001' in at.text
    assert at.json()["difference_ms"] == 500
    stats = exact(await client.get("/api/v2/ticks/btc_usd/stats", params={"start": T}))
    assert (stats["count"], stats["max"], stats["end"]) == (2, Decimal("85500.10"), NOW_MS)
    candles = exact(await client.get("/api/v2/candles/btc_usd", params={"resolution": "1D"}))
    assert [candle["ticks"] for candle in candles["data"]] == [2]


@pytest.mark.parametrize(
    ("path", "query", "status", "field"),
    [
        ("ticks/btc_usd/at", {}, 400, "time"),
        ("ticks/btc_usd/at", {"time": "soon"}, 400, "time"),
        ("ticks/btc_usd/at", {"time": "2999-01-01"}, 422, "time"),
        ("ticks/btc_usd/at", {"time": "0", "max_difference_ms": "-1"}, 422, "max_difference_ms"),
        ("ticks/btc_usd/stats", {"start": "2999-01-01"}, 422, "start"),
        ("ticks/btc_usd/stats", {"end": "x"}, 400, "end"),
        ("candles/btc_usd", {}, 400, "resolution"),
        ("candles/btc_usd", {"resolution": "7"}, 422, "resolution"),
        ("candles/btc_usd", {"resolution": "1", "start": "0", "end": "9"}, 200, None),
        ("candles/btc_usd", {"resolution": "1", "start": "0"}, 422, "start"),
    ],
)
async def test_figures_that_cannot_be_are_refused(
    client: httpx2.AsyncClient, path: str, query: dict[str, str], status: int, field: str | None
) -> None:
    """400 for what can't be read, 422 for what can't be, each naming its field."""
    response = await client.get(f"/api/v2/{path}", params=query)
    assert response.status_code == status, response.text
    assert [error["field"] for error in response.json().get("errors", [])] == ([field] if field else [])


async def test_a_closed_range_may_be_kept_for_ever(repository: Repository, stopped: StoppedClock) -> None:
    """What is complete and lies in the past has a validator and never changes; anything else promises nothing."""
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(T + ms) for ms in (0, 10, 20, 90_000)))
    closed, open_ = {"start": str(T), "end": str(T + 15)}, {"start": str(T), "end": str(T + 95_000)}
    async with outside(repository, stopped.clock, bus=bus) as client:
        for path in ("ticks/btc_usd", "ticks/btc_usd/stats"):
            answer = await client.get(f"/api/v2/{path}", params=closed)
            assert answer.json()["complete"]
            assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
            seen = {"If-None-Match": f'"other", W/{answer.headers["etag"]}'}
            again = await client.get(f"/api/v2/{path}", params=closed, headers=seen)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
            answer = await client.get(f"/api/v2/{path}", params=open_, headers=seen)
            assert (answer.status_code, "etag" in answer.headers, "cache-control" in answer.headers) == (
                200,
                False,
                False,
            )
        day = await client.get("/api/v2/candles/btc_usd", params={"resolution": "1", **closed})
        assert "etag" not in day.headers  # the rest of its minute was not heard


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_closed_pages_are_the_same_bytes_however_much_is_stored_later(
    repository: Repository, stopped: StoppedClock, order: str
) -> None:
    """Promise: a closed page that another one follows keeps its validator though ticks come in; its cursors walk on
    through pages that are closed as well, and tell every row once.
    """
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(T + ms) for ms in (0, 1, 2, 3, 4, 20)))
    closed = {"start": str(T), "end": str(T + 5), "limit": "2", "order": order}
    async with outside(repository, stopped.clock, bus=bus) as client:
        before = await client.get("/api/v2/ticks/btc_usd", params=closed)
        async with writing(bus, repository, stopped.clock):
            await publish(bus, *(index_tick(T + 90_000 + ms) for ms in range(3)))
        after = await client.get("/api/v2/ticks/btc_usd", params=closed)
        assert (after.content, after.headers["etag"]) == (before.content, before.headers["etag"])
        seen = {"If-None-Match": before.headers["etag"]}
        assert (await client.get("/api/v2/ticks/btc_usd", params=closed, headers=seen)).status_code == 304
        pages = [before]
        while (cursor := pages[-1].json()["next_cursor"]) is not None:
            pages.append(await client.get("/api/v2/ticks/btc_usd", params={"cursor": cursor, "limit": "2"}))
    assert all("immutable" in page.headers["cache-control"] for page in pages)
    told = [row["timestamp"] - T for page in pages for row in page.json()["data"]]
    assert told == ([0, 1, 2, 3, 4] if order == "asc" else [4, 3, 2, 1, 0])


async def test_a_fresh_history_is_whole_from_its_first_tick(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: a ticker's first tick is published before the state it makes, and the plain question that begins there
    is complete. It has no validator, for another first row is another answer; said in words, the same range has.
    """
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, index_tick(T), live(T + 50), *(index_tick(T + ms) for ms in (10, 20, 90_000)))
    async with outside(repository, stopped.clock, bus=bus) as client:
        for path in ("ticks/btc_usd", "ticks/btc_usd/stats"):
            plain = await client.get(f"/api/v2/{path}", params={"end": str(T + 15)})
            said = await client.get(f"/api/v2/{path}", params={"start": str(T), "end": str(T + 15)})
            assert (plain.json()["start"], plain.json()["complete"], "etag" in plain.headers) == (T, True, False)
            assert (said.content, "etag" in said.headers) == (plain.content, True)
            whatever = {"If-None-Match": "*"}
            again = await client.get(f"/api/v2/{path}", params={"start": str(T), "end": str(T + 15)}, headers=whatever)
            assert (again.status_code, again.headers["etag"]) == (304, said.headers["etag"])


async def test_a_late_tick_revises_its_candle(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: a candle that changed after it was closed says so, in both senses: the new prices, and `revised`."""
    minute = T // 60_000 * 60_000
    query = {"resolution": "1", "start": str(minute), "end": str(minute + 60_000)}
    await repository.keep(heard([index_tick(minute, "5"), index_tick(minute + 10, "7")]))
    stopped.now_ms = minute + 100_000
    async with outside(repository, stopped.clock) as client:
        [candle] = (await client.get("/api/v2/candles/btc_usd", params=query)).json()["data"]
        assert (candle["high"], candle["ticks"], candle["closed"], candle["revised"]) == (7, 2, True, False)
        late = index_tick(minute + 5, "9")._replace(received_us=(minute + 90_000) * 1000)
        await repository.keep(heard([late], first_seq=9))
        [candle] = (await client.get("/api/v2/candles/btc_usd", params=query)).json()["data"]
        assert (candle["high"], candle["ticks"], candle["closed"], candle["revised"]) == (9, 3, True, True)


@pytest.mark.parametrize("form", ["ndjson", "csv", "parquet", "arrow"])
async def test_a_closed_range_may_be_kept_as_a_file(repository: Repository, stopped: StoppedClock, form: str) -> None:
    """Promise: bulk answers about a closed range have a validator, each format and choice of fields its own; who has
    one is not sent it again, and takes no place. Of an open range nothing is promised.
    """
    bus = new_bus()
    async with writing(bus, repository, stopped.clock):
        await publish(bus, index_tick(T), live(T), *(index_tick(T + ms) for ms in (10, 20, 90_000)))
    closed = {"start": str(T), "end": str(T + 15), "format": form}
    async with outside(repository, stopped.clock, bus=bus) as client:
        path, told = "/api/v2/ticks/btc_usd", {}
        for query in (closed, closed | {"fields": "price"}, closed | {"order": "desc"}, closed | {"end": str(T + 16)}):
            answer = await client.get(path, params=query)
            assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
            assert answer.headers["etag"].startswith('W/"')
            told[answer.headers["etag"]] = answer.content
            again = await client.get(path, params=query, headers={"If-None-Match": answer.headers["etag"]})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
        assert len(told) == 4
        for query in ({**closed, "end": str(T + 95_000)}, {"end": str(T + 15), "format": form}):
            answer = await client.get(path, params=query, headers={"If-None-Match": "*"})
            assert (answer.status_code, "etag" in answer.headers) == (200, False)


async def test_candles_of_a_closed_range_may_be_kept_for_ever(repository: Repository, stopped: StoppedClock) -> None:
    """Promise: minutes that were heard whole and are over have a validator; with one that is not, there is none."""
    bus, minute = new_bus(), T // 60_000 * 60_000 + 60_000
    async with writing(bus, repository, stopped.clock):
        await publish(bus, live(T), *(index_tick(ms) for ms in (T, minute, minute + 59_999, minute + 60_000)))
    stopped.now_ms = minute + 120_000
    whole = {"resolution": "1", "start": str(minute), "end": str(minute + 60_000)}
    async with outside(repository, stopped.clock, bus=bus) as client:
        answer = await client.get("/api/v2/candles/btc_usd", params=whole)
        assert [candle["closed"] for candle in answer.json()["data"]] == [True]
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        seen = {"If-None-Match": answer.headers["etag"]}
        again = await client.get("/api/v2/candles/btc_usd", params=whole, headers=seen)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", answer.headers["etag"])
        longer = await client.get("/api/v2/candles/btc_usd", params=whole | {"end": str(minute + 60_001)}, headers=seen)
        assert (longer.status_code, len(longer.json()["data"]), "etag" in longer.headers) == (200, 2, False)


async def test_history_needs_a_caller(
    client: httpx2.AsyncClient, repository: Repository, stopped: StoppedClock
) -> None:
    """Everything under /api/v2 and /api/v1 of this room asks who is calling."""
    async with outside(repository, stopped.clock, scope=Scope.OPERATOR) as stranger:
        for path in ("/api/v2/ticks/btc_usd", "/api/v2/ticks/btc_usd/latest", "/api/v2/gaps/btc_usd",
                     f"/api/v1/market/{USER}/get_order/btc_usd"):  # fmt: skip
            assert (await stranger.get(path)).status_code == 403
    assert (await client.get("/api/v2/ticks/btc_usd")).status_code == 200


async def test_the_document_tells_the_shapes(client: httpx2.AsyncClient) -> None:
    """OpenAPI describes the rows as numbers, declares no format that is not served; its examples go together."""
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/api/v2/ticks/{ticker}"]["get"]
    shown = {parameter["name"]: parameter["schema"].get("examples") for parameter in operation["parameters"]}
    query = {name: str(examples[0]) for name, examples in shown.items() if examples and name != "ticker"}
    assert {"start", "end", "cursor", "limit", "fields"} <= set(query)
    together = await client.get("/api/v2/ticks/btc_usd", params=query)
    assert together.status_code == 200, together.text
    assert set(operation["responses"]) == {"200", "304", "400", "401", "403", "404", "405", "422", "429", "500", "503"}
    assert len(operation["responses"]["200"]["content"]) == 5
